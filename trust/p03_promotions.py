"""P3: an alias moves atomically, and everybody sees it soon."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import orjson

from detector.store import registry
from trust.client import Connection
from trust.promise import Outcome, Promise, Size
from trust.serving import api
from trust.workspaces import transactions, workspace_of

VERSIONS = 4
#: Seconds within which another process must answer with the version that was gone back to.
SOON = 1.0


@dataclass
class _Seen:
    """What the racers, the poller and the one who goes back have seen."""

    won: int = 0
    refused: int = 0
    polls: int = 0
    slowest: float = 0.0
    over: bool = False
    faults: list[str] = field(default_factory=list)


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Race for the champion through two processes, poll it all the while, then go back and wait for the other one."""
    rounds, racers, returns = size.choose((100, 8, 20), (6, 4, 2))
    workspace_of(folder, VERSIONS).close()
    breaks, seen = ["trust.p03_promotions:forget_revisions"] if broken else [], _Seen()
    with api(folder, broken=breaks) as one, api(folder, broken=breaks) as other:
        asyncio.run(_drive([one.port, other.port], rounds, racers, returns, seen))
    figure = (
        f"{rounds} races of {racers}: {seen.won} won, {seen.refused} refused with 409; one champion at each of "
        f"{seen.polls:,} polls; seen elsewhere after at most {seen.slowest:.2f} s"
    )
    return Outcome(figure, tuple(seen.faults))


async def _drive(ports: list[int], rounds: int, racers: int, returns: int, seen: _Seen) -> None:
    poller = asyncio.create_task(_poll(ports, seen))
    try:
        connections = [Connection(ports[place % len(ports)]) for place in range(racers)]
        for _ in range(rounds):
            await _race(connections, seen)
        for _ in range(returns):
            await _go_back(ports, seen)
        for connection in connections:
            await connection.close()
    finally:
        seen.over = True
        await poller


async def _race(connections: list[Connection], seen: _Seen) -> None:
    """Let everybody move the champion from the same revision; one may win."""
    _, before = await connections[0].ask("GET", "/models/aliases/champion")
    others = [version for version in range(1, VERSIONS + 1) if version != before["version"]]
    answers = await asyncio.gather(
        *(
            connection.ask("PUT", "/models/aliases/champion", _move(others[place % len(others)], before["revision"]))
            for place, connection in enumerate(connections)
        )
    )
    won = [answer for status, answer in answers if status == 200]
    lost = [answer for status, answer in answers if status == 409]
    seen.won += len(won)
    seen.refused += len(lost)
    if len(won) != 1 or len(lost) != len(answers) - 1:
        seen.faults.append(f"revision {before['revision']}: answers {sorted(status for status, _ in answers)}")
    _, after = await connections[-1].ask("GET", "/models/aliases/champion")
    if won and (after["version"], after["revision"]) != (won[0]["version"], before["revision"] + 1):
        seen.faults.append(f"version {won[0]['version']} won, revision {after['revision']} holds {after['version']}")
    seen.faults += [
        f"a refusal told version {answer['current']['version']} at revision {answer['current']['revision']}"
        for answer in lost
        if answer["current"]["revision"] != before["revision"] + 1
    ]


async def _go_back(ports: list[int], seen: _Seen) -> None:
    """Move the champion in one process, and wait until the other one answers with it."""
    here, there = Connection(ports[0]), Connection(ports[1])
    body = orjson.dumps({"data": transactions(1, 7)[0]})
    _, before = await here.ask("GET", "/models/aliases/champion")
    version = before["version"] % VERSIONS + 1
    await here.ask("PUT", "/models/aliases/champion", _move(version, before["revision"]))
    begun = perf_counter()
    answered = -1
    while answered != version and perf_counter() - begun < 5 * SOON:
        _, answer = await there.ask("POST", "/predict", body)
        answered = answer["model_version"]
        await asyncio.sleep(0.01)
    took = perf_counter() - begun
    seen.slowest = max(seen.slowest, took)
    if took > SOON:
        seen.faults.append(f"the other process answered with version {version} after {took:.1f} s")
    await here.close()
    await there.close()


async def _poll(ports: list[int], seen: _Seen) -> None:
    """Ask again and again who is champion: always one, and its revision never falls."""
    connections = [Connection(port) for port in ports]
    last = 0
    while not seen.over:
        for connection in connections:
            status, found = await connection.ask("GET", "/models/aliases")
            champions = [one for one in found["aliases"] if one["alias"] == "champion"] if status == 200 else []
            seen.polls += 1
            if len(champions) != 1 or not 1 <= champions[0]["version"] <= VERSIONS:
                seen.faults.append(f"a poll found {len(champions)} champions")
                continue
            if champions[0]["revision"] < last:
                seen.faults.append(f"revision {champions[0]['revision']} was seen after {last}")
            last = max(last, champions[0]["revision"])
        await asyncio.sleep(0.01)
    for connection in connections:
        await connection.close()


def _move(version: int, revision: int) -> dict[str, Any]:
    return {"version": version, "expected_revision": revision, "reason": "check"}


def forget_revisions() -> None:
    """Let aliases move whatever their mover has seen."""
    registry.require_revision = lambda *_: None  # type: ignore[attr-defined]


PROMISE = Promise(
    "P3",
    "An alias moves atomically",
    "100 racing promotions: one winner a revision, the rest 409; one champion at every poll; seen within 1 s",
    "aliases move from whatever revision they have",
    check,
)
