"""Rows with holes: both branches of a split on a value that is not known, for many rows at once.

A row that carries every column takes one way through a tree; a hole doubles the ways, so a walk from the root branches
without end and no two rows do the same work. From the leaves up they do: each node combines what its two children
expect, whatever the row holds, and the processor does several rows an instruction. What that wastes on branches that a
row does not take is less than what branching costs, and does not grow with the number of holes.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from detector.core.kernels.compiling import compiled

#: Rows that go through a tree together; their columns and what waits on each level fit into the nearest cache.
ROWS_TOGETHER = 512
#: Fewer rows than this take their ways one by one, which is then less work.
FEW_ROWS = 12


@njit(inline="always")
def _splits(threshold, node):
    return node < threshold.shape[0] and threshold[node] != np.inf


@njit(inline="always")
def _first_leaf(node, inner):
    while node < inner:
        node = 2 * node + 1
    return node - inner


@compiled("i8(f4[::1], i4[::1], i4[::1])")
def _children_first(threshold, order, stack):
    """Write the nodes that split to ``order``, children before parents, and return how many there are."""
    top = 0
    if _splits(threshold, 0):
        stack[0] = 0
        top = 1
    n = 0
    while top > 0:
        top -= 1
        node = stack[top]
        order[n] = node
        n += 1
        for child in range(2 * node + 1, 2 * node + 3):
            if _splits(threshold, child):
                stack[top] = child
                top += 1
    for i in range(n // 2):
        order[i], order[n - 1 - i] = order[n - 1 - i], order[i]
    return n


@njit(inline="always")
def _expected(value, cut, below, above, share):
    # All three are computed, and one is chosen without a jump.
    unknown = below + share * (above - below)
    known = below if value <= cut else above
    return unknown if np.isnan(value) else known


@njit(inline="always")
def _expected_leaves(columns, m, split_column, threshold, leaf, count, order, waiting):
    """Leave the expected leaf value of ``m`` rows, given column by column, in ``waiting[1, :m]``.

    ``waiting[2 * level]`` holds what the right child on a level expects, ``waiting[2 * level + 1]`` the left.
    """
    inner = threshold.shape[0]
    for node in order:
        level = 0
        while (2 << level) - 1 <= node:
            level += 1
        left, right = 2 * node + 1, 2 * node + 2
        cut = threshold[node]
        share = np.float32(count[right] / count[node])
        value = columns[split_column[node]]
        below, above = waiting[2 * level + 3], waiting[2 * level + 2]
        out = waiting[2 * level + (node & 1)] if node > 0 else waiting[1]
        # A child that does not split is one number. Four loops, for the compiler to make vector code of each.
        if _splits(threshold, left) and _splits(threshold, right):
            for k in range(m):
                out[k] = _expected(value[k], cut, below[k], above[k], share)
        elif _splits(threshold, left):
            b = leaf[_first_leaf(right, inner)]
            for k in range(m):
                out[k] = _expected(value[k], cut, below[k], b, share)
        elif _splits(threshold, right):
            a = leaf[_first_leaf(left, inner)]
            for k in range(m):
                out[k] = _expected(value[k], cut, a, above[k], share)
        else:
            a, b = leaf[_first_leaf(left, inner)], leaf[_first_leaf(right, inner)]
            for k in range(m):
                out[k] = _expected(value[k], cut, a, b, share)
    if len(order) == 0:
        waiting[1, :m] = leaf[0]


@compiled("f4(f4[::1], u4[::1], f4[::1], f4[::1], i4[::1], i4[::1], f4[::1])")
def _expected_leaf(row, split_column, threshold, leaf, count, holes, below):
    """Return the expected leaf value of one row; ``holes`` and ``below`` hold the branches that are half done."""
    inner = threshold.shape[0]
    top = 0
    node = 0
    while True:
        while _splits(threshold, node):
            value = row[split_column[node]]
            if np.isnan(value):
                holes[top] = 2 * node + 1  # odd: the left branch is under way
                top += 1
                node = 2 * node + 1
            else:
                node = 2 * node + 2 - (value <= threshold[node])
        expected = leaf[_first_leaf(node, inner)]
        while top > 0 and holes[top - 1] % 2 == 0:
            top -= 1
            right = holes[top]
            share = np.float32(count[right] / count[(right - 2) // 2])
            expected = below[top] + share * (expected - below[top])
        if top == 0:
            return expected
        below[top - 1] = expected
        holes[top - 1] += 1
        node = holes[top - 1]


@njit(inline="always")
def _by_column(rows, start, m, columns):
    for k in range(m):
        for j in range(rows.shape[1]):
            columns[j, k] = rows[start + k, j]


@njit(inline="always")
def _orders(threshold, depth):
    trees, inner = threshold.shape
    order = np.empty((trees, inner), np.int32)
    lengths = np.empty(trees, np.int64)
    stack = np.empty(depth + 2, np.int32)
    for t in range(trees):
        lengths[t] = _children_first(threshold[t], order[t], stack)
    return order, lengths


@compiled("void(f4[:,::1], u4[:,::1], f4[:,::1], f4[:,::1], i4[:,::1], i8, i8, i8, f8[::1])")
def both_branches(rows, split_column, threshold, leaf, count, depth, start, stop, out):
    """Write the mean leaf value; a ``NaN`` follows both branches, weighted by the share of bag rows that went each way.

    The weighting is that of C4.5 (J. R. Quinlan, 1993, chapter 3). A row without holes gets what
    :func:`~detector.core.kernels.walking.path_lengths` says of it.
    """
    trees = split_column.shape[0]
    if stop - start < FEW_ROWS:
        holes = np.empty(depth + 1, np.int32)
        below = np.empty(depth + 1, np.float32)
        for i in range(start, stop):
            out[i] = 0.0
            for t in range(trees):
                out[i] += _expected_leaf(rows[i], split_column[t], threshold[t], leaf[t], count[t], holes, below)
            out[i] /= trees
        return
    order, lengths = _orders(threshold, depth)
    columns = np.empty((rows.shape[1], ROWS_TOGETHER), np.float32)
    waiting = np.empty((2 * depth + 4, ROWS_TOGETHER), np.float32)
    for a in range(start, stop, ROWS_TOGETHER):
        m = min(ROWS_TOGETHER, stop - a)
        _by_column(rows, a, m, columns)
        out[a : a + m] = 0.0
        for t in range(trees):
            _expected_leaves(
                columns, m, split_column[t], threshold[t], leaf[t], count[t], order[t, : lengths[t]], waiting
            )
            for k in range(m):
                out[a + k] += waiting[1, k]
        for k in range(m):
            out[a + k] /= trees


@compiled("void(f4[:,::1], u4[:,::1], f4[:,::1], f4[:,::1], i4[:,::1], i8, u1[:,::1], f8[::1])")
def both_branches_out_of_bag(rows, split_column, threshold, leaf, count, depth, in_bag, out):
    """Do what :func:`both_branches` does over the trees whose bag lacks the row; over all when every bag holds it."""
    trees = split_column.shape[0]
    n = rows.shape[0]
    order, lengths = _orders(threshold, depth)
    columns = np.empty((rows.shape[1], ROWS_TOGETHER), np.float32)
    waiting = np.empty((2 * depth + 4, ROWS_TOGETHER), np.float32)
    everywhere = np.empty(ROWS_TOGETHER, np.float64)
    used = np.empty(ROWS_TOGETHER, np.int64)
    for a in range(0, n, ROWS_TOGETHER):
        m = min(ROWS_TOGETHER, n - a)
        _by_column(rows, a, m, columns)
        out[a : a + m] = 0.0
        everywhere[:] = 0.0
        used[:] = 0
        for t in range(trees):
            _expected_leaves(
                columns, m, split_column[t], threshold[t], leaf[t], count[t], order[t, : lengths[t]], waiting
            )
            for k in range(m):
                everywhere[k] += waiting[1, k]
                if in_bag[t, a + k] == 0:
                    out[a + k] += waiting[1, k]
                    used[k] += 1
        for k in range(m):
            out[a + k] = out[a + k] / used[k] if used[k] > 0 else everywhere[k] / trees
