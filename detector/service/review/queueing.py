"""Sending a run to the queue: its most severe rows become cases, each with its reasons."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import compress

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import delete, insert, select, update

from detector.core.model import DynamicAnomalyDetector
from detector.core.times import times_of
from detector.errors import InputError, NotFoundError
from detector.service.access import needs
from detector.service.progress import Progress, no_progress
from detector.service.reasons.explaining import ReasonsBatch, run_reasons
from detector.service.review.badges import badges_of, group_of
from detector.service.review.inbox import Queue, open_queues
from detector.service.runs import Run, get_run, runs_folder
from detector.service.workspace import Workspace
from detector.store import audit, queue_files, run_files, run_queries, tables

#: Cases that a run may have in the queue.
MOST_CASES = 200_000
#: Reasons kept for each case.
REASONS_KEPT = 5


def list_queues(ws: Workspace) -> tuple[Queue, ...]:
    """Return the open queues, the newest run first."""
    with ws.database.read() as connection:
        return open_queues(connection)


def get_queue(ws: Workspace, run_id: int) -> Queue:
    """Return the queue of a run; raises ``NotFoundError`` when it was not sent to the queue."""
    for queue in list_queues(ws):
        if queue.run == run_id:
            return queue
    raise NotFoundError(f"Run {run_id} is not in the queue.", run=run_id)


@needs("decide")
def send_to_queue(ws: Workspace, run_id: int, rows: int, *, actor: str, progress: Progress = no_progress) -> Queue:
    """Make cases of the ``rows`` most severe rows of a run, flagged or not, and find the reasons of each.

    A run that is in the queue already gets more cases, or fewer; what was decided stays.

    Raises
    ------
    NotFoundError
        When there is no such run, or its rows are gone from the disk.
    InputError
        When ``rows`` is out of range, or the run has no rows.
    Cancelled
        When ``progress`` raised it; nothing is changed.
    """
    run = get_run(ws, run_id)
    if not 1 <= rows <= MOST_CASES:
        raise InputError(f"Between 1 and {MOST_CASES:,} rows of a run go to the queue.", rows=rows)
    if not run.rows:
        raise InputError(f"Run {run_id} has no rows.", run=run_id)
    detector = ws.detector(run.version)
    chosen = run_queries.most_severe_rows(runs_folder(ws) / _file_of(ws, run_id), min(rows, run.rows))
    frame, cases = _explained(ws, run, detector, chosen, progress)
    named = _named_columns(detector, run)
    whose, when, amount = (_values(frame, run, named[name]) for name in ("entity", "time", "amount"))
    cases["entity"] = None if whose is None else whose.astype("string")
    cases["time"] = None if when is None else times_of(when)
    cases["amount"] = None if amount is None else pd.to_numeric(amount, errors="coerce")
    file = queue_files.write_queue(ws.inbox.folder, cases, frame)
    try:
        _keep(ws, run, len(cases), file, named, actor)
    except BaseException:
        queue_files.remove_queue(ws.inbox.folder / file)
        raise
    # The files before stay until the workspace is opened a day later: somebody may be reading them.
    return get_queue(ws, run_id)


@needs("decide")
def close_queue(ws: Workspace, run_id: int, *, actor: str) -> None:
    """Take a run's cases out of the queue; what was decided stays decided.

    Raises
    ------
    NotFoundError
        When the run is not in the queue.
    """
    get_queue(ws, run_id)
    with ws.database.write() as connection:
        connection.execute(
            update(tables.queues).where(tables.queues.c.run == run_id).values(closed_at=datetime.now(UTC))
        )
        audit.record(connection, actor=actor, action="queue closed", subject=f"run {run_id}")


def _explained(
    ws: Workspace, run: Run, detector: DynamicAnomalyDetector, chosen: pd.DataFrame, progress: Progress
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the chosen rows as they were scored, and what is told of each; most severe first."""
    frames, told = [], []
    for batch in run_reasons(ws, run.id, np.sort(chosen["row"].to_numpy()), progress=progress):
        frames.append(batch.frame.set_axis(batch.rows))
        told.append(_told(detector, batch, _came_as(run)).set_axis(batch.rows))
    order = chosen["row"].to_numpy()
    frame, cases = (pd.concat(parts).loc[order].reset_index(drop=True) for parts in (frames, told))
    return frame, pd.concat([chosen.reset_index(drop=True), cases], axis=1)


def _told(detector: DynamicAnomalyDetector, batch: ReasonsBatch, came_as: Mapping[str, str]) -> pd.DataFrame:
    reasons = [found[:REASONS_KEPT] for found in batch.explanation.reasons]
    names: NDArray[np.object_] = np.full((len(reasons), REASONS_KEPT), None, object)
    for i, found in enumerate(reasons):
        names[i, : len(found)] = [reason.feature for reason in found]
    badges = badges_of(detector, batch.frame, names, came_as)
    contributions = [[reason.contribution for reason in found] for found in reasons]
    values = batch.explanation.values
    return pd.DataFrame(
        {
            "reasons": [[reason.feature for reason in found] for found in reasons],
            "contributions": contributions,
            "badges": badges,
            "sentences": [[reason.sentence for reason in found] for found in reasons],
            "group": [group_of(*each) for each in zip(badges, contributions, strict=True)],
            "parts": [list(compress(batch.explanation.features, row)) for row in (values != 0.0).tolist()],
            "values": [row[row != 0.0].tolist() for row in values],
        }
    )


def _values(frame: pd.DataFrame, run: Run, column: str | None) -> pd.Series | None:
    return None if column is None else frame[run_files.file_names(run.columns)[column]]


def _keep(ws: Workspace, run: Run, rows: int, file: str, named: Mapping[str, str | None], actor: str) -> None:
    """Write the queue down, in place of an earlier one."""
    mine = tables.queues.c.run == run.id
    with ws.database.write() as connection:
        connection.execute(delete(tables.queues).where(mine))
        connection.execute(
            insert(tables.queues).values(
                run=run.id, rows=rows, file=file, created_at=datetime.now(UTC), created_by=actor, **named
            )
        )
        audit.record(connection, actor=actor, action="sent to the queue", subject=f"run {run.id}", rows=rows)


def _named_columns(detector: DynamicAnomalyDetector, run: Run) -> dict[str, str | None]:
    """Return the file's columns that say whose, when and how much."""
    came_as = _came_as(run)
    named: dict[str, str | None] = {"entity": None, "time": None, "amount": None}
    for feature in detector.schema_:
        column = came_as.get(feature.name, feature.name)
        if feature.role in named and named[feature.role] is None and column in run.columns:
            named[feature.role] = column
    return named


def _came_as(run: Run) -> dict[str, str]:
    return {column["name"]: column["came_as"] for column in run.report.get("columns", ()) if column.get("came_as")}


def _file_of(ws: Workspace, run_id: int) -> str:
    with ws.database.read() as connection:
        return str(connection.scalar(select(tables.runs.c.file).where(tables.runs.c.id == run_id)))
