"""The feature statistics tracker: what is known about one feature, in bounded memory, without its rows.

The statistics of two parts of the data merge into those of the whole, so they can be collected batch by batch and
process by process. They are values: updating returns new ones. Nothing is random: the same updates give the same bytes.

Nothing from a sketch library is used, for three reasons that were measured: its KLL sketch draws random numbers, its
t-digest takes no weights (so nothing could fade), and its distinct counts take one value a call.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from detector.core import content as stored
from detector.core import kernels
from detector.core.category_weights import CategoryWeights
from detector.core.distinct_sketch import MOST_HASHES, DistinctSketch
from detector.core.feature_figures import NUMBER_KINDS, FeatureFigures, Floats, Kind, ScalerType
from detector.core.moments import Moments
from detector.core.quantile_digest import QuantileDigest

__all__ = ["KINDS", "NUMBER_KINDS", "FeatureStatistics", "Kind", "ScalerType"]

#: The kinds a feature can have.
KINDS: tuple[str, ...] = get_args(Kind)

# Up to here the overhead of sorting and joining equal values exceeds what it saves.
_FEW = 32
_ONES = stored.read_only(np.ones(_FEW))
_BOOLEANS = frozenset({"true", "false"})
_FIELDS = frozenset({"kind", "rows", "absent", "moments", "digest", "categories", "hashes"})
_KIND_NAMED: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}


@dataclass(frozen=True, eq=False)
class FeatureStatistics(FeatureFigures):
    """What is known about one feature.

    Start from :meth:`empty`; build by :meth:`updated_numeric` or :meth:`updated_categorical`, join with :meth:`merged`.
    """

    @classmethod
    def empty(cls, kind: Kind) -> FeatureStatistics:
        """Return the statistics of a feature of which nothing was seen yet.

        Raises
        ------
        ValueError
            When ``kind`` is none of the four kinds.
        """
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
        return cls(kind)

    def updated_numeric(self, values: Floats, *, decay: float = 1.0) -> FeatureStatistics:
        """Return the statistics with ``values`` added.

        Parameters
        ----------
        values : (n,) float64, NaN where a row has no value
        decay : what the weight of everything known before is multiplied by, 0 < decay <= 1

        Raises
        ------
        ValueError
            When a value is infinite, ``decay`` is out of range, or the feature holds categories.
        """
        self.must_hold(numbers=True)
        before = self._faded(decay)
        values = np.asarray(values, dtype=np.float64)
        if values.ndim != 1:
            raise ValueError(f"values must have one dimension, not {values.ndim}")
        rows = len(values)
        if not np.isfinite(values).all():
            values = values[~np.isnan(values)]
            if np.isinf(values).any():
                raise ValueError("values must be finite, or NaN where a row has none; at least one is infinite")
        n = len(values)
        if n == 0:
            return replace(before, rows=before.rows + rows, absent=before.absent + rows)
        # 0.0 takes the sign from a negative zero: one value must not have two bit patterns.
        values = values + 0.0
        if n > _FEW:
            values.sort()
            points, counts = np.empty(n), np.empty(n)
            different = kernels.count_runs(values, points, counts)
            points, counts = points[:different], counts[:different]
        else:
            points, counts = values, _ONES[:n]
        return FeatureStatistics(
            kind=before.kind,
            rows=before.rows + rows,
            absent=before.absent + (rows - n),
            moments=before.moments.joined(Moments.of(values)),
            digest=before.digest.updated(points, counts),
            categories=before.categories,
            different=before.different.with_numbers(points),
        )

    def updated_categorical(
        self, categories: Sequence[str], counts: NDArray[Any], absent: int, *, decay: float = 1.0
    ) -> FeatureStatistics:
        """Return the statistics with ``categories`` added.

        Parameters
        ----------
        categories : texts, each once; of a boolean feature only ``"true"`` and ``"false"``
        counts : (c,) how often each occurred, >= 0
        absent : how many rows had no value
        decay : what the weight of everything known before is multiplied by, 0 < decay <= 1

        Raises
        ------
        ValueError
            When the arguments do not fit together, ``decay`` is out of range, or the feature holds numbers.
        """
        self.must_hold(numbers=False)
        before = self._faded(decay)
        added = np.asarray(counts, dtype=np.float64)
        if added.shape != (len(categories),) or len(set(categories)) != len(categories):
            raise ValueError("categories must differ from each other and have one count each")
        if absent < 0 or not (np.isfinite(added) & (added >= 0.0)).all():
            raise ValueError("counts must be finite and at least 0")
        if self.kind == "boolean" and not _BOOLEANS.issuperset(categories):
            raise ValueError('a boolean feature has the categories "true" and "false" only')
        if not added.all():
            categories = [category for category, count in zip(categories, added.tolist(), strict=True) if count > 0.0]
            added = added[added > 0.0]
        seen = float(added.sum())
        return replace(
            before,
            rows=before.rows + round(seen) + absent,
            absent=before.absent + absent,
            categories=before.categories.updated(categories, added) if seen else before.categories,
            different=before.different.with_texts(before.categories.unknown(categories)),
        )

    def merged(self, other: FeatureStatistics) -> FeatureStatistics:
        """Return the statistics of both together.

        The order of the two makes no difference, but for rounding.

        Raises
        ------
        ValueError
            When the kinds differ.
        """
        if self.kind != other.kind:
            raise ValueError(f"statistics of a {self.kind} and a {other.kind} feature cannot be merged")
        return FeatureStatistics(
            kind=self.kind,
            rows=self.rows + other.rows,
            absent=self.absent + other.absent,
            moments=self.moments.joined(other.moments),
            digest=self.digest.merged(other.digest),
            categories=self.categories.merged(other.categories),
            different=self.different.merged(other.different),
        )

    def to_content(self) -> dict[str, Any]:
        """Return the statistics as builtins and numpy arrays, for a model file."""
        return {
            "kind": self.kind,
            "rows": self.rows,
            "absent": self.absent,
            "moments": self.moments.to_content(),
            "digest": self.digest.to_content(),
            "categories": self.categories.to_content(),
            "hashes": self.different.hashes.copy(),
        }

    @classmethod
    def from_content(cls, content: object) -> FeatureStatistics:
        """Return the statistics that :meth:`to_content` described.

        Raises
        ------
        ModelFileError
            When anything is off: fields, types, lengths, ranges, or sums that contradict each other.
        """
        found = stored.fields(content, _FIELDS, "feature statistics")
        kind = found["kind"]
        if type(kind) is not str or kind not in _KIND_NAMED:
            raise stored.damaged("the kind of a feature is unknown")
        read = cls(
            kind=_KIND_NAMED[kind],
            rows=stored.whole_number(found, "rows"),
            absent=stored.number(found, "absent", lowest=0.0),
            moments=Moments.from_content(found["moments"]),
            digest=QuantileDigest.from_content(found["digest"]),
            categories=CategoryWeights.from_content(found["categories"]),
            different=DistinctSketch.from_hashes(stored.array(found, "hashes", np.uint64, most=MOST_HASHES)),
        )
        read._must_be_consistent()
        return read

    def _must_be_consistent(self) -> None:
        points, names, moments = self.digest.values, self.categories.names, self.moments
        numbers = self.kind in NUMBER_KINDS
        if names if numbers else len(points) or moments.weight:
            raise stored.damaged(f"a {self.kind} feature holds values of another kind")
        if self.kind == "boolean" and not _BOOLEANS.issuperset(names):
            raise stored.damaged("a boolean feature holds other categories than true and false")
        if not math.isclose(float(self.digest.weights.sum()), moments.weight, rel_tol=1e-6, abs_tol=1e-6):
            raise stored.damaged("the weights of a feature do not add up")
        if (len(points) > 0) is not (moments.weight > 0.0):
            raise stored.damaged("a feature has weight without values, or values without weight")
        if len(points) and not moments.minimum <= points.min() <= points.max() <= moments.maximum:
            raise stored.damaged("the values of a feature lie outside of its range")

    def _faded(self, decay: float) -> FeatureStatistics:
        if not 0.0 < decay <= 1.0:
            raise ValueError(f"decay must lie above 0 and not above 1, not {decay}")
        if decay == 1.0:
            return self
        return FeatureStatistics(
            kind=self.kind,
            rows=self.rows,
            absent=self.absent * decay,
            moments=self.moments.faded(decay),
            digest=self.digest.faded(decay) if self.digest.values.size else self.digest,
            categories=self.categories.faded(decay) if self.categories.names else self.categories,
            different=self.different,
        )
