"""Letting observed transactions into the histories of their entities, here at once and everywhere soon."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
import structlog
from sqlalchemy.exc import SQLAlchemyError

from detector.core import shared_events
from detector.core.shared_events import Came
from detector.service.champion import Champion
from detector.store.database import Database
from detector.store.observed import append_events

#: Seconds after which what was observed is written for the others; so much is lost when the process is killed.
PAUSE = 0.25
#: Events that wait for a database that is away; what comes beyond is known to this process alone.
MOST_WAITING = 1_000_000

_log = structlog.get_logger(__name__)

Rows = pd.DataFrame | Mapping[str, Any] | Sequence[Mapping[str, Any]]


class _Stream(NamedTuple):
    """Whose events these are: of models with which entities, seen by which model in memory."""

    entities: str
    observer: str


class Following:
    """Advances the champion's histories by transactions that were observed, and writes them down for other processes.

    Each process appends what it saw to a log and lets in what the others appended, when it looks for the champion.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._waiting: dict[_Stream, list[Came]] = {}
        self._events = 0
        self._timer: threading.Timer | None = None
        self._full = False

    def note(self, champion: Champion, rows: Rows) -> None:
        """Let rows into the champion's histories; nothing happens where its training named no entity."""
        detector = champion.detector
        if detector.behaviour is None or champion.followed is None:
            return
        came = detector.follow(rows)
        many = max((len(part) for part in came if part is not None), default=0)
        if not many:
            return
        with self._lock:
            if self._events + many > MOST_WAITING:
                if not self._full:
                    _log.error("what is observed cannot be written, and no more of it is kept", events=self._events)
                self._full = True
                return
            stream = _Stream(detector.behaviour.identity, champion.followed.observer)
            self._waiting.setdefault(stream, []).append(came)
            self._events += many
            if self._timer is None:
                self._begin_timer()

    def write(self) -> None:
        """Write down what was observed until now."""
        with self._writing:
            with self._lock:
                waiting, events = self._waiting, self._events
                self._waiting, self._events, self._full = {}, 0, False
                if self._timer is not None:
                    self._timer.cancel()
                    self._timer = None
            if not waiting:
                return
            try:
                with self._database.write() as connection:
                    for stream, came in waiting.items():
                        append_events(connection, *stream, _events_in(came), shared_events.to_bytes(came))
            except SQLAlchemyError as error:
                _log.error("what was observed could not be written yet", reason=str(error).partition("\n")[0])
                self._put_back(waiting, events)

    def close(self) -> None:
        """Write what waits, and nothing after it."""
        self.write()
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()

    def _put_back(self, waiting: dict[_Stream, list[Came]], events: int) -> None:
        with self._lock:
            for stream, came in waiting.items():
                self._waiting[stream] = came + self._waiting.get(stream, [])
            # Requests wait for this lock: what waits is not counted again.
            self._events += events
            if self._timer is None:
                self._begin_timer()

    def _begin_timer(self) -> None:
        self._timer = threading.Timer(PAUSE, self.write)
        self._timer.daemon = True
        self._timer.start()


def _events_in(came: Sequence[Came]) -> int:
    return sum(max((len(part) for part in one if part is not None), default=0) for one in came)
