"""Rows of one form, straight from the text of a request to columns: most large batches, several times as fast.

A batch whose rows all have the same fields in the same order needs no dictionary a row. What this reads comes out just
as if the rows had been parsed one by one and made a frame; whatever is not plain is left to that way, errors included.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detector.api.payloads import FIELD_LIMIT
from detector.api.uniform_kernels import (
    FRACTION,
    NULL,
    TEXT,
    TRUTH,
    WHOLE,
    gather_array,
    gather_numbers,
    read_names,
    read_rows,
)

_NUMBERS, _WORDS = WHOLE | FRACTION, TEXT | TRUTH
#: Positions are kept in 32 bits.
_LONGEST = 2**31 - 1

_BEFORE = re.compile(rb'[ \t\r\n]*+(\{[ \t\r\n]*+"transactions"[ \t\r\n]*+:[ \t\r\n]*+)?\[[ \t\r\n]*+')
_AFTER_WRAPPED = re.compile(rb"\][ \t\r\n]*+\}")
_BLANKS = b" \t\r\n"

Bytes = NDArray[np.uint8]


def read_uniform(body: bytes, limit: int) -> pd.DataFrame | None:
    """Return the rows of ``{"transactions": [...]}`` or of a bare array, at most ``limit``, as a frame.

    Returns ``None`` when there are none, when they are not of one form, or when they hold anything else than numbers,
    texts, true, false and null, each plainly written. Nothing is raised, and memory is bounded by the body's length.
    """
    before = _BEFORE.match(body)
    text = body.rstrip(_BLANKS)
    if before is None or len(text) > _LONGEST or text[-1:] not in (b"]", b"}"):
        return None
    data: Bytes = np.frombuffer(text, np.uint8)
    names = _names(data, text, before.end())
    if names is None:
        return None
    spelled, decoded = names
    width = len(spelled)
    # No row is shorter than its names, a colon, a value and a comma each.
    shortest = sum(map(len, spelled)) + 3 * width
    most = min(limit, len(text) // shortest + 1)
    starts, ends = np.empty((most, width), np.int32), np.empty((most, width), np.int32)
    holds, lengths = np.zeros(width, np.uint8), np.zeros(width, np.int64)
    joined = np.frombuffer(b"".join(spelled), np.uint8)
    name_ends = np.cumsum([len(name) for name in spelled], dtype=np.int32)
    rows, end = read_rows(data, before.end(), joined, name_ends, starts, ends, holds, lengths)
    if rows < 1 or not _closes(text, end, wrapped=before.group(1) is not None):
        return None
    try:
        columns = _Columns(data, starts, ends, rows, lengths).all(holds.tolist())
    except (orjson.JSONDecodeError, pa.ArrowInvalid):
        return None
    return None if columns is None else pd.DataFrame(dict(zip(decoded, columns, strict=True)))


def _names(data: Bytes, text: bytes, at: int) -> tuple[list[bytes], list[str]] | None:
    """Return the names of the first row, as they are spelled with quotes and as they read."""
    if data[at] != ord("{"):
        return None
    starts, ends = np.empty(FIELD_LIMIT, np.int32), np.empty(FIELD_LIMIT, np.int32)
    width = read_names(data, at, starts, ends)
    if width < 1:
        return None
    spelled = [text[start:end] for start, end in zip(starts[:width].tolist(), ends[:width].tolist(), strict=True)]
    try:
        decoded: list[str] = orjson.loads(b"[" + b",".join(spelled) + b"]")
    except orjson.JSONDecodeError:
        return None
    return None if "" in decoded or len(set(decoded)) < width else (spelled, decoded)


def _closes(text: bytes, end: int, *, wrapped: bool) -> bool:
    """Return whether nothing follows the array that ends with the bracket at ``end`` but what belongs to it."""
    return _AFTER_WRAPPED.fullmatch(text, end) is not None if wrapped else end == len(text) - 1


class _Columns:
    """Makes columns of the values that were found."""

    def __init__(
        self, data: Bytes, starts: NDArray[np.int32], ends: NDArray[np.int32], rows: int, lengths: NDArray[np.int64]
    ) -> None:
        self._data, self._starts, self._ends, self._rows, self._lengths = data, starts, ends, rows, lengths

    def all(self, holds: list[int]) -> list[Any] | None:
        """Return all columns; ``None`` when a number is beyond the range of floats."""
        found: list[Any] = [None] * len(holds)
        whole = [column for column, held in enumerate(holds) if held == WHOLE]
        others = [
            column for column, held in enumerate(holds) if held & _NUMBERS and held != WHOLE and not held & _WORDS
        ]
        floats = self._numbers(others, pa.float64())
        if np.isinf(floats).any():
            return None
        for places, columns in ((whole, self._numbers(whole, pa.int64())), (others, floats)):
            for place, values in zip(places, columns, strict=True):
                found[place] = values
        for place in set(range(len(holds))).difference(whole, others):
            found[place] = self._others(place, holds[place])
        return found

    def _numbers(self, columns: list[int], kind: pa.DataType) -> NDArray[Any]:
        """Return the numbers of ``columns`` (columns, rows)."""
        lengths = self._lengths[columns]
        nexts = np.cumsum(lengths) - lengths
        out = np.empty(int(lengths.sum()), np.uint8)
        begins = np.empty((len(columns), self._rows), np.int32)
        gather_numbers(self._data, self._starts, self._ends, np.array(columns, np.int64), nexts, out, begins)
        offsets = np.append(begins.ravel(), np.int32(len(out)))
        texts = pa.Array.from_buffers(pa.string(), begins.size, [None, pa.py_buffer(offsets), pa.py_buffer(out)])
        values: NDArray[Any] = pc.cast(texts, kind).to_numpy()
        return values.reshape(begins.shape)

    def _others(self, column: int, held: int) -> Any:
        """Return a column of something else than numbers."""
        out = np.empty(int(self._lengths[column]) + 2 * self._rows + 1, np.uint8)
        end = gather_array(self._data, self._starts, self._ends, self._rows, column, out)
        values = orjson.loads(out[:end].data)
        if held == TRUTH:
            return np.array(values)
        if held & ~NULL == TEXT:
            return pd.array(values, dtype="str")
        # Of several types, or of none: as a frame of records has it.
        return pd.DataFrame([{"": value} for value in values])[""]
