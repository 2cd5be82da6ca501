"""Runs: scored files, kept as Parquet and read in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from sqlalchemy import Connection, RowMapping, insert, select

from detector.durable import make_folder
from detector.errors import InputError, NotFoundError
from detector.files import ScoredWriter
from detector.service.access import needs
from detector.service.histogram import Histogram
from detector.service.tally import ScoredTally
from detector.service.workspace import Champion, Workspace
from detector.store import audit, run_columns, run_files, tables
from detector.store.database import LARGEST_NUMBER

#: Most rows that a page of a run holds.
PAGE_ROWS = 200


@dataclass(frozen=True)
class Run:
    """One scored file.

    ``report`` is an ``AlignmentReport.to_dict()`` over the whole file, ``histogram`` counts all rows by severity.
    ``reasons``: (column, rows), the column that contributed most, over the 200 most severe flagged rows. ``periods``:
    (day, rows, flagged) by the time column, empty when there is none. ``columns``: the file's own, as they are kept.
    ``sha256``: of the file. ``stale``: scored by a version that is not the champion now.
    """

    id: int
    name: str
    upload_id: str | None
    version: int
    cutoff: float
    rows: int
    flagged: int
    created_at: datetime
    actor: str
    report: Mapping[str, Any]
    histogram: Histogram
    reasons: tuple[tuple[str, int], ...]
    periods: tuple[tuple[date, int, int], ...]
    columns: tuple[str, ...]
    sha256: str | None
    stale: bool

    @property
    def set_aside(self) -> int:
        """Faulty rows of the file that were not scored, beside ``rows``."""
        return int(self.report.get("rows_set_aside", 0))


def list_runs(ws: Workspace, *, limit: int = 100) -> tuple[Run, ...]:
    """Return the newest runs first."""
    champion = ws.champion()
    with ws.database.read() as connection:
        found = connection.execute(select(tables.runs).order_by(tables.runs.c.id.desc()).limit(limit)).mappings()
        return tuple(_run(row, champion) for row in found)


def get_run(ws: Workspace, run_id: int) -> Run:
    """Return a run; raises ``NotFoundError``."""
    return _run(_row(ws, run_id), ws.champion())


def run_rows(
    ws: Workspace,
    run_id: int,
    *,
    offset: int = 0,
    limit: int = PAGE_ROWS,
    flagged_only: bool = False,
    order: Literal["severity", "row"] = "severity",
) -> pd.DataFrame:
    """Return one page of a run's rows, at most 200.

    The index, named ``row``, counts the scored rows of the file from 1. The file's own columns come first, then
    ``score`` (0-1), ``severity`` (0-100), ``flagged``, ``version`` and ``cutoff``.

    Raises
    ------
    NotFoundError
        When there is no such run, or its rows are gone from the disk.
    InputError
        When ``offset`` or ``limit`` is out of range.
    """
    if offset < 0 or not 1 <= limit <= PAGE_ROWS:
        raise InputError(
            f"A page holds 1 to {PAGE_ROWS} rows and begins at row 0 or later.", offset=offset, limit=limit
        )
    if order not in ("severity", "row"):
        raise InputError(f"Rows are ordered by severity or by row, not by {order!r}.")
    path = run_path(ws, run_id)
    return run_files.read_page(path, offset=offset, limit=limit, flagged_only=flagged_only, order=order)


def chosen_rows(ws: Workspace, run_id: int, rows: Sequence[int]) -> pd.DataFrame:
    """Return the file's own columns of chosen rows (counted from 1), at most 200, in the order asked.

    Raises
    ------
    NotFoundError
        When there is no such run or row, or the run's rows are gone from the disk.
    """
    run = get_run(ws, run_id)
    wanted = list(rows)[:PAGE_ROWS]
    found = run_columns.rows_at(run_path(ws, run_id), wanted, run.columns)
    if missing := sorted(set(wanted) - set(found.index)):
        raise NotFoundError(f"Run {run_id} has no row {missing[0]}.", run=run_id, row=missing[0])
    return found.loc[wanted]


def export_run(ws: Workspace, run_id: int, format: Literal["csv", "parquet"] = "csv") -> Path:
    """Write all rows of a run to a file for download and return its path.

    A second call returns the same file. Cells that a spreadsheet would run as formulas are made harmless in CSV.

    Raises
    ------
    NotFoundError
        When there is no such run, or its rows are gone from the disk.
    InputError
        When the format is neither ``csv`` nor ``parquet``.
    """
    row = _row(ws, run_id)
    source: Path = runs_folder(ws) / row["file"]
    if format == "parquet":
        if not source.is_file():
            raise run_files.gone()
        return source
    if format != "csv":
        raise InputError(f"A run is exported as csv or parquet, not as {format!r}.")
    folder = ws.settings.data_folder / "exports"
    make_folder(folder)
    path = folder / f"{source.stem}.csv"
    if not path.is_file():
        with ScoredWriter(path, "csv") as writer:
            for batch in run_files.batches(source, ws.settings.batch_rows):
                writer.write(batch)
    return path


def runs_folder(ws: Workspace) -> Path:
    """Return the folder of the runs' rows."""
    return ws.settings.data_folder / "runs"


