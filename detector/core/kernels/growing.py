"""Growing trees: hashes decide which column a node splits on, and where."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from detector.core.kernels.compiling import compiled

EULER_GAMMA = 0.5772156649015329
#: Parts the rows that are recorded as absent (-inf) from all others; encoded values stay within +-1e30.
ABSENT_THRESHOLD = np.float32(-3e38)

#: Cuts that are drawn at a node, of which the best is taken; with few rows the first one is.
CUTS = 4
FEW_ROWS = 4

_GOLDEN = np.uint32(0x9E3779B9)
#: What the hash of a part adds to that of its feature: enough to tell parts apart, too little to change the feature.
_PART = 2.0**-36
_U = np.uint64


@njit(inline="always")
def mix(h):
    """Scramble 32 bits (the finaliser of MurmurHash3, A. Appleby, public domain)."""
    # Each product is cut back to 32 bits: numba would widen it to 64.
    h = np.uint32(h)
    h = np.uint32(h ^ (h >> np.uint32(16)))
    h = np.uint32(h * np.uint32(0x85EBCA6B))
    h = np.uint32(h ^ (h >> np.uint32(13)))
    h = np.uint32(h * np.uint32(0xC2B2AE35))
    return np.uint32(h ^ (h >> np.uint32(16)))


@njit(nogil=True, cache=True, boundscheck=False)
def average_path_length(n):
    """Return c(n), the average path length of an unsuccessful search in a binary tree of ``n`` rows.

    Liu, Ting and Zhou, "Isolation Forest", ICDM 2008, equation 1, with scikit-learn's values for n <= 2.
    """
    if n <= 1:
        return 0.0
    if n == 2:
        return 1.0
    return 2.0 * (math.log(n - 1.0) + EULER_GAMMA) - 2.0 * (n - 1.0) / n


@njit(inline="always")
def _drawn(low, high, draw):
    """Return a cut in [low, high), evenly drawn; both sides of it hold rows."""
    cut = low + np.float32(draw >> np.uint32(8)) * np.float32(2.0**-24) * (high - low)
    return cut if cut < high else low  # rounding; the greatest value must go right


@njit(inline="always")
def _looseness(values, steps, squares, rows, cut, total, total_squares):
    """Return how widely the rows on the two sides of a cut are spread.

    This is the mean standard deviation of the two sides, each weighted by the root of its number of rows. (Weighted by
    the number itself it is the pooled gain of D. Cortes, "Revisiting randomized choices in isolation forests", 2021;
    the root lets a small tight side count for more.)
    """
    n = np.int32(0)
    s = np.int32(0)
    q = np.int32(0)
    for i in range(_U(rows)):
        below = values[i] <= cut
        n = np.int32(n + (np.int32(1) if below else np.int32(0)))
        s = np.int32(s + (steps[i] if below else np.int32(0)))
        q = np.int32(q + (squares[i] if below else np.int32(0)))
    m = rows - n
    left = np.float64(n)
    right = np.float64(m)
    below_sum = np.float64(s)
    above_sum = np.float64(total - s)
    below_spread = math.sqrt(max(np.float64(q) - below_sum * below_sum / left, 0.0))
    above_spread = math.sqrt(max(np.float64(total_squares - q) - above_sum * above_sum / right, 0.0))
    # A deviation is the root of (squares / rows), and its weight the root of rows: what is left of them is a sum.
    return (below_spread + above_spread) / (math.sqrt(left) + math.sqrt(right))


@njit(inline="always")
def _best_cut(column, order, begin, end, low, high, draw, fineness, values, steps, squares):
    """Return that of a few cuts drawn between ``low`` and ``high`` which leaves the tightest two sides.

    Spreads are taken in whole steps of the range, as fine as sums of 32 bits allow: such sums are exact, so the order
    of the rows makes no difference.
    """
    cut = _drawn(low, high, draw)
    rows = end - begin
    if rows <= FEW_ROWS:
        return cut
    scale = fineness / (np.float64(high) - np.float64(low))
    total = np.int32(0)
    total_squares = np.int32(0)
    for i in range(_U(rows)):
        value = column[_U(order[_U(begin) + i])]
        step = np.int32((np.float64(value) - np.float64(low)) * scale)
        square = np.int32(step * step)
        values[i] = value
        steps[i] = step
        squares[i] = square
        total = np.int32(total + step)
        total_squares = np.int32(total_squares + square)
    best = _looseness(values, steps, squares, rows, cut, total, total_squares)
    for _ in range(1, CUTS):
        draw = mix(np.uint32(draw + _GOLDEN))
        other = _drawn(low, high, draw)
        loose = _looseness(values, steps, squares, rows, other, total, total_squares)
        if loose < best:
            best = loose
            cut = other
    return cut


@compiled("void(f4[:,::1], i4[::1], u4[::1], u4[::1], u4[::1], f8[::1], u4, i8, u4[::1], f4[::1], f4[::1], i4[::1])")
def _grow_tree(
    rows, bag, columns, feature_keys, part_keys, scale, seed, depth,
    split_column, threshold, leaf, count,
):  # fmt: skip
    n = bag.shape[0]
    d = columns.shape[0]
    inner = (1 << depth) - 1
    width = 1 << depth

    # The bag, column by column, in one small block: every later pass stays in the nearest cache.
    local = np.empty((d, n), np.float32)
    for i in range(n):
        row = bag[i]
        for j in range(d):
            local[j, i] = rows[row, columns[j]]
    feature_hash = np.empty(d, np.uint32)
    part_hash = np.empty(d, np.uint32)
    for j in range(d):
        feature_hash[j] = mix(feature_keys[j] ^ seed)
        part_hash[j] = mix(part_keys[j] ^ seed)

    order = np.arange(n).astype(np.int32)
    spare = np.empty(n, np.int32)
    begin = np.zeros(2 * width - 1, np.int32)
    end = np.zeros(2 * width - 1, np.int32)
    end[0] = n
    # A column that is constant in a node is constant below it: each level keeps the columns that are still worth
    # asking.
    alive = np.empty((depth + 1, d), np.int32)
    alive_count = np.zeros(depth + 1, np.int64)
    alive_count[0] = d
    for j in range(d):
        alive[0, j] = j
    key = np.empty(d, np.float64)
    # The squares of all rows add up to less than 2**31.
    fineness = math.floor(math.sqrt(2147483647.0 / max(n, 1))) - 1.0
    values = np.empty(n, np.float32)
    steps = np.empty(n, np.int32)
    squares = np.empty(n, np.int32)

    psi = average_path_length(n)
    per_path = 1.0 / psi if psi > 0.0 else 1.0

    stack = np.empty(2 * depth + 2, np.int32)
    stack[0] = 0
    top = 1
    while top > 0:
        top -= 1
        node = stack[top]
        level = 0
        while (2 << level) - 1 <= node:
            level += 1
        a = begin[node]
        b = end[node]
        size = b - a
        count[node] = size

        chosen = -1
        low = np.float32(0.0)
        high = np.float32(0.0)
        parts_absent = False
        if level < depth and size > 1:
            m = alive_count[level]
            salt = np.uint32(np.uint32(node + 1) * _GOLDEN)
            for i in range(m):
                j = alive[level, i]
                # The feature decides first, then one of its parts: a time of four columns is no likelier than an amount
                # of one.
                key[i] = mix(feature_hash[j] ^ salt) * scale[j] + mix(part_hash[j] ^ salt) * _PART
            for i in range(m):
                alive[level + 1, i] = alive[level, i]
            kept = m
            while kept > 0:
                best = 0
                for i in range(1, kept):
                    if key[i] < key[best]:
                        best = i
                j = alive[level + 1, best]
                column = local[j]
                low = np.float32(np.inf)
                high = np.float32(-np.inf)
                absent = 0
                for i in range(_U(a), _U(b)):
                    value = column[_U(order[i])]
                    if value > ABSENT_THRESHOLD:
                        low = min(low, value)
                        high = max(high, value)
                    else:  # -inf, and NaN, which compares with nothing
                        absent += 1
                parts_absent = 0 < absent < size
                if parts_absent or low < high:
                    chosen = j
                    break
                kept -= 1
                # Order among the columns that are left does not matter: their hashes decide.
                alive[level + 1, best] = alive[level + 1, kept]
                key[best] = key[kept]
            alive_count[level + 1] = kept

        if chosen < 0:
            value = np.float32((level + average_path_length(size)) * per_path)
            first = node
            for _ in range(level, depth):
                first = 2 * first + 1
            for i in range(first - inner, first - inner + (1 << (depth - level))):
                leaf[i] = value
            continue

        if parts_absent:
            cut = ABSENT_THRESHOLD
        else:
            salt = np.uint32(np.uint32(node + 1) * _GOLDEN)
            draw = mix(mix(part_hash[chosen] ^ salt) ^ np.uint32(0x5BD1E995))
            cut = _best_cut(local[chosen], order, a, b, low, high, draw, fineness, values, steps, squares)
        split_column[node] = columns[chosen]
        threshold[node] = cut
        column = local[chosen]
        left = a
        right = 0
        for i in range(a, b):
            # Written to both sides, and kept on one: a branch here is a coin toss, which no processor foresees.
            row = order[_U(i)]
            goes_right = np.int64(column[_U(row)] > cut)
            spare[_U(right)] = row
            order[_U(left)] = row
            right += goes_right
            left += 1 - goes_right
        for i in range(right):
            order[left + i] = spare[i]
        begin[2 * node + 1] = a
        end[2 * node + 1] = left
        begin[2 * node + 2] = left
        end[2 * node + 2] = b
        stack[top] = 2 * node + 2
        stack[top + 1] = 2 * node + 1
        top += 2


@compiled(
    "void(f4[:,::1], i4[:,::1], i4[::1], u4[::1], u4[::1], u4[::1], f8[::1], u4[::1], i8,"
    " u4[:,::1], f4[:,::1], f4[:,::1], i4[:,::1])",
)
def grow_trees(
    rows, bags, sizes, columns, feature_keys, part_keys, scale, seeds, depth,
    split_column, threshold, leaf, count,
):  # fmt: skip
    """Grow one tree a bag; tree ``t`` uses the first ``sizes[t]`` rows of ``bags[t]``.

    ``split_column`` and ``threshold`` must come filled with the first column and ``+inf``, ``count`` with zeros.
    """
    for t in range(bags.shape[0]):
        _grow_tree(
            rows,
            bags[t, : sizes[t]],
            columns,
            feature_keys,
            part_keys,
            scale,
            seeds[t],
            depth,
            split_column[t],
            threshold[t],
            leaf[t],
            count[t],
        )


@compiled("void(i4[:,::1], i4[::1], i4[::1], u1[:,::1])")
def membership(bags, sizes, places, out):
    """Mark, for each bag, which of the rows it holds: ``places[row]`` is the row's place in ``out[t]``, or -1."""
    for t in range(bags.shape[0]):
        for i in range(sizes[t]):
            place = places[bags[t, i]]
            if place >= 0:
                out[t, place] = 1


@compiled("u4[::1](u4[::1])")
def mixed(values):
    """Return each of 32-bit ``values`` scrambled, as :func:`mix` does."""
    out = np.empty(values.shape[0], np.uint32)
    for i in range(values.shape[0]):
        out[i] = mix(values[i])
    return out
