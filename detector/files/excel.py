"""Excel workbooks: one sheet; formulas count as the values that were saved with them.

This is the parser, which runs in a process of its own (see ``parsing.py``); ``workbook_apart.py`` is its other end.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import python_calamine as calamine

from detector.errors import InputError, Problem, UnusableFileError, excerpt, nearest_name
from detector.files.cells import BadRow, BlockBuilder, TextBlock, csv_line
from detector.files.header import check_names
from detector.files.options import ReadOptions
from detector.files.workbook import cells_without_value, is_encrypted

# Excel keeps numbers as float64: up to here, a whole one is written without fraction.
_EXACT = 1e15


class ExcelSource:
    """One sheet of a workbook as blocks of text columns; a cell that holds an error makes its row a bad row."""

    encoding = None
    localised = False

    def __init__(self, path: Path, name: str, options: ReadOptions) -> None:
        self._name, self._options = name, options
        self.notes: list[str] = []
        workbook = self._open(path)
        self._sheet = self._choose_sheet(workbook)
        self.sheet: str = self._sheet.name
        self._errors = cells_without_value(path, self.sheet)
        start = self._sheet.start
        self.first_column = (start[1] if start else 0) + 1
        self._header_line, self.names = self._header()
        self._refuse_many(len(self.names))
        check_names(list(self.names), name, self._header_line)

    def blocks(self) -> Iterator[TextBlock]:
        """Return the rows below the header; rows that are blank throughout are skipped."""
        builder = BlockBuilder(names=self.names)
        for line, cells in self._lines():
            if line <= self._header_line:
                continue
            texts = [_text(cell) for cell in cells]
            failed = self._errors.get(line)
            if failed is None and not any(texts):
                continue
            record = dict(zip(self.names, texts, strict=False))
            builder.add(record if failed is None else self._bad_row(line, *failed, record), line)
            if builder.full and (block := builder.block()):
                yield block
        if last := builder.block():
            yield last

    def _lines(self) -> Iterator[tuple[int, list[Any]]]:
        yield from enumerate(self._sheet.iter_rows(), 1)

    def _header(self) -> tuple[int, tuple[str, ...]]:
        """Return the first line that is not blank, and its cells; columns without name and values are left out."""
        lines = self._lines()
        header = next(
            ((line, texts) for line, cells in lines if any(texts := [_text(cell).strip() for cell in cells])), None
        )
        if header is None:
            sheet = excerpt(self.sheet)
            raise UnusableFileError(
                f'{self._name}: the sheet "{sheet}" is empty. Name the sheet to read.', file=self._name
            )
        line, names = header
        named = max(at for at, name in enumerate(names, 1) if name)
        for _, cells in lines if named < len(names) else ():
            while len(names) > named and any(_text(cell) for cell in cells[named:]):
                named += 1
        return line, tuple(names[:named])

    def _bad_row(self, line: int, letters: str, error: str, record: dict[str, str]) -> BadRow:
        place = f"{self.sheet}!{letters}{line}"
        message = (
            f"The cell {place} holds the error {error}."
            if error
            else f"The formula in {place} was saved without its value: open the file in Excel and save it."
        )
        position = _number(letters) - self.first_column
        column = self.names[position] if 0 <= position < len(self.names) else None
        return BadRow(Problem("error_cell", message, None, None, column, error or None), csv_line(record.values()))

    def _open(self, path: Path) -> calamine.CalamineWorkbook:
        try:
            return calamine.CalamineWorkbook.from_path(str(path))
        except calamine.PasswordError:
            raise self._encrypted() from None
        except (calamine.CalamineError, OSError, ValueError) as error:
            if is_encrypted(path):
                raise self._encrypted() from None
            raise self._damaged(error) from None

    def _choose_sheet(self, workbook: calamine.CalamineWorkbook) -> calamine.CalamineSheet:
        sheets = [sheet.name for sheet in workbook.sheets_metadata if sheet.typ == calamine.SheetTypeEnum.WorkSheet]
        if not sheets:
            raise UnusableFileError(f"{self._name} holds no worksheet. Save the table in one.", file=self._name)
        wanted = self._options.sheet
        if wanted is not None and wanted not in sheets:
            nearest = nearest_name(wanted, sheets)
            listed = ", ".join(f'"{excerpt(name)}"' for name in sheets[:10])
            hint = f'Did you mean "{excerpt(nearest)}"?' if nearest else f"It holds {listed}."
            raise InputError(f'{self._name} has no sheet "{excerpt(wanted)}". {hint}', file=self._name, sheets=sheets)
        chosen = wanted if wanted is not None else sheets[0]
        try:
            sheet = workbook.get_sheet_by_name(chosen)
            others = [] if wanted is not None else [n for n in sheets[1:] if workbook.get_sheet_by_name(n).height]
        except (calamine.CalamineError, OSError, ValueError) as error:
            raise self._damaged(error) from None
        if others:
            listed = ", ".join(f'"{excerpt(other)}"' for other in others[:5])
            self.notes.append(f'The first sheet, "{excerpt(chosen)}", is read; the workbook also holds {listed}.')
        return sheet

    def _refuse_many(self, columns: int) -> None:
        limit = self._options.limits.columns
        if columns > limit:
            message = f"{self._name} has {columns:,} columns; the limit is {limit:,}."
            raise UnusableFileError(f"{message} Leave out what is not needed.", file=self._name)

    def _encrypted(self) -> UnusableFileError:
        message = f"{self._name} is protected by a password."
        return UnusableFileError(f"{message} Save a copy without password and use that.", file=self._name)

    def _damaged(self, error: Exception) -> UnusableFileError:
        message = f"{self._name} cannot be read as an Excel workbook ({excerpt(error)})."
        return UnusableFileError(f"{message} Open it in Excel and save it again.", file=self._name)


def _text(cell: Any) -> str:
    """Return a cell's value as the text that stands for it in a CSV file."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < _EXACT else repr(cell)
    if isinstance(cell, dt.datetime):
        return cell.isoformat(" ")
    return str(cell)


def _number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number
