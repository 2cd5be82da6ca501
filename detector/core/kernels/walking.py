"""Walking trees: path lengths of rows, with holes, out of bag, and by column."""

from __future__ import annotations

import numpy as np
from numba import njit

from detector.core.kernels.compiling import compiled

#: How many rows walk through a tree side by side, so that one row's load hides behind the others' comparisons.
LANES = 8
BLOCK = 256

_U = np.uint64


@njit(inline="always")
def _child(row, column, cut, node):
    # Unsigned all through: numba tests signed indices for "counted from the end", which doubles the time of a walk.
    return _U(2) * node + _U(2) - _U(row[column[node]] <= cut[node])


@njit(inline="always")
def _walk(rows, i, column, cut, value, depth, leaves):
    """Walk rows ``i`` to ``i + 7`` through one tree, side by side, and leave their leaf values in ``leaves``."""
    first = _U(i)
    r0, r1, r2, r3 = rows[first], rows[first + _U(1)], rows[first + _U(2)], rows[first + _U(3)]
    r4, r5, r6, r7 = rows[first + _U(4)], rows[first + _U(5)], rows[first + _U(6)], rows[first + _U(7)]
    n0 = n1 = n2 = n3 = n4 = n5 = n6 = n7 = _U(0)
    for _ in range(depth):
        n0 = _child(r0, column, cut, n0)
        n1 = _child(r1, column, cut, n1)
        n2 = _child(r2, column, cut, n2)
        n3 = _child(r3, column, cut, n3)
        n4 = _child(r4, column, cut, n4)
        n5 = _child(r5, column, cut, n5)
        n6 = _child(r6, column, cut, n6)
        n7 = _child(r7, column, cut, n7)
    inner = _U((1 << depth) - 1)
    leaves[0] = value[n0 - inner]
    leaves[1] = value[n1 - inner]
    leaves[2] = value[n2 - inner]
    leaves[3] = value[n3 - inner]
    leaves[4] = value[n4 - inner]
    leaves[5] = value[n5 - inner]
    leaves[6] = value[n6 - inner]
    leaves[7] = value[n7 - inner]


@njit(inline="always")
def _walk_one(rows, i, column, cut, value, depth):
    node = _U(0)
    for _ in range(depth):
        node = _child(rows[_U(i)], column, cut, node)
    return value[node - _U((1 << depth) - 1)]


@compiled("f8(f4[::1], u4[::1], f4[::1], f4[::1], i4[::1], i8, i4[::1], f8[::1])")
def _expected_leaf(row, split_column, threshold, leaf, count, depth, nodes, weights):
    inner = (1 << depth) - 1
    nodes[0] = 0
    weights[0] = 1.0
    top = 1
    total = 0.0
    while top > 0:
        top -= 1
        node = nodes[top]
        weight = weights[top]
        while node < inner:
            cut = threshold[node]
            value = row[split_column[node]]
            if value <= cut or cut == np.inf:
                node = 2 * node + 1
            elif value > cut:
                node = 2 * node + 2
            else:
                right = count[2 * node + 2] / count[node]
                nodes[top] = 2 * node + 2
                weights[top] = weight * right
                top += 1
                weight *= 1.0 - right
                node = 2 * node + 1
        total += weight * leaf[node - inner]
    return total


@compiled("void(f4[:,::1], u4[:,::1], f4[:,::1], f4[:,::1], i8, i8, i8, f8[::1])")
def path_lengths(rows, split_column, threshold, leaf, depth, start, stop, out):
    """Write the mean leaf value over all trees of ``rows[start:stop]`` to ``out[start:stop]``."""
    trees = split_column.shape[0]
    leaves = np.empty(LANES, np.float32)
    for a in range(start, stop, BLOCK):
        b = min(a + BLOCK, stop)
        out[a:b] = 0.0
        whole = a + (b - a) // LANES * LANES
        for t in range(trees):
            for i in range(a, whole, LANES):
                _walk(rows, i, split_column[t], threshold[t], leaf[t], depth, leaves)
                for k in range(LANES):
                    out[i + k] += leaves[k]
            for i in range(whole, b):
                out[i] += _walk_one(rows, i, split_column[t], threshold[t], leaf[t], depth)
        for i in range(a, b):
            out[i] /= trees


