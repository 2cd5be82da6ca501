"""Columns of text on their way to becoming typed columns: what every text-like format is first turned into."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from detector.errors import Problem


@dataclass(frozen=True)
class TextColumn:
    """One column of a block: the cells' UTF-8 bytes end to end, and ``rows + 1`` offsets; an empty cell is missing."""

    data: NDArray[np.uint8]
    offsets: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> str:
        return bytes(self.data[self.offsets[row] : self.offsets[row + 1]]).decode("utf-8", "replace")

    @classmethod
    def of(cls, values: Sequence[str | None]) -> TextColumn:
        """Return the column that holds ``values``; ``None`` becomes an empty cell."""
        cells = [value or "" for value in values]
        data = "".join(cells).encode()
        lengths = [len(cell) for cell in cells]
        if sum(lengths) < len(data):
            lengths = [len(cell.encode()) for cell in cells]
        offsets = np.zeros(len(cells) + 1, np.int32)
        np.cumsum(lengths, out=offsets[1:])
        return cls(np.frombuffer(data, np.uint8), offsets)

    @classmethod
    def from_array(cls, array: pa.StringArray) -> TextColumn:
        """Return the column that holds the values of an Arrow array of strings without nulls."""
        if len(array) == 0:
            return cls.blank(0)
        _, offsets, data = array.buffers()
        cells = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
        return cls(cells, np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1])

    @classmethod
    def blank(cls, rows: int) -> TextColumn:
        """Return a column of ``rows`` empty cells."""
        return cls(np.empty(0, np.uint8), np.zeros(rows + 1, np.int32))

    def array(self, missing: NDArray[np.bool_] | None = None) -> pa.StringArray:
        """Return the cells as an Arrow array, null where ``missing``."""
        validity = None
        if missing is not None and missing.any():
            validity = pa.py_buffer(np.packbits(~missing, bitorder="little").tobytes())
        return pa.StringArray.from_buffers(len(self), pa.py_buffer(self.offsets), pa.py_buffer(self.data), validity)

    def take(self, rows: NDArray[np.int64]) -> TextColumn:
        """Return the cells of ``rows``."""
        return TextColumn.from_array(self.array().take(pa.array(rows)))


@dataclass(frozen=True)
class BadRow:
    """A row that is no row of the table: what is wrong with it, and its text as it stands in the file."""

    problem: Problem
    record: str


@dataclass(frozen=True)
class TextBlock:
    """Some consecutive rows.

    ``rows`` are the numbers of the data rows from 1, faulty ones counted; ``lines`` the file lines they begin in.
    ``bad`` are rows in between that could not be taken apart.
    """

    columns: dict[str, TextColumn]
    rows: NDArray[np.int64]
    lines: NDArray[np.int64]
    bad: list[BadRow] = field(default_factory=list)

    def record(self, position: int) -> str:
        """Return the row at ``position`` as one line of CSV."""
        return csv_line(column[position] for column in self.columns.values())


def csv_line(cells: Iterable[str]) -> str:
    """Return the cells as one line of CSV, without its end."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(cells)
    return out.getvalue()


class TextSource(Protocol):
    """A file that can be read again and again as blocks of text columns.

    ``names`` are the columns that a header names; ``localised``: numbers may have a decimal comma.
    """

    notes: list[str]
    names: tuple[str, ...]
    localised: bool

    def blocks(self) -> Iterator[TextBlock]:
        """Read the file from its beginning."""
        ...

    def place(self, line: int, column: str) -> str | None:
        """Return what the format calls a cell (``Sheet1!B7``), ``None`` when it has no name for it."""
        ...


class BlockBuilder:
    """Gathers records one by one into blocks of ``size`` rows, and numbers the rows."""

    def __init__(self, size: int = 20_000, names: Sequence[str] = ()) -> None:
        self._size = size
        self._names = dict.fromkeys(names)
        self._row = 0
        self._start()

    def _start(self) -> None:
        self._records: list[dict[str, str]] = []
        self._rows: list[int] = []
        self._lines: list[int] = []
        self._bad: list[BadRow] = []

    def add(self, record: dict[str, str] | BadRow, line: int) -> None:
        """Add the next row of the file, which begins in ``line``; a bad row is given its row and line."""
        self._row += 1
        if isinstance(record, BadRow):
            self._bad.append(BadRow(replace(record.problem, row=self._row, line=line), record.record))
        else:
            self._records.append(record)
            self._rows.append(self._row)
            self._lines.append(line)

    @property
    def full(self) -> bool:
        """Whether a block is ready."""
        return len(self._records) + len(self._bad) >= self._size

    def block(self) -> TextBlock | None:
        """Return the rows gathered since the last block, ``None`` when there are none."""
        if not self._records and not self._bad:
            return None
        names = dict(self._names)
        for record in self._records:
            names.update(dict.fromkeys(record))
        columns = {name: TextColumn.of([record.get(name) for record in self._records]) for name in names}
        block = TextBlock(columns, np.asarray(self._rows, np.int64), np.asarray(self._lines, np.int64), self._bad)
        self._start()
        return block
