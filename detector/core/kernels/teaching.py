"""Decisions and trees: which leaf a row ends in, what is passed on along its path, and what comes together at a leaf.

Nodes are numbered as in :mod:`detector.core.kernels`; a *place* is the number of a leaf among the leaves of its tree.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from detector.core.kernels.compiling import compiled

_U = np.uint64


@njit(inline="always")
def _child(row, column, cut, node):
    return _U(2) * node + _U(2) - _U(row[column[node]] <= cut[node])


@compiled(
    "void(f4[:,::1], u4[:,::1], f4[:,::1], i8, i8, i8, u1[:,::1])",
    "void(f4[:,::1], u4[:,::1], f4[:,::1], i8, i8, i8, u2[:,::1])",
)
def leaf_places(rows, split_column, threshold, depth, start, stop, out):
    """Write the leaf that each of ``rows[start:stop]`` ends in to ``out`` (rows, trees); they carry every column."""
    inner = _U((1 << depth) - 1)
    trees = split_column.shape[0]
    last = start + (stop - start) // 4 * 4
    # Four rows side by side, so that one row's load hides behind the others' comparisons.
    for i in range(start, last, 4):
        r0, r1, r2, r3 = rows[_U(i)], rows[_U(i + 1)], rows[_U(i + 2)], rows[_U(i + 3)]
        for t in range(trees):
            column, cut = split_column[t], threshold[t]
            n0 = n1 = n2 = n3 = _U(0)
            for _ in range(depth):
                n0 = _child(r0, column, cut, n0)
                n1 = _child(r1, column, cut, n1)
                n2 = _child(r2, column, cut, n2)
                n3 = _child(r3, column, cut, n3)
            out[i, t] = n0 - inner
            out[i + 1, t] = n1 - inner
            out[i + 2, t] = n2 - inner
            out[i + 3, t] = n3 - inner
    for i in range(last, stop):
        for t in range(trees):
            node = _U(0)
            for _ in range(depth):
                node = _child(rows[_U(i)], split_column[t], threshold[t], node)
            out[i, t] = node - inner


@compiled(
    "void(f4[:,::1], u4[:,::1], f4[:,::1], i4[:,::1], i8, u4[:,::1], u1[:,::1])",
    "void(f4[:,::1], u4[:,::1], f4[:,::1], i4[:,::1], i8, u4[:,::1], u2[:,::1])",
)
def drawn_places(rows, split_column, threshold, count, depth, draws, out):
    """Do what :func:`leaf_places` does for rows in which ``NaN`` marks a value that is not known.

    There one of both branches is drawn, as likely as its share of the bag rows, with the bits that ``draws``
    (rows, trees), none of them 0, begin with (xorshift; G. Marsaglia, Journal of Statistical Software 8, 2003).
    """
    inner = (1 << depth) - 1
    for i in range(rows.shape[0]):
        for t in range(split_column.shape[0]):
            bits = draws[i, t]
            node = 0
            while node < inner:
                value = rows[i, split_column[t, node]]
                right = 2 * node + 2
                if np.isnan(value) and threshold[t, node] != np.inf:
                    bits = np.uint32(bits ^ np.uint32(bits << np.uint32(13)))
                    bits = np.uint32(bits ^ (bits >> np.uint32(17)))
                    bits = np.uint32(bits ^ np.uint32(bits << np.uint32(5)))
                    goes_right = np.float64(bits) * 2.0**-32 < count[t, right] / count[t, node]
                    node = right - 1 + goes_right
                elif threshold[t, node] == np.inf:
                    node = right - 1
                else:
                    node = right - (value <= threshold[t, node])
            out[i, t] = node - inner


@compiled(
    "void(u1[:,::1], f4[:,::1], i8, i8, f8[::1])",
    "void(u2[:,::1], f4[:,::1], i8, i8, f8[::1])",
)
def mean_at_places(places, leaf, start, stop, out):
    """Write the mean over the trees of what the leaves of ``places[start:stop]`` (rows, trees) hold.

    The same numbers, bit for bit, as :func:`~detector.core.kernels.walking.path_lengths` on the rows themselves.
    """
    trees = leaf.shape[0]
    for i in range(start, stop):
        total = 0.0
        for t in range(trees):
            total += leaf[t, places[i, t]]
        out[i] = total / trees


@compiled(
    "void(u1[:,::1], f8[::1], f8[:,::1], f8[:,::1], f8[:,::1])",
    "void(u2[:,::1], f8[::1], f8[:,::1], f8[:,::1], f8[:,::1])",
)
def spread(places, amounts, rises, below, out):
    """Write what reaches each leaf when each row passes its amount on along its path.

    A row adds its amount to every node on its path; a leaf gets the sums of the nodes on the path to it, each times the
    node's rise.

    Parameters
    ----------
    places : (m, trees) leaves of the rows; ``amounts`` (m,) are theirs.
    rises : (trees, nodes) how much more alike rows are that share the node than rows that share its parent.
    below : (trees, nodes) room for the sums.
    out : (trees, leaves)
    """
    trees, nodes = rises.shape
    inner = nodes // 2
    below[:, inner:] = 0.0
    for i in range(places.shape[0]):
        for t in range(trees):
            below[t, _U(inner) + _U(places[i, t])] += amounts[i]
    for t in range(trees):
        sums, rise = below[t], rises[t]
        for node in range(inner - 1, -1, -1):
            sums[_U(node)] = sums[_U(2 * node + 1)] + sums[_U(2 * node + 2)]
        sums[0] *= rise[0]
        for node in range(inner):
            left, right = _U(2 * node + 1), _U(2 * node + 2)
            sums[left] = sums[left] * rise[left] + sums[_U(node)]
            sums[right] = sums[right] * rise[right] + sums[_U(node)]
        out[t] = sums[inner:]


@compiled(
    "void(u1[:,::1], f8[:,::1], f8[::1])",
    "void(u2[:,::1], f8[:,::1], f8[::1])",
)
def gathered(places, values, out):
    """Write the mean over the trees of ``values`` (trees, leaves) at each row's places (m, trees)."""
    trees = values.shape[0]
    for i in range(places.shape[0]):
        total = 0.0
        for t in range(trees):
            total += values[t, places[i, t]]
        out[i] = total / trees


@compiled(
    "void(u1[::1], u1[:,::1], f8[:,::1], f8[::1])",
    "void(u2[::1], u2[:,::1], f8[:,::1], f8[::1])",
)
def alike(one, places, likeness, out):
    """Write how alike the row with the leaves ``one`` (trees,) is to those of ``places`` (m, trees).

    That is the mean over the trees of ``likeness`` (trees, nodes) at the last node that two paths share.
    """
    trees, nodes = likeness.shape
    inner = nodes // 2
    for i in range(places.shape[0]):
        total = 0.0
        for t in range(trees):
            a, b = inner + np.int64(one[t]), inner + np.int64(places[i, t])
            while a != b:
                a, b = (a - 1) >> 1, (b - 1) >> 1
            total += likeness[t, a]
        out[i] = total / trees
