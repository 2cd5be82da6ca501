"""Typed values become encoded ones."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from detector.core.kernels.compiling import compiled

#: How a typed value becomes an encoded one.
LINEAR, LOGARITHMIC, AS_IS, HOUR_SIN, HOUR_COS, WEEKDAY_SIN, WEEKDAY_COS, EXCESS = range(8)


@njit(inline="always")
def _encoded(value, mode, center, spread):
    if mode == 0:
        value = (value - center) / spread
    elif mode == 1:
        value = math.copysign(math.log1p(abs(value)), value)
    elif mode == 2:
        return value
    elif mode == 7:
        # All that is ordinary is one value, on which no tree can split.
        value = max(0.0, math.log(max(value, 1e-30)) - center) / spread if not math.isnan(value) else value
    elif mode <= 4:
        angle = 2.0 * math.pi * (value / 86_400.0 - np.floor(value / 86_400.0))
        return math.sin(angle) if mode == 3 else math.cos(angle)
    else:
        days = np.floor(value / 86_400.0) + 4.0  # 1 January 1970 was a Thursday
        angle = 2.0 * math.pi * (days / 7.0 - np.floor(days / 7.0))
        return math.sin(angle) if mode == 5 else math.cos(angle)
    return value if math.isnan(value) else min(max(value, -1e30), 1e30)


@compiled("void(f8[::1], i8, f8, f8, f4[:,::1], i8)")
def encode_column(values, mode, center, spread, out, column):
    """Write typed ``values`` (n,) encoded to ``out[:, column]``; the modes are those above."""
    for i in range(values.shape[0]):
        out[i, column] = _encoded(values[i], mode, center, spread)


@compiled("void(f8[::1], f8[::1], f4[:,::1], i8)")
def encode_places(places, table, out, column):
    """Write the entries of ``table`` at ``places`` (n,) to ``out[:, column]``; the last one where a place is NaN."""
    for i in range(places.shape[0]):
        out[i, column] = table[table.shape[0] - 1 if math.isnan(places[i]) else np.int64(places[i])]


@compiled("b1(f8[::1], f8, b1[::1])")
def find_absent(values, largest, absent):
    """Write to ``absent`` (n,) which ``values`` are NaN; return whether the others are all at most ``largest``."""
    fit = True
    for i in range(values.shape[0]):
        absent[i] = math.isnan(values[i])
        fit &= absent[i] | (abs(values[i]) <= largest)
    return fit


@compiled("void(f4[:,::1], i8[::1], i8[::1])")
def count_holes(matrix, columns, out):
    """Write to ``out`` (n,) in how many of the ``columns`` each row of ``matrix`` (n, d) is NaN."""
    for i in range(matrix.shape[0]):
        found = 0
        for j in range(columns.shape[0]):
            found += math.isnan(matrix[i, columns[j]])
        out[i] = found


@compiled("void(f8[::1], i8[::1])")
def count_places(places, counts):
    """Add to ``counts`` (k,) how many of ``places`` (n,) are each; NaN is none."""
    for i in range(places.shape[0]):
        if not math.isnan(places[i]):
            counts[np.int64(places[i])] += 1


@compiled("void(f8[::1], i8[::1], f8[::1], f8[::1], f4[::1])")
def encode_row(values, modes, centers, spreads, out):
    """Write one row of typed ``values`` (d,) encoded to ``out`` (d,); ``-inf`` stays what it is."""
    for j in range(values.shape[0]):
        out[j] = values[j] if values[j] == -np.inf else _encoded(values[j], modes[j], centers[j], spreads[j])
