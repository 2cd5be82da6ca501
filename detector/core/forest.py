"""The isolation forest over the kernels: grown from a bag for each tree, scored on any rows."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core import kernels

#: Below this many rows a second thread costs more than it brings.
ROWS_A_THREAD = 8_192
#: From so many rows on, it pays to write the trees down for vectors that load from many places at once.
ROWS_FOR_VECTORS = 8_192
#: Calibration makes a request wait, and never lasts long: it is shared sooner.
CALIBRATION_A_THREAD = 2_048
TREES_A_THREAD = 32
PLACES_A_THREAD = 4_096

Floats = NDArray[np.float64]
Encoded = NDArray[np.float32]
Places = NDArray[np.uint8] | NDArray[np.uint16]


def average_path_length(n: int) -> float:
    """Return c(n), the average path length of an unsuccessful search among ``n`` rows, in splits.

    Liu, Ting and Zhou, "Isolation Forest", ICDM 2008, equation 1; 0 for n <= 1 and 1 for n = 2, as in scikit-learn.
    """
    return float(kernels.average_path_length(n))


def score_from_path(path: Floats) -> Floats:
    """Return the anomaly score 2 ** -path, in (0, 1), of normalised path lengths (Liu et al. 2008, equation 2)."""
    return np.exp2(-path)


@dataclass(frozen=True, eq=False)
class Choices:
    """The columns among which the nodes of trees choose: a feature first, then one of its parts.

    The feature with the least hash divided by its weight is chosen, so the greater its weight, the oftener it is; its
    parts are chosen equally often.

    Parameters
    ----------
    columns : (m,) uint32, columns of the encoded matrix.
    feature_keys, part_keys : (m,) uint32, hashes of the column's feature and part, which decide who is chosen, so that
        the order of columns does not matter.
    weights : (m,) float64, above 0, those of the features; parts of one feature have the same.
    """

    columns: NDArray[np.uint32]
    feature_keys: NDArray[np.uint32]
    part_keys: NDArray[np.uint32]
    weights: Floats


@dataclass(frozen=True, eq=False)
class Forest:
    """Complete isolation trees in flat arrays; see :mod:`detector.core.kernels` for the layout.

    Parameters
    ----------
    split_column : (trees, 2**depth - 1) uint32, columns of the encoded matrix.
    threshold : (trees, 2**depth - 1) float32.
    leaf : (trees, 2**depth) float32, path lengths divided by c(rows in the bag).
    count : (trees, 2**(depth + 1) - 1) int32, bag rows at each node.
    depth : int, splits from the root to a leaf.
    columns : (m,) uint32, the columns that the trees may split on.
    """

    split_column: NDArray[np.uint32]
    threshold: Encoded
    leaf: Encoded
    count: NDArray[np.int32]
    depth: int
    columns: NDArray[np.uint32]

    @classmethod
    def grow(
        cls,
        rows: Encoded,
        bags: NDArray[np.int32],
        sizes: NDArray[np.int32],
        choices: Choices,
        seeds: NDArray[np.uint32],
    ) -> Forest:
        """Grow one tree a bag; a pure function of its arguments.

        Parameters
        ----------
        rows : (n, d) float32; ``-inf`` marks a value recorded as absent.
        bags : (trees, b) int32, row numbers; tree ``t`` uses the first ``sizes[t]`` of ``bags[t]``.
        choices : the columns to split on.
        seeds : (trees,) one seed a tree.
        """
        trees = len(bags)
        # scikit-learn's limit: the depth that a balanced tree of the bag would have.
        depth = max(1, int(np.ceil(np.log2(max(2, int(sizes.max()))))))
        columns = choices.columns
        first = columns[0] if len(columns) else 0
        forest = cls(
            split_column=np.full((trees, 2**depth - 1), first, np.uint32),
            threshold=np.full((trees, 2**depth - 1), np.inf, np.float32),
            leaf=np.empty((trees, 2**depth), np.float32),
            count=np.zeros((trees, 2 ** (depth + 1) - 1), np.int32),
            depth=depth,
            columns=columns,
        )
        in_blocks(
            lambda a, b: kernels.grow_trees(
                rows, bags[a:b], sizes[a:b], columns, choices.feature_keys, choices.part_keys, 1.0 / choices.weights,
                seeds[a:b], depth, forest.split_column[a:b], forest.threshold[a:b], forest.leaf[a:b], forest.count[a:b],
            ),
            trees,
            a_thread=TREES_A_THREAD,
        )  # fmt: skip
        return forest

    def first(self, trees: int) -> Forest:
        """Return the forest of the first so many trees."""
        return replace(
            self,
            split_column=self.split_column[:trees],
            threshold=self.threshold[:trees],
            leaf=self.leaf[:trees],
            count=self.count[:trees],
        )

    def paths(self, rows: Encoded) -> Floats:
        """Return the mean normalised path length (n,) of rows that carry every column; low is anomalous."""
        out = np.empty(len(rows), np.float64)
        ranked = self._ranked if len(rows) >= ROWS_FOR_VECTORS else None
        if ranked is None:
            in_blocks(
                lambda a, b: kernels.path_lengths(
                    rows, self.split_column, self.threshold, self.leaf, self.depth, a, b, out
                ),
                len(rows),
            )
        else:
            in_blocks(
                lambda a, b: kernels.gathered_path_lengths(rows, *ranked, self.leaf, self.depth, a, b, out), len(rows)
            )
        return out

    def as_ranks(self) -> list[NDArray[Any]]:
        """Return the arrays that were made for vectors; none before :meth:`paths` of many rows."""
        return list(self.__dict__.get("_ranked") or ())

    @cached_property
    def _ranked(self) -> tuple[NDArray[Any], ...] | None:
        """The trees as vectors walk them; ``None`` where this processor has no such vectors, or they do not fit."""
        return kernels.ranked(self.split_column, self.threshold) if kernels.GATHERS else None

    def said(self, rows: Encoded) -> Encoded:
        """Return (trees, n) what each tree says of rows that carry every column; :meth:`paths` is the mean of it."""
        out = np.empty((len(self.leaf), len(rows)), np.float32)
        kernels.leaf_values(rows, self.split_column, self.threshold, self.leaf, self.depth, out)
        return out

    def paths_through_holes(self, rows: Encoded) -> Floats:
        """Return the same for rows in which ``NaN`` marks a value that is not known: both branches, weighted."""
        out = np.empty(len(rows), np.float64)
        in_blocks(
            lambda a, b: kernels.both_branches(
                rows, self.split_column, self.threshold, self.leaf, self.count, self.depth, a, b, out
            ),
            len(rows),
        )
        return out

    def paths_out_of_bag(self, rows: Encoded, in_bag: NDArray[np.uint8], *, holes: bool = False) -> Floats:
        """Return each row's path length over the trees whose bag lacks it; ``in_bag`` has shape (trees, n)."""
        out = np.empty(len(rows), np.float64)
        if holes:
            kernels.both_branches_out_of_bag(
                rows, self.split_column, self.threshold, self.leaf, self.count, self.depth, in_bag, out
            )
        else:
            in_blocks(
                lambda a, b: kernels.out_of_bag(
                    rows, self.split_column, self.threshold, self.leaf, self.depth, in_bag, a, b, out
                ),
                len(rows),
                a_thread=CALIBRATION_A_THREAD,
            )
        return out

    def places(self, rows: Encoded, salts: NDArray[np.uint32] | None = None) -> Places:
        """Return the leaf (n, trees) that each row ends in, in each tree.

        Rows that lack values need ``salts`` (n,): at a split on what is not known they take one of both branches, drawn
        by the share of bag rows that went each way. A row with the same salt takes the same way again.
        """
        trees = len(self.leaf)
        out = np.empty((len(rows), trees), np.uint8 if self.depth <= 8 else np.uint16)
        if salts is None:
            in_blocks(
                lambda a, b: kernels.leaf_places(rows, self.split_column, self.threshold, self.depth, a, b, out),
                len(rows),
                a_thread=PLACES_A_THREAD,
            )
        else:
            numbers = kernels.mixed(np.arange(1, trees + 1, dtype=np.uint32))
            draws = kernels.mixed((salts[:, None] ^ numbers[None, :]).ravel()).reshape(len(rows), trees)
            kernels.drawn_places(
                rows, self.split_column, self.threshold, self.count, self.depth, draws | np.uint32(1), out
            )
        return out

    def paths_at(self, places: Places) -> Floats:
        """Return what :meth:`paths` says of rows that end in these leaves (n, trees)."""
        out = np.empty(len(places), np.float64)
        in_blocks(
            lambda a, b: kernels.mean_at_places(places, self.leaf, a, b, out), len(places), a_thread=PLACES_A_THREAD
        )
        return out

    def rows_at_nodes(self) -> NDArray[np.int32]:
        """Return how many bag rows (trees, nodes) lie in the part of space that each node stands for, at least 1.

        Below a branch that ends early every node stands for the part where it ended.
        """
        rows = self.count.copy()
        for level in range(1, self.depth + 1):
            here = slice(2**level - 1, 2 ** (level + 1) - 1)
            above = np.repeat(rows[:, 2 ** (level - 1) - 1 : 2**level - 1], 2, axis=1)
            rows[:, here] = np.where(rows[:, here] > 0, rows[:, here], above)
        return rows

    def attribution(self, rows: Encoded) -> Floats:
        """Return (n, d): how much the splits on each column shortened the row's expected path."""
        out = np.zeros(rows.shape, np.float64)
        kernels.path_attribution(rows, self.split_column, self.threshold, self.leaf, self.count, self.depth, out)
        return out


def in_blocks(work: Callable[[int, int], None], n: int, a_thread: int = ROWS_A_THREAD) -> None:
    """Call ``work(start, stop)`` over ``n`` rows or trees, on several threads when each gets ``a_thread`` or more."""
    # A pool of our own: numba's default one aborts the process when two threads enter it.
    threads = min(_processors(), n // a_thread)
    if threads < 2:
        work(0, n)
        return
    edges = [n * i // threads for i in range(threads + 1)]
    others = [_pool().submit(work, a, b) for a, b in pairwise(edges[1:])]
    work(edges[0], edges[1])
    for other in others:
        other.result()


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_processors(), thread_name_prefix="forest")


if hasattr(os, "register_at_fork"):
    # A forked child has none of its parent's threads.
    os.register_at_fork(after_in_child=_pool.cache_clear)
