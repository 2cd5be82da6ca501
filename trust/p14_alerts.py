"""P14: each alert that was committed reaches its webhook, also when the process that raises and delivers is killed.

A process raises alerts and delivers them, and is killed with SIGKILL at a random moment, again and again; half of the
kills come right after a commit was told. In the end a last process delivers what is left. Each alert has then arrived
at least once, under one id, with a signature that verifies.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sqlalchemy import select
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from detector.service.alerts import alerting, outbox, webhooks
from detector.service.alerts.delivering import deliver_due
from detector.service.alerts.judging import Finding, Judged
from detector.service.logs import configure_logs
from detector.service.workspace import Workspace
from detector.settings import Settings
from detector.store.alert_tables import alerts, deliveries
from trust.promise import Outcome, Promise, Size

ROUNDS, SHORT_ROUNDS = 200, 3
#: Seconds of a round at most, between its first alert and its end.
LONGEST = 0.25
#: Seconds by which the broken outbox is behind.
BEHIND = 1.0


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Kill, count what arrived, and compare it with what was committed."""
    rounds, draw = size.choose(ROUNDS, SHORT_ROUNDS), random.Random(14)  # noqa: S311 - moments to kill at
    with _receiver() as (url, arrived):
        ws = _open(folder)
        hook, arrived.secret = webhooks.add_webhook(ws, "P14", url, actor="trust")
        committed: set[int] = set()
        processes = multiprocessing.get_context("forkserver")
        processes.set_forkserver_preload(["__main__", __name__])
        for number in range(rounds):
            committed |= _round(processes, folder, number, draw, broken)
        # What a dead process held is free after a minute.
        later = datetime.now(UTC) + outbox.HOLDS + timedelta(days=1)
        while deliver_due(ws, "last", lambda: later):
            pass
        faults = _faults(ws, hook.id, committed, arrived)
        known = len(_all(ws))
        ws.close()
    again = sum(len(times) - 1 for times in arrived.bodies.values())
    figure = (
        f"{rounds} kills, {known:,} alerts committed, {len(arrived.bodies):,} messages arrived, {again:,} of them twice"
    )
    return Outcome(figure, faults)


def _round(processes: Any, folder: Path, number: int, draw: random.Random, broken: bool) -> set[int]:
    """Let a process work, kill it, and return the alerts that it said were committed."""
    here, there = processes.Pipe(duplex=False)
    worker = processes.Process(target=_work, args=(str(folder), number, there, broken), daemon=True)
    worker.start()
    there.close()
    told: set[int] = set()
    try:
        told.update(here.recv())
        if number % 2:
            end = time.monotonic() + draw.uniform(0.0, LONGEST)
            while (left := end - time.monotonic()) > 0 and here.poll(left):
                told.update(here.recv())
    except EOFError:
        pass
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    # What was told before the kill and not yet read was committed as well.
    try:
        while here.poll():
            told.update(here.recv())
    except (EOFError, OSError):
        pass
    here.close()
    return told


def _work(folder: str, number: int, told: Connection, broken: bool) -> None:
    """Raise alerts, say which are committed, and deliver, until killed."""
    configure_logs("ERROR")
    if broken:
        _break_outbox()
    ws = _open(Path(folder))
    holder = f"worker{number}"
    for step in range(1_000):
        subject = f"{number}.{step}"
        judged = Judged((Finding(subject, f"Alert {subject}", f"run {number}"),), between=_everything())
        alerting.apply(ws.database, "drifting", judged, timedelta(), datetime.now(UTC))
        with ws.database.read() as connection:
            mine = alerts.c.subject == subject
            told.send(connection.scalars(select(alerts.c.number).where(mine)).all())
        deliver_due(ws, holder)


class _Everything(frozenset[str]):
    """A set that holds every subject: no alert is calm."""

    def __contains__(self, _: object) -> bool:
        return True


def _everything() -> frozenset[str]:
    return _Everything()


def _break_outbox() -> None:
    """Write messages in a transaction of their own, a moment after the alert's."""
    enqueue = outbox.enqueue

    def behind(connection: Any, event: str, alert: Any, now: datetime) -> None:
        def late() -> None:
            time.sleep(BEHIND)
            with connection.engine.execution_options(detector_write=True).begin() as own:
                enqueue(own, event, alert, now)

        threading.Thread(target=late, daemon=True).start()

    outbox.enqueue = behind


def _faults(ws: Workspace, hook: str, committed: set[int], arrived: _Arrived) -> tuple[str, ...]:
    known = _all(ws)
    faults = [f"alert {number} was told as committed and is gone" for number in sorted(committed - set(known))]
    with ws.database.read() as connection:
        rows = connection.execute(select(deliveries).where(deliveries.c.webhook == hook)).mappings().all()
    ids: dict[int, list[str]] = defaultdict(list)
    for row in rows:
        ids[row["alert"]].append(row["id"])
    for number in known:
        if not ids[number]:
            faults.append(f"alert {number} has no message")
        elif len(ids[number]) > 1:
            faults.append(f"alert {number} has {len(ids[number])} messages")
        elif ids[number][0] not in arrived.bodies:
            faults.append(f"the message on alert {number} never arrived")
    bodies = {row["id"]: row["body"].encode() for row in rows}
    for message, times in arrived.bodies.items():
        if any(body != bodies.get(message) for body in times):
            faults.append(f"message {message} arrived as something that is not in the outbox")
    return tuple(faults + arrived.faults)


def _all(ws: Workspace) -> list[int]:
    with ws.database.read() as connection:
        return list(connection.scalars(select(alerts.c.number)).all())


def _open(folder: Path) -> Workspace:
    return Workspace.open(Settings(home=folder, model_path=None, database_url=None, webhook_private_hosts="127.0.0.1"))


@dataclass
class _Arrived:
    """What arrived, by id, and which signatures did not verify when it did; later their time would be too long ago."""

    secret: str = ""
    bodies: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    faults: list[str] = field(default_factory=list)

    def take(self, body: bytes, headers: dict[str, str]) -> None:
        self.bodies[headers["webhook-id"]].append(body)
        try:
            Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError as error:
            self.faults.append(f"message {headers['webhook-id']}: {error}")


@contextmanager
def _receiver() -> Iterator[tuple[str, _Arrived]]:
    """Run a receiver that takes everything; yield its address and what arrives."""
    arrived = _Arrived()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            arrived.take(body, {name.lower(): value for name, value in self.headers.items()})
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", arrived
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


PROMISE = Promise(
    name="P14",
    says="Alerts arrive: at least once, under a stable id, signed",
    asked="200 kills: every committed alert arrives",
    breaks="messages are written in a transaction of their own, after the alert's",
    check=check,
)
