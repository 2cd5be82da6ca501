"""What people and other parts read off the statistics of a feature: quantiles, shares, scales, a summary."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detector.core.category_weights import CategoryWeights
from detector.core.distinct_sketch import DistinctSketch
from detector.core.moments import Moments
from detector.core.quantile_digest import QuantileDigest

Floats = NDArray[np.float64]
Kind = Literal["numeric", "categorical", "boolean", "datetime"]
ScalerType = Literal["robust", "standard", "minmax"]

#: Those kinds whose values are numbers (a datetime is seconds since 1970-01-01 UTC).
NUMBER_KINDS = frozenset({"numeric", "datetime"})
#: How many categories a summary lists.
TOP_SHOWN = 10

_QUANTILES = {"q01": 0.01, "q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95, "q99": 0.99}


@dataclass(frozen=True, eq=False)
class FeatureFigures:
    """The figures of one feature; :class:`~detector.core.statistics.FeatureStatistics` collects them.

    Parameters
    ----------
    kind : the feature's kind; a datetime's values are seconds since 1970-01-01 UTC
    rows : how many rows were seen; never fades
    absent : faded weight of the rows that had no value
    moments : weight, mean, squared deviations and range of the numbers
    digest : answers quantiles; its error is stated in :class:`~detector.core.quantile_digest.QuantileDigest`
    categories : weights by category
    different : counts the different values ever seen (does not fade)
    """

    kind: Kind
    rows: int = 0
    absent: float = 0.0
    moments: Moments = field(default_factory=Moments)
    digest: QuantileDigest = field(default_factory=QuantileDigest)
    categories: CategoryWeights = field(default_factory=CategoryWeights)
    different: DistinctSketch = field(default_factory=DistinctSketch)

    @cached_property
    def present(self) -> float:
        """Faded weight of the rows that had a value."""
        return self.moments.weight if self.kind in NUMBER_KINDS else self.categories.total

    @property
    def count(self) -> float:
        """Faded weight of all rows, those without a value included."""
        return self.present + self.absent

    @property
    def share_absent(self) -> float:
        """Share (0-1) of the rows that have no value; 0 while there are no rows."""
        return self.absent / self.count if self.count > 0.0 else 0.0

    @property
    def distinct(self) -> int:
        """How many different values were seen: exact below 2,048 (10,000 categories), else off by 2.2 % (one sigma)."""
        # As long as no category was dropped, they are all there to be counted.
        return len(self.categories.names) if self.categories.names and not self.other else self.different.estimate

    @property
    def mean(self) -> float:
        """Weighted mean of the numbers; 0 while there are none."""
        return self.moments.mean

    @property
    def m2(self) -> float:
        """Weighted sum of the squared deviations from the mean."""
        return self.moments.m2

    @property
    def std(self) -> float:
        """Standard deviation of the numbers (divided by their weight, not by one less); 0 while there are none."""
        return self.moments.std

    @property
    def minimum(self) -> float:
        """Least number ever seen; NaN while there is none."""
        return self.moments.minimum

    @property
    def maximum(self) -> float:
        """Greatest number ever seen; NaN while there is none."""
        return self.moments.maximum

    @cached_property
    def median(self) -> float:
        """Value in the middle; NaN while there are none."""
        return self.quantile(0.5)

    @property
    def weights(self) -> Mapping[str, float]:
        """Faded weight of each category that is kept (the 10,000 heaviest)."""
        return self.categories.by_name

    @property
    def other(self) -> float:
        """Faded weight of all categories that are not kept."""
        return self.categories.other

    @property
    def default(self) -> float | str | None:
        """What stands in for a missing value in displays: median or most frequent category; ``None`` when empty."""
        if self.present <= 0.0:
            return None
        if self.kind in NUMBER_KINDS:
            return self.median
        heaviest = self.top(1)
        return heaviest[0][0] if heaviest else None

    @overload
    def quantile(self, q: float) -> float: ...
    @overload
    def quantile(self, q: Sequence[float] | Floats) -> Floats: ...
    def quantile(self, q: float | Sequence[float] | Floats) -> float | Floats:
        """Return the value below which the share ``q`` (0-1; one or many) of the values lies; NaN while there are none.

        Raises
        ------
        ValueError
            When ``q`` is out of range, or the feature holds categories.
        """
        self.must_hold(numbers=True)
        asked = np.asarray(q, dtype=np.float64)
        if not ((asked >= 0.0) & (asked <= 1.0)).all():
            raise ValueError("q must lie between 0 and 1")
        found = self.digest.quantile(np.atleast_1d(asked))
        return float(found[0]) if asked.ndim == 0 else found

    def cdf(self, values: ArrayLike) -> Floats:
        """Return the share (0-1) of the values at or below each of ``values`` ((n,)); NaN while there are none.

        Raises
        ------
        ValueError
            When one of ``values`` is NaN, or the feature holds categories.
        """
        self.must_hold(numbers=True)
        asked = np.atleast_1d(np.asarray(values, dtype=np.float64))
        if np.isnan(asked).any():
            raise ValueError("values must be numbers")
        return self.digest.cdf(asked)

    def scale(self, scaler_type: ScalerType | None) -> tuple[float, float]:
        """Return the center and the spread (> 0) in which deviations of a number are told.

        ``"robust"``: median and interquartile range, or the standard deviation where that is 0; ``"standard"``: mean
        and standard deviation; ``"minmax"``: least value and range; ``None``: 0 and 1. A spread of 0 becomes 1.

        Raises
        ------
        ValueError
            When the scaler is unknown, or the feature holds categories.
        """
        self.must_hold(numbers=True)
        if scaler_type not in (*get_args(ScalerType), None):
            raise ValueError(f"scaler_type must be robust, standard, minmax or None, not {scaler_type!r}")
        if scaler_type is None or self.present <= 0.0:
            return 0.0, 1.0
        if scaler_type == "robust":
            low, center, high = self.quantile([0.25, 0.5, 0.75]).tolist()
            spread = high - low or self.std
        elif scaler_type == "standard":
            center, spread = self.mean, self.std
        else:
            center, spread = self.minimum, self.moments.span
        return center, (spread if math.isfinite(spread) else self.moments.span) or 1.0

    def share(self, category: str) -> float:
        """Return the share (0-1) that ``category`` has of the rows with a value; 0 when it is not kept.

        Raises
        ------
        ValueError
            When the feature holds numbers.
        """
        self.must_hold(numbers=False)
        return self.categories.share(category)

    def top(self, n: int) -> tuple[tuple[str, float], ...]:
        """Return the ``n`` most frequent categories with their shares (0-1) of the rows with a value.

        Raises
        ------
        ValueError
            When the feature holds numbers.
        """
        self.must_hold(numbers=False)
        return self.categories.top(n)

    def summary(self) -> dict[str, Any]:
        """Return the figures that people read, JSON-ready: finite numbers, texts or ``None`` where there is no figure.

        Keys: ``kind``, ``rows``, ``missing`` (a share, 0-1), ``mean``, ``std``, ``min``, ``max``, ``median``, ``q01``,
        ``q05``, ``q25``, ``q75``, ``q95``, ``q99``, ``distinct``, ``top`` (a list of ``category`` and ``share``).
        """
        figures: dict[str, Any] = dict.fromkeys(("mean", "std", "min", "max", *_QUANTILES))
        numbers = self.kind in NUMBER_KINDS
        if numbers and self.present > 0.0:
            figures |= {"mean": self.mean, "std": self.std, "min": self.minimum, "max": self.maximum}
            figures |= zip(_QUANTILES, self.quantile(list(_QUANTILES.values())).tolist(), strict=True)
        top = [] if numbers else [{"category": name, "share": share} for name, share in self.top(TOP_SHOWN)]
        head = {"kind": self.kind, "rows": self.rows, "missing": self.share_absent}
        return head | figures | {"distinct": self.distinct, "top": top}

    def must_hold(self, *, numbers: bool) -> None:
        """Raise a ``ValueError`` unless the feature holds ``numbers``, or else categories."""
        if (self.kind in NUMBER_KINDS) is not numbers:
            raise ValueError(f"a {self.kind} feature holds {'categories' if numbers else 'numbers'}")
