"""P5: writes are atomic and durable. Processes are killed at random moments, and the power is cut at every write."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text

from detector.core.model import DynamicAnomalyDetector
from detector.service.champion import CHAMPION
from detector.service.repeats import Answer, Claim, Repeatable, claim
from detector.service.review.case_ids import CaseId
from detector.service.review.deciding import decide
from detector.service.versions.training import train_rows
from detector.service.versions.updating import update_rows
from detector.service.workspace import Workspace
from detector.store import audit, tables
from trust.children import Tell, children, named
from trust.power_cuts import cut_everywhere
from trust.promise import Outcome, Promise, Size
from trust.workspaces import SMALL, opened, payments, small_workspace

KINDS = ("train", "update", "promote", "decide")
#: What the log calls each kind, and how often each is done: decisions are the most frequent in life as well.
_LOGGED = {"train": "version trained", "update": "version updated", "decide": "cases decided"}
_OFTEN = (1, 2, 3, 6)
#: Steps that a child tells of before it is killed, at most, and the seconds that it lives on behind the last.
_LINES, _LIFE = 12, 0.1
#: Seconds after which a child counts as stuck; it is killed then, and what it acknowledged is there all the same.
_STUCK = 20.0


def work(tell: Tell, home: str, round_: int, again: str | None, patch: str | None) -> None:
    """Change the workspace without end, telling of each change when it begins and when it has returned."""
    if patch is not None:
        named(patch)()
    ws = opened(Path(home))
    tell({"opened": round_})
    number = 0
    while True:
        name = again or f"{round_}-{number}-{_seeded(f'{round_}-{number}').choices(KINDS, _OFTEN)[0]}"
        again, number = None, number + 1
        tell({"begun": name})
        # The claim of whoever was killed over this change has to end at once, and not in a minute.
        claimed = claim(ws.database, Repeatable("kills", name, name), until=timedelta(0))
        if isinstance(claimed, Claim):
            _change(ws, name, claimed)
        tell({"done": name})


def _seeded(name: str) -> random.Random:
    return random.Random(name)  # noqa: S311 - nothing is secret here


def _change(ws: Workspace, name: str, claimed: Claim) -> None:
    seed = _seeded(name)
    kind = name.rsplit("-", 1)[1]

    def keep(connection: Any, *_: Any) -> None:
        claimed.answer(connection, Answer(200, name.encode()))

    if kind == "train":
        train_rows(ws, payments(60, seed.randrange(10**6)), SMALL, {"card": "entity"}, actor=name, also=keep)
    elif kind == "update":
        update_rows(ws, payments(20, seed.randrange(10**6)), actor=name, also=keep)
    elif kind == "promote":
        alias = ws.registry.alias(CHAMPION)
        assert alias is not None
        version = seed.randint(1, alias.version)
        ws.move_champion(version, expected_revision=alias.revision, actor=name, reason=name, also=keep)
    else:
        rows = [int(row) for row in ws.inbox.table(1).rows]
        case = CaseId(1, seed.choice(rows))
        decide(ws, [case], "fraud", "stolen_card", actor=name, also=keep)


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Kill processes in the midst of their work, then cut the power at each write."""
    kills, changes, faults = _kill(folder, size.choose(200, 3), "trust.p05_kills:write_later" if broken else None)
    cuts, lost = cut_everywhere(folder, size, broken)
    figure = f"{kills} kills, {changes:,} changes: {len(faults)} faults; {cuts:,} power cuts: {len(lost)} faults"
    if broken and not (faults and lost):
        # Each half has to notice what was done to it.
        return Outcome(figure)
    return Outcome(figure, (*faults, *lost))


def write_later() -> None:
    """Break the model store: it answers first, and writes the model when the next one comes."""
    from detector.store import model_folder

    waiting: list[tuple[Path, bytes]] = []
    at_once = model_folder.write_durably

    def later(path: Path, content: bytes) -> None:
        for each in waiting:
            at_once(*each)
        waiting[:] = [(path, content)]

    model_folder.write_durably = later


def _kill(folder: Path, rounds: int, patch: str | None) -> tuple[int, int, list[str]]:
    home = small_workspace(folder / "killed")
    seed, done, faults, again = _seeded("kills"), set[str](), list[str](), None
    given = {"home": str(home), "patch": patch}
    for round_ in range(rounds):
        child = children().start("trust.p05_kills:work", folder, round_=round_, again=again, **given)
        # Some die while they open the workspace, the others in the midst of a change, whatever the machine's speed.
        lines, end = seed.randint(0, _LINES), time.monotonic() + _STUCK
        while time.monotonic() < end and child.running and len(child.told()) < lines:
            time.sleep(0.002)
        time.sleep(seed.uniform(0.0, _LIFE))
        child.kill()
        told = child.told()
        begun = [line["begun"] for line in told if "begun" in line]
        finished = [line["done"] for line in told if "done" in line]
        done.update(finished)
        if begun:
            again = begun[-1] if begun[-1] not in finished else None
        faults += _looked_at(home, round_, done, again)
        if patch is not None and faults:
            break
    if patch is None:
        faults += _finished(home, folder, rounds, again, done)
    return rounds, len(done), faults


