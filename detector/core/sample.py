"""What a fitted model holds of its training rows: bounded, decayed, and enough to grow every tree.

A model is its sample. ``bags`` says which rows each tree is grown from; each slot of a bag is a reservoir of its own,
so an update replaces few slots and only the trees of those bags change. ``calibration`` is one more reservoir, of the
rows on which scores are turned into severities. ``newcomers`` are rows kept because they carry columns that few other
rows recorded yet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detector.core import kernels
from detector.core.forest import Encoded, Floats
from detector.core.tails import tail_weights

#: Rows on which a view is calibrated, at most.
CALIBRATION_ROWS = 8_192
#: Fewer calibration rows than this would make severities coarse; a short half-life does not go below it.
FEWEST_CALIBRATION_ROWS = 512
#: So many rows that carry a young column are kept, whatever the reservoirs say.
NEWCOMERS = 512
#: After so many half-lives they go all the same: the column has not come again.
NEWCOMER_HALF_LIVES = 6.0
#: Values (rows times columns) that the training rows may take, so that a very wide table stays small.
SAMPLE_VALUES = 16_000_000
#: A bag holds at most this share of the rows, so that every row stays out of some bags and can be scored honestly.
LARGEST_BAG_SHARE = 0.632

#: A column's weight changes when it would be so many times as great or as small.
WEIGHT_CHANGES = 1.5
#: Share of a bag that is new when it has its turn; an update that brings less gives turns to few bags. At a quarter
#: trees are grown twice as often, and rank no better.
BURST = 0.5

#: What numpy's generator takes.
_MOST_OLD = 10**9 - 1

Rows = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Sample:
    """Encoded training rows and who uses them.

    Parameters
    ----------
    rows : (r, d) float32; ``NaN`` where a row was seen before its column, ``-inf`` where the value was absent.
    numbers : (r,) int64, the row's number in the model's history.
    bags : (trees, b) int32, rows of each tree.
    calibration : (k,) int32, rows for calibration.
    newcomers : (j,) int32, rows kept for their young columns.
    seeds : (trees,) uint32, one a tree.
    weight : float, decayed number of rows seen.
    seen : int, rows seen since the first training.
    updates : int, updates since the first training; part of the seed of the next one.
    latest : when the latest batch was, in seconds since 1970 UTC; ``None`` when no row had a time.
    weights : (d,) float64, how often trees ask each column; see :meth:`weighed`.
    """

    rows: Encoded
    numbers: NDArray[np.int64]
    bags: Rows
    calibration: Rows
    newcomers: Rows
    seeds: NDArray[np.uint32]
    weight: float
    seen: int
    updates: int
    latest: float | None = None
    weights: Floats = field(default_factory=lambda: np.empty(0))

    @cached_property
    def gaps(self) -> NDArray[np.bool_]:
        """Whether some rows have not recorded an encoded column (d,)."""
        return np.asarray(np.isnan(self.rows).any(axis=0))

    @cached_property
    def calibration_in_bag(self) -> NDArray[np.uint8]:
        """Which calibration rows each tree's bag holds (trees, k), for all views that use bags and rows as they are."""
        return self.membership(self.bags, np.full(len(self.bags), self.bags.shape[1], np.int32), self.calibration)

    def weighed(self) -> Sample:
        """Return the sample with the weights of its columns, by the tails of the calibration rows.

        Where few of these recorded a column, as when it is young, all rows that did are asked.

        A weight that is still about right stays as it is, so that an update does not turn every choice over.
        """
        rows = self.rows[self.calibration]
        found = tail_weights(rows)
        young = np.flatnonzero(self.gaps & (np.isfinite(rows).sum(axis=0) < NEWCOMERS))
        if len(young):
            carriers = np.isfinite(self.rows[:, young]).any(axis=1)
            found[young] = tail_weights(self.rows[np.ix_(carriers, young)])
        kept = np.ones(len(found))
        kept[: len(self.weights)] = self.weights
        change = np.maximum(found / kept, kept / found)
        stays = (np.arange(len(found)) < len(self.weights)) & (change < WEIGHT_CHANGES)
        return replace(self, weights=np.where(stays, kept, found))

    def widened(self, columns: int) -> Sample:
        """Return the sample with room for ``columns`` encoded columns; what old rows lack is ``NaN``."""
        have = self.rows.shape[1]
        if columns == have:
            return self
        rows = np.full((len(self.rows), columns), np.nan, np.float32)
        rows[:, :have] = self.rows
        return replace(self, rows=rows)

    def membership(self, bags: Rows, sizes: NDArray[np.int32], of: Rows) -> NDArray[np.uint8]:
        """Return (trees, len(of)): 1 where the tree's bag holds the row."""
        places = np.full(len(self.rows), -1, np.int32)
        places[of] = np.arange(len(of), dtype=np.int32)
        out = np.zeros((len(bags), len(of)), np.uint8)
        kernels.membership(bags, sizes, places, out)
        return out


