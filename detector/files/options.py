"""What the caller may say about a file, and how large a file may be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """How much a file may hold; ``None`` means no limit. The defaults are those of the dashboard and the API.

    Attributes
    ----------
    file_bytes
        Size of the file on disk.
    expanded_bytes
        Size of what a packed file (Excel) unpacks to, and of a JSON document.
    rows, columns
        Number of data rows and of columns.
    cell_bytes
        Length of one value; also where the search for a closing quote ends.
    parser_bytes, parser_seconds
        Memory of the process that parses a Parquet file or a workbook, and how long one step of it (opening, a batch)
        may take. Its processor time is bounded by as many seconds, and one more for each ``parser_bytes_per_second``
        of the file.
    """

    file_bytes: int | None = 200 * MEGABYTE
    expanded_bytes: int = 1024 * MEGABYTE
    rows: int | None = 2_000_000
    columns: int = 2_000
    cell_bytes: int = 32 * 1024
    parser_bytes: int = 2048 * MEGABYTE
    parser_seconds: float = 60
    parser_bytes_per_second: int = MEGABYTE // 2


#: For the command line and batch jobs: any number of rows, files of any size; columns and cells stay bounded.
UNLIMITED = Limits(
    file_bytes=None,
    expanded_bytes=16 * 1024 * MEGABYTE,
    rows=None,
    parser_bytes=16 * 1024 * MEGABYTE,
    parser_seconds=600,
)


@dataclass(frozen=True)
class ReadOptions:
    """What the caller knows about a file. Everything that is ``None`` is recognised from the content.

    Attributes
    ----------
    encoding
        ``"cp1252"``, ``"utf-16"`` and so on; without it a text file must be UTF-8 or begin with a byte order mark.
    delimiter
        The character between two values of a text file.
    header
        ``True``: the first line names the columns, whatever it looks like. ``False``: it is data, and the columns are
        ``expected_columns`` by position, or ``column_1``, ``column_2``, ...
    sheet
        The Excel sheet to read; the first one when not given.
    expected_columns
        The columns that the reader of the file hopes for, a model's features; used to recognise a file without header.
    text_columns
        Columns whose values are never read as numbers or times.
    numeric_columns
        Columns known to be numeric: a few values that are no numbers are errors of the cell, however short the file is.
    decimal
        ``"."`` or ``","`` in a text file; the other one is then accepted between groups of three digits.
    day_first
        Whether 03/04/2025 is the third of April. Without it such a column is read as time only when the file itself
        shows the order (a 25 somewhere).
    on_error
        ``"refuse"`` raises when any row is faulty; ``"quarantine"`` sets faulty rows aside.
    """

    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None
    sheet: str | None = None
    expected_columns: tuple[str, ...] | None = None
    text_columns: tuple[str, ...] = ()
    numeric_columns: tuple[str, ...] = ()
    decimal: Literal[".", ","] | None = None
    day_first: bool | None = None
    on_error: Literal["refuse", "quarantine"] = "refuse"
    limits: Limits = field(default_factory=Limits)