def run_path(ws: Workspace, run_id: int) -> Path:
    """Return where the rows of a run lie; raises ``NotFoundError`` when there is no such run."""
    return runs_folder(ws) / str(_row(ws, run_id)["file"])


@needs("score")
def keep_run(
    ws: Workspace,
    written: run_files.RunWriter,
    tally: ScoredTally,
    *,
    name: str,
    upload_id: str | None,
    sha256: str | None,
    actor: str,
    also: Callable[[Connection, int, ScoredTally], None] | None = None,
) -> Run:
    """Put the written rows and their figures under one number; either both are kept or neither, and so is ``also``."""
    path = written.finish()
    try:
        with ws.database.write() as connection:
            run_id = connection.execute(
                insert(tables.runs)
                .values(
                    name=name,
                    upload=upload_id,
                    sha256=sha256,
                    version=tally.champion.version,
                    cutoff=tally.champion.cutoff,
                    rows=tally.rows,
                    flagged=tally.flagged,
                    created_at=datetime.now(UTC),
                    created_by=actor,
                    file=path.name,
                    columns=list(written.columns),
                    report=tally.report_dict(),
                    histogram=tally.histogram.to_dict(),
                    reasons=[list(reason) for reason in tally.reasons()],
                    periods=[[day.isoformat(), rows, flagged] for day, rows, flagged in tally.periods()],
                )
                .returning(tables.runs.c.id)
            ).scalar_one()
            audit.record(
                connection,
                actor=actor,
                action="file scored",
                subject=f"run {run_id}",
                version=tally.champion.version,
                rows=tally.rows,
                flagged=tally.flagged,
                sha256=sha256,
            )
            if also is not None:
                also(connection, run_id, tally)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return get_run(ws, run_id)


def _row(ws: Workspace, run_id: int) -> RowMapping:
    query = select(tables.runs).where(tables.runs.c.id == run_id)
    with ws.database.read() as connection:
        row = connection.execute(query).mappings().one_or_none() if abs(run_id) <= LARGEST_NUMBER else None
    if row is None:
        raise NotFoundError(f"There is no run {run_id}.", run=run_id)
    return row


def _run(row: RowMapping, champion: Champion | None) -> Run:
    return Run(
        id=row["id"],
        name=row["name"],
        upload_id=row["upload"],
        version=row["version"],
        cutoff=row["cutoff"],
        rows=row["rows"],
        flagged=row["flagged"],
        created_at=row["created_at"],
        actor=row["created_by"],
        report=row["report"],
        histogram=Histogram.from_dict(row["histogram"]),
        reasons=tuple((str(column), int(rows)) for column, rows in row["reasons"]),
        periods=tuple((date.fromisoformat(day), int(rows), int(flagged)) for day, rows, flagged in row["periods"]),
        columns=tuple(row["columns"]),
        sha256=row["sha256"],
        stale=champion is None or champion.version != row["version"],
    )
