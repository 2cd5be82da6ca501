"""Summaries of a column's numbers in one pass each: runs of equal values, joined points, the least hashes."""

from __future__ import annotations

import numpy as np

from detector.core.kernels.compiling import compiled


@compiled("i8(f8[::1], f8[::1], f8[::1])")
def count_runs(values, points, counts):
    """Write the different ones of ``values`` (n,), ascending, and how often each occurs; return how many they are.

    ``points`` and ``counts``: (n,) each, of which the first are written.
    """
    last = -1
    for i in range(values.shape[0]):
        if last < 0 or values[i] != points[last]:
            last += 1
            points[last] = values[i]
            counts[last] = 0.0
        counts[last] += 1.0
    return last + 1


@compiled("i8(f8[::1], f8[::1], b1[::1], f8, f8[::1])")
def join_points(values, weights, tied, total, edges):
    """Join the points of a quantile digest in place, within bins of rank; return how many are left.

    A point that is ``tied`` and fills its bin alone stays as it is, as do the first and the last; what lies in a bin
    before, between and behind such points becomes one point at their mean.

    Parameters
    ----------
    values, weights, tied : (p,) each, p >= 1, by rising value
    total : the sum of the weights
    edges : (b + 1,) from 0 to 1, the shares of the weight between which the bins lie
    """
    points, bins = values.shape[0], edges.shape[0] - 1
    joined, start, passed, bin_, opens = 0, 0, 0.0, 0, True
    while start < points:
        # Find where the point that begins at ``start`` ends, and what it weighs.
        weight, stop = 0.0, start
        while stop < points:
            passed_next = passed + weights[stop]
            middle = passed_next - weights[stop] / 2.0
            entered = False
            while bin_ < bins - 1 and edges[bin_ + 1] * total <= middle:
                bin_ += 1
                entered = True
            heavy = tied[stop] and weights[stop] >= (edges[bin_ + 1] - edges[bin_]) * total
            alone = heavy or stop == 0 or stop == points - 1
            if stop > start and (opens or alone or entered):
                break
            opens = alone
            weight += weights[stop]
            passed = passed_next
            stop += 1
        # Shares first: a sum of values times weights could overflow.
        mean = 0.0
        for i in range(start, stop):
            mean += values[i] * (weights[i] / weight)
        is_tied = tied[start] and stop - start == 1
        mean = min(max(mean, values[start]), values[stop - 1])
        values[joined], weights[joined], tied[joined] = mean, weight, is_tied
        joined += 1
        start = stop
    return joined


@compiled("i8(f8[::1], u8, u8[::1])")
def least_hashes(values, most, hashes):
    """Write those hashes of ``values`` (n,) that are at most ``most`` to ``hashes`` (n,); return how many they are.

    The bits are mixed with the finalizer of SplitMix64 (Steele, Lea, Flood 2014): one to one, so no two values collide.
    """
    kept = 0
    words = values.view(np.uint64)
    for i in range(words.shape[0]):
        bits = words[i] + np.uint64(0x9E3779B97F4A7C15)
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        bits ^= bits >> np.uint64(31)
        hashes[kept] = bits
        kept += bits <= most
    return kept
