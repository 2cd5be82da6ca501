"""A column as Arrow holds it becomes typed values: what :mod:`detector.core.reading` does, without pandas.

The values are those that the same column gives as a series, bit for bit. Whatever has to be read from texts is read
once for each different text.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detector.core.entity_keys import Keys, are_short, keys_of_numbers, keys_of_reading
from detector.core.inference import BOOLEAN_TEXTS
from detector.core.intake import Reader
from detector.core.number_texts import Form
from detector.core.numerals import LARGEST, number_of
from detector.core.reading import Floats, Reading, reading_of_codes
from detector.core.statistics import Kind
from detector.core.times import seconds_of

_NO_NUMBER = {"", "nan"}
_MICROSECONDS = 1_000_000.0


def kind_of_type(kind: pa.DataType) -> Kind:
    """Return the kind that values of an Arrow type look like by themselves; texts and nested values are categories."""
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "datetime"
    numbers = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_duration, pa.types.is_null)
    return "numeric" if any(test(kind) for test in numbers) else "categorical"


def is_text(kind: pa.DataType) -> bool:
    """Whether values of an Arrow type are texts."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def read_array(array: pa.Array, kind: Kind) -> Reading:
    """Return the values of ``array`` read as ``kind``, as :func:`detector.core.reading.read_column` does."""
    array = _one_piece(array)
    found = kind_of_type(array.type)
    if kind == "categorical":
        return _categories(array, found)
    absent = _absent(array)
    values = _READ[kind](array)
    return _told(kind, found, values, absent, array)


def read_written(array: pa.Array, form: Form) -> Reading:
    """Return numbers that were written for people; texts that do not follow the ``form`` are unreadable."""
    array = _one_piece(array)
    absent = _absent(array)
    values = _each(array, lambda value: form.number(value) if isinstance(value, str) else number_of(value))
    values = np.where(np.abs(values) <= LARGEST, values, np.nan)
    return _told("numeric", "categorical", values, absent, array, blank=lambda text: not text.strip())


def keys_of_array(array: pa.Array) -> Keys:
    """Return (n,) the hashes of a column's values as texts, those of :func:`detector.core.entity_keys.key_of`."""
    array = _one_piece(array)
    if pa.types.is_integer(array.type) and len(array) and not array.null_count:
        numbers = array.to_numpy(zero_copy_only=False)
        if are_short(numbers):
            return keys_of_numbers(numbers)
    return keys_of_reading(read_array(array, "categorical"))


def _told(
    kind: Kind,
    found: Kind,
    values: Floats,
    absent: NDArray[np.bool_],
    array: pa.Array,
    blank: Callable[[str], bool] = lambda text: text.strip().lower() in _NO_NUMBER,
) -> Reading:
    bad = np.isnan(values) & ~absent
    if bad.any() and is_text(array.type):
        # Blank text is what an empty cell becomes.
        places = np.flatnonzero(bad)
        gone = places[[blank(text) for text in array.take(pa.array(places)).to_pylist()]]
        absent = absent.copy()
        absent[gone] = True
        bad[gone] = False
    return Reading(kind, found, values, (), absent, np.flatnonzero(bad))


def _one_piece(array: pa.Array) -> pa.Array:
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _absent(array: pa.Array) -> NDArray[np.bool_]:
    absent = np.asarray(pc.is_null(array, nan_is_null=pa.types.is_floating(array.type)).to_numpy(zero_copy_only=False))
    return absent.astype(bool, copy=False)


def _numbers(array: pa.Array) -> Floats:
    kind = array.type
    if pa.types.is_duration(kind):
        ticks = pc.cast(array, pa.duration("us"), safe=False).cast(pa.int64()).cast(pa.float64(), safe=False)
        values = _floats(ticks) / _MICROSECONDS
    elif pa.types.is_decimal(kind):
        # By way of their text, so that each becomes the nearest number, as Python's own decimals do.
        values = _floats(array.cast(pa.string()).cast(pa.float64()))
    elif pa.types.is_floating(kind) or pa.types.is_integer(kind):
        values = _floats(array.cast(pa.float64(), safe=False))
    elif pa.types.is_boolean(kind):
        values = _floats(array.cast(pa.uint8()).cast(pa.float64()))
    elif is_text(kind):
        values = _each(array, number_of)
    else:
        return np.full(len(array), np.nan)
    if not np.abs(values).max(initial=0.0) <= LARGEST:  # also when a NaN is in it
        values = np.where(np.abs(values) <= LARGEST, values, np.nan)
    return values


def _truth(array: pa.Array) -> Floats:
    if is_text(array.type):
        return _each(array, _truth_of)
    if pa.types.is_duration(array.type):
        return np.full(len(array), np.nan)
    values = _numbers(array)
    return np.where((values == 0.0) | (values == 1.0), values, np.nan)


def _truth_of(text: str) -> float:
    known = BOOLEAN_TEXTS.get(text.strip().lower())
    return math.nan if known is None else float(known)


def _seconds(array: pa.Array) -> Floats:
    kind = array.type
    if pa.types.is_date(kind):
        array = array.cast(pa.timestamp("ms"))
        kind = array.type
    if pa.types.is_timestamp(kind):
        ticks = array.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.int64())
        absent = _absent(ticks)
        return np.where(absent, np.nan, ticks.fill_null(0).to_numpy(zero_copy_only=False) / 1e6)
    return _each(array, seconds_of) if is_text(kind) else np.full(len(array), np.nan)


_READ: dict[str, Callable[[pa.Array], Floats]] = {"numeric": _numbers, "boolean": _truth, "datetime": _seconds}


def _floats(array: pa.Array) -> Floats:
    return np.asarray(array.to_numpy(zero_copy_only=False), np.float64)


def _each(array: pa.Array, number: Callable[[Any], float]) -> Floats:
    """Return (n,) what ``number`` makes of each value, asked once for each different one; NaN for none."""
    coded = array.dictionary_encode()
    table = np.array([number(value) for value in coded.dictionary.to_pylist()] + [math.nan])
    return table[_codes(coded)]


def _codes(coded: pa.DictionaryArray) -> NDArray[np.intp]:
    """Return (n,) places in the dictionary, -1 where there is no value."""
    return np.asarray(coded.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.intp)


def _categories(array: pa.Array, found: Kind) -> Reading:
    if pa.types.is_nested(array.type) or pa.types.is_binary(array.type) or pa.types.is_null(array.type):
        array = pa.array([None if value is None else str(value) for value in array.to_pylist()], pa.string())
    coded = array.dictionary_encode()
    return reading_of_codes(_codes(coded), coded.dictionary.to_pylist(), found)


#: Reads the columns of an Arrow table.
ARRAYS = Reader(read_array, read_written)
