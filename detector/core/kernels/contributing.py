"""Exact SHAP values of a forest: what each column contributes to a row's mean leaf value, for many rows at once.

The value of a leaf, when only some columns ``S`` of a row are known, counts with a product over the columns on its way:
1 or 0 for a column in ``S`` (whether the row meets all conditions on it), and for any other the share ``w`` of bag rows
that do (path-dependent SHAP: Lundberg et al., "From local explanations to global understanding with explainable AI for
trees", Nature Machine Intelligence 2020). The Shapley value of a column with ``x`` in {0, 1} among ``m`` of them is

    value (x - w) sum over S of |S|! (m - 1 - |S|)! / m! (product over S of x') (product over the rest of w')

and since |S|! (m - 1 - |S|)! / m! is the integral of t^|S| (1 - t)^(m - 1 - |S|) from 0 to 1, the sum is that of

    product over the other columns of (x' t + w' (1 - t)),

a polynomial in ``t`` of degree m - 1, which Gauss and Legendre integrate exactly by its values at m / 2 points. At a
point, the product along a way grows by one factor an edge, and what lies below an edge is summed on the way back: the
work is the number of nodes times the number of points, 4 for trees of depth 8, instead of leaves times depth squared.
(That a polynomial a node will do is from P. Yu, A. Bifet, J. Read and C. Xu, "Linear TreeSHAP", NeurIPS 2022.)
"""

from __future__ import annotations

import numpy as np
from numba import njit

from detector.core.kernels.compiling import compiled

#: Rows that go through a tree together; what waits on each level of a tree of depth 8 then fits into a near cache.
ROWS_TOGETHER = 64
#: Rows whose values are laid out column by column at a time; a tree is prepared once for all of them.
CHUNK = 1_024

# Where a row goes at a node: left, right, or neither: it has missed a condition on the node's column further up, or its
# value is not known. Both say nothing here: what lies below counts by shares, and the column gets nothing for it.
_ASTRAY, _LEFT, _RIGHT = 0, 1, 2


@njit(inline="always")
def _splits(threshold, node):
    return node < threshold.shape[0] and threshold[node] != np.inf


@njit(inline="always")
def _first_leaf(node, inner):
    while node < inner:
        node = 2 * node + 1
    return node - inner


@compiled(
    "void(u4[::1], f4[::1], f4[::1], i4[::1], f8[::1], f8[::1], i8[::1],"
    " f8[::1], f8[:,:,:,::1], f8[:,:,:,::1], f8[:,:,:,::1])"
)
def _prepare(split_column, threshold, leaf, count, points, weights, above, share, grows, earns, leaves):
    """Write what a tree does to a row at each node and point, by where the row is.

    Parameters
    ----------
    points, weights : (p,) those of Gauss and Legendre on 0 to 1.
    above : (inner,) to fill with the level of the nearest node above that splits on the same column, -1 for none.
    share : (nodes,) to fill with the share of bag rows that meet all conditions on the parent's column on the way.
    grows : (inner, 2, 3, p) to fill with the factor of the product on the way to either child, by where the row goes.
    earns : (inner, 2, 3, p) to fill with what the column gets of each unit that lies below the child.
    leaves : (inner, 2, 3, p) to fill with what children that are leaves add, and what the column gets of it.
    """
    inner = threshold.shape[0]
    for node in range(inner):
        if not _splits(threshold, node):
            continue
        before = 1.0
        above[node] = -1
        level = 0
        while (2 << level) - 1 <= node:
            level += 1
        child = node
        while child > 0:
            parent = (child - 1) // 2
            level -= 1
            if split_column[parent] == split_column[node]:
                above[node] = level
                before = share[child]
                break
            child = parent
        for p in range(points.shape[0]):
            known, unknown, weight = points[p], 1.0 - points[p], weights[p]
            of_whole = 1.0 / (known + before * unknown)
            owed = (1.0 - before) * of_whole
            leaves[node, :, :, p] = 0.0
            for side in range(2):
                child = 2 * node + 1 + side
                part = count[child] / count[node]
                after = before * part
                share[child] = after
                met, missed = (_LEFT, _RIGHT) if side == 0 else (_RIGHT, _LEFT)
                now = known + after * unknown
                grows[node, side, met, p] = now * of_whole
                earns[node, side, met, p] = weight * ((1.0 - after) / now - owed)
                grows[node, side, missed, p] = after * unknown * of_whole
                earns[node, side, missed, p] = -weight * (1.0 / unknown + owed)
                grows[node, side, _ASTRAY, p] = part
                earns[node, side, _ASTRAY, p] = 0.0
                if not _splits(threshold, child):
                    value = leaf[_first_leaf(child, inner)]
                    for place in range(3):
                        added = value * grows[node, side, place, p]
                        leaves[node, 0, place, p] += added
                        leaves[node, 1, place, p] += added * earns[node, side, place, p]


@njit(inline="always")
def _of(place, chosen, p):
    return chosen[_LEFT, p] if place == _LEFT else chosen[_RIGHT, p] if place == _RIGHT else chosen[_ASTRAY, p]


