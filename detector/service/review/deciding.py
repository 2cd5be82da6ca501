"""What people do with cases: decide, escalate, snooze, assign, note, and take back.

Each change is one transaction that moves the cases, adds a line to the timeline of each, and one to the log. Several
cases change together or not at all. A change can say which revisions of the cases it was made on; when one of them has
moved on, nothing is changed and the caller is told who was first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select

from detector.errors import ConflictError, InputError, NotFoundError
from detector.service.access import needs
from detector.service.review.case_changes import (
    Change,
    Places,
    States,
    among,
    amount_at,
    change_cases,
    end_decisions,
    from_plain,
    pieces,
    renew_decisions,
)
from detector.service.review.case_ids import CaseId
from detector.service.review.inbox import OUTCOMES, CaseState, Outcome
from detector.service.workspace import Workspace
from detector.store import tables

__all__ = [
    "REASONS",
    "Change",
    "LastChange",
    "add_note",
    "assign",
    "decide",
    "escalate",
    "last_change",
    "reopen",
    "snooze",
    "undo",
]

#: Why a case was decided as it was, by outcome: code and words.
REASONS: Mapping[Outcome, Mapping[str, str]] = {
    "fraud": {
        "stolen_card": "Stolen card or card data",
        "account_takeover": "Account taken over",
        "card_testing": "Card testing",
        "false_identity": "False identity",
        "merchant_fraud": "Merchant is in it",
        "other_fraud": "Other fraud",
    },
    "legitimate": {
        "customer_confirmed": "Customer confirmed it",
        "usual_for_customer": "Usual for this customer",
        "known_pattern": "Known harmless pattern",
        "data_error": "Error in the data",
        "other_legitimate": "Other, legitimate",
    },
    "unclear": {
        "waiting": "Waiting for an answer",
        "not_enough": "Not enough to tell",
    },
}
#: Changes of one person among which the last one that can be taken back is looked for.
_LOOKED_AT = 50


@needs("decide")
def decide(
    ws: Workspace,
    cases: Sequence[CaseId],
    outcome: Outcome,
    reason: str,
    *,
    actor: str,
    note: str = "",
    seconds: float | None = None,
    seen: Mapping[CaseId, int] | None = None,
    also: Callable[[Connection, Change, States], None] | None = None,
) -> Change:
    """Say what cases are. An earlier decision on one of them is replaced, and stays in its timeline.

    Parameters
    ----------
    reason : a code of :data:`REASONS` for this outcome.
    seconds : how long a person looked, for one case.
    seen : the revision of each case that the decision was made on; what has moved on since is not overwritten.
    also : what else stands or falls with the decision; called with the transaction and how the cases are from now on.

    Raises
    ------
    InputError
        When outcome, reason, note or the number of cases is not one of those allowed.
    NotFoundError
        When a case is not in the queue.
    ConflictError
        When a case has changed since it was seen, or somebody else is looking at it. Nothing is changed.
    """
    if outcome not in OUTCOMES:
        raise InputError(f"A decision is {', '.join(OUTCOMES[:-1])} or {OUTCOMES[-1]}, not {outcome!r}.")
    if reason not in REASONS[outcome]:
        raise InputError(f"{reason!r} is no reason for {outcome}; there are {', '.join(REASONS[outcome])}.")

    def after(connection: Connection, change: Change, places: Places, before: States) -> States:
        end_decisions(connection, _decisions(before), change)
        made = [
            {
                "run": case.run,
                "row": case.row,
                "outcome": outcome,
                "reason": reason,
                "version": places[case][0].queue.version,
                "severity": float(places[case][0].severities[places[case][1]]),
                "amount": amount_at(places[case]),
                "seconds": seconds if len(change.cases) == 1 else None,
                "batch": change.batch,
                "made_at": change.at,
                "made_by": actor,
            }
            for case in change.cases
        ]
        query = insert(tables.decisions).returning(tables.decisions.c.number, sort_by_parameter_order=True)
        numbers = connection.execute(query, made).scalars().all()
        return {
            case: replace(
                before[case], status="decided", snoozed_until=None, outcome=outcome, reason=reason, decision=number
            )
            for case, number in zip(change.cases, numbers, strict=True)
        }

    return change_cases(
        ws, cases, "decided", after, actor=actor, note=note, seen=seen, outcome=outcome, also=also, reason=reason
    )


@needs("decide")
def escalate(
    ws: Workspace,
    cases: Sequence[CaseId],
    *,
    actor: str,
    to: str | None = None,
    note: str = "",
    seen: Mapping[CaseId, int] | None = None,
) -> Change:
    """Hand cases to somebody who knows more; raises as :func:`decide`."""
    after = _each(lambda state: replace(_undecided(state), status="escalated", assignee=to))
    return change_cases(ws, cases, "escalated", after, actor=actor, note=note, seen=seen, to=to)


@needs("decide")
def snooze(
    ws: Workspace,
    cases: Sequence[CaseId],
    until: datetime,
    *,
    actor: str,
    note: str = "",
    seen: Mapping[CaseId, int] | None = None,
) -> Change:
    """Put cases away until a time; raises as :func:`decide`, and ``InputError`` when the time is not to come."""
    if until <= datetime.now(UTC):
        raise InputError("A case is put away until a time that is still to come.")
    after = _each(lambda state: replace(_undecided(state), status="snoozed", snoozed_until=until))
    return change_cases(ws, cases, "snoozed", after, actor=actor, note=note, seen=seen, until=until.isoformat())


@needs("decide")
def assign(
    ws: Workspace,
    cases: Sequence[CaseId],
    assignee: str | None,
    *,
    actor: str,
    seen: Mapping[CaseId, int] | None = None,
) -> Change:
    """Give cases to a person, or to nobody; raises as :func:`decide`."""
    return change_cases(
        ws, cases, "assigned", _each(lambda state: replace(state, assignee=assignee), ends=False),
        actor=actor, seen=seen, to=assignee,
    )  # fmt: skip


@needs("decide")
def reopen(
    ws: Workspace, cases: Sequence[CaseId], *, actor: str, note: str = "", seen: Mapping[CaseId, int] | None = None
) -> Change:
    """Make cases open again: a decision is taken back, a snooze ends; raises as :func:`decide`."""
    return change_cases(ws, cases, "reopened", _each(_undecided), actor=actor, note=note, seen=seen)


@needs("decide")
def add_note(ws: Workspace, case: CaseId, text: str, *, actor: str) -> Change:
    """Add a note to the timeline of a case; raises ``NotFoundError``, and ``InputError`` for an empty or long one."""
    if not text.strip():
        raise InputError("An empty note says nothing.")
    after = _each(lambda state: state, ends=False)
    return change_cases(ws, [case], "noted", after, actor=actor, note=text, mind_locks=False)


@needs("decide")
def undo(ws: Workspace, batch: str, *, actor: str) -> Change:
    """Take a change back: every case of it is again as it was before, and so are the decisions in force.

    Several changes of one case are taken back last one first.

    Raises
    ------
    NotFoundError
        When there is no such change.
    ConflictError
        When one of its cases has changed since, or somebody else is looking at it. Nothing is changed.
    """
    events = tables.case_events
    with ws.database.read() as connection:
        found = connection.execute(select(events).where(events.c.batch == batch)).mappings().all()
    if not found:
        raise NotFoundError("There is no such change.", batch=batch)
    earlier = {CaseId(row["run"], row["row"]): from_plain(row["before"]) for row in found}

    def after(connection: Connection, change: Change, _: Places, before: States) -> States:
        for case, (last, by) in _last_changes(connection, list(earlier)).items():
            if last != batch:
                raise ConflictError(
                    f"Case {case} has changed since, by {by}. Nothing was taken back.", case=str(case), by=by
                )
        moved = [case for case in before if before[case].decision != earlier[case].decision]
        end_decisions(connection, (before[case].decision for case in moved), change)
        renew_decisions(connection, (earlier[case].decision for case in moved))
        return earlier

    return change_cases(ws, list(earlier), "undone", after, actor=actor, undone=batch)


@dataclass(frozen=True)
class LastChange:
    """A change that can be taken back. ``case``: the only one that it was about, ``None`` for several."""

    batch: str
    action: str
    cases: int
    case: CaseId | None
    amount: float | None
    outcome: Outcome | None
    at: datetime
    actor: str


@needs("read")
def last_change(ws: Workspace, actor: str) -> LastChange | None:
    """Return the newest change by ``actor`` that can be taken back, or ``None``.

    Notes cannot, nor what was taken back already, nor what somebody else has changed since.
    """
    events, logged = tables.case_events, tables.audit
    with ws.database.read() as connection:
        query = (
            select(logged.c.details, logged.c.at)
            .where(logged.c.actor == actor, logged.c.action.like("cases %"))
            .order_by(logged.c.number.desc())
            .limit(_LOOKED_AT)
        )
        for details, at in connection.execute(query).all():
            if details["did"] in ("undone", "noted"):
                continue
            # All cases of a change moved together, so that one of them tells for nearly all what became of it.
            first = connection.execute(
                select(events.c.run, events.c.row).where(events.c.batch == details["batch"]).limit(1)
            ).one()
            case = CaseId(first.run, first.row)
            if _last_changes(connection, [case])[case][0] == details["batch"]:
                return LastChange(
                    details["batch"], details["did"], details["count"], case if details["count"] == 1 else None,
                    details["amount"], details.get("outcome"), at, actor,
                )  # fmt: skip
    return None


def _last_changes(connection: Connection, cases: Sequence[CaseId]) -> dict[CaseId, tuple[str, str]]:
    """Return, for each case, the last change that was not taken back, and who made it; empty texts without one."""
    events = tables.case_events
    standing: dict[CaseId, list[tuple[str, str]]] = {case: [("", "")] for case in cases}
    for some in pieces(cases):
        query = (
            select(events.c.run, events.c.row, events.c.batch, events.c.actor, events.c.action)
            .where(among(events, some), events.c.action != "noted")
            .order_by(events.c.number)
        )
        for row in connection.execute(query):
            changes = standing[CaseId(row.run, row.row)]
            if row.action == "undone":
                # Only the last change can be taken back, so that is the one.
                changes.pop()
            else:
                changes.append((row.batch, row.actor))
    return {case: changes[-1] for case, changes in standing.items()}


def _each(
    change_of: Callable[[CaseState], CaseState], *, ends: bool = True
) -> Callable[[Connection, Change, Places, States], States]:
    """Return what changes each case by itself; ``ends`` its decision as well."""

    def after(connection: Connection, change: Change, _: Places, before: States) -> States:
        if ends:
            end_decisions(connection, _decisions(before), change)
        return {case: change_of(state) for case, state in before.items()}

    return after


def _decisions(states: States) -> Iterable[int | None]:
    return (state.decision for state in states.values())


def _undecided(state: CaseState) -> CaseState:
    return replace(state, status="open", snoozed_until=None, outcome=None, reason=None, decision=None)
