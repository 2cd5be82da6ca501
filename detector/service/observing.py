"""Registering the new features that requests carry, beside the requests and not in them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from detector.errors import ModelFileError
from detector.service.champion import Champion
from detector.store.database import Database
from detector.store.observed_columns import columns_named, keep_columns, number_of_columns

#: Rows that are counted together; a name that was never seen is registered at once.
ROWS_TOGETHER = 1_024
#: Seconds between two counts; what comes in between beyond those rows is not counted, so that traffic is not slowed.
PAUSE = 1.0
#: Seconds after which rows are counted that are fewer; so much is lost at most when the process is killed.
LATEST = 5.0
#: Names registered for one version; who sends ever new names must not fill the memory.
MOST_NAMES = 1_000

_log = structlog.get_logger(__name__)

Rows = pd.DataFrame | Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Observations:
    """Tells the champion of the new features in rows that were scored: it registers them and begins their statistics.

    What is known of them is in the database: a process counts its rows on top of what all have counted, in one
    transaction, and every process reads that when it looks for the champion. So the first that meets a name says of
    which kind it is, and counts add up.

    Noting a row costs some microseconds; the counting runs in a thread of its own, for many rows at once. Under heavy
    traffic the statistics are of a sample. What was noted for one champion is dropped when another takes its place.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._counting = threading.Lock()
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="observations")
        self._champion: Champion | None = None
        self._names: set[str] = set()
        self._rows: list[Mapping[str, Any]] = []
        self._next_count = float("-inf")
        self._timer: threading.Timer | None = None

    def note(self, champion: Champion, rows: Rows, new: Sequence[str]) -> None:
        """Note the features ``new`` of ``rows``; of a large batch, an even share of its rows."""
        if not new:
            return
        with self._lock:
            if self._champion is None or self._champion.detector is not champion.detector:
                self._champion, self._names, self._rows = champion, set(), []
            unseen = [] if self._names.issuperset(new) else [name for name in new if name not in self._names]
            registered = unseen[: MOST_NAMES - len(self._names)]
            self._names.update(registered)
            if registered or len(self._rows) < ROWS_TOGETHER:
                self._rows += _parts(rows, frozenset(new))
            now = self._clock()
            due = bool(registered) or (len(self._rows) >= ROWS_TOGETHER and now >= self._next_count)
            if due:
                self._next_count = now + PAUSE
            elif self._timer is None and self._rows:
                self._timer = threading.Timer(LATEST, self.count)
                self._timer.daemon = True
                self._timer.start()
        if due:
            self._worker.submit(self.count)

    def count(self) -> None:
        """Count what was noted until now; when this returns, it is in the champion's statistics, here and for all.

        While the database is away, what was noted waits for the next time.
        """
        with self._counting:
            with self._lock:
                if self._timer is not None:
                    self._timer.cancel()
                    self._timer = None
                champion, rows, self._rows = self._champion, self._rows, []
                names = frozenset(self._names)
            kept = [part for row in rows if (part := {name: row[name] for name in row if name in names})]
            if champion is None or not kept:
                return
            try:
                with self._database.write() as connection:
                    told = self._counted(connection, champion, kept)
            except SQLAlchemyError as error:
                _log.error("new columns could not be counted yet", reason=str(error).partition("\n")[0])
                with self._lock:
                    if self._champion is champion:
                        self._rows = (rows + self._rows)[:ROWS_TOGETHER]
                return
            except ModelFileError as error:
                _log.error("what is known of new columns cannot be read", reason=str(error))
                return
            champion.detector.be_told(told.values())

    def close(self) -> None:
        """Wait for the counting that runs, count what still waits, and start no more."""
        self._worker.shutdown(cancel_futures=True)
        self.count()

    @staticmethod
    def _counted(connection: Connection, champion: Champion, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, bytes]:
        """Count rows on top of what all processes have counted, and return what is known then."""
        names = dict.fromkeys(name for row in rows for name in row)
        known = columns_named(connection, champion.version, names)
        room = MOST_NAMES - number_of_columns(connection, champion.version)
        taken = {*known, *[name for name in names if name not in known][: max(0, room)]}
        kept = [part for row in rows if (part := {name: row[name] for name in row if name in taken})]
        told = champion.detector.counted(kept, known) if kept else {}
        if told:
            keep_columns(connection, champion.version, told)
        return told


def _parts(rows: Rows, new: frozenset[str]) -> list[Mapping[str, Any]]:
    if isinstance(rows, Mapping):
        return [{name: rows[name] for name in rows if name in new}]
    step = max(1, -(-len(rows) // ROWS_TOGETHER))
    if isinstance(rows, pd.DataFrame):
        frame = rows.iloc[::step][[name for name in rows.columns if name in new]]
        return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
    parts = ({name: row[name] for name in row if name in new} for row in rows[::step])
    return [part for part in parts if part]
