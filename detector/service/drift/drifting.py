"""How the columns of a run differ from training or from another run: measured once, while it is scored, and kept.

Beside the rows of a run two files are kept under ``data/drift``: the statistics of its columns, so that a later run can
be compared with it, and the comparison with the version that scored it. Runs without them are measured by a job.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import select

from detector.core import archive
from detector.core.collecting import Collector
from detector.core.drift import drift_report
from detector.core.drift_bins import overlay
from detector.core.model import DynamicAnomalyDetector
from detector.core.statistics import FeatureStatistics
from detector.durable import write_durably
from detector.errors import InputError, ModelFileError, NotFoundError
from detector.service.drift.drift_results import ColumnDrift, RunDrift, figures_of
from detector.service.drift.schema_changes import changed_columns, schema_changes, status_sentences
from detector.service.histogram import severity_shift
from detector.service.progress import Progress, no_progress
from detector.service.runs import Run, get_run, list_runs, runs_folder
from detector.service.tally import ScoredTally
from detector.service.workspace import Workspace
from detector.store import run_files, tables

_log = structlog.get_logger(__name__)


def drift_of_run(ws: Workspace, run_id: int, *, against: int | None = None) -> RunDrift | None:
    """Return how a run differs from what the version that scored it knew, or from another run.

    ``None`` when one of the runs has not been measured, see :func:`measure_run`.

    Raises
    ------
    NotFoundError
        When there is no such run.
    InputError
        When a run is to be compared with itself.
    """
    kept = _kept(ws, run_id)
    if kept is None or against is None:
        return kept
    if against == run_id:
        raise InputError(f"Run {run_id} cannot be compared with itself.")
    other, before, now = get_run(ws, against), _statistics(ws, against), _statistics(ws, run_id)
    if before is None or now is None:
        return None
    importance = {column.name: column.importance for column in kept.columns}
    compared = _compared(before, now, importance)
    return replace(
        kept, **compared, against=f"run {other.id}, {other.name}", against_run=other.id, against_rows=other.rows
    )


def measure_run(ws: Workspace, run_id: int, *, progress: Progress = no_progress) -> RunDrift:
    """Read the rows of a run once, compare them with the version that scored it, and keep the result.

    Raises
    ------
    NotFoundError
        When there is no such run, or its rows are gone from the disk.
    ModelFileError
        When the version that scored it cannot be read.
    Cancelled
        When ``progress`` raised it.
    """
    run = get_run(ws, run_id)
    detector = ws.detector(run.version).follower()
    collector = Collector(detector.schema_, detector.statistics_)
    report, done = None, 0
    message = f"Comparing {run.name}"
    names = run_files.file_names(run.columns)
    progress(done, run.rows, message)
    for batch in run_files.batches(_rows_file(ws, run_id), ws.settings.batch_rows):
        own = detector.beside(batch[list(run.columns)].rename(columns=names), report)
        found = detector.alignment(own, report)
        collector.add(own, found)
        report = found if report is None else report.merged(found)
        done += len(batch)
        progress(done, run.rows, message)
    return _keep(ws, run, detector, collector.statistics, frozenset(report.ways if report else ()))


def keep_drift(ws: Workspace, run: Run, tally: ScoredTally) -> None:
    """Keep how a run that was just scored differs from training; a disk that refuses is logged, the run stands."""
    if tally.collected is None:
        return
    try:
        carried = frozenset(tally.report.ways if tally.report else ())
        _keep(ws, run, tally.champion.detector, tally.collected.statistics, carried)
    except OSError as error:
        _log.error("the drift of a run could not be kept", run=run.id, error=error.strerror)


def changes_since(ws: Workspace, run: Run) -> tuple[int | None, tuple[str, ...]]:
    """Return the run before this one and what has changed since, in sentences; nothing where this is the first."""
    earlier = [other for other in list_runs(ws) if other.id < run.id and other.sha256 != run.sha256]
    if not earlier:
        return None, ()
    before = earlier[0]
    sentences = list(status_sentences(changed_columns(before.report), changed_columns(run.report)))
    was, now = _kept(ws, before.id), _kept(ws, run.id)
    if was is not None and now is not None:
        told = {*changed_columns(before.report), *changed_columns(run.report)}
        states = {column.name: column.state for column in was.columns}
        sentences += [
            f"{column.name} is {_STATES[column.state]}; it was {_STATES[states[column.name]]}."
            for column in now.columns
            if column.name not in told and states.get(column.name, column.state) != column.state
        ]
    return before.id, tuple(sentences)


_STATES = {"calm": "as in training", "watch": "to be watched", "drifting": "drifting"}


def _keep(
    ws: Workspace,
    run: Run,
    detector: DynamicAnomalyDetector,
    now: Mapping[str, FeatureStatistics],
    carried: frozenset[str],
) -> RunDrift:
    importance, known = detector.get_feature_importance(), detector.statistics_
    learned = [feature.name for feature in detector.schema_.learned] if run.rows else []
    before = {name: known[name] for name in learned}
    unlearned = {feature.name for feature in detector.schema_ if not feature.takes_part}
    found = {name: statistics for name, statistics in now.items() if name in before or name not in unlearned}
    drift = RunDrift(
        run=run.id,
        name=run.name,
        rows=run.rows,
        version=run.version,
        against_run=None,
        against=f"version {run.version}",
        against_rows=detector.rows_seen,
        **_compared(
            before, found, importance, filling={feature.name for feature in detector.schema_ if feature.derived}
        ),
        schema=schema_changes(run.report, importance, carried),
        importance_carried=float(run.report.get("importance_carried", 1.0)),
        severity_shift=severity_shift(run.histogram) if run.rows else 0.0,
        flagged_share=run.flagged / run.rows if run.rows else 0.0,
        expected_share=1.0 - run.cutoff / 100.0,
    )
    path = _rows_file(ws, run.id)
    contents = {name: statistics.to_content() for name, statistics in now.items()}
    write_durably(_beside(ws, path, "statistics"), archive.to_bytes({"statistics": contents}))
    write_durably(_beside(ws, path, "json"), json.dumps(drift.to_dict(), allow_nan=False).encode())
    return drift


def _compared(
    before: Mapping[str, FeatureStatistics],
    now: Mapping[str, FeatureStatistics],
    importance: Mapping[str, float],
    *,
    filling: Collection[str] = (),
) -> dict[str, Any]:
    """Return what a :class:`RunDrift` says of the columns."""
    report = drift_report(before, now, importance, filling=filling)
    columns = tuple(
        ColumnDrift(
            drift=drift,
            importance=report.importance[drift.name],
            before=figures_of(before[drift.name]),
            now=figures_of(now[drift.name]) if drift.name in now else {},
            overlay=overlay(before[drift.name], now.get(drift.name)),
        )
        for drift in report.features
    )
    return {"columns": columns, "new": report.new, "state": report.state, "sentence": report.sentence}


def _kept(ws: Workspace, run_id: int) -> RunDrift | None:
    path = _beside(ws, _rows_file(ws, run_id), "json")
    try:
        return RunDrift.from_dict(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        # Of another version of this program, or damaged: it can be measured again.
        _log.warning("the drift of a run cannot be read", run=run_id, error=str(error))
        return None


def _statistics(ws: Workspace, run_id: int) -> dict[str, FeatureStatistics] | None:
    path = _beside(ws, _rows_file(ws, run_id), "statistics")
    try:
        contents = archive.from_bytes(path.read_bytes())["statistics"]
        return {name: FeatureStatistics.from_content(content) for name, content in contents.items()}
    except FileNotFoundError:
        return None
    except (ModelFileError, KeyError, AttributeError) as error:
        _log.warning("the statistics of a run cannot be read", run=run_id, error=str(error))
        return None


def _rows_file(ws: Workspace, run_id: int) -> Path:
    with ws.database.read() as connection:
        name = connection.scalar(select(tables.runs.c.file).where(tables.runs.c.id == run_id))
    if name is None:
        raise NotFoundError(f"There is no run {run_id}.", run=run_id)
    return runs_folder(ws) / str(name)


def _beside(ws: Workspace, rows: Path, suffix: str) -> Path:
    return ws.settings.data_folder / "drift" / f"{rows.stem}.{suffix}"