@compiled("void(f4[:,::1], u4[:,::1], f4[:,::1], f4[:,::1], i8, u1[:,::1], f8[::1])")
def out_of_bag(rows, split_column, threshold, leaf, depth, in_bag, out):
    """Write each row's mean leaf value over the trees whose bag lacks it; over all trees when every bag holds it.

    ``in_bag`` has shape (trees, rows). The rows must carry every column of the trees.
    """
    trees = split_column.shape[0]
    n = rows.shape[0]
    used = np.zeros(n, np.int64)
    everywhere = np.zeros(n, np.float64)
    leaves = np.empty(LANES, np.float32)
    out[:] = 0.0
    for a in range(0, n, BLOCK):
        b = min(a + BLOCK, n)
        whole = a + (b - a) // LANES * LANES
        for t in range(trees):
            for i in range(a, whole, LANES):
                _walk(rows, i, split_column[t], threshold[t], leaf[t], depth, leaves)
                for k in range(LANES):
                    everywhere[i + k] += leaves[k]
                    if in_bag[t, i + k] == 0:
                        out[i + k] += leaves[k]
                        used[i + k] += 1
            for i in range(whole, b):
                value = _walk_one(rows, i, split_column[t], threshold[t], leaf[t], depth)
                everywhere[i] += value
                if in_bag[t, i] == 0:
                    out[i] += value
                    used[i] += 1
    for i in range(n):
        out[i] = out[i] / used[i] if used[i] > 0 else everywhere[i] / trees


@compiled("void(f4[:,::1], u4[:,::1], f4[:,::1], f4[:,::1], i4[:,::1], i8, i8, i8, f8[::1])")
def both_branches(rows, split_column, threshold, leaf, count, depth, start, stop, out):
    """Write the mean leaf value; a ``NaN`` follows both branches, weighted by the share of bag rows that went each way.

    The weighting is that of C4.5 (J. R. Quinlan, 1993, chapter 3).
    """
    trees = split_column.shape[0]
    nodes = np.empty(64, np.int32)
    weights = np.empty(64, np.float64)
    for i in range(start, stop):
        total = 0.0
        for t in range(trees):
            total += _expected_leaf(rows[i], split_column[t], threshold[t], leaf[t], count[t], depth, nodes, weights)
        out[i] = total / trees


@compiled("void(f4[:,::1], u4[:,::1], f4[:,::1], f4[:,::1], i4[:,::1], i8, u1[:,::1], f8[::1])")
def both_branches_out_of_bag(rows, split_column, threshold, leaf, count, depth, in_bag, out):
    """Do what :func:`both_branches` does over the trees whose bag lacks the row; over all when every bag holds it."""
    trees = split_column.shape[0]
    nodes = np.empty(64, np.int32)
    weights = np.empty(64, np.float64)
    for i in range(rows.shape[0]):
        total = 0.0
        everywhere = 0.0
        used = 0
        for t in range(trees):
            value = _expected_leaf(rows[i], split_column[t], threshold[t], leaf[t], count[t], depth, nodes, weights)
            everywhere += value
            if in_bag[t, i] == 0:
                total += value
                used += 1
        out[i] = total / used if used > 0 else everywhere / trees


@compiled("void(f4[:,::1], u4[:,::1], f4[:,::1], f4[:,::1], i4[:,::1], i8, f8[:,::1])")
def path_attribution(rows, split_column, threshold, leaf, count, depth, out):
    """Add, for each row and column, how far the splits on that column shorten the expected path (mean over the trees).

    At each node the expected path length of the bag rows below it is compared with that of the child the row goes to
    (A. Saabas, "Interpreting random forests", 2014, on path lengths). ``out`` has shape (rows, columns) and must come
    zeroed.
    """
    trees = split_column.shape[0]
    inner = (1 << depth) - 1
    expected = np.empty(2 * inner + 1, np.float64)
    for t in range(trees):
        for node in range(2 * inner, -1, -1):
            if node >= inner:
                expected[node] = leaf[t, node - inner]
            elif threshold[t, node] == np.inf:
                expected[node] = expected[2 * node + 1]
            else:
                right = count[t, 2 * node + 2] / count[t, node]
                expected[node] = (1.0 - right) * expected[2 * node + 1] + right * expected[2 * node + 2]
        for i in range(rows.shape[0]):
            node = 0
            while node < inner and threshold[t, node] != np.inf:
                column = split_column[t, node]
                child = 2 * node + 2 - (rows[i, column] <= threshold[t, node])
                out[i, column] += (expected[node] - expected[child]) / trees
                node = child
