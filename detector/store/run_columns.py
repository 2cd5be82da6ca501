"""Single columns of a run's file, counted by DuckDB where they lie: nothing but counts and chosen rows leaves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from detector.store.run_files import ROW, opened

#: What stands for rows without a value in a column.
NO_VALUE = "(no value)"
#: What stands for all values but the most frequent.
OTHERS = "(all others)"

_AGGREGATES_KEPT = 64


@dataclass(frozen=True, eq=False)
class SeverityCounts:
    """How many rows have each severity: ``severities`` (k,) ascending, 0-100, and ``counts`` (k,).

    Severities are ranks among a bounded number of rows, so that a million rows share a few thousand of them: nothing
    is rounded.
    """

    severities: NDArray[np.float64]
    counts: NDArray[np.int64]

    @property
    def rows(self) -> int:
        """All rows counted."""
        return int(self.counts.sum())

    def above(self, cutoff: float) -> int:
        """Return how many rows have a severity above ``cutoff``."""
        return int(self.counts[np.searchsorted(self.severities, cutoff, side="right") :].sum())


@lru_cache(maxsize=_AGGREGATES_KEPT)
def severity_counts(path: Path) -> SeverityCounts:
    """Count a run's rows by severity; a run's file never changes, so the counts are kept.

    Raises
    ------
    NotFoundError
        When the file is gone.
    """
    with opened(path) as connection:
        found = connection.execute(
            "SELECT severity, count(*) AS n FROM read_parquet(?) WHERE severity IS NOT NULL GROUP BY 1 ORDER BY 1",
            [str(path)],
        ).fetchnumpy()
    return SeverityCounts(np.asarray(found["severity"], np.float64), np.asarray(found["n"], np.int64))


@lru_cache(maxsize=_AGGREGATES_KEPT)
def counts_by_value(path: Path, column: str, most: int) -> dict[str, SeverityCounts]:
    """Count a run's rows by severity for each of the ``most`` most frequent values of a column, and for the others.

    Raises
    ------
    NotFoundError
        When the file is gone.
    """
    value = _as_text(column)
    with opened(path) as connection:
        frequent = connection.execute(
            f"SELECT {value}, count(*) FROM read_parquet(?) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {most:d}",  # noqa: S608 - a quoted name and a number
            [str(path)],
        ).fetchall()
        names = [name for name, _ in frequent]
        found = connection.execute(
            f"SELECT coalesce(list_position(?, {value}), 0) AS place, severity, count(*) AS n"  # noqa: S608 - a quoted name
            " FROM read_parquet(?) GROUP BY 1, 2 ORDER BY 1, 2",
            [names, str(path)],
        ).fetchnumpy()
    return _by_place(found, [OTHERS, *names])


@lru_cache(maxsize=_AGGREGATES_KEPT)
def counts_by_band(path: Path, column: str, breaks: tuple[float, ...]) -> tuple[SeverityCounts, ...]:
    """Count a run's rows by severity in each band of a column of numbers.

    The first are rows without a value, then those up to ``breaks[0]``, up to ``breaks[1]`` and so on (ascending), the
    last those above all breaks.

    Raises
    ------
    NotFoundError
        When the file is gone.
    """
    name = _quoted(column)
    with opened(path) as connection:
        found = connection.execute(
            f"SELECT {_band(name, len(breaks))} AS place, severity, count(*) AS n"  # noqa: S608 - a quoted name
            " FROM read_parquet(?) GROUP BY 1, 2 ORDER BY 1, 2",
            [*breaks, str(path)],
        ).fetchnumpy()
    named = _by_place(found, [str(place) for place in range(len(breaks) + 2)])
    nothing = SeverityCounts(np.empty(0), np.empty(0, np.int64))
    return tuple(named.get(str(place), nothing) for place in range(len(breaks) + 2))


@lru_cache(maxsize=_AGGREGATES_KEPT)
def quantiles(path: Path, column: str, shares: tuple[float, ...]) -> tuple[float, ...]:
    """Return the quantiles of a column of numbers at ``shares`` (0-1, ascending); empty when it holds no value."""
    with opened(path) as connection:
        (found,) = connection.execute(
            f"SELECT quantile_disc({_quoted(column)}::DOUBLE, ?::DOUBLE[]) FROM read_parquet(?)",  # noqa: S608 - a quoted name
            [list(shares), str(path)],
        ).fetchall()
    return () if found[0] is None else tuple(float(value) for value in found[0])


def rows_at(path: Path, rows: Sequence[int], columns: Sequence[str]) -> pd.DataFrame:
    """Return chosen rows (counted from 1) and columns of a run; the index, named ``row``, is ascending.

    Raises
    ------
    NotFoundError
        When the file is gone.
    """
    listed = ", ".join(f"file.{_quoted(name)}" for name in columns)
    wanted = pa.table({"place": pa.array([row - 1 for row in rows], pa.int64())})
    with opened(path) as connection:
        connection.register("wanted", wanted)
        found = connection.sql(
            f"SELECT file.file_row_number{', ' if listed else ''}{listed}"  # noqa: S608 - quoted names
            " FROM read_parquet(?, file_row_number=true) AS file"
            " SEMI JOIN wanted ON file.file_row_number = wanted.place ORDER BY 1",
            params=[str(path)],
        ).to_arrow_table()
    # By position: a file may have a column of any name.
    frame: pd.DataFrame = found.select(range(1, found.num_columns)).to_pandas()
    frame.index = pd.Index(found.column(0).to_numpy() + 1, name=ROW)
    return frame


def rows_sharing(
    path: Path, row: int, column: str, columns: Sequence[str], *, most: int, time: str | None = None
) -> pd.DataFrame:
    """Return a row and the latest rows before it that share its value in a column, newest first, at most ``most``.

    ``time`` is the column that dates rows; without it the order of the file counts. Empty when the row has no value.

    Raises
    ------
    NotFoundError
        When the file is gone.
    """
    shared = _quoted(column)
    listed = "".join(f", file.{_quoted(name)}" for name in columns)
    order, until = "file.file_row_number", "file.file_row_number <= one.place"
    if time is not None:
        when = _quoted(time)
        order = f"file.{when} DESC NULLS LAST, file.file_row_number"
        until = f"(file.{when} < one.at OR (file.{when} IS NOT DISTINCT FROM one.at AND {until}))"
    with opened(path) as connection:
        found = connection.sql(
            f"WITH one AS (SELECT file_row_number AS place, {shared} AS what"  # noqa: S608 - quoted names and a number
            f"{f', {_quoted(time)} AS at' if time is not None else ''}"
            " FROM read_parquet(?, file_row_number=true) WHERE file_row_number = ?)"
            f" SELECT file.file_row_number{listed} FROM read_parquet(?, file_row_number=true) AS file, one"
            f" WHERE file.{shared} = one.what AND {until} ORDER BY {order} DESC LIMIT {most:d}",
            params=[str(path), row - 1, str(path)],
        ).to_arrow_table()
    frame: pd.DataFrame = found.select(range(1, found.num_columns)).to_pandas()
    frame.index = pd.Index(found.column(0).to_numpy() + 1, name=ROW)
    return frame


def column_kinds(path: Path) -> dict[str, str]:
    """Return what each column of a run's file holds: ``text``, ``number``, ``yes or no``, ``time`` or ``other``.

    Raises
    ------
    NotFoundError
        When the file is gone.
    """
    with opened(path):
        schema = pq.read_schema(path)
    return {field.name: _kind(field.type) for field in schema}


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "text"
    if pa.types.is_boolean(kind):
        return "yes or no"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    return "time" if pa.types.is_temporal(kind) else "other"


def _by_place(found: Mapping[str, Any], names: Sequence[str]) -> dict[str, SeverityCounts]:
    places, severities = np.asarray(found["place"], np.int64), np.asarray(found["severity"], np.float64)
    counts = np.asarray(found["n"], np.int64)
    return {
        names[place]: SeverityCounts(severities[places == place], counts[places == place])
        for place in np.unique(places).tolist()
    }


def _band(name: str, breaks: int) -> str:
    steps = " ".join(f"WHEN {name} <= ? THEN {place + 1}" for place in range(breaks))
    return f"CASE WHEN {name} IS NULL THEN 0 {steps} ELSE {breaks + 1} END"


def _as_text(column: str) -> str:
    return f"coalesce(CAST({_quoted(column)} AS VARCHAR), '{NO_VALUE}')"


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'
