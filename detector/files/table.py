"""Opening a file of any format as a table of typed columns, read by batches."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import pyarrow as pa

from detector.files import apart
from detector.files.columns import Column, frame_type
from detector.files.delimited import DelimitedSource
from detector.files.detect import Format, detect_format
from detector.files.faults import Faults, shown_name
from detector.files.options import ReadOptions
from detector.files.packed import refuse_bomb
from detector.files.parquet import ParquetTable
from detector.files.records import RecordSource
from detector.files.typed import TypedText
from detector.files.workbook_apart import WorkbookSource

_ADVICE = "Correct the file, or read it with the faulty rows set aside."


class Progress(Protocol):
    """What is told of the reading; may raise :class:`~detector.errors.Cancelled` to stop it."""

    def __call__(self, done_rows: int, total_rows: int | None, message: str) -> None:
        """Tell the rows done, the rows in all if they are known, and what is being done."""


class _Reader(Protocol):
    """What a format offers to a table."""

    def batches(self) -> Iterator[pa.RecordBatch]: ...

    def quarantined(self) -> Iterator[pd.DataFrame]: ...


@dataclass(frozen=True)
class Table:
    """A file, read as far as its columns and their types; its rows come by batches.

    Attributes
    ----------
    name
        What the user calls the file, fit to be shown.
    format, encoding, delimiter
        What it is; ``None`` where a format has no such thing.
    columns
        Name, type and number of missing values of each column, decided over the whole file.
    notes
        What was recognised or assumed, in sentences.
    rows
        Number of rows, without those set aside.
    set_aside
        Number of faulty rows set aside; 0 unless ``on_error="quarantine"``.
    """

    name: str
    format: Format
    encoding: str | None
    delimiter: str | None
    columns: tuple[Column, ...]
    notes: tuple[str, ...]
    rows: int
    set_aside: int
    _reader: _Reader = field(repr=False, compare=False)

    def batches(self, size: int = 65_536) -> Iterator[pd.DataFrame]:
        """Yield frames of ``size`` rows (the last one shorter), in the order of the file.

        The index is a ``RangeIndex`` that runs on over all rows. The types are those that :class:`Column` describes,
        the same in every batch. A table without rows yields nothing.
        """
        return (frame for frame, _ in self.blocks(size))

    def blocks(self, size: int = 65_536) -> Iterator[tuple[pd.DataFrame, pa.Table]]:
        """Yield what :meth:`batches` does, each with the same rows as Arrow has them.

        For who hands the rows on to a writer, which then need not make them anew from the frame.
        """
        start = held = 0
        waiting: list[pa.RecordBatch] = []
        for batch in self._reader.batches():
            waiting.append(batch)
            held += batch.num_rows
            if held < size:
                continue
            table = pa.Table.from_batches(waiting)
            whole = held - held % size
            for offset in range(0, whole, size):
                part = table.slice(offset, size)
                yield self._frame(part, start), part
                start += size
            waiting = table.slice(whole).to_batches()
            held -= whole
        if held:
            last = pa.Table.from_batches(waiting)
            yield self._frame(last, start), last

    def frame(self, limit: int | None = None) -> pd.DataFrame:
        """Return the first ``limit`` rows, or all of them, as one frame."""
        parts: list[pa.RecordBatch] = []
        held = 0
        for batch in self._reader.batches():
            parts.append(batch)
            held += batch.num_rows
            if limit is not None and held >= limit:
                break
        schema = pa.schema([(column.name, frame_type(column)) for column in self.columns])
        return self._frame(pa.Table.from_batches(parts, schema).slice(0, limit), 0)

    def sample(self, n: int) -> pd.DataFrame:
        """Return the first ``n`` rows."""
        return self.frame(n)

    def quarantined(self) -> Iterator[pd.DataFrame]:
        """Yield the rows set aside, as frames: row, line, column, reason, record (the row as text)."""
        return self._reader.quarantined()

    def _frame(self, table: pa.Table, start: int) -> pd.DataFrame:
        index = pd.RangeIndex(start, start + table.num_rows)
        pairs = zip(self.columns, table.columns, strict=True)
        return pd.DataFrame(
            {column.name: _series(column, values, index) for column, values in pairs}, index, copy=False
        )


def open_table(
    path: Path | str,
    *,
    name: str | None = None,
    options: ReadOptions | None = None,
    progress: Progress | None = None,
) -> Table:
    """Open a CSV, Parquet, JSON or Excel file; the content decides which it is.

    The whole file is read once, to decide the types of its columns and to find everything that is wrong with it; the
    rows themselves are read again by each pass over the table. Memory does not grow with the number of rows, except for
    a JSON document and a workbook, which are held whole.

    Parameters
    ----------
    path
        Where the file lies; no message repeats it.
    name
        What the user calls it; the last part of ``path`` when not given.
    options
        What the caller knows about the file.
    progress
        Told the rows done after each block.

    Raises
    ------
    UnusableFileError
        When the file as a whole cannot be read.
    InputError
        When rows or cells are faulty and ``options.on_error`` is ``"refuse"``; lists the first 100 problems.
    """
    path, options = Path(path), options or ReadOptions()
    shown = shown_name(name if name is not None else path.name)
    report = _reporter(progress)
    form, notes = detect_format(path, shown, options)
    faults = Faults()
    encoding = delimiter = None
    reader: ParquetTable | TypedText
    if form == "parquet":
        reader = ParquetTable(path, shown, options, faults, report)
    else:
        source: DelimitedSource | RecordSource | WorkbookSource
        if form == "excel":
            refuse_bomb(path, shown, options.limits.expanded_bytes)
            source = WorkbookSource(path, shown, options)
        elif form == "csv":
            source = DelimitedSource(path, shown, options)
            delimiter = source.dialect.delimiter
        else:
            source = RecordSource(path, shown, options)
            form = source.format
        encoding = source.encoding
        reader = TypedText(source, shown, options, faults, report)
        notes += source.notes
    if faults and options.on_error == "refuse":
        raise faults.error(shown, _ADVICE)
    notes += reader.notes
    return Table(shown, form, encoding, delimiter, reader.columns, tuple(notes), reader.rows, reader.set_aside, reader)


def warm_up() -> None:
    """Compile, or load from disk, what reading text needs, and start what parsers are forked from.

    Without it the first file of a process waits for that.
    """
    apart.warm_up()
    with tempfile.TemporaryDirectory() as folder:
        for content in (b'a,b,c\n1,"x""y",2025-01-01\n1e99,,01/02/2025\n', b'[{"a": 1, "b": "2025-01-01"}]'):
            path = Path(folder) / "rows"
            path.write_bytes(content)
            open_table(path, options=ReadOptions(on_error="quarantine")).frame()


def _reporter(progress: Progress | None) -> Callable[[int], None]:
    if progress is None:
        return lambda rows: None  # noqa: ARG005  # nobody asked
    return lambda rows: progress(rows, None, "Reading")


def _series(column: Column, values: pa.ChunkedArray, index: pd.RangeIndex) -> Any:
    """Return the values as pandas has them; booleans with missing values as ``boolean``, not as objects."""
    series = values.to_pandas()
    series.index = index
    return series.astype("boolean") if column.type == "boolean" and column.nulls else series
