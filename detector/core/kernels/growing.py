"""Growing trees: hashes decide which column a node splits on, and where."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from detector.core.kernels.compiling import compiled

EULER_GAMMA = 0.5772156649015329
#: Parts the rows that are recorded as absent (-inf) from all others; encoded values stay within +-1e30.
ABSENT_THRESHOLD = np.float32(-3e38)

_GOLDEN = np.uint32(0x9E3779B9)


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


@compiled("void(f4[:,::1], i4[::1], u4[::1], u4[::1], u4[::1], u4, i8, u4[::1], f4[::1], f4[::1], i4[::1])")
def _grow_tree(rows, bag, columns, feature_keys, part_keys, seed, depth, split_column, threshold, leaf, count):
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
    key = np.empty(d, np.uint32)

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
                key[i] = (mix(feature_hash[j] ^ salt) & np.uint32(0xFFFF0000)) | (
                    mix(part_hash[j] ^ salt) >> np.uint32(16)
                )
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
                for i in range(a, b):
                    value = column[order[i]]
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
            u = np.float32(mix(mix(part_hash[chosen] ^ salt) ^ np.uint32(0x5BD1E995)) >> np.uint32(8)) * np.float32(
                2.0**-24
            )
            cut = low + u * (high - low)
            if not cut < high:  # rounding; the greatest value must go right
                cut = low
        split_column[node] = columns[chosen]
        threshold[node] = cut
        column = local[chosen]
        left = a
        right = 0
        for i in range(a, b):
            row = order[i]
            if column[row] > cut:
                spare[right] = row
                right += 1
            else:
                order[left] = row
                left += 1
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
    "void(f4[:,::1], i4[:,::1], i4[::1], u4[::1], u4[::1], u4[::1], u4[::1], i8,"
    " u4[:,::1], f4[:,::1], f4[:,::1], i4[:,::1])",
)
def grow_trees(rows, bags, sizes, columns, feature_keys, part_keys, seeds, depth, split_column, threshold, leaf, count):
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
