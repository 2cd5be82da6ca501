"""The watcher of a process: writes down what traffic is like, applies the rules, delivers what is in the outbox.

Every process has one. Of several only the one that holds the lease applies the rules; each delivers, and a message is
held by one at a time. The two are threads apart, so that a webhook that answers slowly delays no alert.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import structlog
from sqlalchemy.exc import SQLAlchemyError

from detector.service.alerts import alerting, leasing
from detector.service.alerts.delivering import deliver_due
from detector.service.alerts.observed import Observed, write_observed
from detector.service.workspace import Workspace

#: Seconds between two looks.
PAUSE = 5.0
#: Looks between two applications of the rules.
LOOKS_PER_ROUND = 3
#: How long a process has the lease without renewing it.
LEASE = timedelta(seconds=45)
WATCH = "alerts"

_log = structlog.get_logger(__name__)


def _nothing() -> tuple[int, int]:
    return 0, 0


class Watcher:
    """Watches on behalf of one process, from ``start`` to ``stop``.

    ``requests`` tells how many requests this process has answered since it began, and how many of them with a fault of
    the server.
    """

    def __init__(self, ws: Workspace, requests: Callable[[], tuple[int, int]] = _nothing) -> None:
        self._ws = ws
        self._requests = requests
        self._told = (0, 0)
        self._unwritten = Observed()
        self.name = uuid4().hex
        self._stop = threading.Event()
        self._threads: tuple[threading.Thread, ...] = ()
        self._looks = 0

    def start(self) -> None:
        """Begin; the workspace stops it when it is closed."""
        self._threads = tuple(
            threading.Thread(target=self._again, args=(work,), name=f"detector-{name}", daemon=True)
            for name, work in (("alerts", self.look), ("webhooks", self.deliver))
        )
        self._ws.at_close(self.stop)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, write down what is not yet written, and let another process take over at once."""
        if self._stop.is_set():
            return
        self._stop.set()
        for thread in self._threads:
            thread.join(PAUSE * 2)
        try:
            self._write(datetime.now(UTC))
            leasing.let_go(self._ws.database, WATCH, self.name)
        except SQLAlchemyError as error:
            _log.warning("what was observed last could not be written", error=type(error).__name__)

    def look(self) -> None:
        """Write down what this process has answered and scored, and, every few looks, apply the rules."""
        now = datetime.now(UTC)
        self._write(now)
        due, self._looks = self._looks % LOOKS_PER_ROUND == 0, self._looks + 1
        if due and leasing.hold(self._ws.database, WATCH, self.name, now, LEASE):
            alerting.evaluate(self._ws, now)

    def deliver(self) -> None:
        """Send what is due, until nothing is."""
        while not self._stop.is_set() and deliver_due(self._ws, self.name):
            pass

    def _write(self, now: datetime) -> None:
        requests, errors = self._requests()
        told, self._told = self._told, (requests, errors)
        seen = Observed.of(self._ws.measures.take(), requests - told[0], errors - told[1])
        # What could not be written stays for the next time: a database that is away costs no count.
        self._unwritten = self._unwritten.plus(seen)
        if self._unwritten.requests or self._unwritten.rows:
            write_observed(self._ws.database, self.name, self._unwritten, now)
            self._unwritten = Observed()

    def _again(self, work: Callable[[], None]) -> None:
        while not self._stop.wait(PAUSE):
            try:
                work()
            except Exception as error:  # noqa: BLE001 - the next look may succeed, and nobody else would watch
                _log.error("the watcher could not look", kind=type(error).__name__, exc_info=error)
