"""P9: every change leaves a trace, and nobody can change a trace unnoticed."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, func, insert, select, text, update
from sqlalchemy.exc import DatabaseError
from starlette.testclient import TestClient

from detector.api import create_app
from detector.api.doors import doors
from detector.api.routes import Endpoints
from detector.api.traffic import Traffic
from detector.service import jobs, keys, uploads
from detector.service.access import LOCAL_API
from detector.service.alerts import handling, webhooks
from detector.service.champion import CHAMPION
from detector.service.review import deciding
from detector.service.review.case_ids import CaseId
from detector.service.versions import held, updating
from detector.service.workspace import Workspace
from detector.store import audit, tables
from trust.promise import Outcome, Promise, Size
from trust.workspaces import opened, payments, small_workspace

#: Tables that tell how far something is or what was found, and not what somebody did: a job's progress, who looks at
#: what, requests, alerts. (That who acknowledges an alert leaves a trace is tried below.)
_NO_CHANGE = {
    *("jobs", "case_locks", "requests", "audit_head", "audit"),
    *("alerts", "deliveries", "leases", "traffic_minutes", "trial_counts"),
}
_WRITES = re.compile(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+\"?(\w+)", re.IGNORECASE)
_ROWS = {"transactions": json.loads(payments(40, seed=3).to_json(orient="records"))}
#: A request for each door through which something is changed, in an order in which all can be done: its path, its
#: body, and the alias whose revision it has to have seen. A door without one is a fault.
EXAMPLES: dict[tuple[str, str], tuple[str, dict[str, Any] | None, str]] = {
    ("POST", "/train"): ("/train?n_estimators=8", _ROWS, ""),
    ("POST", "/update"): ("/update", _ROWS, ""),
    ("POST", "/cases/{case}/decision"): (
        "/cases/{case}/decision",
        {"outcome": "fraud", "reason": "stolen_card", "revision": 0},
        "",
    ),
    ("PUT", "/models/trial"): ("/models/trial", {"version": 2, "mode": "shadow"}, "challenger"),
    ("DELETE", "/models/trial"): ("/models/trial", None, "challenger"),
    ("PUT", "/models/aliases/{alias}"): ("/models/aliases/challenger", {"version": 1}, "challenger"),
    ("DELETE", "/models/aliases/challenger"): ("/models/aliases/challenger", None, "challenger"),
    ("DELETE", "/models/waiting/{version}"): ("/models/waiting/{waiting}", None, ""),
}


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Change things through each door and each use case; then edit the log behind the product's back."""
    ws = opened(small_workspace(folder / "home"))
    digest = audit.digest
    if broken:
        # A hash over less than all that an entry says.
        audit.digest = lambda *told, **named: digest(*_less(*told, **named))
        _written_anew(ws)
    try:
        changes, faults = _traced(ws)
        faults += _sealed(ws)
        edits, unseen = _edited(ws, size.choose(1_000, 100))
    finally:
        audit.digest = digest
        ws.close()
    figure = f"{changes} kinds of changes, {len(faults)} without a trace; {edits} edits, {len(unseen)} not found"
    if broken and not unseen:
        return Outcome(figure)
    return Outcome(figure, (*faults, *unseen))


def _less(
    number: int, at: datetime, actor: str, action: str, subject: str, details: Any, previous: str
) -> tuple[Any, ...]:
    """Return what an entry says without what was done, to what, and how."""
    del action, subject, details
    return number, at, actor, "", "", {}, previous


def _traced(ws: Workspace) -> tuple[int, list[str]]:
    """Change things; return how many kinds of changes, and which left no trace in their transaction."""
    faults: list[str] = []
    changes = _changes(ws)
    with _watched(ws, faults):
        for name, actor, change in changes:
            before = _last(ws)
            change()
            with ws.database.read() as connection:
                made = connection.execute(
                    select(tables.audit.c.actor, tables.audit.c.action).where(tables.audit.c.number > before)
                ).all()
            if not made:
                faults.append(f"{name} left no entry in the log")
            faults += [
                f"{name} was done by {actor}, and the log says {row.actor}" for row in made if row.actor != actor
            ]
    known = {(door.method, door.path) for door in doors(Endpoints(Traffic())) if door.right in ("manage", "decide")}
    changing = {(method, path) for method, path in known if method != "GET"}
    faults += [f"nothing here tries {method} {path}" for method, path in sorted(changing - EXAMPLES.keys())]
    return len(changes), faults


