"""Changing cases: several at once, in one transaction with their timelines and the log, or not at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, and_, delete, insert, or_, select, update

from detector.errors import ConflictError, InputError
from detector.service.access import needs
from detector.service.review.case_ids import CaseId
from detector.service.review.inbox import CaseState, CaseTable, Outcome
from detector.service.workspace import Workspace
from detector.store import audit, tables

#: Most cases that change together.
MOST_AT_ONCE = 10_000
#: Characters of a note.
NOTE_LENGTH = 4_000
#: What is looked up in one statement; SQLite takes some thousand values.
_AT_ONCE = 500

#: What was done, as the log tells it.
WORDS = {
    "decided": "decided",
    "escalated": "escalated",
    "snoozed": "snoozed",
    "assigned": "assigned",
    "reopened": "opened again",
    "noted": "noted on",
    "undone": "taken back",
}
_KEPT = ("status", "assignee", "snoozed_until", "decision", "revision", "changed_at", "changed_by")


@dataclass(frozen=True)
class Change:
    """Something that was done to cases, all at once; ``batch`` names it. ``amount``: the sum over its cases.

    ``outcome``: what they were decided to be, ``None`` where nothing was decided.
    """

    batch: str
    action: str
    cases: tuple[CaseId, ...]
    amount: float | None
    at: datetime
    actor: str
    outcome: Outcome | None = None


Places = Mapping[CaseId, tuple[CaseTable, int]]
States = Mapping[CaseId, CaseState]
#: Given the transaction, the change, where its cases lie and how they are now, writes what else belongs to it and
#: returns how they are from now on.
After = Callable[[Connection, Change, Places, States], States]


@needs("decide")
def change_cases(
    ws: Workspace,
    cases: Sequence[CaseId],
    action: str,
    after: After,
    *,
    actor: str,
    note: str = "",
    seen: Mapping[CaseId, int] | None = None,
    mind_locks: bool = True,
    outcome: Outcome | None = None,
    also: Callable[[Connection, Change, States], None] | None = None,
    **details: Any,
) -> Change:
    """Change cases, all of them or none.

    Parameters
    ----------
    action : one of :data:`WORDS`. A note leaves the cases, and their revisions, as they are.
    seen : the revision of each case that the change was decided on.
    mind_locks : whether a case that somebody else is looking at refuses the change.
    also : what else stands or falls with the change; called with the transaction and how the cases are from now on.
    details : what the log keeps beside who, what and how many.

    Raises
    ------
    InputError
        When there are no cases or too many, or the note is too long.
    NotFoundError
        When a case is not in the queue.
    ConflictError
        When a case has changed since it was seen, or somebody else is looking at it.
    """
    chosen = tuple(dict.fromkeys(cases))
    if not 1 <= len(chosen) <= MOST_AT_ONCE:
        raise InputError(f"Between 1 and {MOST_AT_ONCE:,} cases change at once, not {len(chosen):,}.")
    if len(note) > NOTE_LENGTH:
        raise InputError(f"A note has at most {NOTE_LENGTH:,} characters, not {len(note):,}.")
    places = ws.inbox.places(chosen)
    amounts = [amount for amount in map(amount_at, places.values()) if amount is not None]
    amount = math.fsum(amounts) if amounts else None
    change = Change(uuid4().hex, action, chosen, amount, datetime.now(UTC), actor, outcome)
    with ws.database.write() as connection:
        before = _states(connection, chosen)
        _must_be_as_seen(before, seen)
        if mind_locks:
            _must_be_free(connection, change)
        states = after(connection, change, places, before)
        if action != "noted":
            states = _moved_on(states, before, change)
            _write(connection, states)
        connection.execute(insert(tables.case_events), [
            {
                "run": case.run, "row": case.row, "batch": change.batch, "at": change.at, "actor": actor,
                "action": action, "before": plain(before[case]), "after": plain(state), "note": note.strip(),
            }
            for case, state in states.items()
        ])  # fmt: skip
        subject = f"case {chosen[0]}" if len(chosen) == 1 else f"{len(chosen)} cases"
        audit.record(
            connection, actor=actor, action=f"cases {WORDS[action]}", subject=subject, did=action, batch=change.batch,
            count=len(chosen), amount=amount, **({"outcome": outcome} if outcome else {}), **details,
        )  # fmt: skip
        if also is not None:
            also(connection, change, states)
    return change


def _moved_on(states: States, before: States, change: Change) -> States:
    return {
        case: replace(state, revision=before[case].revision + 1, changed_at=change.at, changed_by=change.actor)
        for case, state in states.items()
    }


def _write(connection: Connection, states: States) -> None:
    for some in pieces(list(states)):
        connection.execute(delete(tables.cases).where(among(tables.cases, some)))
    connection.execute(insert(tables.cases), [
        {"run": case.run, "row": case.row} | {name: getattr(state, name) for name in _KEPT}
        for case, state in states.items()
    ])  # fmt: skip


def end_decisions(connection: Connection, decisions: Iterable[int | None], change: Change) -> None:
    """Take decisions back: they stay, with who ended them and when."""
    _update_decisions(connection, decisions, ended_at=change.at, ended_by=change.actor)


def renew_decisions(connection: Connection, decisions: Iterable[int | None]) -> None:
    """Put decisions in force that were ended."""
    _update_decisions(connection, decisions, ended_at=None, ended_by=None)


def _update_decisions(connection: Connection, decisions: Iterable[int | None], **values: Any) -> None:
    numbers = [number for number in decisions if number is not None]
    for i in range(0, len(numbers), _AT_ONCE):
        some = tables.decisions.c.number.in_(numbers[i : i + _AT_ONCE])
        connection.execute(update(tables.decisions).where(some).values(**values))


def plain(state: CaseState) -> dict[str, Any]:
    """Return the state as plain values, for a timeline."""
    values = asdict(state)
    return values | {name: values[name] and values[name].isoformat() for name in ("snoozed_until", "changed_at")}


def from_plain(values: Mapping[str, Any]) -> CaseState:
    """Return the state that a timeline holds."""
    moments = {name: values[name] and datetime.fromisoformat(values[name]) for name in ("snoozed_until", "changed_at")}
    return CaseState(**{**values, **moments})


def amount_at(place: tuple[CaseTable, int]) -> float | None:
    """Return the amount of a case, ``None`` without one."""
    table, position = place
    value = float(table.amounts[position])
    return None if math.isnan(value) else value


def _states(connection: Connection, cases: Sequence[CaseId]) -> dict[CaseId, CaseState]:
    query = select(tables.cases, tables.decisions.c.outcome, tables.decisions.c.reason).join_from(
        tables.cases, tables.decisions, tables.cases.c.decision == tables.decisions.c.number, isouter=True
    )
    states = dict.fromkeys(cases, CaseState())
    for some in pieces(cases):
        for row in connection.execute(query.where(among(tables.cases, some))).mappings():
            found = {name: row[name] for name in CaseState.__dataclass_fields__}
            states[CaseId(row["run"], row["row"])] = CaseState(**found)
    return states


def _must_be_as_seen(states: States, seen: Mapping[CaseId, int] | None) -> None:
    moved = [case for case, revision in (seen or {}).items() if case in states and states[case].revision != revision]
    if moved:
        state, others = states[moved[0]], f", and {len(moved) - 1} more" if len(moved) > 1 else ""
        raise ConflictError(
            f"Case {moved[0]} has changed since{others}: {state.changed_by} left it "
            f"{f'decided as {state.outcome}' if state.outcome else state.status}. Nothing was changed; look again.",
            cases=[str(case) for case in moved[:20]],
            revision=state.revision,
        )


def _must_be_free(connection: Connection, change: Change) -> None:
    locks = tables.case_locks
    free = (locks.c.holder == change.actor) | (locks.c.until <= change.at)
    for some in pieces(change.cases):
        query = select(locks).where(among(locks, some), ~free).limit(1)
        held = connection.execute(query).mappings().one_or_none()
        if held is not None:
            case = CaseId(held["run"], held["row"])
            raise ConflictError(
                f"{held['holder']} is looking at case {case} until {held['until']:%H:%M} UTC. "
                "Wait, or take it over on its page.",
                case=str(case),
                holder=held["holder"],
            )


def pieces(cases: Sequence[CaseId]) -> list[Sequence[CaseId]]:
    """Return the cases in parts, each small enough for one statement."""
    return [cases[i : i + _AT_ONCE] for i in range(0, len(cases), _AT_ONCE)]


def among(table: Any, cases: Sequence[CaseId]) -> Any:
    """Return the condition that a row of ``table`` is of one of the cases."""
    by_run: dict[int, list[int]] = {}
    for case in cases:
        by_run.setdefault(case.run, []).append(case.row)
    return or_(*(and_(table.c.run == run, table.c.row.in_(rows)) for run, rows in by_run.items()))
