"""The worker behind the jobs: one thread that works, one that keeps telling the database how far it is.

A job belongs to the process that works on it. When that one falls silent, another may take the job up again (see
``taking_up``); from then on whatever the first one still does for the job is refused, so that it is done once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue
from typing import Any, Protocol
from uuid import uuid4

import structlog
from sqlalchemy import ColumnElement, Connection, and_, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from detector.errors import Cancelled, DetectorError
from detector.service.request_context import JOB_ID
from detector.service.tracing import span
from detector.store import audit, tables
from detector.store.database import Database

#: Seconds between two notes of progress in the database.
BEAT = 0.5
#: A job whose process has been silent for longer than this died with it.
SILENCE = timedelta(seconds=20)

_STOPPED = "The work was stopped. Nothing was changed."
_LEFT = "Stopped with the program; it goes on when the program starts."
_GOING = ("queued", "running")

_log = structlog.get_logger(__name__)


@dataclass
class Task:
    """A job while a process works on it. Called as a :class:`~detector.service.progress.Progress` by its work."""

    id: str
    owner: str
    kind: str
    work: Work
    lasting: bool = False
    done_rows: int = 0
    total_rows: int | None = None
    message: str = "Waiting"
    cancel: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    ended: bool = False

    def __call__(self, done_rows: int, total_rows: int | None, message: str) -> None:
        """Take a report; raises ``Cancelled`` when the work is to stop."""
        self.done_rows, self.total_rows, self.message = done_rows, total_rows, message
        if self.cancel.is_set():
            raise Cancelled(_STOPPED)

    def end(self, connection: Connection, result: Mapping[str, Any]) -> None:
        """Write down that the job is done in the transaction of what it changes: both stand or fall together.

        Raises
        ------
        Cancelled
            When the job is another process's by now; the transaction must not be committed.
        """
        now = datetime.now(UTC)
        known = {"done_rows": self.done_rows, "total_rows": self.total_rows, "message": "Done"}
        values = known | {"state": "done", "result": dict(result), "heartbeat_at": now, "finished_at": now}
        ended = connection.execute(update(tables.jobs).where(self.mine()).values(**values))
        if ended.rowcount != 1:
            raise Cancelled("Another process has taken this work up. Nothing was changed here.")
        self.ended = True

    def mine(self) -> ColumnElement[bool]:
        """Return the condition that the job still goes on, and in this process."""
        jobs = tables.jobs.c
        return and_(jobs.id == self.id, jobs.owner == self.owner, jobs.state.in_(_GOING))


#: What a job does; it is handed its :class:`Task` to report to.
Work = Callable[[Task], Mapping[str, Any]]


class Stoppable(Protocol):
    """Something that goes on beside the jobs until it is told to stop."""

    def stop(self) -> None:
        """Stop, and return when that is done."""
        ...


class Background:
    """Works through the jobs that were submitted in this process, one after another.

    ``watch``: what looks for jobs that other processes have left, stopped with this.
    """

    def __init__(self, database: Database) -> None:
        self.owner = uuid4().hex
        self.watch: Stoppable | None = None
        self._database = database
        self._tasks: dict[str, Task] = {}
        self._queue: SimpleQueue[Task | None] = SimpleQueue()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads: tuple[threading.Thread, ...] = ()

    def submit(self, kind: str, arguments: Mapping[str, Any], actor: str, work: Work, *, lasting: bool = False) -> str:
        """Write the job down, queue it and return its id.

        ``lasting``: it goes on after this process has ended, where another process takes it up.
        """
        task = Task(uuid4().hex, self.owner, kind, work, lasting)
        now = datetime.now(UTC)
        with self._database.write() as connection:
            connection.execute(
                insert(tables.jobs).values(
                    id=task.id,
                    kind=kind,
                    arguments=dict(arguments),
                    actor=actor,
                    state="queued",
                    owner=self.owner,
                    attempts=1,
                    done_rows=0,
                    message=task.message,
                    cancel_asked=False,
                    created_at=now,
                    heartbeat_at=now,
                )
            )
            audit.record(connection, actor=actor, action="job submitted", subject=f"job {task.id}", kind=kind)
        self.add(task)
        return task.id

    def add(self, task: Task) -> None:
        """Queue a job that the database knows as this process's."""
        with self._lock:
            self._tasks[task.id] = task
            if not self._threads:
                self._threads = (
                    threading.Thread(target=self._run, name="detector-jobs", daemon=True),
                    threading.Thread(target=self._beat, name="detector-jobs-heart", daemon=True),
                )
                for thread in self._threads:
                    thread.start()
        self._queue.put(task)

    def cancel(self, job_id: str) -> None:
        """Ask a job to stop: one that waits for its turn is over at once, one that runs stops at its next batch."""
        mine, now = tables.jobs.c.id == job_id, datetime.now(UTC)
        with self._database.write() as connection:
            connection.execute(update(tables.jobs).where(mine).values(cancel_asked=True))
            # Nobody works on a job that waits, nor on one whose process has been silent.
            idle = (tables.jobs.c.state == "queued") | (tables.jobs.c.heartbeat_at < now - SILENCE)
            withdrawn = connection.execute(
                update(tables.jobs)
                .where(mine, tables.jobs.c.state.in_(_GOING), idle)
                .values(state="cancelled", finished_at=now, message=_STOPPED, error=Cancelled(_STOPPED).to_dict())
            )
        task = self._tasks.get(job_id)
        if task is not None:
            task.cancel.set()
            if withdrawn.rowcount:
                task.over.set()

    def wait(self, job_id: str, timeout: float | None = None) -> bool:
        """Wait until a job of this process is over; ``False`` when ``timeout`` seconds were not enough."""
        task = self._tasks.get(job_id)
        return task is None or task.over.wait(timeout)

    def close(self, timeout: float = 10.0) -> None:
        """Ask all jobs of this process to stop, and wait at most ``timeout`` seconds for the one that runs.

        Those that last are left for the process that comes after this one.
        """
        if self.watch is not None:
            self.watch.stop()
        self._stop.set()
        for task in list(self._tasks.values()):
            task.cancel.set()
        self._queue.put(None)
        for thread in self._threads:
            thread.join(timeout)

    def _run(self) -> None:
        while (task := self._queue.get()) is not None:
            try:
                self._work(task)
            finally:
                JOB_ID.set("")
                with self._lock:
                    self._tasks.pop(task.id, None)
                task.over.set()

    def _work(self, task: Task) -> None:
        if not self._begin(task):
            return
        JOB_ID.set(task.id)
        try:
            task(0, None, "Starting")
            with span("job", kind=task.kind):
                result = task.work(task)
        except Cancelled as error:
            self._stopped(task, error)
        except DetectorError as error:
            _log.warning("job failed", job=task.id, code=error.code)
            self._end(task, "failed", error=error.to_dict())
        except Exception as error:  # noqa: BLE001 - whatever a job runs into, its page has to learn that it is over
            _log.error("job failed unexpectedly", job=task.id, exc_info=error)
            unexpected = DetectorError(
                "The work stopped on an unexpected error. Nothing was changed; the log of the server has the details.",
                kind=type(error).__name__,
            )
            self._end(task, "failed", error=unexpected.to_dict() | {"code": "internal_error"})
        else:
            self._end(task, "done", result=dict(result), message="Done")

    def _begin(self, task: Task) -> bool:
        """Write down that a job runs; ``False`` when it was cancelled, or taken up elsewhere, while it waited."""
        if task.over.is_set():
            return False
        try:
            with self._database.write() as connection:
                begun = connection.execute(
                    update(tables.jobs)
                    .where(task.mine(), tables.jobs.c.state == "queued")
                    .values(state="running", heartbeat_at=datetime.now(UTC))
                )
                return bool(begun.rowcount)
        except SQLAlchemyError as error:
            _log.error("the state of a job could not be written", job=task.id, exc_info=error)
            return True

    def _stopped(self, task: Task, error: Cancelled) -> None:
        if task.lasting and self._stop.is_set():
            # As if it had been silent for long: whoever comes next need not wait.
            self._write(task, state="queued", message=_LEFT, heartbeat_at=datetime.now(UTC) - 2 * SILENCE)
        else:
            self._end(task, "cancelled", error=error.to_dict())

    def _end(self, task: Task, state: str, **values: Any) -> None:
        if not task.ended:
            self._write(task, state=state, finished_at=datetime.now(UTC), **values)

    def _write(self, task: Task, **values: Any) -> None:
        known = {"done_rows": task.done_rows, "total_rows": task.total_rows, "message": task.message}
        values = known | {"heartbeat_at": datetime.now(UTC)} | values
        try:
            with self._database.write() as connection:
                connection.execute(update(tables.jobs).where(task.mine()).values(**values))
        except SQLAlchemyError as error:
            _log.error("the state of a job could not be written", job=task.id, exc_info=error)

    def _beat(self) -> None:
        while not self._stop.wait(BEAT):
            for task in list(self._tasks.values()):
                try:
                    self._tell(task)
                except SQLAlchemyError as error:
                    _log.warning("the progress of a job could not be written", job=task.id, error=str(error.code))

    def _tell(self, task: Task) -> None:
        with self._database.write() as connection:
            told = connection.execute(
                update(tables.jobs)
                .where(task.mine())
                .values(
                    heartbeat_at=datetime.now(UTC),
                    done_rows=task.done_rows,
                    total_rows=task.total_rows,
                    message=task.message,
                )
            )
            asked = connection.scalar(select(tables.jobs.c.cancel_asked).where(tables.jobs.c.id == task.id))
        if asked or not told.rowcount:
            task.cancel.set()


def silent(now: datetime) -> ColumnElement[bool]:
    """Return the condition that a job goes on and its process has been silent for too long."""
    return and_(tables.jobs.c.state.in_(_GOING), tables.jobs.c.heartbeat_at < now - SILENCE)
