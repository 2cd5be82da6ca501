"""How the workspace stands, in a few numbers for monitoring: read from the database at most every few seconds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from detector.errors import DetectorError
from detector.service.overview import Drift, newest_drift
from detector.service.review.queue import open_cases
from detector.service.workspace import Workspace
from detector.store import tables
from detector.store.alert_tables import alerts, deliveries, webhooks

#: Seconds for which the numbers are not read again.
FRESH = 5.0
#: Kinds of jobs that are told apart.
MOST_KINDS = 10
OTHER = "other"

#: The states of jobs as they are told; all others have failed.
_STATES = {"queued": "active", "running": "active", "done": "done", "cancelled": "done"}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Vitals:
    """How the workspace stands.

    ``database``: whether it answered; when it did not, the rest says nothing. ``champion_since``: seconds since 1970.
    ``oldest_case``: age in seconds of the oldest queue that is not closed, while cases wait. ``jobs``: by kind and
    state, where the state is ``active``, ``done``, or ``failed``. ``alerts``: open and acknowledged ones. ``messages``:
    to webhooks, by state.
    """

    database: bool = False
    champion: int | None = None
    champion_since: float | None = None
    drift: Drift = "unknown"
    drifted_columns: int = 0
    open_cases: int = 0
    oldest_case: float = 0.0
    jobs: Mapping[tuple[str, str], int] = field(default_factory=dict)
    alerts: Mapping[str, int] = field(default_factory=dict)
    messages: Mapping[str, int] = field(default_factory=dict)


class VitalsWatch:
    """Reads the numbers when they are asked for, and keeps them for a moment, however many ask."""

    def __init__(self, ws: Workspace, clock: Callable[[], float] = monotonic) -> None:
        self._ws = ws
        self._clock = clock
        self._lock = threading.Lock()
        self._read = (float("-inf"), Vitals())

    def vitals(self) -> Vitals:
        """Return the numbers, at most five seconds old; never raises."""
        with self._lock:
            until, known = self._read
            if self._clock() >= until:
                known = self._look()
                self._read = (self._clock() + FRESH, known)
            return known

    def _look(self) -> Vitals:
        try:
            return read_vitals(self._ws)
        except (SQLAlchemyError, DetectorError, OSError) as error:
            _log.warning("the state of the workspace could not be read", kind=type(error).__name__)
            return Vitals()


def read_vitals(ws: Workspace) -> Vitals:
    """Return how the workspace stands now."""
    champion = ws.champion()
    drift, drifted = newest_drift(ws)
    jobs = tables.jobs.c
    with ws.database.read() as connection:
        many = connection.execute(select(jobs.kind, jobs.state, func.count()).group_by(jobs.kind, jobs.state)).all()
        standing = connection.execute(
            select(alerts.c.state, func.count()).where(alerts.c.open_as.is_not(None)).group_by(alerts.c.state)
        ).all()
        messages = connection.execute(
            select(deliveries.c.state, func.count())
            .join(webhooks, webhooks.c.id == deliveries.c.webhook)
            .where(webhooks.c.removed_at.is_(None))
            .group_by(deliveries.c.state)
        ).all()
        queues = tables.queues.c
        oldest = connection.scalar(select(func.min(queues.created_at)).where(queues.closed_at.is_(None)))
    waiting = open_cases(ws) or 0
    return Vitals(
        database=True,
        champion=champion.version if champion else None,
        champion_since=champion.created_at.timestamp() if champion else None,
        drift=drift,
        drifted_columns=drifted,
        open_cases=waiting,
        oldest_case=(datetime.now(UTC) - oldest).total_seconds() if waiting and oldest else 0.0,
        jobs=_bounded([(str(kind), _STATES.get(str(of), "failed"), int(count)) for kind, of, count in many]),
        alerts={str(of): int(count) for of, count in standing},
        messages={str(of): int(count) for of, count in messages},
    )


def _bounded(found: list[tuple[str, str, int]]) -> dict[tuple[str, str], int]:
    kinds = sorted({kind for kind, _, __ in found})[: MOST_KINDS - 1]
    total: dict[tuple[str, str], int] = {}
    for kind, state, count in found:
        key = (kind if kind in kinds else OTHER, state)
        total[key] = total.get(key, 0) + count
    return total
