"""P12: clients that go in the middle of a body, before their answer or in the middle of it harm nobody else."""

from __future__ import annotations

import asyncio
import random
import re
import signal
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Literal

import orjson

from detector.service.workspace import Workspace
from trust.promise import Outcome, Promise, Size
from trust.serving import Api, api, request
from trust.workspaces import trained_home, transactions

SHARE = 0.3
CLIENTS = 24
BATCH_ROWS = 200

_HERE = "trust.p12_vanishing_clients"
Way = Literal["mid-body", "before", "mid-answer"]
WAYS: tuple[Way, ...] = ("mid-body", "before", "mid-answer")


@dataclass
class _Seen:
    right: int = 0
    aborted: int = 0
    faults: list[str] = field(default_factory=list)


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Let three in ten requests be aborted, hold the others against the model, and look for what stays behind."""
    settings = trained_home(folder)
    workspace = Workspace.open(settings)
    detector = workspace.require_champion().detector
    cases = []
    for seed in range(size.choose(20, 3)):
        rows = transactions(BATCH_ROWS, seed)
        scores = detector.score(rows).scores.tolist()
        cases.append((request("POST", "/predict/batch", {"transactions": rows}), scores))
        for row in rows[:10]:
            single = request("POST", "/predict", {"data": row})
            cases.append((single, detector.score([row]).scores.tolist()))
    workspace.close()

    seen = _Seen()
    with api(folder, broken=[f"{_HERE}:tell_when_asked", *([f"{_HERE}:keep_bodies"] if broken else [])]) as running:
        asyncio.run(_drive(running.port, cases, size.choose(15.0, 0.5), _Seen()))  # warm: memory has found its size
        tasks, _, files, memory = _held(running)
        asyncio.run(_drive(running.port, cases, size.choose(300.0, 2.0), seen))
        after = _held(running)
        until = monotonic() + size.choose(10.0, 3.0 if not broken else 0.5)
        while (after[0] > tasks or after[1] or after[2] - files) and monotonic() < until:
            sleep(0.25)
            after = _held(running)
    faults = seen.faults
    if after[0] > tasks:
        faults.append(f"{after[0] - tasks} tasks stayed behind")
    if after[1]:
        faults.append(f"{after[1]:,} bytes of bodies or requests in lanes stayed behind")
    if left := after[2] - files:
        faults.append(f"stayed open: {', '.join(f'{count} x {Path(name).name}' for name, count in left.items())}")
    if after[3] > size.choose(1.1, 1.3) * memory:
        faults.append(f"memory rose from {memory / 1e6:.0f} to {after[3] / 1e6:.0f} MB")
    figure = (
        f"{seen.aborted:,} aborted, {seen.right:,} others right bit for bit; {after[0] - tasks:+d} tasks, "
        f"+{(after[2] - files).total()} files, memory {after[3] / memory - 1:+.1%}"
    )
    return Outcome(figure, tuple(faults))


async def _drive(port: int, cases: list[tuple[bytes, list[float]]], seconds: float, seen: _Seen) -> None:
    until = monotonic() + seconds
    await asyncio.gather(*(_client(port, cases, until, seen, number) for number in range(CLIENTS)))


async def _client(port: int, cases: list[tuple[bytes, list[float]]], until: float, seen: _Seen, number: int) -> None:
    chance = random.Random(number)  # noqa: S311 - no secret
    wire: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    while monotonic() < until:
        wire = wire or await asyncio.open_connection("127.0.0.1", port)
        sent, scores = chance.choice(cases)
        if chance.random() < SHARE:
            await _abort(wire, sent, chance.choice(WAYS), chance)
            seen.aborted += 1
            wire = None
            continue
        reader, writer = wire
        writer.write(sent)
        status, document = await _answer(reader)
        if status == 503:
            await asyncio.sleep(0.02)  # overload is another promise
        elif status != 200 or _scores(document) != scores:
            seen.faults.append(f"an undisturbed request was answered {status} {str(document)[:120]}")
        else:
            seen.right += 1
        await asyncio.sleep(0)
    if wire is not None:
        wire[1].close()


async def _abort(
    wire: tuple[asyncio.StreamReader, asyncio.StreamWriter], sent: bytes, way: Way, chance: random.Random
) -> None:
    reader, writer = wire
    writer.write(sent[: chance.randrange(20, len(sent))] if way == "mid-body" else sent)
    await writer.drain()
    if way == "mid-answer":
        await reader.read(64)
    # With a reset or with an orderly end, as clients do.
    if chance.random() < 0.5:
        writer.transport.abort()
    else:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, Any]:
    head = await reader.readuntil(b"\r\n\r\n")
    found = re.search(rb"content-length: (\d+)", head)
    assert found is not None
    return int(head[9:12]), orjson.loads(await reader.readexactly(int(found[1])))


def _scores(document: Any) -> list[float]:
    return [verdict["anomaly_score"] for verdict in document.get("predictions", [document])]


def _held(running: Api) -> tuple[int, int, Counter[str], int]:
    """Return tasks, bytes of bodies, open files and bytes of memory."""
    already = running.written.count("HOLDS ")
    running.process.send(signal.SIGUSR1)
    until = monotonic() + 20
    while monotonic() < until:
        told = re.findall(r"HOLDS (\d+) (\d+)", running.written)
        if len(told) > already:
            # How many connections to the database its pool keeps, up to a bound of its own, depends on what came when.
            files = Counter({name: n for name, n in running.open_files.items() if "detector.db" not in name})
            return int(told[-1][0]), int(told[-1][1]), files, running.memory
        sleep(0.02)
    raise TimeoutError("the API does not say what it holds")


def tell_when_asked() -> None:
    """On SIGUSR1 the process writes what it holds: tasks that are not done, bytes of bodies, requests in lanes."""
    from detector.api.capacity import Capacity

    begin, every = Capacity.__init__, list[Capacity]()

    def remember(self: Capacity, *arguments: Any) -> None:
        begin(self, *arguments)
        every.append(self)

    def tell(*_: Any) -> None:
        held = sum(one.held + sum(lane.running for lane in one.lanes.values()) for one in every)
        print(f"HOLDS {len(asyncio.all_tasks())} {held}", file=sys.stderr, flush=True)

    Capacity.__init__ = remember  # type: ignore[method-assign]
    signal.signal(signal.SIGUSR1, tell)


def keep_bodies() -> None:
    """Break it: bodies are never let go of."""
    from detector.api import capacity

    capacity._Body.let_go = lambda _self: None  # type: ignore[method-assign]


PROMISE = Promise(
    name="P12",
    says="Clients that vanish harm nobody",
    asked="30 % of clients abort for 5 minutes: everybody else right, no task leaked",
    breaks="bodies of requests that are over are not let go of",
    check=check,
)