def bag_size(max_samples: int, rows: float) -> int:
    """Return how many rows a bag holds: ``max_samples``, but no more than 63 % of the rows seen."""
    return int(max(2, min(max_samples, np.ceil(LARGEST_BAG_SHARE * rows))))


def draw(
    n: int, columns: int, trees: int, max_samples: int, seed: int, kept: int | None = None
) -> tuple[NDArray[np.int64], Sample]:
    """Draw bags and calibration rows from ``n`` rows; return the row numbers to encode, and a sample without rows.

    :func:`dataclasses.replace` the sample's ``rows`` with the encoded rows, in the order of the numbers returned.

    Where only a uniform sample of the rows is at hand, ``kept`` is how many it holds; the numbers are places in it.
    """
    generator = np.random.default_rng(seed)
    seeds = generator.integers(0, 2**32, trees, dtype=np.uint32)
    size = min(bag_size(max_samples, n), n)
    have = n if kept is None else kept
    pool = _pool(have, columns, trees * size, generator)
    size = min(size, len(pool))
    bags = np.stack([pool[generator.choice(len(pool), size, replace=False, shuffle=False)] for _ in range(trees)])
    calibration = pool[generator.choice(len(pool), min(len(pool), CALIBRATION_ROWS), replace=False, shuffle=False)]
    used, (bag_places, calibration_places) = _compact((bags, calibration))
    sample = Sample(
        rows=np.empty((0, columns), np.float32), numbers=used.astype(np.int64) * n // have, bags=bag_places,
        calibration=calibration_places, newcomers=np.empty(0, np.int32), seeds=seeds, weight=float(n), seen=n,
        updates=0,
    )  # fmt: skip
    return used, sample


def updated(
    sample: Sample,
    batch: Encoded,
    max_samples: int,
    half_life: float,
    seed: int,
    *,
    fade: float | None = None,
    counts: float | None = None,
) -> Sample:
    """Let the rows of ``batch`` (n, d) into the reservoirs and return the new sample; ``sample`` stays as it is.

    A slot takes a new row with probability n / (decayed old rows + n), whatever the length of the history
    (Aggarwal, "On biased reservoir sampling in the presence of stream evolution", VLDB 2006). A bag takes as many new
    rows as a draw of its size, without repeats, from all of these rows would.

    Old rows count ``fade`` times what they did; by default that follows from the half-life, a number of rows. The new
    rows count as ``counts`` rows, which are fewer than there are when they fade among each other; by default as many.
    """
    n = len(batch)
    generator = np.random.default_rng([seed, sample.updates + 1])
    sample = sample.widened(batch.shape[1])
    have = len(sample.rows)
    old = sample.weight * (decay(n, half_life) if fade is None else fade)
    pool = _pool(n, batch.shape[1], sample.bags.size, generator) + have

    counts = float(n) if counts is None else counts
    old_a_new = old / counts

    def refill(slots: Rows, size: int) -> NDArray[np.int64]:
        new = _some(pool, size, old_a_new, generator)
        keep = size - len(new)
        if keep < len(slots):
            kept = generator.choice(slots, keep, replace=False)
        else:
            others = np.setdiff1d(np.arange(have), slots) if keep > len(slots) else slots[:0]
            kept = np.concatenate([slots, generator.choice(others, min(keep - len(slots), len(others)), replace=False)])
        return np.concatenate([new, kept.astype(np.int64)])

    held = sample.bags.shape[1]
    size = max(held, bag_size(max_samples, old + n))
    share, burst = counts / (old + counts), min(math.ceil(BURST * held), len(pool))
    if size == held and share * held < burst:
        bags = _in_turns(sample.bags, pool, share, burst, generator)
    else:
        refilled = [refill(bag, size) for bag in sample.bags]
        # What is cut off where a bag could not be filled up is at its end: rows that only fill up.
        shortest = min(len(bag) for bag in refilled)
        bags = np.stack([bag[:shortest] for bag in refilled])
    calibration = _calibration(sample.calibration, pool, old_a_new, generator)
    return settled(sample, batch, bags, calibration, old + counts, half_life)


