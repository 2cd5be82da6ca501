"""A histogram of severities: fixed bins, so that two of them can be added and laid over each other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.divergence import population_stability

#: One bin for each point of severity.
BINS = 100


@dataclass(frozen=True)
class Histogram:
    """Counts of rows by severity.

    ``edges`` has 101 values from 0 to 100; ``counts[i]`` are the rows with ``edges[i] <= severity < edges[i + 1]``
    (the last bin includes 100).
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, severities: NDArray[np.float64]) -> Histogram:
        """Count ``severities``, an array of shape (n,) with values in 0-100."""
        counts, edges = np.histogram(severities, bins=BINS, range=(0.0, 100.0))
        return cls(tuple(edges.tolist()), tuple(counts.tolist()))

    @classmethod
    def empty(cls) -> Histogram:
        """Return the histogram of no rows."""
        return cls.of(np.empty(0))

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Histogram:
        """Return the histogram that :meth:`to_dict` wrote."""
        return cls(tuple(value["edges"]), tuple(value["counts"]))

    @property
    def rows(self) -> int:
        """Number of rows counted."""
        return sum(self.counts)

    def plus(self, other: Histogram) -> Histogram:
        """Return the histogram of both sets of rows."""
        return Histogram(self.edges, tuple(a + b for a, b in zip(self.counts, other.counts, strict=True)))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {"edges": list(self.edges), "counts": list(self.counts)}


def severity_shift(histogram: Histogram) -> float:
    """Return the population stability index of severities, in ten bins, against the even spread of own rows.

    The histogram must hold at least one row. What chance alone adds is taken off, see
    :func:`~detector.core.divergence.population_stability`.
    """
    counts = np.asarray(histogram.counts, dtype=float).reshape(10, -1).sum(axis=1)
    even = np.full(10, 0.1)
    return population_stability(even, counts / counts.sum(), math.inf, float(counts.sum())).psi