def _changes(ws: Workspace) -> list[tuple[str, str, Callable[[], object]]]:
    """Return what changes something: its name, who does it, and how."""
    client = TestClient(create_app(ws), base_url="http://127.0.0.1", client=("127.0.0.1", 4711))
    rows = [int(row) for row in ws.inbox.table(1).rows]

    odd = payments(40, seed=4).assign(amount=1e6)
    waiting = updating.update_rows(ws, odd.to_dict("records"), actor="ada").version
    assert [one.version for one in held.waiting_versions(ws)] == [waiting]

    def through(method: str, path: str, body: dict[str, Any] | None, alias: str) -> Callable[[], object]:
        def call() -> None:
            seen = client.get(f"/models/aliases/{alias}").headers.get("etag", '"0"') if alias else None
            answer = client.request(
                method,
                path.format(case=f"1-{rows[0]}", waiting=waiting),
                json=body,
                headers={} if seen is None else {"If-Match": seen},
            )
            assert answer.status_code < 300, answer.text

        return call

    def job(kind: jobs.JobKind, arguments: Callable[[], dict[str, Any]]) -> Callable[[], object]:
        def work() -> None:
            found = jobs.wait_for_job(ws, jobs.submit(ws, kind, arguments(), actor="ada").id, 60)
            assert found.state == "done", found

        return work

    def upload() -> str:
        content = payments(60, seed=_last(ws)).to_csv(index=False).encode()
        return uploads.receive(ws, "april.csv", content, actor="ada").id

    def acknowledge() -> object:
        return handling.acknowledge(ws, handling.open_alerts(ws)[0].number, actor="ada")

    def move() -> object:
        alias = ws.registry.alias(CHAMPION)
        assert alias is not None
        return updating.roll_back(ws, 1 if alias.version != 1 else 2, actor="ada", reason="back")

    case = CaseId(1, rows[1])
    changes: list[tuple[str, str, Callable[[], object]]] = [
        (f"{method} {path}", LOCAL_API.name, through(method, *EXAMPLES[method, path])) for method, path in EXAMPLES
    ]
    return [
        (
            "an alert that is seen",
            "ada",
            lambda: handling.acknowledge(ws, handling.open_alerts(ws)[0].number, actor="ada"),
        ),
        *changes,
        (
            "the job that trains",
            "ada",
            job("train", lambda: {"upload_id": upload(), "parameters": {"n_estimators": 8}}),
        ),
        ("the job that scores", "ada", job("score", lambda: {"upload_id": upload()})),
        ("the job that fills the queue", "ada", job("queue", lambda: {"run_id": 1, "rows": 30})),
        ("a rollback", "ada", move),
        ("the cutoff", "ada", lambda: ws.set_cutoff(97.0, actor="ada", reason="fewer")),
        ("a note", "ada", lambda: deciding.add_note(ws, case, "look", actor="ada")),
        ("an escalation", "ada", lambda: deciding.escalate(ws, [case], actor="ada")),
        ("a key", "ada", lambda: keys.create_key(ws, "till 7", "service", actor="ada")),
        ("the end of a key", "ada", lambda: keys.revoke_key(ws, keys.list_keys(ws, actor="ada")[0].id, actor="ada")),
        ("a webhook", "ada", lambda: webhooks.add_webhook(ws, "desk", "https://example.org/", actor="ada")),
        ("a decision", "ada", lambda: deciding.decide(ws, [case], "unclear", "waiting", actor="ada")),
    ]


