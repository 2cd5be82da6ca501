"""The calibration of a forest that learns while it scores: what each tree says of rows that it did not see."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from detector.core import kernels
from detector.core.forest import Encoded, Floats, Forest
from detector.core.sample import FEWEST_CALIBRATION_ROWS
from detector.core.views import severity

#: Rows on which severities are calibrated within a stream, at most; between streams a model has more.
LIVE_CALIBRATION_ROWS = 2_048
#: Where calibration rows are scored by a smaller share of the trees than this, their scores scatter too much.
MANY_TREES = 0.9
ROWS_FOR_SPREAD = 256

#: Marks in (trees, k) which of the trees hold which rows; the second argument is a row's place of k, or -1.
Members = Callable[[NDArray[np.int64], NDArray[np.int32], NDArray[np.uint8]], None]


class LiveCalibration:
    """A reservoir of rows with what each tree says of them, so that only trees that change are asked again.

    Parameters
    ----------
    rows : (n, d) float32, all rows that there are or will be.
    chosen : numbers of rows to begin with, of which the first are taken.
    forest : all trees.
    members : which of them hold which rows.
    """

    def __init__(self, rows: Encoded, chosen: NDArray[np.int32], forest: Forest, members: Members) -> None:
        trees, most = len(forest.leaf), LIVE_CALIBRATION_ROWS
        self._rows = rows
        self._count = k = min(len(chosen), most)
        self._numbers = np.zeros(most, np.int64)
        self._numbers[:k] = chosen[:k]
        self._encoded = np.zeros((most, rows.shape[1]), np.float32)
        self._encoded[:k] = rows[chosen[:k]]
        self._place_of = np.full(len(rows), -1, np.int32)
        self._place_of[chosen[:k]] = np.arange(k)
        self._said = np.zeros((trees, most), np.float32)
        self._held = np.ones((trees, most), np.uint8)
        # Over the trees that do not hold a row: sum of what they say, and how many they are; and the sum over all.
        self._outside, self._used, self._everywhere = np.zeros(most), np.zeros(most, np.int64), np.zeros(most)
        self.ask_again(np.arange(trees), forest, members)

    def severities(self, paths: Floats) -> Floats:
        """Return where path lengths (n,) fall among the rows, each scored by the trees that do not hold it: 0-100."""
        k = self._count
        used = self._used[:k]
        table = np.where(used > 0, self._outside[:k] / np.maximum(used, 1), self._everywhere[:k] / len(self._said))
        if used.sum() < MANY_TREES * used.size * len(self._said):
            middle = table.mean()
            table = middle + (table - middle) * self._narrowed(table)
        return severity(np.sort(table), paths)

    def _narrowed(self, table: Floats) -> float:
        """Return how far the spread of means over the trees that do not hold a row is to be narrowed.

        A mean over 37 of 100 trees scatters more than one over all, which is what a fresh row gets: variance between
        rows + variance between trees / trees. The latter is measured on some of the rows.
        """
        k = min(self._count, ROWS_FOR_SPREAD)
        said, outside, used = self._said[:, :k], self._held[:, :k] == 0, self._used[:k]
        some = used > 1
        squares = np.where(outside, (said - table[:k]) ** 2, 0.0).sum(axis=0, dtype=np.float64)[some]
        between_trees = squares / (used[some] - 1)
        found = float(table.var())
        excess = float((between_trees * (1.0 / used[some] - 1.0 / len(said))).mean()) if some.any() else 0.0
        return math.sqrt(1.0 - excess / found) if 0.0 < excess < found else 1.0

    def ask_again(self, trees: NDArray[np.int64], forest: Forest, members: Members) -> None:
        """Take over what these ``trees`` say now; ``forest`` holds them alone."""
        k = self._count
        held = np.zeros((len(trees), k), np.uint8)
        members(trees, self._place_of, held)
        kernels.retell(
            self._said, self._held, trees, forest.said(self._encoded[:k]), held,
            self._outside[:k], self._used[:k], self._everywhere[:k],
        )  # fmt: skip

    def admit(
        self, said: Encoded, first: int, old: float, state: NDArray[np.uint64], generator: np.random.Generator
    ) -> None:
        """Let new rows in, as :func:`detector.core.sample.updated` does; no bag holds them yet.

        Parameters
        ----------
        said : (trees, m) what each tree says of them.
        first : number of the first of them.
        old : how many old rows count, faded.
        """
        m, have, most = said.shape[1], self._count, LIVE_CALIBRATION_ROWS
        room = have + m <= most
        new = m if room else kernels.new_among(most, m, min(round(old), 10**12), state)
        keep = min(have, most - new)
        if new == m:
            # Where there are too few new rows for their share, old ones go instead.
            keep = min(keep, max(round(old), FEWEST_CALIBRATION_ROWS - new))
        self._drop(generator.choice(have, have - keep, replace=False) if keep < have else np.empty(0, np.int64), new)
        rows = np.arange(m)
        self._put(rows if new == m else generator.choice(rows, new, replace=False), first, said)

    def _drop(self, places: NDArray[np.int64], new: int) -> None:
        """Forget these places; those that ``new`` rows will not fill are closed by the last ones."""
        self._place_of[self._numbers[places]] = -1
        self._free = places[:new]
        left = np.sort(places[new:])
        if len(left):
            kept = np.delete(np.arange(self._count), left)
            self._free = np.searchsorted(kept, self._free)
            for values in (self._numbers, self._encoded, self._outside, self._used, self._everywhere):
                values[: len(kept)] = values[kept]
            for matrix in (self._said, self._held):
                matrix[:, : len(kept)] = matrix[:, kept]
            self._count = len(kept)
            open_places = self._place_of[self._numbers[: self._count]] >= 0
            self._place_of[self._numbers[: self._count][open_places]] = np.flatnonzero(open_places)

    def _put(self, rows: NDArray[np.int64], first: int, said: Encoded) -> None:
        more = len(rows) - len(self._free)
        places = np.concatenate([self._free, np.arange(self._count, self._count + more)])
        self._count += more
        numbers = rows + first
        self._numbers[places] = numbers
        self._encoded[places] = self._rows[numbers]
        self._place_of[numbers] = places
        kernels.admit(said, rows, places, self._said, self._held, self._outside, self._used, self._everywhere)
