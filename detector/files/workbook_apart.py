"""A workbook as blocks of text columns, parsed in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from detector.errors import Problem
from detector.files.apart import Batch, DamagedError, Parsing, damaged
from detector.files.cells import BadRow, TextBlock, TextColumn
from detector.files.options import ReadOptions
from detector.files.parsing import LINES, ROWS


class WorkbookSource:
    """One sheet of a workbook, see ``excel.py``; each pass over its rows is a child."""

    encoding = None
    localised = False

    def __init__(self, path: Path, name: str, options: ReadOptions) -> None:
        self._path, self._name, self._options = path, name, options
        # The first pass takes the child that has told the header.
        self._begun: Parsing | None = self._parsing()
        header = self._begun.header
        self.names: tuple[str, ...] = tuple(header["names"])
        self.notes: list[str] = list(header["notes"])
        self.sheet: str = header["sheet"]
        self._first_column: int = header["first_column"]

    def place(self, line: int, column: str) -> str | None:
        """Return the cell's address, ``Sheet1!B7``."""
        return f"{self.sheet}!{_letters(self._first_column + self.names.index(column))}{line}"

    def blocks(self) -> Iterator[TextBlock]:
        """Return the rows below the header; rows that are blank throughout are skipped."""
        begun, self._begun = self._begun, None
        with begun or self._parsing() as parsing:
            try:
                for batch in parsing.batches():
                    yield self._block(batch)
            except DamagedError as error:
                raise self._damaged(error) from None

    def _parsing(self) -> Parsing:
        try:
            return Parsing("excel", self._path, self._name, self._options.limits, sheet=self._options.sheet)
        except DamagedError as error:
            raise self._damaged(error) from None

    def _block(self, sent: Batch) -> TextBlock:
        batch, told = sent
        numbers = {name: np.asarray(batch.column(name)) for name in (ROWS, LINES)}
        cells = {name: _cells(values) for name, values in zip(self.names, batch.columns[2:], strict=True)}
        bad = [BadRow(Problem(**problem), record) for problem, record in json.loads(told.get(b"bad", b"[]"))]
        return TextBlock(cells, numbers[ROWS], numbers[LINES], bad)

    def _damaged(self, error: Exception) -> Exception:
        return damaged(self._name, "cannot be read as an Excel workbook", error, "Open it in Excel and save it again.")


def _cells(values: pa.StringArray) -> TextColumn:
    values.validate(full=True)
    return TextColumn.from_array(values)


def _letters(column: int) -> str:
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
