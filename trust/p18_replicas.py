"""P18: several replicas behind nginx over one PostgreSQL are one service, also while one of them dies.

A request counts as accepted unless it was refused with 503, which says that nothing was done. Predictions must be
answered, the first time unless the killed replica was just writing the answer: then it breaks off, which is counted,
and its client asks again. Updates name themselves by an Idempotency-Key, and their clients do what clients do: without
an answer, or told to come back, they send the same request again. Each must have had one effect in the end.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

import orjson

from detector.core.model import DynamicAnomalyDetector
from detector.service import keys
from detector.service.versions import training
from detector.service.versions.training import TrainParameters
from detector.service.versions.versioning import new_version
from detector.service.workspace import Workspace
from trust.client import Connection
from trust.database_server import programs, shared_server
from trust.nginx_server import nginx, program
from trust.promise import Outcome, Promise, Size
from trust.serving import Api, api
from trust.workspaces import opened, transactions

REPLICAS, VERSIONS, ROWS, BATCH = 3, 3, 60, 20
#: Seconds within which every replica must answer with a version that was promoted on another one.
SOON = 1.0
#: Seconds after which an update counts as lost.
_PATIENCE = 120.0
#: What the deliberate break takes from nginx: the second try of whatever failed on one replica.
_SECOND_TRY = "proxy_next_upstream_tries 2;"

_databases = count(1)


@dataclass
class _Run:
    """What is wanted, and what the clients have seen."""

    key: str
    front: int
    wanted: int
    updates: int
    rows: list[dict[str, Any]]
    started: int = 0
    answered: int = 0
    refused: int = 0
    broken_off: int = 0
    updated: dict[str, int] = field(default_factory=dict)
    said: set[tuple[int, str, tuple[tuple[float, ...], ...]]] = field(default_factory=set)
    slowest: float = 0.0
    faults: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """How much of the predictions has begun."""
        return self.started / self.wanted


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Load replicas, kill one, start it again, stop another, move the champion; then count effects and compare."""
    if program() is None and not size.full and not os.environ.get("CI"):
        figure = "not tried: nginx is not installed (apt-get install nginx-light)"
        return Outcome(figure, (figure,) if broken else ())
    wanted, updates, clients = size.choose((60_000, 60, 16), (900, 4, 6))
    with _database(folder, size) as (address, told), ExitStack() as stack:
        ws = opened(folder, database_url=address)
        stack.callback(ws.close)
        _register(ws)
        key = keys.create_key(ws, "load", "lead", actor="setup").key
        places = [ExitStack() for _ in range(REPLICAS)]
        for place in places:
            stack.enter_context(place)
        running = [_start(folder, address, place) for place in places]
        change = (_SECOND_TRY, "proxy_next_upstream_tries 1;") if broken else ("", "")
        front = stack.enter_context(nginx(folder / "nginx", [one.port for one in running], change=change))
        run = _Run(key, front.port, wanted, updates, transactions(ROWS, 99))
        asyncio.run(_drive(run, running, places, clients, lambda place, port: _start(folder, address, place, port)))
        _compare(ws, run)
        _count(ws, run)
        if "temp-body/" in front.errors or any((front.folder / "temp-body").rglob("*.*")):
            run.faults.append("nginx has written a body to a file")
    figure = (
        f"{run.answered:,} predictions and {len(run.updated)} updates by {REPLICAS} replicas{told}, one killed and "
        f"started again, one stopped: {len(run.faults)} lost, doubled or wrong, {run.refused} refused, "
        f"{run.broken_off} answers broken off midway and asked again; a promotion "
        f"seen by all within {run.slowest:.2f} s"
    )
    return Outcome(figure, tuple(run.faults))


@contextmanager
def _database(folder: Path, size: Size) -> Iterator[tuple[str, str]]:
    if programs() is None and not size.full and not os.environ.get("CI"):
        yield f"sqlite:///{folder / 'data' / 'detector.db'}", " (PostgreSQL is not installed: on SQLite)"
        return
    name = f"p18_{next(_databases)}"
    try:
        yield shared_server().create(name), ""
    finally:
        shared_server().drop(name)


