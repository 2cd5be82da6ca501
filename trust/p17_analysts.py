"""P17: two analysts never overwrite each other."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

from sqlalchemy import select

from detector.errors import ConflictError
from detector.service.review.case_ids import CaseId
from detector.service.review.deciding import decide
from detector.service.workspace import Workspace
from detector.store import tables
from trust.children import Tell, children, named
from trust.promise import Outcome, Promise, Size
from trust.workspaces import opened, small_workspace


def analysts(tell: Tell, home: str, names: list[str], times: int, begin: float, patch: str | None) -> None:
    """Let analysts decide one case, each ``times`` times on what she has seen of it, all from ``begin`` on."""
    if patch is not None:
        named(patch)()
    ws = opened(Path(home))
    case = CaseId(1, int(ws.inbox.table(1).rows[0]))
    ws.inbox.find(case)
    time.sleep(max(0.0, begin - time.time()))
    threads = [threading.Thread(target=_decide, args=(tell, ws, case, name, times)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ws.close()


def _decide(tell: Tell, ws: Workspace, case: CaseId, name: str, times: int) -> None:
    made = 0
    while made < times:
        table, position = ws.inbox.find(case)
        seen = table.state(position).revision
        try:
            change = decide(ws, [case], "fraud", "stolen_card", actor=name, seen={case: seen})
        except ConflictError as error:
            table, position = ws.inbox.find(case)
            now = table.state(position)
            told = now.changed_by is not None and error.details["revision"] > seen
            tell({"lost": name, "seen": seen, "now": now.revision, "told": told})
            continue
        made += 1
        tell({"made": name, "seen": seen, "batch": change.batch})


def heedless() -> None:
    """Break it: nobody looks whether a case is still as it was seen."""
    from detector.service.review import case_changes

    case_changes._must_be_as_seen = lambda *_: None


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Let 50 analysts in five processes decide one case, and compare what they were told with what is written down."""
    home = small_workspace(folder / "home")
    processes, each, times = size.choose((5, 10, 4), (2, 4, 2))
    begin = time.time() + size.choose(2.0, 0.7)
    patch = "trust.p17_analysts:heedless" if broken else None
    started = [
        children().start(
            "trust.p17_analysts:analysts", folder, home=str(home), names=[f"analyst {p}-{i}" for i in range(each)],
            times=times, begin=begin, patch=patch,
        )
        for p in range(processes)
    ]  # fmt: skip
    faults = [f"a process of analysts ended with {code}" for child in started if (code := child.wait())]
    told: list[dict[str, Any]] = [line for child in started for line in child.told()]
    made = [line for line in told if "made" in line]
    lost = [line for line in told if "lost" in line]
    faults += _compared(home, made, processes * each * times)
    faults += [
        f"{line['lost']} lost on revision {line['seen']} and was not shown a newer one: {json.dumps(line)}"
        for line in lost
        if not (line["told"] and line["now"] > line["seen"])
    ]
    figure = (
        f"{processes * each} analysts in {processes} processes: {len(made)} decisions, {len(lost)} told to look again"
    )
    return Outcome(f"{figure}, {len(faults)} faults", tuple(faults))


def _compared(home: Path, made: list[dict[str, Any]], wanted: int) -> list[str]:
    ws = opened(home)
    events, decisions = tables.case_events.c, tables.decisions.c
    with ws.database.read() as connection:
        written = {
            row.batch: (row.actor, row.before["revision"], row.after["revision"])
            for row in connection.execute(select(events.batch, events.actor, events.before, events.after))
        }
        standing = [
            row.made_by for row in connection.execute(select(decisions.made_by).where(decisions.ended_at.is_(None)))
        ]
        kept = len(connection.execute(select(decisions.number)).all())
        state = connection.execute(select(tables.cases)).mappings().one()
    ws.close()
    faults = [
        f"{line['made']} decided on revision {line['seen']}, and the timeline says {written.get(line['batch'])}"
        for line in made
        if written.get(line["batch"]) != (line["made"], line["seen"], line["seen"] + 1)
    ]
    if not (len(made) == len(written) == kept == state["revision"] == wanted):
        faults.append(
            f"{wanted} decisions were to be made and {len(made)} were acknowledged; there are {kept} decisions, "
            f"{len(written)} lines in the timeline, and the case has revision {state['revision']}"
        )
    if standing != [state["changed_by"]]:
        faults.append(f"in force are the decisions of {standing}; the last word had {state['changed_by']}")
    return faults


PROMISE = Promise(
    name="P17",
    says="two analysts never overwrite each other",
    asked="50 analysts, one case: 0 decisions lost, losers see the newer state",
    breaks="nobody looks whether a case is still as it was seen",
    check=check,
)
