"""Walking trees: path lengths of rows that carry every column, out of bag, and by column."""

from __future__ import annotations

import numpy as np
from numba import njit

from detector.core.kernels.compiling import compiled

#: How many rows walk through a tree side by side, so that one row's load hides behind the others' comparisons.
LANES = 8
#: Rows whose values are laid out column by column at a time; a multiple of ``LANES``.
BLOCK = 64

_U = np.uint64


@njit(inline="always")
def _ordered(bits):
    """Return a whole number for the bits of a 32-bit float; the numbers compare as the floats do.

    Comparing whole numbers takes half as long, and a walk is little else.
    """
    return bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF))


@compiled("i8[:,::1](u4[:,::1], f4[:,::1])")
def _splits(split_column, threshold):
    """Return each node's split as one number: the threshold, ordered, above the place of its column in a tile."""
    out = np.empty(split_column.shape, np.int64)
    cuts = (threshold + np.float32(0.0)).view(np.int32)  # -0.0 would come before 0.0
    for t in range(out.shape[0]):
        for node in range(out.shape[1]):
            cut = np.int64(_ordered(cuts[t, node])) << np.int64(32)
            out[t, node] = cut | np.int64(split_column[t, node] * BLOCK)
    return out


@compiled("void(f4[:,::1], i8, i8, i4[::1])")
def _lay_out(rows, a, b, tile):
    """Write ``rows[a:b]``, ordered, column by column to ``tile``: what walks side by side lies side by side."""
    values = tile.view(np.float32)
    for i in range(a, b):
        for j in range(rows.shape[1]):
            values[j * BLOCK + i - a] = rows[i, j] + np.float32(0.0)  # -0.0 would come before 0.0
    for k in range(tile.shape[0]):
        tile[k] = _ordered(tile[k])


@njit(inline="always")
def _child(tile, lane, splits, node):
    # Unsigned all through: numba tests signed indices for "counted from the end", which doubles the time of a walk.
    split = splits[node]
    value = tile[_U(np.uint32(split)) + lane]
    return _U(2) * node + _U(2) - _U(value <= np.int32(split >> np.int64(32)))


@compiled("void(i4[::1], i8, i8[::1], f4[::1], i8, f8[::1])")
def _walk(tile, n, splits, value, depth, sums):
    """Walk the first ``n`` rows of a tile through one tree, eight side by side; add their leaf values to ``sums``."""
    inner = _U((1 << depth) - 1)
    for i in range(0, n, LANES):  # rows beyond the last are walked, too, and nobody looks
        k = _U(i)
        n0 = n1 = n2 = n3 = n4 = n5 = n6 = n7 = _U(0)
        for _ in range(depth):
            n0 = _child(tile, k, splits, n0)
            n1 = _child(tile, k + _U(1), splits, n1)
            n2 = _child(tile, k + _U(2), splits, n2)
            n3 = _child(tile, k + _U(3), splits, n3)
            n4 = _child(tile, k + _U(4), splits, n4)
            n5 = _child(tile, k + _U(5), splits, n5)
            n6 = _child(tile, k + _U(6), splits, n6)
            n7 = _child(tile, k + _U(7), splits, n7)
        sums[k] += value[n0 - inner]
        sums[k + _U(1)] += value[n1 - inner]
        sums[k + _U(2)] += value[n2 - inner]
        sums[k + _U(3)] += value[n3 - inner]
        sums[k + _U(4)] += value[n4 - inner]
        sums[k + _U(5)] += value[n5 - inner]
        sums[k + _U(6)] += value[n6 - inner]
        sums[k + _U(7)] += value[n7 - inner]


@njit(inline="always")
def _walk_one(rows, i, column, cut, value, depth):
    node = _U(0)
    for _ in range(depth):
        node = _U(2) * node + _U(2) - _U(rows[_U(i), column[node]] <= cut[node])
    return value[node - _U((1 << depth) - 1)]


@compiled("void(f4[:,::1], u4[:,::1], f4[:,::1], f4[:,::1], i8, i8, i8, f8[::1])")
def path_lengths(rows, split_column, threshold, leaf, depth, start, stop, out):
    """Write the mean leaf value over all trees of ``rows[start:stop]`` to ``out[start:stop]``."""
    trees = split_column.shape[0]
    if stop - start < LANES:
        out[start:stop] = 0.0
        for t in range(trees):
            for i in range(start, stop):
                out[i] += _walk_one(rows, i, split_column[t], threshold[t], leaf[t], depth)
    else:
        splits = _splits(split_column, threshold)
        tile = np.zeros(rows.shape[1] * BLOCK, np.int32)
        sums = np.empty(BLOCK, np.float64)
        for a in range(start, stop, BLOCK):
            b = min(a + BLOCK, stop)
            _lay_out(rows, a, b, tile)
            sums[:] = 0.0
            for t in range(trees):
                _walk(tile, b - a, splits[t], leaf[t], depth, sums)
            out[a:b] = sums[: b - a]
    for i in range(start, stop):
        out[i] /= trees


@compiled("void(f4[:,::1], u4[:,::1], f4[:,::1], f4[:,::1], i8, u1[:,::1], i8, i8, f8[::1])")
def out_of_bag(rows, split_column, threshold, leaf, depth, in_bag, start, stop, out):
    """Write the mean leaf value over the trees whose bag lacks the row; over all trees when every bag holds it.

    Of ``rows[start:stop]``, to ``out[start:stop]``; ``in_bag`` has shape (trees, rows). The rows must carry every
    column of the trees.
    """
    trees = split_column.shape[0]
    splits = _splits(split_column, threshold)
    tile = np.zeros(rows.shape[1] * BLOCK, np.int32)
    leaves = np.empty(BLOCK, np.float64)
    for a in range(start, stop, BLOCK):
        b = min(a + BLOCK, stop)
        _lay_out(rows, a, b, tile)
        sums = out[a:b]
        sums[:] = 0.0
        for t in range(trees):
            leaves[:] = 0.0
            _walk(tile, b - a, splits[t], leaf[t], depth, leaves)
            held = in_bag[t, a:b]
            for i in range(b - a):
                sums[i] += 0.0 if held[i] else leaves[i]
    used = np.full(stop - start, trees, np.int32)
    for t in range(trees):
        used -= in_bag[t, start:stop]
    for i in range(start, stop):
        if used[i - start] == 0:
            for t in range(trees):
                out[i] += _walk_one(rows, i, split_column[t], threshold[t], leaf[t], depth)
        out[i] /= used[i - start] if used[i - start] > 0 else trees


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