def _register(ws: Workspace) -> None:
    training.train_rows(ws, transactions(200, 0), TrainParameters(n_estimators=20), actor="setup")
    for seed in range(1, VERSIONS):
        detector = DynamicAnomalyDetector(n_estimators=20, random_state=seed).fit(transactions(200, seed))
        ws.registry.register(new_version(detector, origin="trained"), actor="setup")


def _start(folder: Path, address: str, place: ExitStack, port: int | None = None) -> Api:
    told = {"DATABASE_URL": address, "DETECTOR_STOP_DELAY_SECONDS": "0.5"}
    broken = ["trust.p18_replicas:forget_the_dead_soon"]
    return place.enter_context(api(folder, environment=told, port=port, broken=broken))


def forget_the_dead_soon() -> None:
    """Let the claim of a process that died end after three seconds, so that a check need not wait for a minute."""
    from detector.service import repeats

    assert repeats.claim.__kwdefaults__ is not None
    repeats.claim.__kwdefaults__["until"] = timedelta(seconds=3)


async def _drive(run: _Run, running: list[Api], places: list[ExitStack], clients: int, start: Any) -> None:
    moving = asyncio.Lock()
    jobs = [_predict(run) for _ in range(clients)] + [_predict_batches(run) for _ in range(2)]
    await asyncio.gather(_trouble(run, running, places, moving, start), _update(run, moving), *jobs)


async def _trouble(run: _Run, running: list[Api], places: list[ExitStack], moving: asyncio.Lock, start: Any) -> None:
    """Move the champion, kill a replica, start it again and stop another one, evenly over the predictions."""
    await _until(run, 0.1)
    await _move(run, running, moving)
    await _until(run, 0.25)
    await asyncio.to_thread(running[0].process.kill)
    await _until(run, 0.4)
    await _move(run, running[1:], moving)
    running[0] = await asyncio.to_thread(start, places[0], running[0].port)
    await _until(run, 0.6)
    running[1].process.send(signal.SIGTERM)
    await _move(run, [running[0], running[2]], moving)
    await asyncio.to_thread(running[1].process.wait, 60)
    await _until(run, 0.8)
    await _move(run, [running[0], running[2]], moving)


async def _until(run: _Run, share: float) -> None:
    while run.share < share:
        await asyncio.sleep(0.002)


async def _predict(run: _Run) -> None:
    connection = Connection(run.front, run.key)
    bodies = [orjson.dumps({"data": row}) for row in run.rows]
    while run.started < run.wanted:
        place = run.started % len(bodies)
        run.started += 1
        answer = await _read(run, connection, "/predict", bodies[place])
        if answer is not None:
            run.said.add((answer["model_version"], f"row {place}", _figures([answer])))
    await connection.close()


async def _predict_batches(run: _Run) -> None:
    connection = Connection(run.front, run.key)
    bodies = [orjson.dumps({"transactions": part}) for part in _batches(run.rows)]
    number = 0
    while run.started < run.wanted:
        number += 1
        run.started += 1
        answer = await _read(run, connection, "/predict/batch", bodies[number % len(bodies)])
        if answer is not None:
            said = _figures(answer["predictions"])
            run.said.add((answer["model_version"], f"batch {number % len(bodies)}", said))
    await connection.close()


async def _read(run: _Run, connection: Connection, path: str, body: bytes) -> Any:
    """Return the answer to a question, which must come the first time; ``None`` where it was refused or is lost."""
    for again in (False, True):
        try:
            status, answer = await connection.ask("POST", path, body)
            break
        except OSError as error:
            # Of an answer that the killed replica was just writing, the head may be on its way already.
            run.broken_off += 1
            if again:
                run.faults.append(f"{path} had no answer, asked twice: {error}")
                return None
    if status == 503:
        run.refused += 1
        await asyncio.sleep(0.05)
        return None
    if status != 200:
        run.faults.append(f"{path} was answered with {status}: {answer}")
        return None
    run.answered += 1
    return answer


