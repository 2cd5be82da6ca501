"""Writing a scored table as an Excel workbook, row by row, so that memory does not grow with the table."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pandas as pd
import pyarrow as pa
import xlsxwriter

from detector.durable import begin_beside, flush_folder
from detector.errors import InputError
from detector.files.writing import harmless

#: Rows of data that a sheet holds below its header, and columns.
MOST_ROWS, MOST_COLUMNS = 1_048_575, 16_384
#: Characters that a cell holds.
MOST_CHARACTERS = 32_767
#: From here on a whole number loses digits in a spreadsheet, which keeps fifteen.
_MOST_EXACT = 10**15
_CUT = "…"

_Cell = float | int | str | bool | datetime | None
_Put = Callable[[int, int, Any], Any]


class WorkbookWriter:
    """Write frames one after the other to an ``.xlsx`` file that appears, complete, when the writer is closed.

    The first frame sets the columns. Texts are written as texts and never as formulas or links; one that would be a
    formula if the sheet were saved as CSV gets an apostrophe in front, as in CSV. Whole numbers beyond fifteen digits
    are written as text, since a spreadsheet would round them; times are in UTC, without a zone.

    Parameters
    ----------
    path
        The file to make or replace.
    made_at
        Written into the workbook as the time of its making, so that the same rows give the same bytes.

    Attributes
    ----------
    shortened : int
        Texts that were cut because a cell holds 32,767 characters.

    Raises
    ------
    InputError
        When the table has more rows or columns than a sheet holds.
    ValueError
        When a frame has other columns than the first one.
    OSError
        When the disk refuses; ``path`` is then as it was.
    """

    def __init__(self, path: Path | str, made_at: datetime) -> None:
        self.path = Path(path)
        self.rows = 0
        self.shortened = 0
        handle, self._temporary = begin_beside(self.path)
        os.close(handle)
        options = {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        self._book = xlsxwriter.Workbook(str(self._temporary), options)
        self._book.set_properties({"created": made_at.astimezone(UTC).replace(tzinfo=None)})
        self._sheet = self._book.add_worksheet("Scored")
        self._time = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._day = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._names: list[str] | None = None
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.discard()

    def write(self, frame: pd.DataFrame) -> None:
        """Add the rows of ``frame``; its index is not written."""
        names = [str(name) for name in frame.columns]
        if self._names is None:
            self._begin(names)
        elif names != self._names:
            raise ValueError(f"the frame has the columns {names}, the first one had {self._names}")
        if self.rows + len(frame) > MOST_ROWS:
            raise InputError(f"An Excel sheet holds {MOST_ROWS:,} rows. Choose CSV or Parquet for this table.")
        table = pa.Table.from_pandas(frame, preserve_index=False)
        columns = [self._column(column) for column in table.columns]
        first = self.rows + 1
        for row in range(table.num_rows):
            for place, (put, cells) in enumerate(columns):
                cell = cells[row]
                if cell is None:
                    continue
                if type(cell) is str:
                    self._sheet.write_string(first + row, place, cell)
                else:
                    put(first + row, place, cell)
        self.rows += table.num_rows

    def close(self) -> None:
        """Finish the file, flush it to disk and put it in its place."""
        if not self._open:
            return
        self._open = False
        try:
            self._book.close()
            with self._temporary.open("rb") as file:
                os.fsync(file.fileno())
            self._temporary.replace(self.path)
        except BaseException:
            self._temporary.unlink(missing_ok=True)
            raise
        flush_folder(self.path.parent)

    def discard(self) -> None:
        """Give up: nothing appears at ``path``."""
        if self._open:
            self._open = False
            # Closing is what lets go of the files that hold the rows so far.
            self._book.close()
        self._temporary.unlink(missing_ok=True)

    def _begin(self, names: list[str]) -> None:
        if len(names) > MOST_COLUMNS:
            raise InputError(f"An Excel sheet holds {MOST_COLUMNS:,} columns. Choose CSV or Parquet for this table.")
        self._names = names
        self._sheet.freeze_panes(1, 0)
        for place, name in enumerate(harmless(pa.array(names, pa.string())).to_pylist()):
            self._sheet.write_string(0, place, self._fitting(name))

    def _column(self, column: pa.ChunkedArray) -> tuple[_Put, list[_Cell]]:
        kind = column.type
        if pa.types.is_dictionary(kind):
            column, kind = column.cast(kind.value_type), kind.value_type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            texts = harmless(column.cast(pa.string())).to_pylist()
            return self._sheet.write_string, [None if text is None else self._fitting(text) for text in texts]
        values = column.to_pylist()
        if pa.types.is_boolean(kind):
            return self._sheet.write_boolean, values
        if pa.types.is_timestamp(kind):
            return self._put_time, [_time(value) for value in values]
        if pa.types.is_date(kind):
            return self._put_day, [_day(value) for value in values]
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            return self._sheet.write_number, [_number(value) for value in values]
        return self._sheet.write_string, [None if value is None else self._fitting(str(value)) for value in values]

    def _put_time(self, row: int, column: int, value: datetime) -> None:
        self._sheet.write_datetime(row, column, value, self._time)

    def _put_day(self, row: int, column: int, value: date) -> None:
        self._sheet.write_datetime(row, column, value, self._day)

    def _fitting(self, text: str) -> str:
        # The format counts in units of UTF-16, of which a character takes two at most.
        if len(text) * 2 <= MOST_CHARACTERS or len(text.encode("utf-16-le")) // 2 <= MOST_CHARACTERS:
            return text
        self.shortened += 1
        return text.encode("utf-16-le")[: 2 * (MOST_CHARACTERS - 1)].decode("utf-16-le", "ignore") + _CUT


def _number(value: Any) -> _Cell:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if abs(value) < _MOST_EXACT else str(value)


def _time(value: datetime | None) -> _Cell:
    """Return a time without a zone; one before 1900, where a spreadsheet's days begin, as text."""
    if value is None:
        return None
    plain = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo is not None else value
    return plain if plain.year >= 1900 else plain.isoformat(sep=" ")


def _day(value: date | None) -> _Cell:
    if value is None:
        return None
    return datetime(value.year, value.month, value.day) if value.year >= 1900 else value.isoformat()
