"""P1: swapping models loses nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from detector.service.champion import Champion, ChampionWatch
from detector.service.workspace import Workspace
from trust.client import Connection
from trust.promise import Outcome, Promise, Size
from trust.serving import api
from trust.workspaces import transactions, workspace_of

#: Versions that take turns as champion: more than a process keeps in memory, so that some are read anew.
VERSIONS = 6
ROWS = 60


@dataclass
class _Run:
    """What the clients and the one who swaps have seen."""

    wanted: int
    swaps: int
    truth: dict[tuple[int, int], tuple[float, float, float]]
    bodies: list[bytes]
    started: int = 0
    answered: int = 0
    swapped: int = 0
    versions: set[int] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Predict while the champion changes all the time; compare each answer with the version that it names."""
    clients, wanted, swaps = size.choose((32, 100_000, 200), (8, 480, 12))
    workspace = workspace_of(folder, VERSIONS)
    rows = transactions(ROWS, 99)
    run = _Run(wanted, swaps, _truth(workspace, rows), [orjson.dumps({"data": row}) for row in rows])
    workspace.close()
    with api(folder, broken=["trust.p01_swaps:mislabel"] if broken else []) as running:
        asyncio.run(_drive(running.port, run, clients))
    figure = (
        f"{run.answered:,} predictions by {clients} clients, {run.swapped} swaps, {len(run.versions)} versions named, "
        f"{len(run.faults)} faults"
    )
    if len(run.versions) < 2 or run.swapped < swaps:
        run.faults.append("too few swaps were seen to say anything")
    return Outcome(figure, tuple(run.faults))


def _truth(workspace: Workspace, rows: list[dict[str, Any]]) -> dict[tuple[int, int], tuple[float, float, float]]:
    """Return score, severity and cutoff of each version for each row, away from any server."""
    found = {}
    for info in workspace.registry.list():
        detector = workspace.detector(info.number)
        for place, row in enumerate(rows):
            result = detector.score(row)
            found[info.number, place] = (float(result.scores[0]), float(result.severities[0]), info.cutoff)
    return found


async def _drive(port: int, run: _Run, clients: int) -> None:
    await asyncio.gather(_swap(port, run), *(_predict(port, run) for _ in range(clients)))


async def _predict(port: int, run: _Run) -> None:
    connection = Connection(port)
    while run.started < run.wanted:
        place = run.started % len(run.bodies)
        run.started += 1
        try:
            status, answer = await connection.ask("POST", "/predict", run.bodies[place])
        except OSError as error:
            run.faults.append(f"a prediction had no answer: {error}")
            continue
        run.answered += 1
        if status != 200:
            run.faults.append(f"a prediction was answered with {status}: {answer}")
            continue
        said = (answer["anomaly_score"], answer["severity"], answer["cutoff"])
        version = answer["model_version"]
        run.versions.add(version)
        if run.truth.get((version, place)) != said:
            run.faults.append(f"row {place} by version {version}: {said}, not {run.truth.get((version, place))}")
    await connection.close()


async def _swap(port: int, run: _Run) -> None:
    """Move the champion evenly over the predictions, each time from the revision that the last move gave."""
    connection = Connection(port)
    _, alias = await connection.ask("GET", "/models/aliases/champion")
    while run.swapped < run.swaps:
        due = run.swapped * run.wanted // run.swaps
        while run.started < due:
            await asyncio.sleep(0.001)
        body: dict[str, Any] = {
            "version": alias["version"] % VERSIONS + 1,
            "expected_revision": alias["revision"],
            "reason": "check",
        }
        status, answer = await connection.ask("PUT", "/models/aliases/champion", body)
        if status != 200:
            run.faults.append(f"a swap was answered with {status}: {answer}")
            break
        alias = answer
        run.swapped += 1
    await connection.close()


def mislabel() -> None:
    """Let answers name the version before, as they would if number and model were read one after the other."""
    whole = ChampionWatch.champion

    def torn(watch: ChampionWatch) -> Champion | None:
        champion = whole(watch)
        return None if champion is None else replace(champion, version=champion.version % VERSIONS + 1)

    ChampionWatch.champion = torn  # type: ignore[method-assign]


PROMISE = Promise(
    "P1",
    "Swapping models loses nothing: each answer names its version and is that version's, bit for bit",
    "200 swaps under 32 clients, 100,000 predictions, 0 errors",
    "the version that an answer names is not the one that scored it",
    check,
)
