"""Compiled loops over the bytes of a text file: records and cells. Arrays only; the interpreter's lock is released."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Function = TypeVar("Function", bound=Callable[..., Any])
Bytes = NDArray[np.uint8]
Positions = NDArray[np.int32]
Numbers = NDArray[np.int64]

# What is wrong with a record.
WRONG_WIDTH, AFTER_QUOTE, LONG_CELL = 1, 2, 3
# How a scan of a buffer ended.
ENDED, OPEN_QUOTE, LONG_QUOTED_CELL = 0, 1, 2
LF, CR, QUOTE, SPACE, TAB = 10, 13, 34, 32, 9


def compiled(function: Function) -> Function:
    """Compile ``function`` with numba, without the interpreter lock, and keep the result on disk."""
    return cast(Function, numba.njit(nogil=True, cache=True)(function))


@compiled
def _marks(buffer: Bytes, size: int, delimiter: int) -> Positions:
    """Return where ``buffer[:size]`` holds a delimiter, a quote or an end of line; behind the last stands ``size``.

    Without a branch for each byte this is several times as fast as to stop where one of them is met.
    """
    marked = np.zeros(256, np.uint8)
    for byte in (delimiter, QUOTE, LF, CR):
        marked[byte] = 1
    places = np.empty(size + 1, np.int32)
    count = 0
    for at in range(size):
        places[count] = at
        count += marked[buffer[at]]
    places[count] = size
    return places[: count + 1]


@compiled
def _next_mark(buffer: Bytes, marks: Positions, mark: int, position: int, but: int) -> int:
    """Return the first place in ``marks``, from ``mark`` on, that is not before ``position`` and holds no ``but``."""
    last = len(marks) - 1
    while mark < last and (marks[mark] < position or buffer[marks[mark]] == but):
        mark += 1
    return mark


@compiled
def split_records(
    buffer: Bytes,
    size: int,
    final: bool,
    delimiter: int,
    width: int,
    limit: int,
    row: int,
    line: int,
    starts: Positions,
    ends: Positions,
    good: Numbers,
    bad: Numbers,
) -> tuple[int, int, int, int, int, int, int]:
    """Find the whole records in ``buffer[:size]``.

    A cell with doubled quotes has the complement of its position in ``starts``. Blank lines are no records. A record
    may end with a line feed, a carriage return or both; a quoted cell may hold any of them.

    Parameters
    ----------
    buffer, size, final
        The bytes, how many of them count, and whether the file ends with them.
    delimiter, width, limit
        The byte between two cells, the number of cells in a record, the longest cell in bytes.
    row, line
        The number of the first data row and of the first line in the buffer.
    starts, ends
        Out, at least ``size + 1 + width`` long: where the cells of good records begin and end, record by record.
    good
        Out, ``(size, 4)``: row, line, begin and end of each good record.
    bad
        Out, ``(size, 6)``: row, line, begin, end, fault and detail (cells found, or the line where a quote opened).

    Returns
    -------
    (good records, bad records, bytes used, next row, next line, how it ended, line where an open quote began)
    """
    marks = _marks(buffer, size, delimiter)
    mark = 0
    n_good = 0
    n_bad = 0
    position = 0
    status = ENDED
    opened = 0
    while position < size:
        begin = position
        first_line = line
        field = 0
        fault = 0
        detail = 0
        blank = True
        whole = False
        while True:
            start = position
            escaped = False
            if position < size and buffer[position] == QUOTE:
                blank = False
                opened = line
                start = position + 1
                position = start
                closed = False
                while position < size:
                    byte = buffer[position]
                    if byte == QUOTE:
                        if position + 1 < size and buffer[position + 1] == QUOTE:
                            escaped = True
                            position += 2
                            continue
                        closed = position + 1 < size or final
                        break
                    if byte == LF or (byte == CR and not (position + 1 < size and buffer[position + 1] == LF)):
                        line += 1
                    position += 1
                    mark = _next_mark(buffer, marks, mark, position, delimiter)
                    position = max(position, min(marks[mark], start + limit + 1))
                    if position - start > limit:
                        status = LONG_QUOTED_CELL
                        break
                if not closed:
                    if final and status == ENDED:
                        status = OPEN_QUOTE
                    break
                end = position
                position += 1
                trail = position
                mark = _next_mark(buffer, marks, mark, position, QUOTE)
                position = marks[mark]
                if position > trail and fault == 0:
                    fault = AFTER_QUOTE
                    detail = opened
            else:
                mark = _next_mark(buffer, marks, mark, position, QUOTE)
                position = marks[mark]
                end = position
                at = start
                while blank and at < end:
                    blank = buffer[at] == SPACE or buffer[at] == TAB
                    at += 1
                if end - start > limit and fault == 0:
                    fault = LONG_CELL
                    detail = field
            if field < width:
                at = n_good * width + field
                starts[at] = ~start if escaped else start
                ends[at] = end
            field += 1
            if position >= size:
                whole = final
                break
            byte = buffer[position]
            if byte == delimiter:
                position += 1
                blank = False
                if position >= size and not final:
                    break
                continue
            if byte == CR:
                if position + 1 >= size and not final:
                    break
                if position + 1 < size and buffer[position + 1] == LF:
                    position += 1
            position += 1
            line += 1
            whole = True
            break
        if not whole:
            return n_good, n_bad, begin, row, first_line, status, opened
        if blank:
            continue
        if fault == 0 and field != width:
            fault = WRONG_WIDTH
            detail = field
        if fault == 0:
            good[n_good, 0] = row
            good[n_good, 1] = first_line
            good[n_good, 2] = begin
            good[n_good, 3] = position
            n_good += 1
        else:
            bad[n_bad, 0] = row
            bad[n_bad, 1] = first_line
            bad[n_bad, 2] = begin
            bad[n_bad, 3] = position
            bad[n_bad, 4] = fault
            bad[n_bad, 5] = detail
            n_bad += 1
        row += 1
    return n_good, n_bad, position, row, line, status, opened


@compiled
def gather_column(
    buffer: Bytes, starts: Positions, ends: Positions, rows: int, width: int, column: int
) -> tuple[Bytes, Positions]:
    """Return one column as contiguous bytes and ``rows + 1`` offsets; doubled quotes become single ones."""
    offsets = np.empty(rows + 1, np.int32)
    total = 0
    for row in range(rows):
        start = starts[row * width + column]
        total += ends[row * width + column] - (start if start >= 0 else ~start)
    out = np.empty(total, np.uint8)
    to = 0
    for row in range(rows):
        offsets[row] = to
        start = starts[row * width + column]
        end = ends[row * width + column]
        if start >= 0:
            for at in range(start, end):
                out[to] = buffer[at]
                to += 1
        else:
            at = ~start
            while at < end:
                out[to] = buffer[at]
                to += 1
                at += 2 if buffer[at] == QUOTE else 1
    offsets[rows] = to
    return out[:to], offsets


@compiled
def begins_with_byte(data: Bytes, offsets: Positions, wanted: NDArray[np.bool_]) -> bool:
    """Tell whether any text, of which ``offsets`` are the bounds, begins with one of ``wanted`` (256 long)."""
    found = False
    for row in range(len(offsets) - 1):
        found |= offsets[row] < offsets[row + 1] and wanted[data[offsets[row]]]
    return found
