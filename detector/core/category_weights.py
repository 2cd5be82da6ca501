"""How often each category was seen, with weights that fade: the 10,000 heaviest by name, the rest as one sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core import content as stored
from detector.core.moments import LEAST_WEIGHT

Floats = NDArray[np.float64]

#: How many categories are kept by name.
MOST_CATEGORIES = 10_000

_FIELDS = frozenset({"names", "weights", "other"})
_NO_FLOATS = stored.read_only(np.empty(0, dtype=np.float64))


@dataclass(frozen=True, eq=False)
class CategoryWeights:
    """Categories in the order in which they were first seen.

    When more than 10,000 come together the lightest are dropped (of equally light ones the last by name), and their
    weight goes to ``other``. A dropped category that comes back starts anew.

    Parameters
    ----------
    names : the categories, each once
    weights : (c,) float64, their weights, each > 0
    other : the weight of all categories that were dropped
    """

    names: tuple[str, ...] = ()
    weights: Floats = field(default_factory=lambda: _NO_FLOATS)
    other: float = 0.0

    @property
    def total(self) -> float:
        """The weight of all categories together."""
        return float(self.weights.sum()) + self.other

    @cached_property
    def places(self) -> dict[str, int]:
        """Where in ``weights`` each category stands."""
        return {name: place for place, name in enumerate(self.names)}

    @cached_property
    def by_name(self) -> MappingProxyType[str, float]:
        """The weight of each category."""
        return MappingProxyType(dict(zip(self.names, self.weights.tolist(), strict=True)))

    def share(self, category: str) -> float:
        """Return the share (0-1) of ``category``; 0 for one that is not kept."""
        place = self.places.get(category)
        return 0.0 if place is None else float(self.weights[place]) / self.total

    def top(self, n: int) -> tuple[tuple[str, float], ...]:
        """Return the ``n`` heaviest categories with their shares (0-1), heaviest first, equal ones by name."""
        if not self.names or n < 1:
            return ()
        total = self.total
        ranked = sorted(zip((-self.weights).tolist(), self.names, strict=True))
        return tuple((name, -weight / total) for weight, name in ranked[:n])

    def unknown(self, categories: Sequence[str]) -> list[str]:
        """Return those of ``categories`` that are not kept."""
        return [category for category in categories if category not in self.places]

    def faded(self, decay: float) -> CategoryWeights:
        """Return the weights multiplied by ``decay``."""
        if decay == 1.0:
            return self
        return self._reweighted(np.maximum(self.weights * decay, LEAST_WEIGHT), self.other * decay)

    def updated(self, categories: Sequence[str], counts: Floats, other: float = 0.0) -> CategoryWeights:
        """Return the weights with ``counts`` ((n,), > 0) added to ``categories`` (each once), ``other`` to the rest."""
        fresh = self.unknown(categories)
        if not fresh:
            weights = self.weights.copy()
            weights[[self.places[category] for category in categories]] += counts
            return self._reweighted(weights, self.other + other)
        names = (*self.names, *fresh)
        places = self.places | {name: place for place, name in enumerate(fresh, start=len(self.names))}
        weights = np.concatenate((self.weights, np.zeros(len(fresh))))
        weights[[places[category] for category in categories]] += counts
        grown = CategoryWeights(names, stored.read_only(weights), self.other + other)
        grown.__dict__["places"] = places
        return grown._bounded() if len(names) > MOST_CATEGORIES else grown

    def merged(self, other: CategoryWeights) -> CategoryWeights:
        """Return the weights of both together."""
        return self.updated(other.names, other.weights, other.other)

    def _reweighted(self, weights: Floats, other: float) -> CategoryWeights:
        changed = CategoryWeights(self.names, stored.read_only(weights), other)
        # The places are the same, and finding 10,000 of them takes longer than the whole update.
        changed.__dict__["places"] = self.places
        return changed

    def _bounded(self) -> CategoryWeights:
        least = np.partition(self.weights, -MOST_CATEGORIES)[-MOST_CATEGORIES]
        heavier = self.weights > least
        at_least = np.flatnonzero(self.weights == least).tolist()
        at_least.sort(key=self.names.__getitem__)
        heavier[at_least[: MOST_CATEGORIES - int(heavier.sum())]] = True
        names = tuple(name for name, kept in zip(self.names, heavier.tolist(), strict=True) if kept)
        dropped = float(self.weights[~heavier].sum())
        return CategoryWeights(names, stored.read_only(self.weights[heavier]), self.other + dropped)

    def to_content(self) -> dict[str, Any]:
        """Return the weights as plain values."""
        return {"names": list(self.names), "weights": self.weights.copy(), "other": self.other}

    @classmethod
    def from_content(cls, content: object) -> CategoryWeights:
        """Return the weights that :meth:`to_content` described.

        Raises
        ------
        ModelFileError
            When types, lengths or ranges are off.
        """
        found = stored.fields(content, _FIELDS, "category weights")
        names = found["names"]
        if type(names) is not list or any(type(name) is not str for name in names):
            raise stored.damaged("the categories are not a list of texts")
        weights = stored.array(found, "weights", np.float64, most=MOST_CATEGORIES)
        if len(names) != len(weights) or len(set(names)) != len(names):
            raise stored.damaged("the categories and their weights do not match")
        if (weights <= 0.0).any():
            raise stored.damaged("a category has a weight that is not above 0")
        return cls(tuple(names), weights, stored.number(found, "other", lowest=0.0))
