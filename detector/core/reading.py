"""A raw column becomes typed values: numbers, times in seconds, truth, categories; what cannot be read is listed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core import kernels
from detector.core.inference import BOOLEAN_TEXTS, infer_kind, is_absent
from detector.core.later import pd, types
from detector.core.numerals import LARGEST, number_of, numbers_of_column
from detector.core.statistics import FeatureStatistics, Kind
from detector.core.times import seconds_of, seconds_of_column

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reading:
    """The typed values of one column.

    Parameters
    ----------
    kind : as what the column was read.
    kind_found : what its values look like by themselves, those aside that are few and cannot be read.
    values : (n,) float64; numbers, seconds since 1970 UTC, 1 and 0 for true and false, or places in ``categories``;
        NaN where there is no value to use.
    categories : the distinct categories; empty for other kinds.
    absent : (n,) bool, no value was given.
    unreadable : row numbers whose value could not be read as this kind.
    """

    kind: Kind
    kind_found: Kind
    values: Floats
    categories: tuple[str, ...]
    absent: NDArray[np.bool_]
    unreadable: NDArray[np.intp]

    @cached_property
    def present(self) -> int:
        """How many rows gave a value, readable or not."""
        return len(self.absent) - int(np.count_nonzero(self.absent))

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How many rows hold each of the categories."""
        counts = np.zeros(len(self.categories), np.int64)
        kernels.count_places(np.require(self.values, requirements=["C", "W"]), counts)
        return counts

    def take(self, rows: NDArray[np.intp]) -> Reading:
        """Return the reading of these rows alone."""
        places = np.flatnonzero(np.isin(rows, self.unreadable))
        return Reading(self.kind, self.kind_found, self.values[rows], self.categories, self.absent[rows], places)

    def tracked_by(self, statistics: FeatureStatistics, decay: float) -> FeatureStatistics:
        """Return ``statistics`` with these values added."""
        if self.kind in ("numeric", "datetime"):
            return statistics.updated_numeric(self.values, decay=decay)
        absent = int(np.isnan(self.values).sum())
        if self.kind == "boolean":
            true = int((self.values == 1.0).sum())
            counts = np.array([true, len(self.values) - absent - true])
            return statistics.updated_categorical(("true", "false"), counts, absent, decay=decay)
        return statistics.updated_categorical(self.categories, self.counts, absent, decay=decay)


def read_column(column: pd.Series, kind: Kind) -> Reading:
    """Return the values of ``column`` read as ``kind``; nothing is ever raised for a value."""
    found = _KIND_OF_DTYPE.get(column.dtype.kind) if isinstance(column.dtype, np.dtype) else None
    if kind == "numeric" == found:
        plain = _plain_numbers(column)
        if plain is not None:
            return plain
    found = found or infer_kind(column)
    if kind == "categorical":
        return _categories(column, found)
    absent = is_absent(column)
    values = _READ[kind](column)
    bad = np.isnan(values) & ~absent
    if bad.any() and column.dtype.kind in "OU":
        # Blank text is what an empty cell becomes, and "NaN" what many programs write for no number.
        absent = absent.copy()
        absent[bad] = [_is_blank(value) for value in column[bad].astype(object)]
        bad &= ~absent
    if column.dtype == object and 0 < 2 * bad.sum() <= (~absent).sum():
        found = infer_kind(column[~bad])  # a few bad cells do not make numbers text
    return Reading(kind, found, values, (), absent, np.flatnonzero(bad))


def _plain_numbers(column: pd.Series) -> Reading | None:
    """Return the values of a column of numbers in one go; ``None`` when some of them are too great."""
    values = np.require(column.to_numpy(np.float64), requirements=["C", "W"])
    absent = np.empty(len(values), np.bool_)
    if not kernels.find_absent(values, LARGEST, absent):
        return None
    return Reading("numeric", "numeric", values, (), absent, np.empty(0, np.intp))


_KIND_OF_DTYPE: dict[str, Kind] = {"f": "numeric", "i": "numeric", "u": "numeric", "b": "boolean", "M": "datetime"}
_NO_VALUE = {"", "nan"}
# As tuples: a union of types is built anew each time that it is asked for.
_SPANS, _FLAGS, _FRACTIONS = (timedelta, np.timedelta64), (bool, np.bool_), (float, np.floating)
_MAY_BE_TIME = (datetime, str)


def _is_blank(value: Any) -> bool:
    return isinstance(value, str) and value.strip().lower() in _NO_VALUE


