"""A forest that learns while it scores: bags, trees and calibration between two chunks of a stream.

Reservoirs that all take a few rows of each chunk would change every tree at every chunk. Here trees take turns: a tree
whose turn comes takes what it would have taken from all rows since its last one, and only it is grown again. So many
get their turn that each has about ``BURST`` new rows then. What a bag is expected to hold at its turn is what it would
hold if it had been filled row by row; in between it lags by at most one turn. At the end of a stream every bag is
brought up to date.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from detector.core import kernels
from detector.core import sample as sampling
from detector.core.forest import Encoded, Floats, Forest
from detector.core.sample import FEWEST_CALIBRATION_ROWS, Sample
from detector.core.schema import Layout
from detector.core.views import severity

#: Share of a bag that is new when its tree is grown again.
BURST = 0.25
#: Rows on which severities are calibrated within a stream, at most; between streams a model has more.
LIVE_CALIBRATION_ROWS = 2_048

Places = NDArray[np.int64]


class LiveForest:
    """The forest of one signature over a sample and the rows of a stream, which must all have recorded its columns.

    Parameters
    ----------
    sample : what was learned before; it stays as it is.
    batch : (n, d) float32, the encoded rows to come.
    layout : of the learned features.
    columns : (m,) uint32, the encoded columns that trees may split on.
    most : rows a bag may hold.
    seed : of the model.
    """

    def __init__(
        self, sample: Sample, batch: Encoded, layout: Layout, columns: NDArray[np.uint32], most: int, seed: int
    ) -> None:
        self._rows = np.concatenate([sample.rows, batch])
        self._columns, self._layout, self._most = columns, layout, most
        self._generator = np.random.default_rng([seed, sample.updates + 1])
        self._state = self._generator.integers(0, 2**63, 1).astype(np.uint64)
        self._seeds = sample.seeds
        self._trees = len(sample.bags)
        self._bags = sample.bags.astype(np.int64)
        self._mark = np.full(len(self._rows), -1, np.int64)
        self._token = 0
        self._seen = len(sample.rows)
        #: Decayed rows so far; and for each tree, what its bag was drawn from, and up to which row.
        self.weight = sample.weight
        self._drawn_weight = np.full(self._trees, sample.weight)
        self._drawn_to = np.full(self._trees, self._seen)
        self._fades: list[tuple[int, float]] = []
        self._next = 0
        self._debt = 0.0
        self.regrown = 0
        self._forest = self._grown(np.arange(self._trees))
        self._begin_calibration(sample)

    def _grown(self, trees: Places) -> Forest:
        columns = self._columns
        sizes = np.full(len(trees), self._bags.shape[1], np.int32)
        self.regrown += len(trees)
        return Forest.grow(
            self._rows, self._bags[trees].astype(np.int32), sizes, columns, self._layout.column_feature_keys[columns],
            self._layout.part_keys[columns], self._seeds[trees],
        )  # fmt: skip

    # Scoring

    def said(self, rows: Encoded, forest: Forest | None = None) -> Encoded:
        """Return (trees, n) what each tree says of each row."""
        forest = self._forest if forest is None else forest
        out = np.empty((len(forest.leaf), len(rows)), np.float32)
        kernels.leaf_values(rows, forest.split_column, forest.threshold, forest.leaf, forest.depth, out)
        return out

    def paths(self, said: Encoded) -> Floats:
        """Return the mean normalised path length (n,) from what each tree says."""
        return np.asarray(said.sum(axis=0, dtype=np.float64) / self._trees)

    def severities(self, paths: Floats) -> Floats:
        """Return where path lengths fall among the calibration rows, 0-100, each scored by trees that do not hold it."""
        return severity(self._table(), paths)

    def _table(self) -> Floats:
        alone = self._used > 0
        return np.sort(np.where(alone, self._outside / np.maximum(self._used, 1), self._everywhere / self._trees))

    # Learning

    def learn(self, said: Encoded, fade: float) -> None:
        """Let the next rows in, of which the trees have ``said`` (trees, m); old rows count ``fade`` of what they did."""
        m = said.shape[1]
        old = self.weight * fade
        self.weight = old + m
        self._drawn_weight *= fade
        self._fades.append((m, fade))
        self._calibrate_on(said, old)
        self._seen += m
        size = sampling.bag_size(self._most, self.weight)
        held = self._bags.shape[1]
        grows = size > held and (size >= 1.25 * held or size == self._most)
        self._debt += self._trees * m / self.weight / BURST
        turns = self._trees if grows else min(self._trees, int(self._debt))
        self._debt = 0.0 if turns == self._trees else self._debt - turns
        if turns:
            trees = np.sort((self._next + np.arange(turns)) % self._trees)
            self._next = (self._next + turns) % self._trees
            self._refill(trees, size if grows else held)
            self._take_over(trees)

    def _refill(self, trees: Places, size: int) -> None:
        """Bring the bags of these trees up to date."""
        held = self._bags.shape[1]
        size = max(held, min(size, int(self._drawn_to[trees].min())))
        bags = self._bags if size == held else np.empty((self._trees, size), np.int64)
        for t in trees.tolist():
            begin, old = int(self._drawn_to[t]), float(self._drawn_weight[t])
            pending = self._seen - begin
            # Rows of the same turn fade among each other, too: they weigh what is left of them.
            among = round(old / max(self.weight - old, 1e-9) * pending) if pending else 0
            new = kernels.new_among(size, pending, min(among, 10**12), self._state)
            self._token += 1
            out = np.empty(size, np.int64)
            kernels.refill(self._bags[t], new, begin, self._seen, out, self._mark, self._token, self._state)
            bags[t] = out
        self._bags = bags
        self._drawn_to[trees] = self._seen
        self._drawn_weight[trees] = self.weight

    def _take_over(self, trees: Places) -> None:
        """Grow these trees again, and ask them about the calibration rows."""
        forest = self._grown(trees)
        if len(trees) == self._trees:
            self._forest = forest
        else:
            for name in ("split_column", "threshold", "leaf", "count"):
                getattr(self._forest, name)[trees] = getattr(forest, name)
        said = self.said(self._calibration_rows, forest)
        kernels.retell(
            self._said, self._held, trees, said, self._membership(trees), self._outside, self._used, self._everywhere
        )

    def _membership(self, trees: Places) -> NDArray[np.uint8]:
        held = np.zeros((len(trees), len(self._calibration)), np.uint8)
        sizes = np.full(len(trees), self._bags.shape[1], np.int32)
        kernels.membership(self._bags[trees].astype(np.int32), sizes, self._place_of, held)
        return held

    # Calibration

    def _begin_calibration(self, sample: Sample) -> None:
        chosen = self._generator.permutation(sample.calibration)[:LIVE_CALIBRATION_ROWS].astype(np.int64)
        self._calibration = chosen
        self._calibration_rows = self._rows[chosen]
        self._place_of = np.full(len(self._rows), -1, np.int32)
        self._place_of[chosen] = np.arange(len(chosen))
        self._said = self.said(self._calibration_rows)
        self._held = self._membership(np.arange(self._trees))
        outside = self._held == 0
        self._outside = np.where(outside, self._said, 0.0).sum(axis=0, dtype=np.float64)
        self._used = outside.sum(axis=0, dtype=np.int64)
        self._everywhere = self._said.sum(axis=0, dtype=np.float64)

    def _calibrate_on(self, said: Encoded, old: float) -> None:
        """Let new rows into the calibration, as :func:`detector.core.sample.updated` does; no bag holds them yet."""
        m, have = said.shape[1], len(self._calibration)
        if have + m <= LIVE_CALIBRATION_ROWS:
            new, keep = m, have
        else:
            new = kernels.new_among(LIVE_CALIBRATION_ROWS, m, min(round(old), 10**12), self._state)
            keep = min(have, LIVE_CALIBRATION_ROWS - new)
        if new == m:
            keep = min(keep, max(round(old), FEWEST_CALIBRATION_ROWS - new))
        rows = np.arange(m) if new == m else self._generator.choice(m, new, replace=False)
        gone = self._generator.choice(have, have - keep, replace=False) if keep < have else np.empty(0, np.intp)
        both = min(len(gone), new)
        if len(gone):
            self._place_of[self._calibration[gone]] = -1
        self._put(gone[:both], rows[:both], said)
        if new > both or len(gone) > both:
            self._resize(gone[both:], rows[both:], said)

    def _put(self, places: NDArray[np.intp], rows: NDArray[np.intp], said: Encoded) -> None:
        numbers, now = rows + self._seen, said[:, rows]
        self._calibration[places] = numbers
        self._calibration_rows[places] = self._rows[numbers]
        self._place_of[numbers] = places
        self._said[:, places] = now
        self._held[:, places] = 0
        self._outside[places] = self._everywhere[places] = now.sum(axis=0, dtype=np.float64)
        self._used[places] = self._trees

    def _resize(self, gone: NDArray[np.intp], rows: NDArray[np.intp], said: Encoded) -> None:
        """Drop places, or make room for more; never both."""
        have, more = len(self._calibration), len(rows)
        for name in ("_calibration", "_calibration_rows", "_outside", "_used", "_everywhere"):
            kept = np.delete(getattr(self, name), gone, axis=0)
            setattr(self, name, np.concatenate([kept, np.zeros((more, *kept.shape[1:]), kept.dtype)]))
        for name in ("_said", "_held"):
            kept = np.delete(getattr(self, name), gone, axis=1)
            setattr(self, name, np.concatenate([kept, np.zeros((self._trees, more), kept.dtype)], axis=1))
        kept = len(self._calibration) - more
        self._place_of[self._calibration[:kept]] = np.arange(kept)
        self._put(np.arange(have, have + more), rows, said)

    # The end

    def sample(self, before: Sample, batch: Encoded, half_life: float) -> Sample:
        """Return the sample that has learned ``batch``, the rows of the stream encoded anew; every bag is up to date.

        Parameters
        ----------
        before : the sample at the beginning, as wide as ``batch``.
        half_life : in rows; infinite when rows fade with time.
        """
        size = max(self._bags.shape[1], sampling.bag_size(self._most, self.weight))
        self._refill(np.arange(self._trees), size)
        weights = [np.empty(0)]
        left = 1.0
        for m, fade in reversed(self._fades):
            weights.append(np.full(m, left))
            left *= fade
        one = before.weight * left / len(before.calibration)
        # An old calibration row stands for many rows that faded, and is at most one place.
        weighing = np.concatenate([np.full(len(before.calibration), max(one, 1e-300)), *weights[::-1]])
        most = min(sampling.CALIBRATION_ROWS, max(FEWEST_CALIBRATION_ROWS, math.ceil(self.weight)))
        ids = np.concatenate([before.calibration, np.arange(len(before.rows), self._seen)])
        chosen = sampling.drawn_by_weight(weighing, most, self._generator)
        return sampling.settled(before, batch, self._bags, ids[chosen].astype(np.int64), self.weight, half_life)
