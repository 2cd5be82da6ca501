"""What the rules look at: the newest run, traffic, jobs, the champion's file, deliveries; read in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, select

from detector.errors import DetectorError
from detector.service.alerts.observed import Observed, read_observed
from detector.service.overview import Drift, newest_drift
from detector.service.runs import list_runs
from detector.service.workspace import CHAMPION, Workspace
from detector.store import tables
from detector.store.alert_tables import deliveries, webhooks


@dataclass(frozen=True)
class NewestRun:
    """The newest scored file; ``expected``: share (0-1) that the cutoff lets expect to be flagged."""

    id: int
    rows: int
    flagged: int
    expected: float
    missing: tuple[str, ...]
    new: tuple[str, ...]
    drift: Drift
    drifted_columns: int


@dataclass(frozen=True)
class EndedJob:
    """The newest job of a kind that has ended; ``message``: what failed."""

    id: str
    kind: str
    state: str
    message: str


@dataclass(frozen=True)
class Inputs:
    """What the rules look at.

    ``traffic``: by how many minutes back. ``unreadable``: the version of the champion whose file cannot be read, and
    why. ``dead``: webhooks (id, name) with how many messages that were given up.
    """

    run: NewestRun | None = None
    traffic: Mapping[float, Observed] = field(default_factory=dict)
    jobs: tuple[EndedJob, ...] = ()
    unreadable: tuple[int, str] | None = None
    dead: tuple[tuple[str, str, int], ...] = ()


def gather(ws: Workspace, minutes: frozenset[float], now: datetime) -> Inputs:
    """Read what the rules look at; ``minutes``: how far back they look at traffic."""
    return Inputs(
        run=_newest_run(ws),
        traffic={back: read_observed(ws.database, now - timedelta(minutes=back)) for back in minutes},
        jobs=_jobs(ws),
        unreadable=_unreadable(ws),
        dead=_dead(ws),
    )


def _newest_run(ws: Workspace) -> NewestRun | None:
    newest = list_runs(ws, limit=1)
    if not newest:
        return None
    (run,) = newest
    drift, drifted = newest_drift(ws)
    return NewestRun(
        id=run.id,
        rows=run.rows,
        flagged=run.flagged,
        expected=1.0 - run.cutoff / 100.0,
        missing=tuple(run.report.get("missing", ())),
        new=tuple(run.report.get("new", ())),
        drift=drift,
        drifted_columns=drifted,
    )


def _jobs(ws: Workspace) -> tuple[EndedJob, ...]:
    jobs = tables.jobs.c
    newest = select(func.max(jobs.number)).where(jobs.state.in_(("done", "failed", "interrupted"))).group_by(jobs.kind)
    with ws.database.read() as connection:
        found = connection.execute(select(jobs.id, jobs.kind, jobs.state, jobs.error).where(jobs.number.in_(newest)))
        return tuple(EndedJob(row.id, row.kind, row.state, str((row.error or {}).get("message", ""))) for row in found)


def _unreadable(ws: Workspace) -> tuple[int, str] | None:
    alias = ws.registry.alias(CHAMPION)
    if alias is None:
        return None
    try:
        ws.registry.get(alias.version)
    except DetectorError as error:
        return alias.version, error.message
    except OSError as error:
        return alias.version, error.strerror or "it cannot be opened"
    return None


def _dead(ws: Workspace) -> tuple[tuple[str, str, int], ...]:
    query = (
        select(webhooks.c.id, webhooks.c.name, func.count())
        .join(deliveries, deliveries.c.webhook == webhooks.c.id)
        .where(deliveries.c.state == "dead", webhooks.c.removed_at.is_(None))
        .group_by(webhooks.c.id, webhooks.c.name)
    )
    with ws.database.read() as connection:
        return tuple((str(hook), str(name), int(many)) for hook, name, many in connection.execute(query))
