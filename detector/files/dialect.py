"""How a text file is written: its delimiter, its header, and where its data begins."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from detector.errors import InputError, Problem, UnusableFileError, excerpt
from detector.files import kernels, numerals, times
from detector.files.encoded import count_lines
from detector.files.header import check_names, fold
from detector.files.options import ReadOptions

DELIMITERS = (",", ";", "\t", "|")
_DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", " ": "space"}
#: How much of a file is looked at to recognise how it is written.
HEAD_BYTES = 1 << 20
_RECORDS_LOOKED_AT = 200


@dataclass(frozen=True)
class Dialect:
    """How to read a text file.

    ``width`` is the number of cells in a record: the number of ``names``, and one more when every line ends with a
    delimiter. The data begins ``data_start`` bytes into the UTF-8 text, in line ``data_line``.
    """

    delimiter: str
    names: tuple[str, ...]
    width: int
    data_start: int
    data_line: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Record:
    begin: int
    end: int
    line: int
    cells: int
    broken: bool


def recognise(head: bytes, whole: bool, name: str, options: ReadOptions) -> Dialect:
    """Return the dialect of a text from its ``head``, which may be the ``whole`` of it: UTF-8, no byte order mark.

    Raises
    ------
    InputError
        When the header has duplicate or empty names, or is missing.
    UnusableFileError
        When there is nothing but blank lines, or more columns than the limit.
    """
    skipped, line, declared = _separator_line(head)
    body = head[skipped:]
    delimiter = _checked(options.delimiter, name) or declared or _best_delimiter(body, whole, line)
    records = _records(body, whole, delimiter, line)
    if not records:
        raise _no_records(body, name)
    first, second = records[0], records[1] if len(records) > 1 and not records[1].broken else None
    limit = options.limits.columns
    columns = first.cells - (
        first.cells > limit and body[first.begin : first.end].rstrip().endswith(delimiter.encode())
    )
    if columns > limit:
        raise UnusableFileError(
            f"{name} has {columns:,} columns; the limit is {limit:,}. Leave out what is not needed.", file=name
        )
    notes = []
    if delimiter != ",":
        notes.append(f"Columns are separated by {_DELIMITER_NAMES.get(delimiter, repr(delimiter))}.")
    cells = [cell.strip() for cell in _cells(body, first, delimiter)]
    if options.header is False:
        names, note = _given_names(len(cells), options)
        return Dialect(delimiter, names, len(names), skipped + first.begin, first.line, (*notes, note))
    if options.header is None:
        _refuse_missing_header(cells, first.line, name, options)
    width = len(cells)
    if cells[-1] == "" and width > 1 and (second is None or second.cells in (width, width - 1)):
        cells.pop()
        width = second.cells if second is not None else len(cells)
    elif second is not None and second.cells == width + 1 and _cells(body, second, delimiter)[-1].strip() == "":
        width += 1
    if width > len(cells):
        notes.append("Every line ends with a delimiter; the empty last column is left out.")
    check_names(cells, name, first.line)
    data_line = first.line + count_lines(body[first.begin : first.end])
    return Dialect(delimiter, tuple(cells), width, skipped + first.end, data_line, tuple(notes))


def _no_records(body: bytes, name: str) -> UnusableFileError:
    if not body.strip():
        return UnusableFileError(f"{name} holds only blank lines. Export it again.", file=name)
    message = "The quote that opens in the first line is never closed."
    return UnusableFileError(f"{name}: {message} Close it, or remove it.", [Problem("open_quote", message)], file=name)


def _separator_line(head: bytes) -> tuple[int, int, str | None]:
    """Return (bytes, next line, delimiter) of the line ``sep=;`` that Excel writes."""
    line = head[:16].split(b"\n", 1)[0]
    stripped = line.rstrip(b"\r")
    if stripped.lower().startswith(b"sep=") and len(stripped) == 5 and len(line) < len(head) and stripped[4] < 128:
        return len(line) + 1, 2, chr(stripped[4])
    return 0, 1, None


def _checked(delimiter: str | None, name: str) -> str | None:
    if delimiter is not None and (len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0'):
        raise InputError(
            f"{name} cannot be read with the delimiter {excerpt(repr(delimiter))}: it has to be one plain character.",
            file=name,
        )
    return delimiter


def _best_delimiter(body: bytes, whole: bool, line: int) -> str:
    """Return the delimiter that splits the first line, and the most lines into the same number of cells."""
    best, best_mark = ",", (False, 0.0, 0)
    for delimiter in DELIMITERS:
        records = _records(body, whole, delimiter, line)
        if not records:
            continue
        # A line that it does not split speaks for no delimiter: a name may hold one, as in "in|out".
        widths = Counter(record.cells for record in records if not record.broken and record.cells > 1)
        usual, times_seen = widths.most_common(1)[0] if widths else (0, 0)
        mark = (records[0].cells > 1, times_seen / len(records), usual)
        if mark > best_mark:
            best, best_mark = delimiter, mark
    return best


def _records(body: bytes, whole: bool, delimiter: str, line: int) -> list[_Record]:
    """Return the first records in ``body``; a last one that may be cut off only if it is the only one."""
    size = len(body)
    nowhere = size + 2  # no record has so many cells: each is handed out as bad, with the number of its cells
    bad = np.empty((size // 2 + 2, 6), np.int64)
    starts, ends = np.empty(2 * size + 4, np.int32), np.empty(2 * size + 4, np.int32)
    _, count, *_ = kernels.split_records(
        np.frombuffer(body, np.uint8),
        size,
        True,
        ord(delimiter),
        nowhere,
        size,
        1,
        line,
        starts,
        ends,
        np.empty((1, 4), np.int64),
        bad,
    )
    records = []
    for i in range(min(count, _RECORDS_LOOKED_AT)):
        _, at_line, begin, end, fault, detail = bad[i].tolist()
        broken = fault != kernels.WRONG_WIDTH
        cells = body.count(delimiter.encode(), begin, end) + 1 if broken else detail
        records.append(_Record(begin, end, at_line, cells, broken))
    return records if whole or count < 2 or count > _RECORDS_LOOKED_AT else records[:-1]


def _cells(body: bytes, record: _Record, delimiter: str) -> list[str]:
    text = body[record.begin : record.end]
    size, width = len(text), record.cells
    starts, ends = np.empty(size + 1 + width, np.int32), np.empty(size + 1 + width, np.int32)
    good, bad = np.empty((2, 4), np.int64), np.empty((2, 6), np.int64)
    buffer = np.frombuffer(text, np.uint8)
    found, *_ = kernels.split_records(buffer, size, True, ord(delimiter), width, size, 1, 1, starts, ends, good, bad)
    if not found:  # a header with text behind a closing quote
        return text.decode("utf-8", "replace").strip("\r\n").split(delimiter)
    columns = (kernels.gather_column(buffer, starts, ends, 1, width, at)[0] for at in range(width))
    return [column.tobytes().decode("utf-8", "replace") for column in columns]


def _given_names(width: int, options: ReadOptions) -> tuple[tuple[str, ...], str]:
    if options.expected_columns and len(options.expected_columns) == width:
        return options.expected_columns, "The file has no header; the model's columns are taken in their order."
    return tuple(
        f"column_{position}" for position in range(1, width + 1)
    ), "The file has no header; columns are numbered."


def _refuse_missing_header(cells: list[str], line: int, name: str, options: ReadOptions) -> None:
    data_like = [_looks_like_data(cell) for cell in cells if cell]
    expected = options.expected_columns or ()
    known = {fold(column) for column in expected}
    if not data_like or any(fold(cell) in known for cell in cells):
        return
    if not (all(data_like) or (known and any(data_like))):
        return
    model_knows = f" (the model knows {', '.join(excerpt(column) for column in expected[:5])}, ...)" if expected else ""
    fits = " and its columns are the model's, in order" if len(expected) == len(cells) else ""
    advice = (
        f"Add a line with the column names{model_knows}, or say that the file has no header{fits}; "
        "if the first line does name the columns, say that."
    )
    message = "The first line looks like data, not like column names."
    problem = Problem("no_header", message, None, line, None, excerpt(", ".join(cells)))
    raise InputError(f'{name}: {message} It begins with "{excerpt(cells[0])}". {advice}', [problem], file=name)


def _looks_like_data(cell: str) -> bool:
    data = np.frombuffer(cell.encode(), np.uint8)
    offsets = np.array([0, len(data)], np.int32)
    kind = int(numerals.classify(data, offsets, ord("."), 0, np.zeros(numerals.KINDS, np.int64))[0])
    is_time = not times.read_times(data, offsets, False, np.empty(1, np.int64)) & times.UNREADABLE
    return is_time or kind not in (numerals.OTHER, numerals.NOT_A_NUMBER, numerals.INFINITY)
