"""Sample data with one click, and the drift demo: five weeks, one file at a time.

The demo keeps its versions in a lane of their own (alias ``demo``); it never touches the champion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import structlog
from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from detector.core.model import DynamicAnomalyDetector
from detector.errors import ConflictError, NotFoundError
from detector.service.access import needs
from detector.service.peer import PlainForest
from detector.service.progress import Progress, no_progress
from detector.service.review.queueing import list_queues, send_to_queue
from detector.service.runs import Run, get_run
from detector.service.scoring import score_file
from detector.service.sources import upload_source
from detector.service.uploads import receive
from detector.service.versions.training import TrainParameters, train_source
from detector.service.versions.versioning import new_version
from detector.service.workspace import Workspace
from detector.store import audit, tables
from detector.synthetic import COLUMN_STORY, WEEKS, generate_week, sample_files

#: The demo's alias in the registry.
DEMO = "demo"
#: Both forests flag this share of rows; about half of it are frauds.
CONTAMINATION = 0.05
LABEL = "is_fraud"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class WeekStory:
    """A week of the demo before it is played: its number and what changes in its columns."""

    week: int
    title: str
    story: str


@dataclass(frozen=True)
class WeekOutcome:
    """A played week: what came in, what our detector did, and what a plain forest did with the same rows.

    ``report`` is an ``AlignmentReport.to_dict()``; shares are 0-1 of the week's rows; ``frauds`` are the true ones,
    ``*_caught`` those of them that were flagged. ``version`` is what our detector became after it had learned the week.
    The peer is scikit-learn's ``IsolationForest`` with the same contamination, trained once on week 1, see
    :class:`~detector.service.peer.PlainForest`.
    """

    week: int
    rows: int
    columns: tuple[str, ...]
    new_columns: tuple[str, ...]
    missing_columns: tuple[str, ...]
    report: Mapping[str, Any]
    detector_note: str
    flagged_share: float
    frauds: int
    frauds_caught: int
    peer_flagged_share: float
    peer_frauds_caught: int
    version: int


@needs("manage")
def load_sample(ws: Workspace, *, actor: str, progress: Progress = no_progress) -> Run:
    """Train on week 1 of the sample data, make that champion, score week 1 and send what is flagged to the queue.

    What was done already is not done again. Returns the run.

    Raises
    ------
    ConflictError
        When the workspace already has a champion that did not come from the sample data.
    Cancelled
        When ``progress`` raised it.
    """
    champion = ws.champion()
    if champion is not None and ws.registry.info(champion.version).origin != "sample":
        raise ConflictError(
            f"This workspace has a model of its own, version {champion.version}; the sample data would replace it. "
            "Play the drift demo instead, which leaves it alone.",
            version=champion.version,
        )
    name = "week1.csv"
    upload = receive(ws, name, sample_files()[name], actor=actor)
    if upload.earlier_run is not None:
        return _in_queue(ws, get_run(ws, upload.earlier_run), actor, progress)
    if champion is None:
        train_source(
            ws,
            upload_source(ws, upload.id),
            TrainParameters(contamination=CONTAMINATION),
            {LABEL: "label"},
            actor=actor,
            progress=progress,
            origin="sample",
        )
    return _in_queue(ws, score_file(ws, upload.id, actor=actor, progress=progress), actor, progress)


def _in_queue(ws: Workspace, run: Run, actor: str, progress: Progress) -> Run:
    if run.flagged and all(queue.run != run.id for queue in list_queues(ws)):
        send_to_queue(ws, run.id, run.flagged, actor=actor, progress=progress)
    return run


def demo_weeks() -> tuple[WeekStory, ...]:
    """Return the five weeks and their stories."""
    return tuple(WeekStory(week, f"Week {week}", COLUMN_STORY[week]) for week in WEEKS)


@needs("manage")
def play_week(ws: Workspace, week: int, *, actor: str) -> WeekOutcome:
    """Play one week: score it first, then learn from it. Week 1 trains the model, so it is scored by what it trained.

    Weeks are played in order. A week that was played already returns its kept outcome.

    Raises
    ------
    NotFoundError
        When there is no such week.
    ConflictError
        When an earlier week has not been played yet.
    """
    if week not in WEEKS:
        raise NotFoundError(f"The demo has the weeks {WEEKS[0]} to {WEEKS[-1]}, not {week}.", week=week)
    played = {outcome.week: outcome for outcome in demo_state(ws)}
    if week in played:
        return played[week]
    if week != len(played) + 1:
        raise ConflictError(f"Week {len(played) + 1} comes first: each week builds on what the last one taught.")
    frame = generate_week(week)
    if week == 1:
        before = _fresh().fit(frame)
        after, parent = before, None
    else:
        parent = played[week - 1].version
        before = ws.detector(parent)
        after = before.updated(frame)
    outcome = _outcome(week, frame, before)

    def keep(connection: Connection, version: int) -> None:
        told = asdict(replace(outcome, version=version))
        connection.execute(
            insert(tables.demo_weeks).values(week=week, version=version, outcome=told, played_at=datetime.now(UTC))
        )
        audit.record(connection, actor=actor, action="demo week played", subject=f"week {week}", version=version)

    new = new_version(after, origin="updated" if parent else "trained", parent=parent, lane="demo")
    try:
        ws.registry.register(new, actor=actor, alias=DEMO, reason=f"demo week {week}", also=keep)
    except IntegrityError:
        # Somebody else played this week at the same moment; theirs stands.
        _log.info("demo week was played twice at once", week=week)
    return {outcome.week: outcome for outcome in demo_state(ws)}[week]


def demo_state(ws: Workspace) -> tuple[WeekOutcome, ...]:
    """Return the outcomes of the weeks that were played, in order."""
    with ws.database.read() as connection:
        found = connection.scalars(select(tables.demo_weeks.c.outcome).order_by(tables.demo_weeks.c.week)).all()
    return tuple(_kept(outcome) for outcome in found)


@needs("manage")
def reset_demo(ws: Workspace, *, actor: str) -> None:
    """Forget the played weeks. The demo's versions stay registered; the next week 1 begins anew."""
    with ws.database.write() as connection:
        connection.execute(delete(tables.demo_weeks))
        audit.record(connection, actor=actor, action="demo reset", subject="demo")


