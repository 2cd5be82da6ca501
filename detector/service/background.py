"""The worker behind the jobs: one thread that works, one that keeps telling the database how far it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue
from typing import Any
from uuid import uuid4

import structlog
from sqlalchemy import and_, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from detector.errors import Cancelled, DetectorError
from detector.service.progress import Progress
from detector.store import audit, tables
from detector.store.database import Database

#: Seconds between two notes of progress in the database.
BEAT = 0.5
#: A job whose process has been silent for longer than this died with it.
SILENCE = timedelta(seconds=20)

Work = Callable[[Progress], Mapping[str, Any]]

_STOPPED = "The work was stopped. Nothing was changed."

_log = structlog.get_logger(__name__)


@dataclass
class _Task:
    id: str
    work: Work
    done_rows: int = 0
    total_rows: int | None = None
    message: str = "Waiting"
    cancel: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def progress(self, done_rows: int, total_rows: int | None, message: str) -> None:
        self.done_rows, self.total_rows, self.message = done_rows, total_rows, message
        if self.cancel.is_set():
            raise Cancelled(_STOPPED)


class Background:
    """Works through the jobs that were submitted in this process, one after another."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._owner = uuid4().hex
        self._tasks: dict[str, _Task] = {}
        self._queue: SimpleQueue[_Task | None] = SimpleQueue()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads: tuple[threading.Thread, ...] = ()

    def submit(self, kind: str, arguments: Mapping[str, Any], actor: str, work: Work) -> str:
        """Write the job down, queue it and return its id."""
        task = _Task(uuid4().hex, work)
        now = datetime.now(UTC)
        with self._database.write() as connection:
            connection.execute(
                insert(tables.jobs).values(
                    id=task.id,
                    kind=kind,
                    arguments=dict(arguments),
                    actor=actor,
                    state="queued",
                    owner=self._owner,
                    done_rows=0,
                    message=task.message,
                    cancel_asked=False,
                    created_at=now,
                    heartbeat_at=now,
                )
            )
            audit.record(connection, actor=actor, action="job submitted", subject=f"job {task.id}", kind=kind)
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
        return task.id

    def cancel(self, job_id: str) -> None:
        """Ask a job to stop: one that waits for its turn is over at once, one that runs stops at its next batch."""
        mine, now = tables.jobs.c.id == job_id, datetime.now(UTC)
        with self._database.write() as connection:
            connection.execute(update(tables.jobs).where(mine).values(cancel_asked=True))
            withdrawn = connection.execute(
                update(tables.jobs)
                .where(mine, tables.jobs.c.state == "queued")
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
        """Ask all jobs of this process to stop, and wait at most ``timeout`` seconds for the one that runs."""
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
                with self._lock:
                    self._tasks.pop(task.id, None)
                task.over.set()

    def _work(self, task: _Task) -> None:
        if not self._begin(task):
            return
        try:
            task.progress(0, None, "Starting")
            result = task.work(task.progress)
        except Cancelled as error:
            self._end(task, "cancelled", error=error.to_dict())
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

    def _begin(self, task: _Task) -> bool:
        """Write down that a job runs; ``False`` when it was cancelled while it waited."""
        if task.over.is_set():
            return False
        waiting = (tables.jobs.c.id == task.id, tables.jobs.c.state == "queued")
        try:
            with self._database.write() as connection:
                begun = connection.execute(
                    update(tables.jobs).where(*waiting).values(state="running", heartbeat_at=datetime.now(UTC))
                )
                return bool(begun.rowcount)
        except SQLAlchemyError as error:
            _log.error("the state of a job could not be written", job=task.id, exc_info=error)
            return True

    def _end(self, task: _Task, state: str, **values: Any) -> None:
        self._write(task, state=state, finished_at=datetime.now(UTC), **values)

    def _write(self, task: _Task, **values: Any) -> None:
        known = {"done_rows": task.done_rows, "total_rows": task.total_rows, "message": task.message}
        values = known | {"heartbeat_at": datetime.now(UTC)} | values
        try:
            with self._database.write() as connection:
                connection.execute(update(tables.jobs).where(tables.jobs.c.id == task.id).values(**values))
        except SQLAlchemyError as error:
            _log.error("the state of a job could not be written", job=task.id, exc_info=error)

    def _beat(self) -> None:
        while not self._stop.wait(BEAT):
            for task in list(self._tasks.values()):
                try:
                    self._tell(task)
                except SQLAlchemyError as error:
                    _log.warning("the progress of a job could not be written", job=task.id, error=str(error.code))

    def _tell(self, task: _Task) -> None:
        mine = tables.jobs.c.id == task.id
        with self._database.write() as connection:
            connection.execute(
                update(tables.jobs)
                .where(mine, tables.jobs.c.state.in_(("queued", "running")))
                .values(
                    heartbeat_at=datetime.now(UTC),
                    done_rows=task.done_rows,
                    total_rows=task.total_rows,
                    message=task.message,
                )
            )
            if connection.scalar(select(tables.jobs.c.cancel_asked).where(mine)):
                task.cancel.set()


def mark_interrupted(database: Database, now: datetime) -> int:
    """Write down that the jobs of processes that died will not go on; return how many."""
    silent = and_(
        tables.jobs.c.state.in_(("queued", "running")),
        tables.jobs.c.heartbeat_at < now - SILENCE,
    )
    with database.read() as connection:
        if connection.scalar(select(tables.jobs.c.id).where(silent).limit(1)) is None:
            return 0
    with database.write() as connection:
        ended = connection.execute(update(tables.jobs).where(silent).values(state="interrupted", finished_at=now))
        return ended.rowcount
