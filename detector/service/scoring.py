"""Scoring: the verdict before anything runs, rows in memory, uploads as runs, files on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import structlog
from sqlalchemy import Connection

from detector.core.alignment import AlignmentReport
from detector.core.explain import Explanation
from detector.core.scoring import ScoreResult
from detector.errors import InputError
from detector.files import ReadOptions, ScoredWriter, Table
from detector.service.access import needs
from detector.service.alerts.alerting import after_scoring
from detector.service.checkpoints import begin_checkpoint, found_checkpoint
from detector.service.drift.drifting import keep_drift
from detector.service.histogram import Histogram
from detector.service.progress import Progress, no_progress
from detector.service.rejected import write_rejected
from detector.service.runs import Run, keep_run, runs_folder
from detector.service.sources import path_source, told_batches, told_blocks, upload_source
from detector.service.tally import ScoredTally
from detector.service.tracing import span
from detector.service.workspace import Champion, Workspace
from detector.side_by_side import Behind
from detector.store.run_files import RunWriter, own_names

#: Rows that the verdict looks at.
LOOKED_AT = 20_000
#: Values of a file of which a block consists while it is scored on disk, and rows that it has at least: some blocks are
#: in memory at a time, and all of it stays below 500 MB.
BLOCK_CELLS, LEAST_BLOCK_ROWS = 1 << 18, 1_024

_log = structlog.get_logger(__name__)

Rows = pd.DataFrame | Mapping[str, Any] | Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class SchemaVerdict:
    """What the champion makes of an upload's columns, told before it is scored.

    ``state``: ``matches`` (all columns as known), ``handled`` (differences that the detector deals with) or ``blocked``
    (less than ``settings.min_importance`` of what the model's scores rest on). ``report`` is an
    ``AlignmentReport.to_dict()`` over the first ``rows_looked_at`` rows. ``sentence`` says it in words. ``rows``: of
    the whole file, without the ``set_aside`` faulty ones.
    """

    state: Literal["matches", "handled", "blocked"]
    version: int
    report: Mapping[str, Any]
    sentence: str
    rows_looked_at: int
    rows: int
    set_aside: int


@dataclass(frozen=True)
class ScoredSummary:
    """A file scored on disk: where it went and its figures; ``set_aside`` faulty rows are not among its ``rows``."""

    path: Path
    version: int
    cutoff: float
    rows: int
    flagged: int
    report: Mapping[str, Any]
    histogram: Histogram
    set_aside: int


def score_rows(
    ws: Workspace, rows: Rows, *, explain: bool = False, observe: bool = False, by: Champion | None = None
) -> tuple[Champion, ScoreResult, Explanation | None]:
    """Score rows in memory with the champion, and register the new features that they carry.

    Or with another version, ``by``. Where a challenger is on live traffic, the version that does not answer scores the
    rows too, later and beside.

    With ``observe`` they also enter the histories of their entities, so that later rows are compared with them.
    There is no explanation where the values do not add up: none is better than a wrong one.

    Raises
    ------
    NotTrainedError
        When there is no champion.
    NoKnownColumnsError
        When the rows carry none of its columns.
    """
    champion = ws.require_champion() if by is None else by
    with span("score", version=champion.version):
        result = champion.detector.score(rows, cutoff=champion.cutoff)
    running = ws.trial.running
    missing, new = result.report.missing, result.report.new
    if by is None:
        ws.measures.note(result.severities, result.cutoff, missing, new)
        if missing:
            ws.missing_log.tell(champion.version, result.report)
        ws.observations.note(champion, rows, new)
    elif running is not None and by is running.challenger:
        ws.measures.note(result.severities, result.cutoff, missing, new, "challenger")
    explanation = _explained(champion, rows) if explain else None
    if running is not None and running.counts(champion, by):
        ws.trial.note(running, rows, result.severities, answered=by is not None)
    if observe:
        ws.following.note(ws.require_champion(), rows)
    return champion, result, explanation


def verdict(ws: Workspace, upload_id: str) -> SchemaVerdict:
    """Compare an upload's columns with the champion's.

    Raises
    ------
    NotTrainedError, NotFoundError, InputError
        When there is no champion, no such upload, or the file cannot be read.
    """
    champion = ws.require_champion()
    table = upload_source(ws, upload_id).open(champion.detector)
    report = champion.detector.alignment(table.sample(LOOKED_AT))
    state, sentence = _judged(report, champion, ws.settings.min_importance)
    return SchemaVerdict(state, champion.version, report.to_dict(), sentence, report.rows, table.rows, table.set_aside)


@needs("score")
def score_file(
    ws: Workspace,
    upload_id: str,
    *,
    actor: str,
    progress: Progress = no_progress,
    job_id: str | None = None,
    also: Callable[[Connection, int, ScoredTally], None] | None = None,
) -> Run:
    """Score an upload with the champion, batch by batch, and keep the result as a run.

    A run that fails or is cancelled leaves nothing behind. Under a ``job_id`` the batches of a long file are kept as
    they are scored; called again with it, also by another process, scoring goes on behind them, with the version and
    the cutoff that it began with. ``also``: what else stands or falls with the run; called with the transaction, the
    number of the run and its figures.

    Raises
    ------
    NotTrainedError, NotFoundError, InputError
        When there is no champion, no such upload, or the file cannot be read.
    NoKnownColumnsError
        When the file is blocked, see :func:`verdict`.
    Cancelled
        When ``progress`` raised it.
    """
    source = upload_source(ws, upload_id)
    size = ws.settings.batch_rows
    reading = {"file": source.sha256, "options": repr(source.options), "batch_rows": size}
    done = None if job_id is None else found_checkpoint(ws, job_id, reading)
    champion = ws.require_champion() if done is None else done.champion
    table = source.open(champion.detector, progress=progress)
    if done is None and job_id is not None and table.rows > size:
        done = begin_checkpoint(ws, job_id, reading, champion)
        champion = done.champion
    tally = ScoredTally(champion, ws.settings.min_importance, table.set_aside, collect=True)
    with RunWriter(runs_folder(ws)) as writer:
        with Behind[tuple[pd.DataFrame, pd.DataFrame]](lambda block: writer.write(*block)) as write:
            for part, batch in enumerate(told_batches(table, size, progress, f"Scoring {table.name}")):
                known = None if done is None else done.scored(part)
                scored = tally.score(batch, known)
                if done is not None and known is None:
                    done.keep(part, scored)
                write((batch, scored))
        if not tally.rows:
            header = table.frame(limit=0)
            writer.write(header, tally.nothing(header))
        progress(tally.rows, tally.rows, "Finding reasons")
        _tell_missing(ws, champion, tally.report)
        run = keep_run(
            ws, writer, tally, name=table.name, upload_id=source.upload_id, sha256=source.sha256, actor=actor, also=also
        )
    if done is not None:
        done.drop()
    keep_drift(ws, run, tally)
    after_scoring(ws)
    return run


def score_path(
    ws: Workspace,
    path: Path,
    out: Path,
    *,
    progress: Progress = no_progress,
    set_aside: Path | None = None,
    reading: ReadOptions | None = None,
) -> ScoredSummary:
    """Score a file into another file, in bounded memory; keeps no run.

    ``out`` is written as CSV or Parquet by its suffix, and appears only when it is complete. With ``set_aside`` faulty
    rows go to that CSV file, before any is scored, instead of refusing the whole.

    Raises
    ------
    NotTrainedError, NotFoundError, InputError, NoKnownColumnsError
        As :func:`score_file`; also when ``out`` ends in neither ``.csv`` nor ``.parquet``.
    """
    formats: dict[str, Literal["csv", "parquet"]] = {".csv": "csv", ".parquet": "parquet"}
    if out.suffix.lower() not in formats:
        raise InputError(f"The result is written as .csv or .parquet; {out.name} ends in neither.")
    champion = ws.require_champion()
    table = path_source(path, set_aside=set_aside is not None, reading=reading).open(
        champion.detector, progress=progress
    )
    if set_aside is not None:
        write_rejected(table, set_aside)
    tally = ScoredTally(champion, ws.settings.min_importance)
    names = own_names([column.name for column in table.columns])
    with ScoredWriter(out, formats[out.suffix.lower()]) as writer:
        with Behind[tuple[pa.Table, pd.DataFrame]](lambda block: writer.add(*block)) as write:
            for batch, rows in told_blocks(table, _block_rows(ws, table), progress, f"Scoring {table.name}"):
                write((rows.rename_columns(names), tally.score(batch)))
        if not tally.rows:
            header = table.frame(limit=0)
            writer.write(pd.concat([header.rename(columns=names), tally.nothing(header)], axis=1))
    _tell_missing(ws, champion, tally.report)
    return ScoredSummary(
        path=out,
        version=champion.version,
        cutoff=champion.cutoff,
        rows=tally.rows,
        flagged=tally.flagged,
        report=tally.report_dict(),
        histogram=tally.histogram,
        set_aside=table.set_aside,
    )


def _block_rows(ws: Workspace, table: Table) -> int:
    few = max(LEAST_BLOCK_ROWS, BLOCK_CELLS // max(1, len(table.columns)))
    return min(ws.settings.batch_rows, few)


def _explained(champion: Champion, rows: Rows) -> Explanation | None:
    try:
        return champion.detector.explain(rows)
    except ArithmeticError as error:
        _log.error("no explanation", version=champion.version, reason=str(error))
        return None


def _tell_missing(ws: Workspace, champion: Champion, report: AlignmentReport | None) -> None:
    if report is not None:
        ws.missing_log.tell(champion.version, report)


def _judged(
    report: AlignmentReport, champion: Champion, min_importance: float
) -> tuple[Literal["matches", "handled", "blocked"], str]:
    version = champion.version
    if report.rows and report.importance_carried < min_importance:
        return "blocked", (
            f"The file carries {report.importance_carried:.1%} of what version {version}'s scores rest on: too little "
            "for a score. Choose another file, or train a model on this one."
        )
    if report.matches:
        return "matches", f"All columns are as version {version} knows them."
    parts = [
        f"{len(names)} {what}"
        for names, what in (
            (report.new, "new"),
            (report.missing, "missing"),
            (report.retyped, "of another type"),
            (report.renamed, "renamed"),
            (report.unfamiliar, "with other categories"),
            (report.rescaled, "in another unit"),
            (report.partly_missing, "with gaps"),
        )
        if names
    ]
    if report.unreadable_total:
        parts.append(f"{report.unreadable_total:,} values that cannot be read")
    found = ", ".join(parts)
    return "handled", (
        f"Columns: {found}. Version {version} scores the file all the same, on {report.importance_carried:.0%} of what "
        "its scores rest on."
    )
