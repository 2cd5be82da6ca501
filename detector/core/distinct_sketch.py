"""How many different values there are: exact below 2,048, an estimate above.

The sketch keeps the *k* least 64-bit hashes (k minimum values [1]_). It is a pure function of the set of values: the
order and the batches in which they come make no difference, and merging is exact. With k = 2,048 the standard error of
the estimate (k - 1) / (k-th least hash as a fraction of the range) [2]_ is 1 / sqrt(k - 2) = 2.2 %.

References
----------
.. [1] Z. Bar-Yossef et al., "Counting Distinct Elements in a Data Stream", RANDOM 2002.
.. [2] K. Beyer et al., "On Synopses for Distinct-Value Estimation Under Multiset Operations", SIGMOD 2007.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from detector.core import content as stored
from detector.core import kernels

Floats = NDArray[np.float64]
Hashes = NDArray[np.uint64]

#: How many hashes are kept.
MOST_HASHES = 2048
#: How many values wait before they are hashed together.
MOST_WAITING = 512

_NO_HASHES = stored.read_only(np.empty(0, dtype=np.uint64))
_NO_FLOATS = stored.read_only(np.empty(0, dtype=np.float64))


@dataclass(frozen=True, eq=False)
class DistinctSketch:
    """The least hashes seen so far ((h,) uint64), and up to 512 numbers ((w,) float64) that still wait to be hashed."""

    least: Hashes = field(default_factory=lambda: _NO_HASHES)
    waiting: Floats = field(default_factory=lambda: _NO_FLOATS)

    def with_numbers(self, values: Floats) -> DistinctSketch:
        """Return the sketch with ``values`` ((n,), finite, no negative zero) added."""
        waiting = np.concatenate((self.waiting, values))
        if len(waiting) <= MOST_WAITING:
            return DistinctSketch(self.least, stored.read_only(waiting))
        return DistinctSketch(_with_numbers(self.least, waiting))

    def with_texts(self, texts: Iterable[str]) -> DistinctSketch:
        """Return the sketch with ``texts`` added."""
        hashes = np.fromiter((_hashed_text(text) for text in texts), dtype=np.uint64)
        return DistinctSketch(_least(self.least, hashes), self.waiting) if len(hashes) else self

    def merged(self, other: DistinctSketch) -> DistinctSketch:
        """Return the sketch of both together."""
        return DistinctSketch(_least(self.hashes, other.hashes))

    @cached_property
    def hashes(self) -> Hashes:
        """The least hashes, the waiting numbers included: (h,) uint64, rising, at most 2,048."""
        return _with_numbers(self.least, self.waiting.copy()) if len(self.waiting) else self.least

    @property
    def estimate(self) -> int:
        """How many different values were added."""
        if len(self.hashes) < MOST_HASHES:
            return len(self.hashes)
        return round((MOST_HASHES - 1) / (float(self.hashes[-1]) / 2.0**64))

    @classmethod
    def from_hashes(cls, hashes: Hashes) -> DistinctSketch:
        """Return the sketch that holds these ``hashes``.

        Raises
        ------
        ModelFileError
            When they do not rise strictly.
        """
        if (hashes[1:] <= hashes[:-1]).any():
            raise stored.damaged("the hashes of a distinct count do not rise")
        return cls(hashes)


def _with_numbers(known: Hashes, values: Floats) -> Hashes:
    """Return the least hashes, those of ``values`` (a writable array) added."""
    most = int(known[-1]) if len(known) == MOST_HASHES else 2**64 - 1
    hashes = np.empty(len(values), dtype=np.uint64)
    # Hashes are uniform, so the least of many lie in a thin slice, which is all that needs sorting.
    slice_end = 4 * MOST_HASHES * 2**64 // max(1, len(values))
    for end in (min(most, slice_end), most):
        least = _least(known, hashes[: kernels.least_hashes(values, end, hashes)])
        if end == most or (len(least) == MOST_HASHES and least[-1] <= end):
            break
    return least


def _least(known: Hashes, fresh: Hashes) -> Hashes:
    return stored.read_only(_rising(np.concatenate((known, fresh)))[:MOST_HASHES]) if len(fresh) else known


def _rising(hashes: Hashes) -> Hashes:
    """Return the different ones of ``hashes``, rising; for a few thousand, numpy's own way takes ten times as long."""
    hashes = np.sort(hashes)
    return hashes[np.concatenate(([True], hashes[1:] != hashes[:-1]))[: len(hashes)]]


def _hashed_text(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
