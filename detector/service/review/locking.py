"""Soft locks: who is looking at a case, so that two people do not work on one. They expire by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, insert, select

from detector.service.access import needs
from detector.service.review.case_ids import CaseId
from detector.service.workspace import Workspace
from detector.store import audit, tables

#: How long a lock holds after its holder last looked.
HELD = timedelta(minutes=5)


@dataclass(frozen=True)
class Lock:
    """``holder`` is looking at a case, and nobody else decides it before ``until``."""

    case: CaseId
    holder: str
    until: datetime


@needs("decide")
def hold(ws: Workspace, case: CaseId, *, actor: str, take_over: bool = False) -> Lock:
    """Hold a case for ``actor`` for five minutes from now, and return who holds it: somebody else may.

    With ``take_over`` a lock of somebody else ends, and the log says so.
    """
    locks, now = tables.case_locks, datetime.now(UTC)
    mine = (locks.c.run == case.run, locks.c.row == case.row)
    with ws.database.write() as connection:
        held = connection.execute(select(locks.c.holder, locks.c.until).where(*mine)).one_or_none()
        others = held is not None and held.holder != actor and held.until > now
        if held is not None and others and not take_over:
            return Lock(case, held.holder, held.until)
        lock = Lock(case, actor, now + HELD)
        connection.execute(delete(locks).where(*mine))
        # Whoever opens a case lets go of the one before.
        connection.execute(delete(locks).where((locks.c.holder == actor) | (locks.c.until < now)))
        connection.execute(insert(locks).values(run=case.run, row=case.row, holder=actor, until=lock.until))
        if held is not None and others:
            audit.record(connection, actor=actor, action="case taken over", subject=f"case {case}", held_by=held.holder)
    return lock


@needs("read")
def release(ws: Workspace, case: CaseId, *, actor: str) -> None:
    """Let go of a case that ``actor`` holds."""
    locks = tables.case_locks
    with ws.database.write() as connection:
        connection.execute(
            delete(locks).where(locks.c.run == case.run, locks.c.row == case.row, locks.c.holder == actor)
        )


@needs("read")
def held_by_others(ws: Workspace, actor: str) -> dict[CaseId, Lock]:
    """Return the cases that others are looking at now."""
    locks, now = tables.case_locks, datetime.now(UTC)
    with ws.database.read() as connection:
        found = connection.execute(select(locks).where(locks.c.holder != actor, locks.c.until > now)).mappings()
        cases = [(CaseId(row["run"], row["row"]), row) for row in found]
    return {case: Lock(case, row["holder"], row["until"]) for case, row in cases}