@compiled(
    "void(f8[:,::1], i8, i8, u4[::1], f4[::1], i8[::1], f8[:,:,:,::1], f8[:,:,:,::1], f8[:,:,:,::1],"
    " f8[:,:,::1], f8[:,:,::1], i8[:,::1], i8[::1], i8[::1], f8[:,::1])"
)
def _walk(
    columns, a, m, split_column, threshold, above, grows, earns, leaves, product, below, places, taken, nodes, out
):
    """Add to ``out`` (columns, rows) what one tree says of the rows ``a`` to ``a + m`` of a chunk."""
    points = product.shape[1]
    if not _splits(threshold, 0):
        return
    product[0, :, :m] = 1.0
    level = 0
    nodes[0] = 0
    taken[0] = 0
    while level >= 0:
        node = nodes[level]
        column = split_column[node]
        place = places[level]
        given = product[level]
        sums = below[level]
        gain = out[column, a : a + m]
        if taken[level] == 0:
            values = columns[column, a : a + m]
            cut = np.float64(threshold[node])
            for k in range(m):
                place[k] = _LEFT if values[k] <= cut else _RIGHT if values[k] > cut else _ASTRAY
            if above[node] >= 0:
                earlier = places[above[node]]
                kept = taken[above[node]]
                for k in range(m):
                    place[k] = place[k] if earlier[k] == kept else _ASTRAY
            ends = leaves[node, 0]
            parts = leaves[node, 1]
            for p in range(points):
                for k in range(m):
                    sums[p, k] = given[p, k] * _of(place[k], ends, p)
                for k in range(m):
                    gain[k] += given[p, k] * _of(place[k], parts, p)
        else:
            # Back from a child: what lies below it is known.
            found = below[level + 1]
            earned = earns[node, taken[level] - 1]
            for p in range(points):
                for k in range(m):
                    sums[p, k] += found[p, k]
                for k in range(m):
                    gain[k] += found[p, k] * _of(place[k], earned, p)
        side = taken[level]
        while side < 2 and not _splits(threshold, 2 * node + 1 + side):
            side += 1
        if side == 2:
            level -= 1
            continue
        taken[level] = side + 1
        factor = grows[node, side]
        wanted = product[level + 1]
        for p in range(points):
            for k in range(m):
                wanted[p, k] = given[p, k] * _of(place[k], factor, p)
        level += 1
        nodes[level] = 2 * node + 1 + side
        taken[level] = 0


@compiled("void(f4[:,::1], u4[:,::1], f4[:,::1], f4[:,::1], i4[:,::1], i8, f8[::1], f8[::1], i8, i8, f8[:,::1])")
def shap_values(rows, split_column, threshold, leaf, count, depth, points, weights, start, stop, out):
    """Write each column's SHAP value of the mean leaf value of ``rows[start:stop]`` to ``out[start:stop]``.

    ``NaN`` marks a value that is not known. ``points`` and ``weights`` (p,) integrate polynomials of degree
    ``depth - 1`` from 0 to 1 exactly. ``out`` has shape (rows, columns); the sum of ``out[i]`` and
    :func:`expected_path` make the mean leaf value of row ``i``.
    """
    trees, inner = threshold.shape
    d = rows.shape[1]
    p = points.shape[0]
    above = np.empty(inner, np.int64)
    share = np.empty(2 * inner + 1, np.float64)
    grows = np.empty((inner, 2, 3, p), np.float64)
    earns = np.empty((inner, 2, 3, p), np.float64)
    leaves = np.empty((inner, 2, 3, p), np.float64)
    product = np.empty((depth + 1, p, ROWS_TOGETHER), np.float64)
    below = np.empty((depth + 1, p, ROWS_TOGETHER), np.float64)
    places = np.empty((depth + 1, ROWS_TOGETHER), np.int64)
    taken = np.empty(depth + 1, np.int64)
    nodes = np.empty(depth + 1, np.int64)
    chunk = min(CHUNK, max(stop - start, 0))
    columns = np.empty((d, chunk), np.float64)
    sums = np.empty((d, chunk), np.float64)
    for a in range(start, stop, CHUNK):
        n = min(CHUNK, stop - a)
        for i in range(n):
            for j in range(d):
                columns[j, i] = rows[a + i, j]
        sums[:] = 0.0
        for t in range(trees):
            _prepare(
                split_column[t], threshold[t], leaf[t], count[t], points, weights, above, share, grows, earns, leaves
            )
            for first in range(0, n, ROWS_TOGETHER):
                _walk(
                    columns, first, min(ROWS_TOGETHER, n - first), split_column[t], threshold[t], above, grows, earns,
                    leaves, product, below, places, taken, nodes, sums,
                )  # fmt: skip
        for i in range(n):
            for j in range(d):
                out[a + i, j] = sums[j, i] / trees


@compiled("f8(f4[:,::1], f4[:,::1], i4[:,::1])")
def expected_path(threshold, leaf, count):
    """Return the mean leaf value to expect of a row of which nothing is known: by the shares of bag rows."""
    trees, inner = threshold.shape
    below = np.empty(2 * inner + 1, np.float64)
    total = 0.0
    for t in range(trees):
        for node in range(2 * inner, -1, -1):
            if node >= inner:
                below[node] = leaf[t, node - inner]
            elif threshold[t, node] == np.inf:
                below[node] = below[2 * node + 1]
            else:
                right = count[t, 2 * node + 2] / count[t, node]
                below[node] = (1.0 - right) * below[2 * node + 1] + right * below[2 * node + 2]
        total += below[0]
    return total / trees