def _truth(column: pd.Series) -> Floats:
    if types.is_bool_dtype(column.dtype) or types.is_numeric_dtype(column.dtype):
        values = numbers_of_column(column)
        return np.where((values == 0.0) | (values == 1.0), values, np.nan)
    if column.dtype.kind not in "OU":  # times and spans of time
        return np.full(len(column), np.nan)
    return np.fromiter((_truth_of(value) for value in column.astype(object)), np.float64, len(column))


def _truth_of(value: Any) -> float:
    if isinstance(value, str):
        known = BOOLEAN_TEXTS.get(value.strip().lower())
        return math.nan if known is None else float(known)
    if isinstance(value, _SPANS):
        return math.nan
    number = number_of(value)
    return number if number in (0.0, 1.0) else math.nan


_READ = {"numeric": numbers_of_column, "boolean": _truth, "datetime": seconds_of_column}


def _categories(column: pd.Series, found: Kind) -> Reading:
    if column.dtype == object and types.infer_dtype(column, skipna=True) != "string":
        # Values of several types: lists have no hash, and True would be taken for the 1 before it.
        absent = is_absent(column).tolist()
        named = [None if gone else category_of(value) for gone, value in zip(absent, column, strict=True)]
        column = pd.Series(named, dtype=object)
    return reading_of_codes(*_factorized(column), found)


def reading_of_codes(codes: NDArray[np.integer[Any]], different: list[Any], found: Kind) -> Reading:
    """Return the categories of values that are given by their places (n,) among the ``different`` ones; -1 for none."""
    names = [category_of(value) for value in different]
    # Different values can have one name: 1 and 1.0, or several blanks.
    categories = tuple(dict.fromkeys(name for name in names if name is not None))
    places = {name: place for place, name in enumerate(categories)}
    place_of = np.array([math.nan if name is None else places[name] for name in names] + [math.nan])
    values = place_of[codes]
    return Reading("categorical", found, values, categories, np.isnan(values), np.empty(0, np.intp))


def _factorized(column: pd.Series) -> tuple[NDArray[np.integer[Any]], list[Any]]:
    """Return (n,) the place of each value among the different ones, -1 for none, and these."""
    if isinstance(column.dtype, pd.StringDtype) and column.dtype.storage == "pyarrow":
        # What pandas makes of it costs more than the look-up itself.
        import pyarrow as pa

        array = pa.array(column.array)
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        coded = array.dictionary_encode()
        return coded.indices.fill_null(-1).to_numpy(zero_copy_only=False), coded.dictionary.to_pylist()
    codes, uniques = pd.factorize(column)
    return codes, uniques.tolist()


def category_of(value: Any) -> str | None:
    """Return the category that a value stands for: its text; ``None`` for a blank one."""
    if isinstance(value, str):
        return str(value) if value.strip() else None
    if isinstance(value, _FLAGS):
        return "true" if value else "false"
    if isinstance(value, _FRACTIONS):
        if math.isnan(value):
            return None
        number = float(value)
        return str(int(number)) if number.is_integer() else str(number)
    if isinstance(value, np.datetime64):
        return str(pd.Timestamp(value))
    if isinstance(value, _SPANS):
        return str(pd.Timedelta(value))
    if isinstance(value, int) and value.bit_length() > LONGEST_WHOLE_NUMBER:
        return hex(value)  # Python refuses to write more than 4,300 digits
    return str(value)


#: Bits of the longest whole number that is written in digits.
LONGEST_WHOLE_NUMBER = 8_192


def read_value(value: Any, kind: Kind) -> tuple[float | str | None, bool]:
    """Return one value read as ``kind``, and whether it could be read; the first is ``None`` when there is no value.

    The same as :func:`read_column` on a column of one row, without the column.
    """
    if value is None:
        return None, True
    if kind == "numeric" and type(value) is float:
        if -LARGEST <= value <= LARGEST:
            return value, True
        return None, math.isnan(value)
    if kind == "numeric" and type(value) is int:
        return (float(value), True) if -LARGEST <= value <= LARGEST else (None, False)
    if kind == "categorical" and type(value) in (str, int, float, bool):
        return category_of(value), True
    if kind == "boolean" and type(value) is bool:
        return float(value), True
    if kind == "datetime" and isinstance(value, _MAY_BE_TIME):
        seconds = seconds_of(value)
        if not math.isnan(seconds):
            return seconds, True
    cell = np.empty(1, object)
    cell[0] = value
    reading = read_column(pd.Series(cell, dtype=object), kind)
    if len(reading.unreadable):
        return None, False
    if reading.absent[0]:
        return None, True
    return (reading.categories[0] if kind == "categorical" else float(reading.values[0])), True
