"""Letting observed transactions into the histories of their entities, here at once and everywhere soon."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from time import monotonic
from typing import Any, NamedTuple

import pandas as pd
import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from detector.core import shared_events
from detector.core.entity_keys import Events
from detector.core.shared_events import Came
from detector.service.champion import Champion
from detector.store.database import Database
from detector.store.observed import append_events, is_there

#: Seconds after which what was observed is written for the others; so much is lost when the process is killed.
PAUSE = 0.25
#: Seconds after which a database that is away is tried again, twice as many each time.
LONGEST_PAUSE = 8.0
#: Events that wait for a database that is away; what comes beyond is known to this process alone.
MOST_WAITING = 1_000_000
#: Events in a row of the log; events and rows that are written in one transaction, since others wait for it.
MOST_IN_ROW, MOST_AT_ONCE, ROWS_AT_ONCE = 5_000, 50_000, 500

_log = structlog.get_logger(__name__)

Rows = pd.DataFrame | Mapping[str, Any] | Sequence[Mapping[str, Any]]


class _Stream(NamedTuple):
    """Whose events these are: of models with which entities, seen by which model in memory."""

    entities: str
    observer: str


class _Packed(NamedTuple):
    """A row of the log that is to be written."""

    stream: _Stream
    events: int
    content: bytes


class _Tried(NamedTuple):
    """A transaction whose end is not known: how many rows it was to write, number and observer of the last of them."""

    rows: int
    number: int
    observer: str


class Following:
    """Advances the champion's histories by transactions that were observed, and writes them down for other processes.

    Each process appends what it saw to a log and lets in what the others appended, when it looks for the champion.

    Attributes
    ----------
    dropped : int
        Events that were not written, since too many waited.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = monotonic) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._came: dict[_Stream, list[Came]] = {}
        #: What waits as bytes, a tenth of what it takes as arrays; whoever changes it is writing.
        self._packed: deque[_Packed] = deque()
        self._tried: _Tried | None = None
        self._waiting = 0
        self._timer: threading.Timer | None = None
        self._closed = False
        self._failures = 0
        self._next_try = float("-inf")
        self._dropped_before = 0
        self.dropped = 0

    def note(self, champion: Champion, rows: Rows) -> None:
        """Let rows into the champion's histories; nothing happens where its training named no entity."""
        detector = champion.detector
        if detector.behaviour is None or champion.followed is None:
            return
        came = detector.follow(rows)
        many = _events_in(came)
        if not many:
            return
        with self._lock:
            if self._waiting + many > MOST_WAITING:
                if self.dropped == self._dropped_before:
                    _log.error("what is observed cannot be written, and no more of it is kept", waiting=self._waiting)
                self.dropped += many
                return
            stream = _Stream(detector.behaviour.identity, champion.followed.observer)
            self._came.setdefault(stream, []).append(came)
            self._waiting += many
            self._begin_timer()

    def write(self) -> None:
        """Write down what was observed until now; while the database is away, it waits for the next time."""
        with self._writing:
            self._write()

    def close(self) -> None:
        """Write what waits, and nothing after it."""
        with self._lock:
            self._closed = True
        self.write()
        if self._waiting:
            _log.error("what was observed last is lost to the others", events=self._waiting)

    def _when_due(self) -> None:
        with self._writing:
            if self._clock() >= self._next_try:
                self._write()
                return
            with self._lock:
                self._stop_timer()
                self._begin_timer()
                many = self._waiting - sum(packed.events for packed in self._packed)
            if many >= MOST_IN_ROW:
                self._pack()

    def _pack(self) -> None:
        with self._lock:
            came, self._came = self._came, {}
        for stream, batches in came.items():
            self._packed += (
                _Packed(stream, sum(map(_events_in, row)), shared_events.to_bytes(row)) for row in _in_rows(batches)
            )

    def _write(self) -> None:
        with self._lock:
            self._stop_timer()
        try:
            self._pack()
            while self._packed:
                self._write_some()
        except (SQLAlchemyError, OSError) as error:
            self._failures += 1
            # The first time it is tried again at once: it may have been a moment's trouble.
            pause = 0.0 if self._failures == 1 else min(LONGEST_PAUSE, PAUSE * 2 ** (self._failures - 1))
            self._next_try = self._clock() + pause
            if self._failures == 1:
                _log.error("what was observed could not be written yet", reason=str(error).partition("\n")[0])
        finally:
            with self._lock:
                if self._waiting:
                    self._begin_timer()

    def _write_some(self) -> None:
        """Write the first rows in one transaction."""
        with self._database.write() as connection:
            # A commit may stand although its answer was lost.
            if self._tried is None or not is_there(connection, self._tried.number, self._tried.observer):
                self._tried = None
                self._tried = self._append_some(connection)
        events = sum(self._packed.popleft().events for _ in range(self._tried.rows))
        self._tried = None
        with self._lock:
            self._waiting -= events
            dropped = self.dropped - self._dropped_before
            self._dropped_before = self.dropped
        if self._failures:
            _log.warning("what was observed is written again", never_written=dropped)
        self._failures, self._next_try = 0, float("-inf")

    def _append_some(self, connection: Connection) -> _Tried:
        tried, events = _Tried(0, 0, ""), 0
        for packed in self._packed:
            if tried.rows == ROWS_AT_ONCE or (tried.rows and events + packed.events > MOST_AT_ONCE):
                break
            number = append_events(connection, *packed.stream, packed.events, packed.content)
            tried, events = _Tried(tried.rows + 1, number, packed.stream.observer), events + packed.events
        return tried

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin_timer(self) -> None:
        if self._timer is None and not self._closed:
            self._timer = threading.Timer(PAUSE, self._when_due)
            self._timer.daemon = True
            self._timer.start()


def _events_in(came: Came) -> int:
    return max((len(part) for part in came if part is not None), default=0)


def _in_rows(batches: Sequence[Came]) -> Iterator[list[Came]]:
    """Yield what came, in its order, in parts of at most ``MOST_IN_ROW`` events."""
    row: list[Came] = []
    many = 0
    for batch in batches:
        for came in _pieces(batch):
            if row and many + _events_in(came) > MOST_IN_ROW:
                yield row
                row, many = [], 0
            row.append(came)
            many += _events_in(came)
    if row:
        yield row


def _pieces(came: Came) -> Iterator[Came]:
    if _events_in(came) <= MOST_IN_ROW:
        yield came
        return
    for start in range(0, _events_in(came), MOST_IN_ROW):
        piece = slice(start, start + MOST_IN_ROW)
        yield tuple(
            None if part is None or len(part) <= start
            else Events(**{field.name: getattr(part, field.name)[piece] for field in fields(Events)})
            for part in came
        )  # fmt: skip
