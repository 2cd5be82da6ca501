"""Questions about single rows of runs, answered from their Parquet files in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from detector.store.run_files import opened

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Named:
    """The columns of a run that say whose, when and how much; ``None`` without one."""

    entity: str | None
    time: str | None
    amount: str | None


def most_severe_rows(path: Path, rows: int) -> pd.DataFrame:
    """Return ``row`` (from 1), ``severity`` and ``score`` of the most severe rows of a run, most severe first.

    Raises
    ------
    NotFoundError
        When the file is gone.
    """
    with opened(path) as connection:
        return _frame(
            connection,
            "SELECT file_row_number + 1 AS row, severity, score FROM read_parquet(?, file_row_number=true) "
            "ORDER BY severity DESC, score DESC, file_row_number LIMIT ?",
            [str(path), rows],
        )


def rows_where(
    path: Path, named: Named, column: str, value: Any, *, near: datetime | None, limit: int
) -> tuple[pd.DataFrame, int]:
    """Return rows that hold ``value`` in ``column``, in the order of time, and how many there are.

    The columns are ``row`` (from 1), ``time``, ``amount``, ``severity`` and ``flagged``. Of more than ``limit`` rows
    those nearest to ``near`` are returned, or the last ones of the file.

    Raises
    ------
    NotFoundError
        When the file is gone.
    """
    nearest = "abs(epoch_us(time) - ?) NULLS LAST" if near is not None and named.time else "row DESC"
    given: list[Any] = [str(path), value]
    if near is not None and named.time:
        given.append(round(near.timestamp() * 1e6))
    with opened(path) as connection:
        frame = _frame(
            connection,
            f"WITH found AS (SELECT file_row_number + 1 AS row, {_told(named)} "  # noqa: S608 - names are quoted
            f"FROM read_parquet(?, file_row_number=true) WHERE {_name(column)} = ?) "
            f"SELECT *, count(*) OVER () AS total FROM found ORDER BY {nearest} LIMIT {int(limit)}",
            given,
        )
    total = int(frame["total"].iloc[0]) if len(frame) else 0
    return frame.drop(columns="total").sort_values(["time", "row"], ignore_index=True), total


def rows_before(
    path: Path, named: Named, column: str, value: Any, moment: datetime, seconds: Sequence[int]
) -> list[tuple[int, float]]:
    """Return (rows, sum of amounts) that hold ``value`` in ``column`` within so many seconds up to ``moment``.

    ``named`` must name a time. Raises ``NotFoundError`` when the file is gone.
    """
    told = _told(named)
    parts = ", ".join(
        f"count(*) FILTER (WHERE time > to_timestamp(?) - INTERVAL {int(span)} SECOND), "
        f"sum(amount) FILTER (WHERE time > to_timestamp(?) - INTERVAL {int(span)} SECOND)"
        for span in seconds
    )
    at = moment.timestamp()
    with opened(path) as connection:
        found = connection.execute(
            f"WITH found AS (SELECT {told} FROM read_parquet(?) WHERE {_name(column)} = ?) "  # noqa: S608 - names are quoted
            f"SELECT {parts} FROM found WHERE time <= to_timestamp(?)",
            [str(path), value, *[at] * (2 * len(seconds)), at],
        ).fetchone()
    values = list(found or ())
    return [(int(values[i]), float(values[i + 1] or 0.0)) for i in range(0, len(values), 2)]


def how_many_share(path: Path, values: Mapping[str, Any]) -> tuple[dict[str, int], int]:
    """Return, for each column, how many rows hold this value in it, and how many rows there are.

    Raises
    ------
    NotFoundError
        When the file is gone.
    """
    counted = "".join(f", count(*) FILTER (WHERE {_name(column)} = ?)" for column in values)
    with opened(path) as connection:
        found = connection.execute(
            f"SELECT count(*){counted} FROM read_parquet(?)",  # noqa: S608 - names are quoted
            [*values.values(), str(path)],
        ).fetchone()
    total, *numbers = map(int, found or (0,) * (len(values) + 1))
    return dict(zip(values, numbers, strict=True)), total


def rows_that_share(path: Path, named: Named, values: Mapping[str, Any], *, but: int, limit: int) -> pd.DataFrame:
    """Return rows that share at least one value, those that share most first, then the most severe.

    The columns are ``row`` (from 1), ``shared`` (names of columns), ``entity``, ``time``, ``amount``, ``severity`` and
    ``flagged``. ``but``: a data row to leave out. ``values`` must not be empty; raises ``NotFoundError``.
    """
    holds = [f"coalesce({_name(column)} = ?, false)::INTEGER" for column in values]
    entity = "NULL::VARCHAR" if named.entity is None else f"{_name(named.entity)}::VARCHAR"
    marks = [f"shared_{place}" for place in range(len(holds))]
    told = ", ".join(f"{hold} AS {mark}" for hold, mark in zip(holds, marks, strict=True))
    any_of = " OR ".join(f"{_name(column)} = ?" for column in values)
    with opened(path) as connection:
        frame = _frame(
            connection,
            f"WITH found AS (SELECT file_row_number + 1 AS row, {entity} AS entity, {_told(named)}, {told} "  # noqa: S608 - names are quoted
            f"FROM read_parquet(?, file_row_number=true) WHERE {any_of}) SELECT *, {' + '.join(marks)} AS many "
            f"FROM found WHERE row <> {int(but)} ORDER BY many DESC, severity DESC, row LIMIT {int(limit)}",
            [*values.values(), str(path), *values.values()],
        )
    shared = [[name for name, held in zip(values, row, strict=True) if held] for row in frame[marks].to_numpy()]
    frame.insert(1, "shared", pd.Series(shared, dtype=object))
    return frame.drop(columns=[*marks, "many"])


def _told(named: Named) -> str:
    time = "NULL::TIMESTAMPTZ" if named.time is None else f"try_cast({_name(named.time)} AS TIMESTAMPTZ)"
    amount = "NULL::DOUBLE" if named.amount is None else f"try_cast({_name(named.amount)} AS DOUBLE)"
    return f"{time} AS time, {amount} AS amount, severity, flagged"


def _frame(connection: duckdb.DuckDBPyConnection, query: str, given: list[Any]) -> pd.DataFrame:
    found: pd.DataFrame = connection.sql(query, params=given).to_arrow_table().to_pandas()
    return found


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'
