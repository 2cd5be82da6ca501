"""Scored rows as Parquet files: written batch by batch, read in place a page at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self
from uuid import uuid4

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from detector.durable import flush_folder, make_folder
from detector.errors import InputError, NotFoundError, Problem

if TYPE_CHECKING:
    import duckdb

#: What scoring adds to the file's own columns, in this order.
SCORED_COLUMNS = ("score", "severity", "flagged", "version", "cutoff")
#: Name of the index of a page: the file's data rows, counted from 1.
ROW = "row"
_FILE = " (file)"
#: Names that a file's own columns cannot have: what scoring adds, and what DuckDB calls the place of a row.
_RESERVED = frozenset({*SCORED_COLUMNS, ROW, "file_row_number"})

_SCORED_SCHEMA = pa.schema(
    [
        ("score", pa.float64()),
        ("severity", pa.float64()),
        ("flagged", pa.bool_()),
        ("version", pa.int32()),
        ("cutoff", pa.float64()),
    ]
)


def own_names(columns: Sequence[str]) -> dict[str, str]:
    """Return the names under which a file's columns are kept: as they are, unless scoring adds one of that name.

    A file that was exported here and comes back keeps its earlier ``score`` as ``score (file)``.
    """
    taken = set(_RESERVED) | {name.casefold() for name in columns}
    names = {}
    for name in columns:
        kept = name
        while kept.casefold() in _RESERVED or (kept != name and kept.casefold() in taken):
            kept = f"{kept}{_FILE}"
        taken.add(kept.casefold())
        names[name] = kept
    return names


def file_names(kept: Sequence[str]) -> dict[str, str]:
    """Return, for columns as they are kept, the names that they have in the file: the inverse of :func:`own_names`."""
    names = {name: name for name in kept}
    for name in sorted(kept, key=len):
        base = name
        while base.endswith(_FILE):
            base = base.removesuffix(_FILE)
        if base != name and base.casefold() in _RESERVED:
            # A file may have had both, "score" and "score (file)": the longest name gave way.
            names = {one: one if other == base else other for one, other in names.items()} | {name: base}
    return names


class RunWriter:
    """Writes one run. The file appears under its name when :meth:`finish` is called; leaving without it leaves nothing.

    Parameters
    ----------
    folder
        Where the runs lie; made when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self.path = folder / f"{uuid4().hex}.parquet"
        self._part = self.path.with_suffix(".part")
        self._writer: pq.ParquetWriter | None = None
        self._names: dict[str, str] = {}
        self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
        self._part.unlink(missing_ok=True)

    @property
    def columns(self) -> tuple[str, ...]:
        """The file's own columns, as they are kept."""
        return tuple(self._names.values())

    def write(self, frame: pd.DataFrame, scored: pd.DataFrame) -> None:
        """Add a batch: the file's columns and, row for row, those of ``SCORED_COLUMNS``.

        Raises
        ------
        InputError
            When a column cannot be kept as the type that the first batch gave it.
        """
        if self._writer is None:
            self._begin(frame)
        own = _table(frame.rename(columns=self._names), self._own_schema, self._rows)
        added = pa.Table.from_pandas(scored[list(SCORED_COLUMNS)], schema=_SCORED_SCHEMA, preserve_index=False)
        for column in added.schema:
            own = own.append_column(column, added[column.name])
        assert self._writer is not None
        self._writer.write_table(own)
        self._rows += len(frame)

    def finish(self) -> Path:
        """Flush the file to disk under its name and return it. At least one batch (it may be empty) must be written."""
        if self._writer is None:
            raise ValueError("nothing was written")
        self._writer.close()
        self._writer = None
        with self._part.open("rb") as file:
            os.fsync(file.fileno())
        self._part.replace(self.path)
        flush_folder(self.path.parent)
        return self.path

    def _begin(self, frame: pd.DataFrame) -> None:
        self._names = own_names([str(name) for name in frame.columns])
        found = pa.Schema.from_pandas(frame.rename(columns=self._names), preserve_index=False)
        # A column that is empty in the first batch says nothing about its type; text can hold what comes later.
        fields = [field.with_type(pa.string()) if pa.types.is_null(field.type) else field for field in found]
        self._own_schema = pa.schema(fields)
        # Dictionaries pay for texts; for numbers that hardly repeat they only cost time. Snappy takes a third more room
        # than zstd, and pages are read in two thirds of the time.
        texts = [field.name for field in fields if not pa.types.is_primitive(field.type)]
        schema = pa.schema([*fields, *_SCORED_SCHEMA])
        self._writer = pq.ParquetWriter(self._part, schema, compression="snappy", use_dictionary=texts)


