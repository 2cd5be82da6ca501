"""Jobs whose process has died: which of them go on, and taking one up.

Scoring goes on: it changes nothing that answers, and a long file is worth it. It continues behind the batches that were
scored already (see ``checkpoints``), with the version it began with. The others stay interrupted: a training or the
sample data would put another model in charge, perhaps hours after a person asked for it and has begun anew; a preview
is compared with a champion that may have gone; filling a queue, comparisons and exports take a click and seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, Connection, RowMapping, and_, select, update
from sqlalchemy.exc import SQLAlchemyError

from detector.service.background import Background, Task, Work, silent
from detector.store import audit, tables
from detector.store.database import Database

#: The kinds of jobs that go on in another process.
LASTING = frozenset({"score"})
#: Processes that may die over one job before it is given up: it may be what they die of.
MOST_ATTEMPTS = 8
#: A job that nobody took up for so long is given up: whoever asked for it has done something else since.
GIVEN_UP = timedelta(days=1)
#: Seconds between two looks for jobs whose process has died.
LOOK = 5.0

_log = structlog.get_logger(__name__)


def goes_on(job: RowMapping, now: datetime) -> bool:
    """Whether a job whose process has died will be taken up where one is there to do so."""
    return (
        job["kind"] in LASTING
        and job["attempts"] < MOST_ATTEMPTS
        and not job["cancel_asked"]
        and job["heartbeat_at"] > now - GIVEN_UP
    )


def mark_interrupted(database: Database, now: datetime) -> int:
    """Write down that jobs of processes that died will not go on, those that :func:`goes_on` says; return how many."""
    with database.read() as connection:
        over = [job for job in _silent_jobs(connection, now) if not goes_on(job, now)]
    if not over:
        return 0
    ended = 0
    with database.write() as connection:
        for job in over:
            state = "cancelled" if job["cancel_asked"] else "interrupted"
            found = connection.execute(
                update(tables.jobs).where(_as_seen(job), silent(now)).values(state=state, finished_at=now)
            )
            ended += found.rowcount
    return ended


def take_up(background: Background, database: Database, work_of: Callable[[RowMapping], Work]) -> int:
    """Take up the jobs whose process has died, as far as they go on; return how many.

    Several processes may try: the one that finds the job as it was left has it, and the others do without.
    """
    now, taken = datetime.now(UTC), 0
    with database.read() as connection:
        left = [job for job in _silent_jobs(connection, now) if goes_on(job, now)]
    for job in left:
        task = Task(job["id"], background.owner, job["kind"], work_of(job), lasting=True)
        task.done_rows, task.total_rows, task.message = job["done_rows"], job["total_rows"], "Going on"
        with database.write() as connection:
            mine = connection.execute(
                update(tables.jobs)
                .where(_as_seen(job), silent(now))
                .values(
                    owner=background.owner,
                    attempts=job["attempts"] + 1,
                    state="queued",
                    heartbeat_at=datetime.now(UTC),
                    message=task.message,
                )
            )
            if not mine.rowcount:
                continue
            audit.record(
                connection,
                actor="system",
                action="job taken up",
                subject=f"job {job['id']}",
                kind=job["kind"],
                attempt=job["attempts"] + 1,
            )
        background.add(task)
        taken += 1
    return taken


class Watch:
    """Looks for jobs whose process has died, at once and every few seconds, until it is told to stop."""

    def __init__(self, look: Callable[[], object]) -> None:
        self._look = look
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="detector-jobs-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                self._look()
            except SQLAlchemyError as error:
                _log.warning("jobs that were left cannot be looked for", error=str(error.code))
            if self._stop.wait(LOOK):
                return


def _silent_jobs(connection: Connection, now: datetime) -> list[RowMapping]:
    return list(connection.execute(select(tables.jobs).where(silent(now)).order_by(tables.jobs.c.number)).mappings())


def _as_seen(job: RowMapping) -> ColumnElement[bool]:
    jobs = tables.jobs.c
    return and_(jobs.id == job["id"], jobs.owner == job["owner"], jobs.attempts == job["attempts"])
