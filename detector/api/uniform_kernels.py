"""Compiled loops over the text of a JSON array of flat objects that all have the same fields in the same order.

They accept less than JSON allows: whatever is not plain makes them give up, and the request is read the slow way.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from detector.core.kernels.compiling import compiled

#: What a column holds, one bit each.
NULL, TRUTH, WHOLE, FRACTION, TEXT = 1, 2, 4, 8, 16
#: Whole numbers of fewer characters fit into 64 bits, with their sign.
WHOLE_LENGTH = 18
#: A text of more bytes may be longer than a cell may be.
TEXT_LENGTH = 32 * 1024

_QUOTE, _BACKSLASH, _COMMA, _COLON, _OPEN, _CLOSE, _END, _N = 34, 92, 44, 58, 123, 125, 93, 110
_TEXT = "Array(uint8, 1, 'C', readonly=True)"


@njit(inline="always")
def _after_blanks(data: Any, at: int) -> int:
    while data[at] == 32 or data[at] == 10 or data[at] == 13 or data[at] == 9:
        at += 1
    return at


@njit(inline="always")
def _after_text(data: Any, at: int) -> int:
    """Return the position after the text that opens at ``at``, or -1."""
    at += 1
    size = data.shape[0]
    while at < size:
        byte = data[at]
        if byte == _QUOTE:
            return at + 1
        if byte < 32:
            return -1
        at += 2 if byte == _BACKSLASH else 1
    return -1


@njit(inline="always")
def _after_digits(data: Any, at: int) -> int:
    while 48 <= data[at] <= 57:
        at += 1
    return at


@njit(inline="always")
def _after_number(data: Any, at: int) -> tuple[int, int]:
    """Return the position after the number that begins at ``at``, or -1, and which sort it is."""
    begin = at
    kind = WHOLE
    if data[at] == 45:
        at += 1
    first = at
    at = _after_digits(data, at)
    if at == first or (data[first] == 48 and at > first + 1):
        return -1, kind
    if data[at] == 46:
        kind = FRACTION
        first = at + 1
        at = _after_digits(data, first)
        if at == first:
            return -1, kind
    if data[at] | 32 == 101:
        kind = FRACTION
        at += 1
        if data[at] == 43 or data[at] == 45:
            at += 1
        first = at
        at = _after_digits(data, first)
        if at == first:
            return -1, kind
    # The whole number -0 is one that only a float can hold.
    if kind == WHOLE and (at - begin > WHOLE_LENGTH or (begin < first and data[first] == 48)):
        return -1, kind
    return at, kind


@njit(inline="always")
def _after_word(data: Any, at: int) -> tuple[int, int]:
    """Return the position after true, false or null, or -1, and which sort it is."""
    if at + 5 >= data.shape[0]:
        return -1, NULL
    if data[at] == 116 and data[at + 1] == 114 and data[at + 2] == 117 and data[at + 3] == 101:
        return at + 4, TRUTH
    if data[at] == 110 and data[at + 1] == 117 and data[at + 2] == 108 and data[at + 3] == 108:
        return at + 4, NULL
    if (data[at] == 102 and data[at + 1] == 97 and data[at + 2] == 108 and data[at + 3] == 115
            and data[at + 4] == 101):  # fmt: skip
        return at + 5, TRUTH
    return -1, NULL


@njit(inline="always")
def _after_value(data: Any, at: int) -> tuple[int, int]:
    byte = data[at]
    if byte == _QUOTE:
        end = _after_text(data, at)
        return (-1 if end - at > TEXT_LENGTH else end), TEXT
    if byte == 45 or 48 <= byte <= 57:
        return _after_number(data, at)
    return _after_word(data, at)


@compiled(f"i8({_TEXT}, i8, i4[::1], i4[::1])")
def read_names(data: Any, at: int, starts: Any, ends: Any) -> int:
    """Write where the names of the object that opens at ``at`` begin and end, with quotes; return how many, or -1.

    The last byte of ``data`` must be ``]`` or ``}``, here and below: reading stops there at the latest.
    """
    if data[at] != _OPEN:
        return -1
    for column in range(starts.shape[0]):
        at = _after_blanks(data, at + 1)
        if data[at] != _QUOTE:
            return -1
        starts[column] = at
        at = _after_text(data, at)
        if at < 0:
            return -1
        ends[column] = at
        at = _after_blanks(data, at)
        if data[at] != _COLON:
            return -1
        at, _ = _after_value(data, _after_blanks(data, at + 1))
        if at < 0:
            return -1
        at = _after_blanks(data, at)
        if data[at] == _CLOSE:
            return column + 1
        if data[at] != _COMMA:
            return -1
    return -1


@compiled(f"UniTuple(i8, 2)({_TEXT}, i8, {_TEXT}, i4[::1], i4[:,::1], i4[:,::1], u1[::1], i8[::1])")
def read_rows(
    data: Any, at: int, names: Any, name_ends: Any, starts: Any, ends: Any, holds: Any, lengths: Any
) -> tuple[int, int]:
    """Find the values of all objects from the one that opens at ``at`` to the end of their array.

    Parameters
    ----------
    names, name_ends
        The names in quotes, one after the other, and where each ends.
    starts, ends
        Out, (rows, columns): where each value begins and ends.
    holds, lengths
        Out, (columns,), zeros: the bits of what each column holds, and how many bytes its values take; a null, three.

    Returns
    -------
    (rows, position of the bracket that closes the array); (-1, position) where it is not plain or has more rows.
    """
    size = data.shape[0]
    width = name_ends.shape[0]
    rows = 0
    while True:
        if rows == starts.shape[0] or data[at] != _OPEN:
            return -1, at
        name = 0
        for column in range(width):
            at = _after_blanks(data, at + 1)
            if at + name_ends[column] - name >= size:
                return -1, at
            while name < name_ends[column]:
                if data[at] != names[name]:
                    return -1, at
                name += 1
                at += 1
            at = _after_blanks(data, at)
            if data[at] != _COLON:
                return -1, at
            start = _after_blanks(data, at + 1)
            at, kind = _after_value(data, start)
            if at < 0:
                return -1, start
            starts[rows, column] = start
            ends[rows, column] = at
            holds[column] |= kind
            lengths[column] += at - start if kind != NULL else 3
            at = _after_blanks(data, at)
            if data[at] != (_COMMA if column + 1 < width else _CLOSE):
                return -1, at
        rows += 1
        at = _after_blanks(data, at + 1)
        if data[at] == _END:
            return rows, at
        if data[at] != _COMMA:
            return -1, at
        at = _after_blanks(data, at + 1)


@compiled(f"void({_TEXT}, i4[:,::1], i4[:,::1], i8[::1], i8[::1], u1[::1], i4[:,::1])")
def gather_numbers(data: Any, starts: Any, ends: Any, columns: Any, nexts: Any, out: Any, begins: Any) -> None:
    """Write the numbers of ``columns``, one column after the other, to ``out``; a null becomes nan.

    Parameters
    ----------
    nexts
        (columns,) where each column begins in ``out``; in the end, where it ends.
    begins
        Out, (columns, rows): where each number begins in ``out``.
    """
    for row in range(begins.shape[1]):
        for number in range(columns.shape[0]):
            column = columns[number]
            at = nexts[number]
            begins[number, row] = at
            start = starts[row, column]
            if data[start] == _N:
                out[at], out[at + 1], out[at + 2] = _N, 97, _N
                at += 3
            else:
                for place in range(start, ends[row, column]):
                    out[at] = data[place]
                    at += 1
            nexts[number] = at


@compiled(f"i8({_TEXT}, i4[:,::1], i4[:,::1], i8, i8, u1[::1])")
def gather_array(data: Any, starts: Any, ends: Any, rows: int, column: int, out: Any) -> int:
    """Write the values of a column to ``out`` as a JSON array; return how long it is."""
    out[0] = 91
    at = 1
    for row in range(rows):
        for place in range(starts[row, column], ends[row, column]):
            out[at] = data[place]
            at += 1
        out[at] = _COMMA
        at += 1
    out[at - 1] = _END
    return at