def read_page(
    path: Path,
    *,
    offset: int,
    limit: int,
    flagged_only: bool = False,
    order: Literal["severity", "row"] = "severity",
) -> pd.DataFrame:
    """Return rows of a run, most severe first or in the order of the file; the index says which data rows they are.

    Only ``severity`` and ``flagged`` are read to find the page, then the other columns of its rows.

    Raises
    ------
    NotFoundError
        When the file is gone.
    """
    by = "severity DESC, file_row_number" if order == "severity" else "file_row_number"
    only = "WHERE flagged" if flagged_only else ""
    with opened(path) as connection:
        found = connection.execute(
            f"SELECT file_row_number FROM read_parquet(?, file_row_number=true) {only} ORDER BY {by} LIMIT ? OFFSET ?",  # noqa: S608 - the parts are constants above
            [str(path), limit, offset],
        ).fetchall()
        positions = [int(row[0]) for row in found]
        listed = ",".join(map(str, positions)) or "-1"
        table = connection.sql(
            f"SELECT * FROM read_parquet(?, file_row_number=true) WHERE file_row_number IN ({listed})",  # noqa: S608 - whole numbers
            params=[str(path)],
        ).to_arrow_table()
    return numbered(table.to_pandas()).reindex(pd.Index([position + 1 for position in positions], name=ROW))


def batches(path: Path, size: int = 65_536) -> Iterator[pd.DataFrame]:
    """Yield the rows of a run in the order of the file.

    Raises
    ------
    NotFoundError
        When the file is gone.
    """
    if not path.is_file():
        raise gone()
    with pq.ParquetFile(path) as file:
        if file.metadata.num_rows == 0:
            yield file.schema_arrow.empty_table().to_pandas()
        for batch in file.iter_batches(batch_size=size):
            yield batch.to_pandas()


def numbered(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows that were read with ``file_row_number`` under the numbers of their data rows, counted from 1."""
    frame = frame.set_index("file_row_number")
    frame.index = pd.RangeIndex(0).append(frame.index + 1).rename(ROW)
    return frame


def opened(path: Path) -> duckdb.DuckDBPyConnection:
    """Return a connection in which the run at ``path`` can be read; raises ``NotFoundError`` when the file is gone."""
    if not path.is_file():
        raise gone()
    return _engine().cursor()


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    # Setting up an engine takes ten times as long as asking it for a row, so that a process has one; each question
    # gets a cursor of its own, which another thread's does not disturb. Who only writes runs goes without.
    import duckdb

    engine = duckdb.connect(config={"memory_limit": "512MB", "threads": 2})
    engine.execute("SET GLOBAL TimeZone = 'UTC'")
    return engine


def gone() -> NotFoundError:
    """Return the error for rows that are no longer on disk."""
    return NotFoundError("The rows of this run are gone from data/runs. Score the file again.")


def _table(frame: pd.DataFrame, schema: pa.Schema, rows_before: int) -> pa.Table:
    columns: list[Any] = []
    for field in schema:
        try:
            columns.append(pa.Array.from_pandas(frame[field.name], type=field.type))
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise InputError(
                f"Column {field.name!r} changes its type after row {rows_before}: it began as {field.type}.",
                [Problem("type_changed", str(error)[:200], row=rows_before + 1, column=field.name)],
            ) from error
    return pa.Table.from_arrays(columns, schema=schema)