@contextmanager
def _watched(ws: Workspace, faults: list[str]) -> Iterator[None]:
    """Hold every transaction in this block to it: what writes to a table that tells what people did adds an entry."""
    written: dict[int, set[str]] = {}

    def note(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if (found := _WRITES.match(statement)) is not None:
            written.setdefault(id(connection.connection.dbapi_connection), set()).add(found[1])

    def commit(connection: Connection) -> None:
        changed = written.pop(id(connection.connection.dbapi_connection), set())
        people_did = changed - _NO_CHANGE
        if people_did and "audit" not in changed:
            faults.append(f"a transaction changed {', '.join(sorted(people_did))} and left no entry in the log")

    def forget(connection: Connection) -> None:
        written.pop(id(connection.connection.dbapi_connection), None)

    listeners = (("before_cursor_execute", note), ("commit", commit), ("rollback", forget))
    for name, listener in listeners:
        event.listen(ws.database.engine, name, listener)
    try:
        yield
    finally:
        for name, listener in listeners:
            event.remove(ws.database.engine, name, listener)


def _sealed(ws: Workspace) -> list[str]:
    """Return what is wrong when the log is edited through the front door, and when a change is rolled back."""
    faults = []
    for statement in ("UPDATE audit SET actor = 'eve' WHERE number = 1", "DELETE FROM audit WHERE number = 1"):
        try:
            with ws.database.write() as connection:
                connection.execute(text(statement))
            faults.append(f"nobody refused {statement}")
        except DatabaseError:
            pass
    before = _last(ws)
    try:
        with ws.database.write() as connection:
            audit.record(connection, actor="ada", action="cutoff set", subject="cutoff")
            raise KeyError
    except KeyError:
        pass
    with ws.database.read() as connection:
        if _last(ws) != before or audit.head(connection).number != before:
            faults.append("a change that was rolled back left an entry in the log")
        if (broken := audit.follow(connection).broken) is not None:
            faults.append(broken)
    return faults


def _edited(ws: Workspace, edits: int) -> tuple[int, list[str]]:
    """Edit the log behind the triggers, each time in another way; return how often, and which edits nobody found."""
    seed, unseen = random.Random(9), list[str]()  # noqa: S311 - nothing is secret here
    entries = _last(ws)
    for number in range(edits):
        kind = (_change, _remove, _insert, _swap, _cut_off)[number % 5]
        # Rolled back each time: the log is whole again.
        with ws.database.engine.connect() as connection, connection.begin() as transaction:
            for name in ("update", "delete"):
                connection.execute(text(f"DROP TRIGGER audit_no_{name}"))
            told = kind(connection, seed, entries)
            if audit.follow(connection).broken is None:
                unseen.append(f"nobody found that somebody {told}")
            transaction.rollback()
    return edits, unseen


def _change(connection: Connection, seed: random.Random, entries: int) -> str:
    number, log = seed.randint(1, entries), tables.audit
    row = connection.execute(select(log).where(log.c.number == number)).mappings().one()
    name = seed.choice(("at", "actor", "action", "subject", "details", "details", "previous", "hash"))
    other: Any = {
        "at": row["at"] + timedelta(microseconds=seed.choice((-1, 1, 10**9))),
        "details": {**row["details"], seed.choice((*row["details"], "more")): seed.random()},
    }.get(name, f"{row[name]}x"[-64:])
    connection.execute(update(log).where(log.c.number == number).values({name: other}))
    return f"changed the {name} of entry {number}"


def _remove(connection: Connection, seed: random.Random, entries: int) -> str:
    number = seed.randint(1, entries)
    connection.execute(tables.audit.delete().where(tables.audit.c.number == number))
    return f"removed entry {number}"


def _insert(connection: Connection, seed: random.Random, entries: int) -> str:
    log = tables.audit
    number = seed.randint(1, entries)
    row = dict(connection.execute(select(log).where(log.c.number == number)).mappings().one())
    # As good as it gets without the hash of what follows: a copy, properly hashed, behind the last one.
    last = connection.execute(select(log.c.hash).where(log.c.number == entries)).scalar_one()
    row |= {"number": entries + 1, "previous": last, "actor": "eve"}
    row["hash"] = audit.digest(**{name: row[name] for name in row if name != "hash"})
    connection.execute(insert(log).values(**row))
    return f"added a copy of entry {number} at the end"


def _swap(connection: Connection, seed: random.Random, entries: int) -> str:
    one, other = seed.sample(range(1, entries + 1), 2)
    log = tables.audit
    for before, after in ((one, -1), (other, one), (-1, other)):
        connection.execute(update(log).where(log.c.number == before).values(number=after))
    return f"swapped the entries {one} and {other}"


def _cut_off(connection: Connection, seed: random.Random, entries: int) -> str:
    first = seed.randint(max(1, entries - 5), entries)
    connection.execute(tables.audit.delete().where(tables.audit.c.number >= first))
    return f"cut off the end from entry {first} on"


def _written_anew(ws: Workspace) -> None:
    """Write the log anew with the present hash, so that it is whole for it."""
    with ws.database.engine.connect() as connection, connection.begin():
        log, before = tables.audit, audit.FIRST
        triggers = connection.execute(
            text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'")
        ).all()
        for name, _ in triggers:
            connection.execute(text(f"DROP TRIGGER {name}"))
        for row in connection.execute(select(log).order_by(log.c.number)).mappings().all():
            told = {name: row[name] for name in ("number", "at", "actor", "action", "subject", "details")}
            own = audit.digest(**told, previous=before)
            connection.execute(update(log).where(log.c.number == row["number"]).values(previous=before, hash=own))
            before = own
        connection.execute(update(tables.audit_head).values(hash=before))
        for _, statement in triggers:
            connection.execute(text(statement))


def _last(ws: Workspace) -> int:
    with ws.database.read() as connection:
        return connection.scalar(select(func.max(tables.audit.c.number))) or 0


PROMISE = Promise(
    name="P9",
    says="every change leaves a trace",
    asked="each changing door and use case adds an entry in its transaction, with actor; 100 random edits, all found",
    breaks="the hash of an entry leaves out what was done to what, and its details",
    check=check,
)
