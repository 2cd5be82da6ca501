"""The bags and calibration rows of a view: those of the sample that recorded its columns, and some more of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.core import kernels
from detector.core.sample import LARGEST_BAG_SHARE, Rows, Sample

#: Fewer calibration rows than this that recorded a signature, and all rows that did are used.
FEW_CALIBRATION_ROWS = 512
#: Fewer complete rows than this, and rows that recorded at least half of the young columns are used, filled.
FEWEST_COMPLETE_ROWS = 32
#: Bags with less than this share of the rows need no siblings: most trees leave out a calibration row.
SMALL_BAG_SHARE = 0.2
#: Trees grown for calibration alone, at most, for each tree of the forest; two do for a bag of 63 % of the rows.
MOST_SIBLINGS = 3


def with_siblings(sample: Sample, bags: Rows, sizes: NDArray[np.int32]) -> tuple[Rows, NDArray[np.int32]]:
    """Return the bags, and behind them others in the same order that leave out the rows that these hold.

    Where bags are a large part of the rows, as in small tables, a calibration row is left out by 37 trees of 100. Their
    mean scatters more than that of all trees, so that fresh rows would reach high severities more rarely than they
    should. What the trees that hold a row would have said without it, their siblings say: trees of the same seeds,
    whose choices are nearly the same.

    A row is the likelier to be drawn the more bags hold it, so that what has faded stays faint (sequential Poisson
    sampling: E. Ohlsson, Journal of Official Statistics 14, 1998).
    """
    used = bags[np.arange(bags.shape[1]) < sizes[:, None]]
    counts = np.bincount(used, minlength=len(sample.rows))
    pool = np.flatnonzero(counts).astype(np.int32)
    weights = counts[pool]
    size = int(sizes.max())
    share = size / len(pool)
    if not SMALL_BAG_SHARE < share < 1.0:
        return bags, sizes
    rounds = min(MOST_SIBLINGS, int(np.ceil(1.0 / (1.0 - share))) - 1)
    numbers = sample.numbers[pool].astype(np.uint32)
    held = sample.membership(bags, sizes, pool) == 1
    found = [bags]
    for number in range(1, rounds + 1):
        seeds = mixed(sample.seeds ^ np.uint32(number))
        draws = mixed(numbers[None, :] ^ seeds[:, None])
        # The rows that no sibling has left out yet come last, and are left out.
        keys = draws / weights + held * 2.0**32
        sibling = np.zeros_like(bags)
        sibling[:, :size] = pool[np.sort(np.argpartition(keys, size, axis=1)[:, :size], axis=1)]
        held &= sample.membership(sibling, sizes, pool) == 1
        found.append(sibling)
    return np.concatenate(found), np.tile(sizes, len(found))


def calibration_of(sample: Sample, firsts: NDArray[np.int64], recorded: NDArray[np.bool_]) -> Rows:
    """Return the calibration rows that recorded the signature; all rows that did, or came near to it, when few did."""
    found = sample.calibration[recorded[sample.calibration]]
    if len(found) >= FEW_CALIBRATION_ROWS:
        return found
    if recorded.sum() < FEWEST_COMPLETE_ROWS:
        carried = (~np.isnan(sample.rows[:, firsts])).sum(axis=1)
        recorded = 2 * (carried - carried.min()) >= carried.max() - carried.min()
    return np.flatnonzero(recorded).astype(np.int32)


def recorded_bags(sample: Sample, recorded: NDArray[np.bool_]) -> tuple[Rows, NDArray[np.int32]]:
    """Return each bag's rows that recorded the signature, topped up from all rows that did when they are few.

    The rows that fill up are those with the least hash of (tree seed, row number): the same ones whenever they can be.
    """
    pool = np.flatnonzero(recorded).astype(np.int32)
    full = sample.bags.shape[1]
    target = max(2, min(full, int(np.ceil(LARGEST_BAG_SHARE * len(pool)))))
    bags = np.zeros((len(sample.bags), full), np.int32)
    sizes = np.empty(len(sample.bags), np.int32)
    numbers = sample.numbers[pool].astype(np.uint32)
    for t, bag in enumerate(sample.bags):
        own = bag[recorded[bag]]
        if len(own) > target:
            own = own[
                np.argsort(mixed(sample.numbers[own].astype(np.uint32) ^ sample.seeds[t]), kind="stable")[:target]
            ]
        elif len(own) < target // 2:
            order = pool[np.argsort(mixed(numbers ^ sample.seeds[t]), kind="stable")]
            own = np.concatenate([own, order[~np.isin(order, own)][: target - len(own)]])
        bags[t, : len(own)] = own
        sizes[t] = len(own)
    return bags, sizes


def mixed(values: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return 32-bit numbers of any shape scrambled, each for itself."""
    return np.asarray(kernels.mixed(values.ravel()), np.uint32).reshape(values.shape)