def _fresh() -> DynamicAnomalyDetector:
    return DynamicAnomalyDetector(contamination=CONTAMINATION, roles={LABEL: "label"})


def _outcome(week: int, frame: pd.DataFrame, detector: DynamicAnomalyDetector) -> WeekOutcome:
    result = detector.score(frame)
    fraud = frame[LABEL].to_numpy() == 1
    flagged = result.labels == -1
    peer = PlainForest(generate_week(1), label=LABEL, contamination=CONTAMINATION).flags(frame)
    report = result.report
    return WeekOutcome(
        week=week,
        rows=len(frame),
        columns=tuple(frame.columns),
        new_columns=report.new,
        missing_columns=report.missing,
        report=report.to_dict(),
        detector_note=_note(week, report.to_dict()),
        flagged_share=float(np.mean(flagged)),
        frauds=int(fraud.sum()),
        frauds_caught=int(np.sum(flagged & fraud)),
        peer_flagged_share=float(np.mean(peer)),
        peer_frauds_caught=int(np.sum(peer & fraud)),
        version=0,
    )


def _note(week: int, report: Mapping[str, Any]) -> str:
    if week == 1:
        return "Trained on this week. The week is scored by the model that it trained."
    told = [
        f"{column['name']} ({column['status']}): {column['action']}"
        for column in report["columns"]
        if column["status"] in ("new", "missing", "retyped", "unfamiliar", "renamed", "rescaled")
    ]
    said = " ".join(told) or "All columns are as the model knows them."
    return f"{said} Scored first, then learned as an update; nothing was retrained."


def _kept(outcome: Mapping[str, Any]) -> WeekOutcome:
    lists = ("columns", "new_columns", "missing_columns")
    return WeekOutcome(**{**outcome, **{name: tuple(outcome[name]) for name in lists}})