async def _update(run: _Run, moving: asyncio.Lock) -> None:
    """Send updates evenly over the predictions, each until it has its answer."""
    connection = Connection(run.front, run.key)
    for number in range(run.updates):
        await _until(run, number / run.updates)
        name = f"update-{number}"
        body = orjson.dumps({"transactions": transactions(40, 1_000 + number)})
        begun = perf_counter()
        while name not in run.updated and perf_counter() - begun < _PATIENCE:
            async with moving:
                with suppress(OSError):
                    status, answer = await connection.ask(
                        "POST", "/update", body, headers=f"Idempotency-Key: {name}\r\n"
                    )
                    if status == 200:
                        run.updated[name] = answer["model_version"]
                        break
                    if status not in (409, 502, 503):
                        run.faults.append(f"{name} was answered with {status}: {answer}")
                        break
            await asyncio.sleep(0.05)
    await connection.close()


async def _move(run: _Run, running: list[Api], moving: asyncio.Lock) -> None:
    """Move the champion through nginx, and wait until each of the replicas answers with it."""
    front, direct = Connection(run.front, run.key), [Connection(one.port, run.key) for one in running]
    try:
        async with moving:
            await _promote(run, front, direct)
    finally:
        for one in [front, *direct]:
            await one.close()


async def _promote(run: _Run, front: Connection, direct: list[Connection]) -> None:
    status, alias = await front.ask("GET", "/models/aliases/champion")
    if status != 200:
        run.faults.append(f"who is champion was answered with {status}: {alias}")
        return
    version = alias["version"] % VERSIONS + 1
    wanted = {"version": version, "expected_revision": alias["revision"], "reason": "check"}
    named = f"Idempotency-Key: from-{alias['revision']}\r\n"
    status, answer = await front.ask("PUT", "/models/aliases/champion", wanted, headers=named)
    if status != 200:
        run.faults.append(f"a promotion was answered with {status}: {answer}")
        return
    begun = perf_counter()
    body = orjson.dumps({"data": run.rows[0]})
    for one in direct:
        answered = -1
        while answered != version and perf_counter() - begun < 5 * SOON:
            _, answer = await one.ask("POST", "/predict", body)
            answered = answer.get("model_version", -1)
            await asyncio.sleep(0.005)
    took = perf_counter() - begun
    run.slowest = max(run.slowest, took)
    if took > SOON:
        run.faults.append(f"a replica answered with version {version} after {took:.1f} s")


def _compare(ws: Workspace, run: _Run) -> None:
    """Compare each answer with what the version that it names says, away from any server."""
    parts = {f"row {place}": [row] for place, row in enumerate(run.rows)}
    parts |= {f"batch {place}": part for place, part in enumerate(_batches(run.rows))}
    known = {info.number: info for info in ws.registry.list()}
    for version, part, said in sorted(run.said):
        # A request that holds one transaction is scored as one record.
        rows = parts[part]
        result = ws.detector(version).score(rows[0] if part.startswith("row") else rows)
        cutoff = known[version].cutoff
        truth = tuple(
            (float(score), float(severity), cutoff)
            for score, severity in zip(result.scores, result.severities, strict=True)
        )
        if truth != said:
            run.faults.append(f"{part} by version {version}: {said[:2]}, not {truth[:2]}")


def _count(ws: Workspace, run: _Run) -> None:
    """Count what the updates did: each made one version, the one that its answer names."""
    made = sorted(info.number for info in ws.registry.list() if info.origin == "updated")
    lost = [f"update-{number}" for number in range(run.updates) if f"update-{number}" not in run.updated]
    run.faults += [f"{name} was never answered" for name in lost]
    if made != sorted(run.updated.values()):
        run.faults.append(f"{len(run.updated)} updates made the versions {made}, and named {run.updated}")


def _figures(verdicts: list[dict[str, Any]]) -> tuple[tuple[float, ...], ...]:
    return tuple((one["anomaly_score"], one["severity"], one["cutoff"]) for one in verdicts)


def _batches(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    return [rows[begin : begin + BATCH] for begin in range(0, len(rows), BATCH)]


PROMISE = Promise(
    "P18",
    "Replicas behind nginx are one service: one that dies loses no accepted request and doubles no effect",
    "3 replicas on PostgreSQL, 60,000 predictions, 60 updates; kill -9, start, stop: 0 lost, 0 doubled, alias in 1 s",
    "nginx gives up a request that failed on one replica",
    check,
)
