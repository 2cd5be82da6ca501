"""A bounded, mergeable summary of a distribution that answers quantiles and shares.

It is a merging t-digest [1]_ with three changes. Weights are real numbers, so that what was learned long ago can
fade. Rows with the very same value are kept as one *tied* point that is never blurred while it is heavy, so that the
zeros and round prices of transaction data stay exact. And nothing is blurred at all while there are few different
values: up to 512 of them every answer is exact, and equal to ``numpy.quantile`` as long as nothing has faded.

References
----------
.. [1] T. Dunning, O. Ertl, "Computing Extremely Accurate Quantiles Using t-Digests", arXiv:1902.04023, 2019.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core import content as stored
from detector.core import kernels
from detector.core.moments import LEAST_WEIGHT

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: How many different values are kept as they are.
EXACT_POINTS = 512
#: How many points may come together before they are sorted and, when needed, compressed.
MOST_POINTS = 1024
#: How many bins the ranks are cut into when points are compressed.
BINS = 200
#: A point whose share of the weight has faded below this is forgotten when points are compressed.
FORGOTTEN_SHARE = 1e-12

# The scale function k1 of the paper, inverted: narrow bins at both ends, the widest (pi / 2 / BINS) at the median.
_EDGES = (1.0 + np.sin(np.pi * (np.arange(BINS + 1) / BINS - 0.5))) / 2.0
_FIELDS = frozenset({"values", "weights", "tied"})
_NO_FLOATS = stored.read_only(np.empty(0, dtype=np.float64))
_NO_BOOLS = stored.read_only(np.empty(0, dtype=np.bool_))
_TIED = stored.read_only(np.ones(MOST_POINTS, dtype=np.bool_))


@dataclass(frozen=True, eq=False)
class QuantileDigest:
    """Weighted points in the order of their arrival; compressed when more than 1,024 have come together.

    Of compressed points the answers are off by a bin at most (0.8 % of the weight at the median, less towards both
    ends). Measured over 999 ranks: 0.02 % on 1,000,000 log-normal values in one batch or in 1,000; 0.4 % in batches of
    ten rows or merged from 50 digests; 0.6 % on rounded prices.

    Parameters
    ----------
    values : (p,) float64, the mean of the rows behind each point
    weights : (p,) float64, their weight, each > 0
    tied : (p,) bool, whether all these rows have exactly this value
    """

    values: Floats = field(default_factory=lambda: _NO_FLOATS)
    weights: Floats = field(default_factory=lambda: _NO_FLOATS)
    tied: Bools = field(default_factory=lambda: _NO_BOOLS)

    def faded(self, decay: float) -> QuantileDigest:
        """Return the digest with all weights multiplied by ``decay``."""
        if decay == 1.0:
            return self
        return QuantileDigest(self.values, stored.read_only(np.maximum(self.weights * decay, LEAST_WEIGHT)), self.tied)

    def updated(self, values: Floats, weights: Floats) -> QuantileDigest:
        """Return the digest with ``values`` ((n,), finite) added, each with its weight ((n,), > 0)."""
        return _bounded(
            np.concatenate((self.values, values)),
            np.concatenate((self.weights, weights)),
            np.concatenate(
                (
                    self.tied,
                    _TIED[: len(values)] if len(values) <= MOST_POINTS else np.ones(len(values), dtype=np.bool_),
                )
            ),
        )

    def merged(self, other: QuantileDigest) -> QuantileDigest:
        """Return the digest of both together."""
        mine, theirs = self._sorted, other._sorted
        return _bounded(*(np.concatenate(pair) for pair in zip(mine, theirs, strict=True)))

    def quantile(self, q: Floats) -> Floats:
        """Return the values below which the shares ``q`` (each 0-1) of the weight lie; NaN when there are none."""
        values, weights, tied = self._sorted
        if not len(values):
            return np.full(q.shape, np.nan)
        ends = np.cumsum(weights)
        # Half a row stays outside of a tied point's plateau: with single rows this is numpy's "linear" definition.
        inset = np.where(tied, np.minimum(weights, 1.0), weights) / 2.0
        ranks = np.stack((ends - weights + inset, ends - inset), axis=1).ravel()
        # Rounding may set a knot a hair before its predecessor.
        ranks = np.maximum.accumulate(ranks)
        at = ranks[0] + q * (ranks[-1] - ranks[0])
        return _between(at, ranks, np.repeat(values, 2), side="left")

    def cdf(self, values: Floats) -> Floats:
        """Return the share of the weight (0-1) at or below each of ``values``; NaN when the digest is empty."""
        points, weights, tied = self._sorted
        if not len(points):
            return np.full(values.shape, np.nan)
        ends = np.cumsum(weights)
        # A tied point is a step; any other is spread between the middles of its neighbours.
        half = np.where(tied, 0.0, weights / 2.0)
        shares = np.stack((ends - weights + half, ends - half), axis=1).ravel() / ends[-1]
        inside = _between(values, np.repeat(points, 2), np.maximum.accumulate(shares), side="right")
        return np.where(values < points[0], 0.0, np.where(values >= points[-1], 1.0, inside))

    @cached_property
    def blur(self) -> float:
        """Largest share (0-1) of the weight behind one point that is a mean: 0 while every answer is exact."""
        if not len(self.weights):
            return 0.0
        return float(np.where(self.tied, 0.0, self.weights).max() / self.weights.sum())

    @cached_property
    def _sorted(self) -> tuple[Floats, Floats, Bools]:
        return _sorted_points(self.values, self.weights, self.tied)

    def to_content(self) -> dict[str, Any]:
        """Return the digest as plain arrays."""
        return {"values": self.values.copy(), "weights": self.weights.copy(), "tied": self.tied.copy()}

    @classmethod
    def from_content(cls, content: object) -> QuantileDigest:
        """Return the digest that :meth:`to_content` described.

        Raises
        ------
        ModelFileError
            When types, lengths or ranges are off.
        """
        found = stored.fields(content, _FIELDS, "a quantile digest")
        values = stored.array(found, "values", np.float64, most=MOST_POINTS)
        weights = stored.array(found, "weights", np.float64, most=MOST_POINTS)
        tied = stored.array(found, "tied", np.bool_, most=MOST_POINTS)
        if not len(values) == len(weights) == len(tied):
            raise stored.damaged("the arrays of a quantile digest differ in length")
        if (weights <= 0.0).any():
            raise stored.damaged("a quantile digest holds a weight that is not above 0")
        return cls(values, weights, tied)


def _between(at: Floats, knots: Floats, heights: Floats, *, side: Any) -> Floats:
    """Interpolate linearly; equal knots are a step, of which ``side`` takes the left or the right end."""
    after = np.clip(np.searchsorted(knots, at, side=side), 1, len(knots) - 1)
    low, high = heights[after - 1], heights[after]
    # Halved, the difference of two finite numbers cannot overflow.
    gap = knots[after] / 2.0 - knots[after - 1] / 2.0
    way = np.divide(at / 2.0 - knots[after - 1] / 2.0, gap, out=np.zeros(at.shape), where=gap > 0.0)
    step = np.clip(way, 0.0, 1.0) * (high / 2.0 - low / 2.0)
    with np.errstate(over="ignore"):
        return np.clip(low + step + step, low, high)


def _sorted_points(values: Floats, weights: Floats, tied: Bools) -> tuple[Floats, Floats, Bools]:
    """Return the points by rising value, those of one value joined into one."""
    if (values[1:] > values[:-1]).all():
        return values, weights, tied
    # Stable: two sorted runs are merged in one pass, and the order of sums does not depend on the platform.
    order = np.argsort(values, kind="stable")
    values = values[order]
    starts = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
    if len(starts) == len(values):
        return values, weights[order], tied[order]
    return values[starts], np.add.reduceat(weights[order], starts), np.logical_and.reduceat(tied[order], starts)


def _bounded(values: Floats, weights: Floats, tied: Bools) -> QuantileDigest:
    if len(values) > MOST_POINTS:
        values, weights, tied = _sorted_points(values, weights, tied)
        if len(values) > EXACT_POINTS:
            values, weights, tied = _compressed(values, weights, tied)
    return QuantileDigest(stored.read_only(values), stored.read_only(weights), stored.read_only(tied))


def _compressed(values: Floats, weights: Floats, tied: Bools) -> tuple[Floats, Floats, Bools]:
    """Return at most three points a bin: what lies before, in and behind a point that fills the bin alone."""
    total = weights.sum()
    remembered = weights > total * FORGOTTEN_SHARE
    if not remembered.all():
        values, weights, tied = values[remembered], weights[remembered], tied[remembered]
    left = kernels.join_points(values, weights, tied, total, _EDGES)
    return values[:left].copy(), weights[:left].copy(), tied[:left].copy()
