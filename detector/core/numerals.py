"""What counts as a number; the same for one value and for a column."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.later import pd, types

#: Greater magnitudes lose their meaning in 32 bits; they are listed as unreadable.
LARGEST = 1e30

_NUMBER_TEXT = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", re.ASCII | re.IGNORECASE).fullmatch


def numbers_of_column(column: pd.Series) -> NDArray[np.float64]:
    """Return (n,) the numbers of a column, time spans in seconds; NaN where a value is no number or too great."""
    dtype = column.dtype
    if types.is_timedelta64_dtype(dtype):
        return np.asarray(column.dt.total_seconds().to_numpy(np.float64, na_value=np.nan))
    if types.is_complex_dtype(dtype) or (isinstance(dtype, np.dtype) and dtype.kind == "M"):
        return np.full(len(column), np.nan)
    if dtype == np.float64:
        values = column.to_numpy()
    elif types.is_numeric_dtype(dtype):
        values = column.to_numpy(np.float64, na_value=np.nan)
    else:
        values = _numbers_of_objects(column)
    if not np.abs(values).max(initial=0.0) <= LARGEST:  # also when a NaN is in it
        values = np.where(np.abs(values) <= LARGEST, values, np.nan)
    return values


def _numbers_of_objects(column: pd.Series) -> NDArray[np.float64]:
    if column.dtype == object and types.infer_dtype(column, skipna=True) in _NUMBERS_AND_GAPS:
        try:
            return column.to_numpy(np.float64, na_value=np.nan)
        except OverflowError:  # a whole number of more than 308 digits
            pass
    return np.fromiter((number_of(value) for value in column.astype(object)), np.float64, len(column))


#: The types that are numbers, true and false among them.
NUMBERS = (bool, int, float, Decimal, np.bool_, np.integer, np.floating)
_NUMBERS_AND_GAPS = {"integer", "floating", "mixed-integer-float", "boolean", "empty"}


def number_of(value: Any) -> float:
    """Return the number that one value is, a time span in seconds; NaN when it is none; infinity stays what it is."""
    if isinstance(value, str):
        return float(value) if _NUMBER_TEXT(value) else math.nan
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, np.timedelta64):
        return float(value / np.timedelta64(1, "s"))
    if not isinstance(value, NUMBERS):
        return math.nan
    try:
        return float(value)
    except (OverflowError, ValueError):  # more than 308 digits; a signalling NaN
        return math.nan
