"""Streams: bags let rows in, and calibration rows keep what each tree says of them."""

from __future__ import annotations

import numpy as np
from numba import njit

from detector.core.kernels.compiling import compiled

_U = np.uint64


@njit(inline="always")
def _next(state):
    """Return the next 64 random bits (SplitMix64; Steele, Lea and Flood, OOPSLA 2014)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(inline="always")
def _share(state):
    return np.float64(_next(state) >> np.uint64(11)) * 2.0**-53


@njit(inline="always")
def _below(n, state):
    return np.int64(_share(state) * n)


@compiled("i8(i8, i8, i8, u8[::1])")
def new_among(slots, new, old, state):
    """Return how many of ``slots`` rows drawn without repeats from ``new`` new and ``old`` old ones are new."""
    if new + old <= slots:
        return new
    taken = 0
    left = new
    for i in range(slots):
        if left == 0:
            break
        if _share(state) * (new + old - i) < left:
            left -= 1
            taken += 1
    return taken


@njit(inline="always")
def _refill(bag, new, begin, end, out, mark, token, state):
    place = 0
    # R. Floyd's way to draw without repeats.
    for last in range(end - new, end):
        row = begin + _below(last - begin + 1, state)
        if mark[row] == token:
            row = last
        mark[row] = token
        out[place] = row
        place += 1
    old = bag.copy()
    kept = min(old.shape[0], out.shape[0] - new)
    for i in range(kept):
        other = i + _below(old.shape[0] - i, state)
        row = old[other]
        old[other] = old[i]
        mark[row] = token
        out[place] = row
        place += 1
    while place < out.shape[0]:
        row = _below(begin, state)
        if mark[row] != token:
            mark[row] = token
            out[place] = row
            place += 1


@compiled("void(i4[:,::1], i8[::1], i8[::1], i8[::1], i8, i4[:,::1], i4[::1], i4, u8[::1])")
def refill_bags(bags, trees, begins, old, end, out, mark, token, state):
    """Write the next rows of the bags of ``trees`` to ``out`` (trees, b).

    Tree ``trees[i]`` draws from the rows from ``begins[i]`` to ``end`` and from ``old[i]`` rows before them, for which
    the rows stand that it holds. What a bag that grows lacks is filled up from all rows before.

    Parameters
    ----------
    bags : (all trees, b or fewer) rows of each bag.
    mark : a number a row; none of them is one of the ``trees.shape[0]`` numbers from ``token`` on.
    state : (1,) random bits.
    """
    for i in range(trees.shape[0]):
        new = new_among(out.shape[1], end - begins[i], old[i], state)
        _refill(bags[trees[i]], new, begins[i], end, out[i], mark, token + i, state)


@njit(inline="always")
def _child(row, column, cut, node):
    return _U(2) * node + _U(2) - _U(row[column[node]] <= cut[node])


@compiled("void(f4[:,::1], u4[:,::1], f4[:,::1], f4[:,::1], i8, f4[:,::1])")
def leaf_values(rows, split_column, threshold, leaf, depth, out):
    """Write what each tree says of each row to ``out`` (trees, rows): the leaf values that others take the mean of."""
    inner = _U((1 << depth) - 1)
    n = rows.shape[0]
    for t in range(split_column.shape[0]):
        column, cut, value = split_column[t], threshold[t], leaf[t]
        # Four rows side by side, so that one row's load hides behind the others' comparisons.
        for i in range(0, n - 3, 4):
            r0, r1, r2, r3 = rows[_U(i)], rows[_U(i + 1)], rows[_U(i + 2)], rows[_U(i + 3)]
            n0 = n1 = n2 = n3 = _U(0)
            for _ in range(depth):
                n0 = _child(r0, column, cut, n0)
                n1 = _child(r1, column, cut, n1)
                n2 = _child(r2, column, cut, n2)
                n3 = _child(r3, column, cut, n3)
            out[t, i] = value[n0 - inner]
            out[t, i + 1] = value[n1 - inner]
            out[t, i + 2] = value[n2 - inner]
            out[t, i + 3] = value[n3 - inner]
        for i in range(n - n % 4, n):
            node = _U(0)
            for _ in range(depth):
                node = _child(rows[_U(i)], column, cut, node)
            out[t, i] = value[node - inner]


@compiled("void(f4[:,::1], u1[:,::1], i8[::1], f4[:,::1], u1[:,::1], f8[::1], i8[::1], f8[::1])")
def retell(said, held, trees, said_now, held_now, outside, used, everywhere):
    """Replace what ``trees`` say of the calibration rows, and keep the sums over the trees that do not hold a row.

    The sums are exact, whatever the order: leaf values have 24 bits and are neither tiny nor huge.

    Parameters
    ----------
    said, held : (all trees, k or more) leaf values, and 1 where the tree's bag holds the row.
    said_now, held_now : (trees, k) the same as it is now.
    outside, used, everywhere : (k,) sum and number of the leaf values of trees without the row, sum of all.
    """
    for place in range(trees.shape[0]):
        t = trees[place]
        for i in range(outside.shape[0]):
            everywhere[i] += np.float64(said_now[place, i]) - np.float64(said[t, i])
            if held[t, i] == 0:
                outside[i] -= said[t, i]
                used[i] -= 1
            if held_now[place, i] == 0:
                outside[i] += said_now[place, i]
                used[i] += 1
            said[t, i] = said_now[place, i]
            held[t, i] = held_now[place, i]


@compiled("void(f4[:,::1], i8[::1], i8[::1], f4[:,::1], u1[:,::1], f8[::1], i8[::1], f8[::1])")
def admit(said_of_rows, rows, places, said, held, outside, used, everywhere):
    """Put rows that no bag holds into ``places`` of the calibration, with what the trees said of them.

    Parameters
    ----------
    said_of_rows : (trees, m) leaf values; ``rows`` (j,) are columns of it, ``places`` (j,) of the others.
    said, held, outside, used, everywhere : as :func:`retell` keeps them.
    """
    trees = said.shape[0]
    for j in range(places.shape[0]):
        everywhere[places[j]] = 0.0
        used[places[j]] = trees
    for t in range(trees):
        for j in range(places.shape[0]):
            value = said_of_rows[t, rows[j]]
            said[t, places[j]] = value
            held[t, places[j]] = 0
            everywhere[places[j]] += value
    for j in range(places.shape[0]):
        outside[places[j]] = everywhere[places[j]]
