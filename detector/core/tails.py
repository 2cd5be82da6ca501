"""How often trees ask a column: the heavier its tails, the oftener.

A column with heavy tails has room for outliers, one whose values are spread evenly has none. Trees therefore choose
columns with the weight log(1 + kurtosis), where chance alone would ask all alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.core.forest import Encoded

Floats = NDArray[np.float64]

#: A column with one outlier has a kurtosis of about the number of rows; beyond this it says nothing more.
MOST_KURTOSIS = 100.0
#: Rows that are looked at, and columns at once, so that a wide table takes little memory.
ROWS_LOOKED_AT = 4_096
COLUMNS_AT_ONCE = 64


def tail_weights(rows: Encoded) -> Floats:
    """Return the weight of each column, log(1 + kurtosis), from log 2 to log 101; 1.39 for a normal distribution.

    The kurtosis is the fourth standardised moment (1 at least, 3 for a normal distribution). Choosing columns by
    kurtosis is an idea of isotree (D. Cortes, "isotree", option ``weigh_by_kurtosis``).

    Parameters
    ----------
    rows : (n, d) float32; values that are absent (``-inf``) or not known (``NaN``) are left out.
    """
    looked_at = rows[:: max(1, -(-len(rows) // ROWS_LOOKED_AT))]
    weights = np.empty(rows.shape[1])
    for start in range(0, rows.shape[1], COLUMNS_AT_ONCE):
        block = looked_at[:, start : start + COLUMNS_AT_ONCE].astype(np.float64)
        weights[start : start + COLUMNS_AT_ONCE] = np.log1p(_kurtosis(block))
    return weights


def _kurtosis(values: Floats) -> Floats:
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    values[~known] = 0.0
    values -= values.sum(axis=0) / count
    values[~known] = 0.0
    # The greatest is made 1, so that no power overflows.
    values /= np.maximum(np.abs(values).max(axis=0, initial=0.0), np.finfo(np.float64).tiny)
    squares = values * values
    variance = squares.sum(axis=0) / count
    fourth = (squares * squares).sum(axis=0) / count
    kurtosis = np.divide(fourth, variance * variance, out=np.ones(len(count)), where=variance > 0.0)
    return np.asarray(np.clip(kurtosis, 1.0, MOST_KURTOSIS))