def _in_turns(
    bags: Rows, pool: NDArray[np.int64], share: float, burst: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Return the bags after a small update: few of them take ``burst`` new rows each, instead of all of them a few.

    A slot takes a new row as likely as ever, ``share``. But a tree is grown again for one new row as for many, and a
    forest in which few trees change ranks rows more steadily than one in which all change a little.
    """
    trees, size = bags.shape
    expected = trees * share * size / burst
    turns = int(expected) + int(generator.random() < expected % 1.0)
    refilled = bags.astype(np.int64)
    for tree in generator.choice(trees, turns, replace=False):
        kept = generator.choice(bags[tree], size - burst, replace=False)
        refilled[tree] = np.concatenate([generator.choice(pool, burst, replace=False), kept])
    return refilled


def settled(
    sample: Sample, batch: Encoded, bags: NDArray[np.int64], calibration: NDArray[np.int64], weight: float,
    half_life: float,
) -> Sample:  # fmt: skip
    """Return the sample of new bags and calibration rows, with what they use of old and new rows.

    Parameters
    ----------
    sample : before the batch, as wide as the batch.
    bags, calibration : places among the sample's rows and, behind them, those of ``batch``.
    weight : decayed number of rows seen, with the batch.
    half_life : rows after which an old row counts half; infinite when rows fade with time.
    """
    have, n = len(sample.rows), len(batch)
    # Where time decides, it is what the weight would be if rows had come as they do now forever.
    in_rows = half_life if math.isfinite(half_life) else weight * math.log(2.0)
    oldest = sample.seen + n - NEWCOMER_HALF_LIVES * in_rows
    newcomers = _newcomers(sample, batch, np.flatnonzero(_marks((bags, calibration))), oldest)
    used, (bags_now, calibration_now, newcomers_now) = _compact((bags, calibration, newcomers))
    from_old = used[used < have]
    from_new = used[used >= have] - have
    changed = replace(
        sample,
        rows=np.concatenate([sample.rows[from_old], batch[from_new]]),
        numbers=np.concatenate([sample.numbers[from_old], sample.seen + from_new]),
        bags=bags_now, calibration=calibration_now, newcomers=newcomers_now,
        weight=weight, seen=sample.seen + n, updates=sample.updates + 1,
    )  # fmt: skip
    return changed.weighed()


def _some(pool: NDArray[np.int64], slots: int, old_a_new: float, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return the new rows that get one of so many slots, drawn from ``old_a_new`` old rows for each new one."""
    old = round(min(old_a_new * len(pool), _MOST_OLD))
    count = len(pool) if len(pool) + old <= slots else int(generator.hypergeometric(len(pool), old, slots))
    return generator.choice(pool, count, replace=False)


def _calibration(
    slots: Rows, pool: NDArray[np.int64], old_a_new: float, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Return the calibration rows after an update: it takes all new ones until it is full, and then their share.

    Where there are too few new rows for their share, old ones go instead, so that what has faded from the trees does
    not stay in the calibration.
    """
    room = len(slots) + len(pool) <= CALIBRATION_ROWS
    new = pool if room else _some(pool, CALIBRATION_ROWS, old_a_new, generator)
    keep = min(len(slots), CALIBRATION_ROWS - len(new))
    if len(new) == len(pool):
        keep = min(keep, max(round(len(pool) * old_a_new), FEWEST_CALIBRATION_ROWS - len(new)))
    kept = slots if keep == len(slots) else generator.choice(slots, keep, replace=False)
    return np.concatenate([kept.astype(np.int64), new])


def _newcomers(sample: Sample, batch: Encoded, used: NDArray[np.int64], oldest: float) -> NDArray[np.int64]:
    """Return the latest rows of the columns that fewer than ``NEWCOMERS`` of the ``used`` rows recorded.

    Rows with a number below ``oldest`` are not kept any longer.
    """
    have = len(sample.rows)
    in_sample, in_batch = used[used < have], used[used >= have] - have
    recorded = (~np.isnan(sample.rows[in_sample])).sum(axis=0) + (~np.isnan(batch[in_batch])).sum(axis=0)
    kept: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    young = sample.newcomers[sample.numbers[sample.newcomers] >= oldest]
    for column in np.flatnonzero(recorded < NEWCOMERS):
        earlier = young[~np.isnan(sample.rows[young, column])].astype(np.int64)
        carriers = np.concatenate([earlier, np.flatnonzero(~np.isnan(batch[:, column])) + have])
        carriers = np.setdiff1d(carriers, used)
        kept.append(carriers[max(0, len(carriers) - (NEWCOMERS - int(recorded[column]))) :])
    return np.unique(np.concatenate(kept))


def drawn_by_weight(weights: NDArray[np.float64], most: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """Return at most ``most`` places of ``weights`` (n,), ascending, each as likely as its weight.

    Where a weight is more than its place could be likely, it is certain. Sequential Poisson sampling (E. Ohlsson,
    Journal of Official Statistics 14, 1998).
    """
    if len(weights) <= most:
        return np.arange(len(weights))
    return np.sort(np.argpartition(generator.random(len(weights)) / weights, most)[:most])


def decay(rows: int, half_life: float) -> float:
    """Return what a weight is multiplied by after ``rows`` new rows: 0.5 ** (rows / half_life)."""
    return float(0.5 ** (rows / half_life))


def _pool(n: int, columns: int, slots: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return the rows that bags may draw from: all, or a subset that keeps a wide table within bounds."""
    most = rows_to_keep(columns, slots)
    if n <= most:
        return np.arange(n, dtype=np.int64)
    return generator.choice(n, most, replace=False, shuffle=False).astype(np.int64)


def rows_to_keep(columns: int, slots: int) -> int:
    """Return of how many rows bags with so many places in all are drawn, in a table with so many columns, at most."""
    return max(2_048, min(slots, SAMPLE_VALUES // max(1, columns)))


def _compact(groups: tuple[NDArray[np.int64], ...]) -> tuple[NDArray[np.int64], tuple[Rows, ...]]:
    """Return the distinct row numbers in ``groups``, ascending, and the groups as places among them."""
    marks = _marks(groups)
    places = np.cumsum(marks, dtype=np.int32) - np.int32(1)
    return np.flatnonzero(marks), tuple(places[group] for group in groups)


def _marks(groups: tuple[NDArray[np.int64], ...]) -> NDArray[np.bool_]:
    """Return which row numbers are in ``groups``; marking takes a tenth of the time of sorting them."""
    marks = np.zeros(1 + max((int(group.max()) for group in groups if group.size), default=-1), np.bool_)
    for group in groups:
        marks[group.ravel()] = True
    return marks
