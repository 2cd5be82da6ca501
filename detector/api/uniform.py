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
from numpy.typing import NDArray

from detector.api.payloads import FIELD_LIMIT
from detector.api.uniform_kernels import (
    FRACTION,
    NULL,
    TEXT,
    TRUTH,
    WHOLE,
    gather_array,
    read_names,
    read_rows,
)

#: Most numbers of a body whose nearest float takes more than a multiplication to find.
MOST_DOUBTS = 10_000
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
    values = _Values(text, most, width)
    joined = np.frombuffer(b"".join(spelled), np.uint8)
    name_ends = np.cumsum([len(name) for name in spelled], dtype=np.int32)
    rows, end, doubts = read_rows(
        data, before.end(), joined, name_ends, values.starts, values.ends, values.floats, values.wholes, values.holds,
        values.lengths, values.doubts,
    )  # fmt: skip
    if rows < 1 or not _closes(text, end, wrapped=before.group(1) is not None) or not values.settle(doubts):
        return None
    try:
        columns = [values.column(column, rows) for column in range(width)]
    except orjson.JSONDecodeError:
        return None
    return pd.DataFrame(dict(zip(decoded, columns, strict=True)))


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


class _Values:
    """The values that were found, and columns made of them."""

    def __init__(self, text: bytes, most: int, width: int) -> None:
        # The system gives memory only to what is written.
        self.data: Bytes = np.frombuffer(text, np.uint8)
        self.starts, self.ends = np.empty((most, width), np.int32), np.empty((most, width), np.int32)
        self.floats, self.wholes = np.empty((width, most)), np.empty((width, most), np.int64)
        self.holds, self.lengths = np.zeros(width, np.uint8), np.zeros(width, np.int64)
        self.doubts = np.empty((MOST_DOUBTS, 2), np.int32)
        self._text = text

    def settle(self, doubts: int) -> bool:
        """Find the floats that were left open; return whether all of them are finite."""
        for row, column in self.doubts[:doubts].tolist():
            self.floats[column, row] = float(self._text[self.starts[row, column] : self.ends[row, column]])
            if np.isinf(self.floats[column, row]):
                return False
        return True

    def column(self, column: int, rows: int) -> Any:
        """Return a column as a frame of records would have it."""
        held = int(self.holds[column])
        if held == WHOLE:
            return self.wholes[column, :rows]
        if held & _NUMBERS and not held & _WORDS:
            return self.floats[column, :rows]
        out = np.empty(int(self.lengths[column]) + rows + 1, np.uint8)
        gather_array(self.data, self.starts, self.ends, rows, column, out)
        values = orjson.loads(out.data)
        if held == TRUTH:
            return np.array(values)
        if held & ~NULL == TEXT:
            return pd.array(values, dtype="str")
        return pd.DataFrame([{"": value} for value in values])[""]