def _looked_at(home: Path, round_: int, done: set[str], again: str | None) -> list[str]:
    """Return what is wrong with a workspace after a kill: as a process finds it that opens it next."""
    faults = []
    ws = opened(home)
    try:
        with ws.database.read() as connection:
            if (found := connection.scalar(text("PRAGMA integrity_check"))) != "ok":
                faults.append(f"after kill {round_} the database is damaged: {found}")
            answered = set(connection.scalars(select(tables.requests.c.key).where(tables.requests.c.status == 200)))
            chain = audit.follow(connection)
        if chain.broken:
            faults.append(f"after kill {round_}: {chain.broken}")
        faults += [f"after kill {round_} the acknowledged change {name} is gone" for name in done - answered]
        faults += [f"after kill {round_} there is {name}, which nobody began" for name in answered - done - {again}]
        for info in ws.registry.list()[:8]:
            try:
                ws.registry.get(info.number)
            except Exception as error:  # noqa: BLE001 - whatever it is, the version is not there
                faults.append(f"after kill {round_}: {error}")
        champion = ws.champion()
        if champion is None:
            faults.append(f"after kill {round_} there is no champion")
        elif ws.settings.champion_path.read_bytes() != ws.registry.get(champion.version):
            faults.append(f"after kill {round_} the champion's file is another model")
    except Exception as error:  # noqa: BLE001 - a workspace that cannot be used is a fault, not the check's end
        faults.append(f"after kill {round_}: {type(error).__name__}: {error}")
    finally:
        ws.close()
    return faults


def _finished(home: Path, folder: Path, rounds: int, again: str | None, done: set[str]) -> list[str]:
    """Let a last process finish what was begun; then count each change in each place that tells of it."""
    child = children().start("trust.p05_kills:work", folder, home=str(home), round_=rounds, again=again, patch=None)
    end = time.monotonic() + 60
    while time.monotonic() < end and not any("done" in line for line in child.told()):
        time.sleep(0.01)
    child.kill()
    told = child.told()
    done.update(line["done"] for line in told if "done" in line)
    begun = [line["begun"] for line in told if "begun" in line]
    faults = _looked_at(home, rounds, done, begun[-1] if begun and begun[-1] not in done else None)
    ws = opened(home)
    with ws.database.read() as connection:
        answered = set(connection.scalars(select(tables.requests.c.key).where(tables.requests.c.status == 200)))
        query = (
            select(tables.audit.c.actor, func.count().label("entries"))
            .where(tables.audit.c.action.in_([*_LOGGED.values(), "champion moved", "update held back"]))
            .group_by(tables.audit.c.actor)
        )
        logged = {row.actor: row.entries for row in connection.execute(query)}
        decided = connection.scalar(select(func.count()).select_from(tables.decisions))
    faults += _counted(answered, logged, ws, decided or 0)
    ws.close()
    return faults


def _counted(answered: set[str], logged: Mapping[str, int], ws: Workspace, decided: int) -> list[str]:
    faults = []
    by_kind = {kind: {name for name in answered if name.endswith(kind)} for kind in KINDS}
    for name in answered:
        entries = 2 if name.endswith(("train", "update")) else 1
        if logged.get(name) != entries:
            faults.append(f"the change {name} has {logged.get(name)} entries in the log, not {entries}")
    made = len(by_kind["train"]) + len(by_kind["update"]) + 1
    infos = ws.registry.list()
    if [info.number for info in infos] != list(range(made, 0, -1)):
        faults.append(f"there are {len(infos)} versions, and {made} were made")
    for info in infos:
        DynamicAnomalyDetector.from_bytes(ws.registry.get(info.number))
    if decided != len(by_kind["decide"]):
        faults.append(f"there are {decided} decisions, and {len(by_kind['decide'])} were made")
    faults += [f"somebody else changed something: {name}" for name in set(logged) - answered - {"setup"}]
    return faults


PROMISE = Promise(
    name="P5",
    says="writes are atomic and durable",
    asked="kill -9 at 200 random moments of train, update, promote, decide, and a power cut behind each write: "
    "0 corrupt workspaces, 0 acknowledged changes lost, 0 applied twice",
    breaks="the registry answers before it writes the model; one flush of a folder is left out",
    check=check,
)
