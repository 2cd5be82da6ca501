"""A forest that learns while it scores: bags, trees and calibration between two chunks of a stream.

Reservoirs that all take a few rows of each chunk would change every tree at every chunk. Here trees take turns: a tree
whose turn comes takes what it would have taken from all rows since its last one, and only it is grown again. So many
get their turn that each has about ``BURST`` new rows then. What a bag is expected to hold at its turn is what it would
hold if it had been filled row by row; in between it lags by at most one turn. At the end of a stream every bag is
brought up to date.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from detector.core import kernels
from detector.core import sample as sampling
from detector.core.forest import Choices, Encoded, Floats, Forest
from detector.core.live_calibration import LiveCalibration
from detector.core.sample import BURST, CALIBRATION_ROWS, FEWEST_CALIBRATION_ROWS, Sample

#: A bag that may hold more rows, since there are more, grows by so much at once: its tree is grown again for it.
GROWTH = 1.25
#: More old rows than this are not told apart from this many.
_MOST_OLD = 10**12


class LiveForest:
    """The forest of one signature over a sample and the rows of a stream, which must all have recorded its columns.

    Parameters
    ----------
    sample : what was learned before; it stays as it is.
    batch : (n, d) float32, the encoded rows to come.
    choices : the encoded columns that trees may split on.
    most : rows a bag may hold.
    seed : of the model.
    """

    def __init__(self, sample: Sample, batch: Encoded, choices: Choices, most: int, seed: int) -> None:
        self._rows = np.concatenate([sample.rows, batch])
        self._choices, self._most = choices, most
        self._generator = np.random.default_rng([seed, sample.updates + 1])
        self._state = self._generator.integers(0, 2**63, 1).astype(np.uint64)
        self._seeds = sample.seeds
        self._bags = sample.bags.copy()
        self._mark = np.full(len(self._rows), -1, np.int32)
        self._token = 0
        self._seen = len(sample.rows)
        self._weight = sample.weight
        # For each tree: what its bag was drawn from, faded since, and up to which row.
        self._drawn_weight = np.full(len(self._bags), sample.weight)
        self._drawn_to = np.full(len(self._bags), self._seen, np.int64)
        self._fades: list[tuple[int, float, float]] = []
        self._next = 0
        self._debt = 0.0
        everyone = np.arange(len(self._bags))
        self._forest = self._grown(everyone)
        chosen = self._generator.permutation(sample.calibration)
        self._calibration = LiveCalibration(self._rows, chosen, self._forest, self._members)
        #: Trees grown so far.
        self.grown = len(self._bags)

    def _grown(self, trees: NDArray[np.int64]) -> Forest:
        sizes = np.full(len(trees), self._bags.shape[1], np.int32)
        return Forest.grow(self._rows, self._bags[trees], sizes, self._choices, self._seeds[trees])

    def _members(self, trees: NDArray[np.int64], places: NDArray[np.int32], out: NDArray[np.uint8]) -> None:
        kernels.membership(self._bags[trees], np.full(len(trees), self._bags.shape[1], np.int32), places, out)

    # Scoring

    def said(self, rows: Encoded) -> Encoded:
        """Return (trees, n) what each tree says of each row: leaf values."""
        return self._forest.said(rows)

    def severities(self, paths: Floats) -> Floats:
        """Return where path lengths fall among the calibration rows: 0-100."""
        return self._calibration.severities(paths)

    # Learning

    def learn(self, said: Encoded, fade: float, counts: float) -> None:
        """Let the next rows in.

        Parameters
        ----------
        said : (trees, m) what the trees said of them.
        fade : what the weight of all rows before is multiplied by.
        counts : as how many rows these count, m or fewer.
        """
        trees, m = said.shape
        old = self._weight * fade
        self._weight = old + counts
        self._drawn_weight *= fade
        self._fades.append((m, counts / m, fade))
        self._calibration.admit(said, self._seen, old * m / counts, self._state, self._generator)
        self._seen += m
        held = self._bags.shape[1]
        size = min(sampling.bag_size(self._most, self._weight), int(self._drawn_to.min()))
        grows = size > held and (size >= GROWTH * held or size == self._most)
        self._debt += trees * counts / self._weight / BURST
        turns = trees if grows else min(trees, int(self._debt))
        self._debt = 0.0 if turns == trees else self._debt - turns
        if turns:
            chosen = np.sort((self._next + np.arange(turns)) % trees)
            self._next = (self._next + turns) % trees
            self._refill(chosen, size if grows else held)
            self._take_over(chosen)

    def _refill(self, trees: NDArray[np.int64], size: int) -> None:
        """Bring the bags of these trees up to date."""
        pending = self._seen - self._drawn_to[trees]
        old = self._drawn_weight[trees]
        # Rows of the same turn fade among each other, too: they weigh what is left of them.
        new = np.maximum(self._weight - old, 1e-9)
        among = np.minimum(np.rint(old / new * pending), _MOST_OLD).astype(np.int64)
        bags = np.empty((len(trees), size), np.int32)
        kernels.refill_bags(
            self._bags, trees, self._drawn_to[trees], among, self._seen, bags, self._mark, self._token, self._state
        )
        self._token += len(trees)
        if len(trees) == len(self._bags):
            self._bags = bags
        else:
            self._bags[trees] = bags
        self._drawn_to[trees] = self._seen
        self._drawn_weight[trees] = self._weight

    def _take_over(self, trees: NDArray[np.int64]) -> None:
        """Grow these trees again, and ask them about the calibration rows."""
        forest = self._grown(trees)
        self.grown += len(trees)
        if len(trees) == len(self._bags):
            self._forest = forest
        else:  # grown here and shown to nobody, so it may change in place
            for name in ("split_column", "threshold", "leaf", "count"):
                getattr(self._forest, name)[trees] = getattr(forest, name)
        self._calibration.ask_again(trees, forest, self._members)

    # The end

    def sample(self, before: Sample, batch: Encoded, half_life: float) -> Sample:
        """Return the sample that has learned ``batch``, the rows of the stream encoded anew; every bag is up to date.

        Parameters
        ----------
        before : the sample at the beginning, as wide as ``batch``.
        half_life : in rows; infinite when rows fade with time.
        """
        size = min(sampling.bag_size(self._most, self._weight), int(self._drawn_to.min()))
        self._refill(np.arange(len(self._bags)), max(self._bags.shape[1], size))
        weights = []
        left = 1.0
        for m, each, fade in reversed(self._fades):
            weights.append(np.full(m, left * each))
            left *= fade
        # An old calibration row stands for the many rows that it was drawn from.
        stands_for = max(before.weight * left / len(before.calibration), 1e-300)
        weighing = np.concatenate([np.full(len(before.calibration), stands_for), *weights[::-1]])
        most = min(CALIBRATION_ROWS, max(FEWEST_CALIBRATION_ROWS, math.ceil(self._weight)))
        numbers = np.concatenate([before.calibration, np.arange(len(before.rows), self._seen)])
        chosen = numbers[sampling.drawn_by_weight(weighing, most, self._generator)]
        return sampling.settled(before, batch, self._bags.astype(np.int64), chosen, self._weight, half_life)


def narrowed(sample: Sample, recorded: NDArray[np.bool_]) -> Sample:
    """Return the sample of the ``recorded`` rows (r,) alone, as a view on the columns that they recorded has it.

    Bags keep the rows of theirs that did, and are filled up with the others of least hash (tree seed, row number).
    """
    pool = np.flatnonzero(recorded)
    place = np.cumsum(recorded, dtype=np.int32) - np.int32(1)
    size = sampling.bag_size(sample.bags.shape[1], len(pool))
    numbers = sample.numbers[pool].astype(np.uint32)
    bags = np.empty((len(sample.bags), size), np.int32)
    for t, bag in enumerate(sample.bags):
        keys = kernels.mixed(numbers ^ sample.seeds[t]).astype(np.float64)
        keys[place[bag[recorded[bag]]]] -= 2.0**32
        bags[t] = np.argpartition(keys, size - 1)[:size]
    calibration = place[sample.calibration[recorded[sample.calibration]]]
    if len(calibration) < FEWEST_CALIBRATION_ROWS:
        calibration = np.arange(len(pool), dtype=np.int32)
    return replace(
        sample, rows=sample.rows[pool], numbers=sample.numbers[pool], bags=bags, calibration=calibration,
        newcomers=np.empty(0, np.int32), weight=max(float(size), sample.weight * float(recorded[sample.bags].mean())),
    )  # fmt: skip
