from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from detector.errors import ConflictError, InputError, NotFoundError
from detector.service.review import cases, deciding, locking, queue
from detector.service.review.case_ids import CaseId
from detector.service.review.deciding import REASONS
from detector.service.review.filters import Filters
from detector.service.review.inbox import CaseState
from detector.service.workspace import Workspace
from detector.store import audit, tables


def some_cases(ws: Workspace, number: int) -> list[CaseId]:
    return list(queue.matching(ws, Filters(view="all"), actor="ada", limit=number))


def state(ws: Workspace, case: CaseId) -> CaseState:
    return cases.get_case(ws, case).state


def bare_states(ws: Workspace, chosen: list[CaseId]) -> list[CaseState]:
    """Return the states as lists of cases show them, without reading the cases themselves."""
    return [bare(table.state(position)) for table, position in ws.inbox.places(chosen).values()]


def bare(found: CaseState) -> CaseState:
    """Return a state without what tells who touched it last, and how often."""
    return replace(found, revision=0, changed_at=None, changed_by=None)


def in_force(ws: Workspace) -> int:
    query = select(func.count()).select_from(tables.decisions).where(tables.decisions.c.ended_at.is_(None))
    with ws.database.read() as connection:
        return int(connection.scalar(query) or 0)


def tomorrow() -> datetime:
    return datetime.now(UTC) + timedelta(days=1)


def test_a_decision_is_kept_with_what_was_known_when_it_was_made(queued: Workspace) -> None:
    (case,) = some_cases(queued, 1)
    change = deciding.decide(queued, [case], "fraud", "stolen_card", actor="ada", note=" called her ", seconds=4.0)
    found = cases.get_case(queued, case)
    assert (found.state.status, found.state.outcome, found.state.reason) == ("decided", "fraud", "stolen_card")
    assert (found.state.revision, found.state.changed_by) == (1, "ada")
    assert [(event.told, event.note) for event in found.timeline] == [
        ("decided: fraud, stolen card or card data", "called her")
    ]
    with queued.database.read() as connection:
        (made,) = connection.execute(select(tables.decisions)).mappings()
        entry = audit.entries(connection, limit=1)[0]
    assert (made["seconds"], made["version"], made["made_by"], made["batch"]) == (4.0, 1, "ada", change.batch)
    assert (made["severity"], made["amount"]) == (found.severity, found.amount)
    assert (entry.action, entry.subject, entry.details["outcome"]) == ("cases decided", f"case {case}", "fraud")


def test_many_are_decided_at_once_with_their_sum(queued: Workspace) -> None:
    chosen = some_cases(queued, 40)
    change = deciding.decide(queued, chosen, "legitimate", "known_pattern", actor="ada", seconds=9.0)
    assert (len(change.cases), change.outcome) == (40, "legitimate")
    assert change.amount == pytest.approx(queue.amount_of(queued, chosen))
    assert queue.view_counts(queued, actor="ada")["decided"] == 40
    with queued.database.read() as connection:
        assert set(connection.scalars(select(tables.decisions.c.seconds))) == {None}


def test_a_second_decision_replaces_the_first_which_stays_in_the_timeline(queued: Workspace) -> None:
    (case,) = some_cases(queued, 1)
    deciding.decide(queued, [case], "fraud", "stolen_card", actor="ada")
    deciding.decide(queued, [case], "unclear", "waiting", actor="bob")
    found = cases.get_case(queued, case)
    assert (found.state.outcome, found.state.revision, len(found.timeline)) == ("unclear", 2, 2)
    assert in_force(queued) == 1


@pytest.mark.parametrize(("outcome", "reason"), [("guilty", "stolen_card"), ("fraud", "data_error"), ("fraud", "")])
def test_an_unknown_outcome_or_reason_is_refused(queued: Workspace, outcome: Any, reason: str) -> None:
    with pytest.raises(InputError):
        deciding.decide(queued, some_cases(queued, 1), outcome, reason, actor="ada")
    assert in_force(queued) == 0


def test_nothing_changes_when_one_case_is_not_in_the_queue(queued: Workspace) -> None:
    with pytest.raises(NotFoundError, match="Case 9-9 is not in the queue"):
        deciding.decide(queued, [*some_cases(queued, 1), CaseId(9, 9)], "fraud", "stolen_card", actor="ada")
    assert in_force(queued) == 0


def test_no_cases_and_too_many_are_refused(queued: Workspace) -> None:
    with pytest.raises(InputError, match="Between 1 and 10,000 cases"):
        deciding.assign(queued, [], "bob", actor="ada")
    with pytest.raises(InputError, match="not 10,001"):
        deciding.assign(queued, [CaseId(1, row) for row in range(10_001)], "bob", actor="ada")


def test_what_moved_on_since_it_was_seen_is_not_overwritten(queued: Workspace) -> None:
    first, second = some_cases(queued, 2)
    deciding.decide(queued, [first], "fraud", "stolen_card", actor="bob", seen={first: 0})
    with pytest.raises(ConflictError, match=f"Case {first} has changed since: bob left it decided as fraud"):
        deciding.decide(queued, [first, second], "legitimate", "data_error", actor="ada", seen={first: 0, second: 0})
    assert (state(queued, first).outcome, state(queued, second).outcome) == ("fraud", None)


def test_of_two_who_decide_at_the_same_moment_one_wins_and_the_other_is_told(queued: Workspace) -> None:
    (case,) = some_cases(queued, 1)
    for turn in range(10):
        both, revision = Barrier(2), state(queued, case).revision

        def decide(actor: str, both: Barrier = both, revision: int = revision) -> str:
            both.wait()
            try:
                deciding.decide(queued, [case], "fraud", "stolen_card", actor=actor, seen={case: revision})
            except ConflictError as error:
                return str(error)
            return "won"

        with ThreadPoolExecutor(2) as pool:
            told = list(pool.map(decide, ["ada", "bob"]))
        assert sorted(word == "won" for word in told) == [False, True]
        winner = ["ada", "bob"][told.index("won")]
        assert any(f"{winner} left it decided as fraud" in word for word in told)
        assert (state(queued, case).changed_by, state(queued, case).revision) == (winner, turn + 1)
        assert in_force(queued) == 1


def test_a_case_that_somebody_looks_at_is_not_changed_by_others(queued: Workspace) -> None:
    chosen = some_cases(queued, 3)
    locking.hold(queued, chosen[1], actor="bob")
    with pytest.raises(ConflictError, match=f"bob is looking at case {chosen[1]}"):
        deciding.decide(queued, chosen, "fraud", "stolen_card", actor="ada")
    assert in_force(queued) == 0
    deciding.add_note(queued, chosen[1], "mine too", actor="ada")
    deciding.decide(queued, chosen, "fraud", "stolen_card", actor="bob")


def test_snooze_escalate_assign_and_reopen_say_so_in_the_timeline(queued: Workspace) -> None:
    (case,) = some_cases(queued, 1)
    until = tomorrow()
    deciding.snooze(queued, [case], until, actor="ada")
    assert (state(queued, case).status, state(queued, case).snoozed_until) == ("snoozed", until)
    deciding.escalate(queued, [case], actor="ada", to="bob")
    assert (state(queued, case).status, state(queued, case).snoozed_until) == ("escalated", None)
    deciding.decide(queued, [case], "fraud", "other_fraud", actor="bob")
    deciding.reopen(queued, [case], actor="bob")
    deciding.assign(queued, [case], None, actor="ada")
    assert bare(state(queued, case)) == CaseState()
    assert in_force(queued) == 0
    assert [event.told for event in cases.get_case(queued, case).timeline] == [
        f"put away until {until:%Y-%m-%d %H:%M} UTC",
        "escalated to bob",
        "decided: fraud, other fraud",
        "opened again",
        "given to nobody",
    ]


def test_a_case_is_not_put_away_until_the_past(queued: Workspace) -> None:
    with pytest.raises(InputError, match="still to come"):
        deciding.snooze(queued, some_cases(queued, 1), datetime.now(UTC), actor="ada")


def test_a_note_is_added_and_changes_nothing_else(queued: Workspace) -> None:
    (case,) = some_cases(queued, 1)
    deciding.decide(queued, [case], "fraud", "stolen_card", actor="ada")
    before = state(queued, case)
    deciding.add_note(queued, case, " spoke to the bank ", actor="bob")
    assert state(queued, case) == before
    assert [event.note for event in cases.get_case(queued, case).timeline] == ["", "spoke to the bank"]
    deciding.decide(queued, [case], "unclear", "waiting", actor="ada", seen={case: before.revision})


@pytest.mark.parametrize("text", ["", "  \n", "x" * 4_001])
def test_an_empty_or_endless_note_is_refused(queued: Workspace, text: str) -> None:
    with pytest.raises(InputError):
        deciding.add_note(queued, some_cases(queued, 1)[0], text, actor="ada")


def test_undo_restores_exactly_what_was(queued: Workspace) -> None:
    first, second, third = some_cases(queued, 3)
    deciding.decide(queued, [first], "fraud", "stolen_card", actor="bob")
    deciding.snooze(queued, [second], tomorrow(), actor="bob")
    before = [bare(state(queued, case)) for case in (first, second, third)]
    change = deciding.decide(queued, [first, second, third], "legitimate", "known_pattern", actor="ada")
    deciding.undo(queued, change.batch, actor="ada")
    assert [bare(state(queued, case)) for case in (first, second, third)] == before
    assert in_force(queued) == 1
    assert cases.get_case(queued, first).timeline[-1].told == "took the last step back: fraud again"


def test_what_somebody_changed_since_cannot_be_undone(queued: Workspace) -> None:
    first, second = some_cases(queued, 2)
    change = deciding.decide(queued, [first, second], "fraud", "stolen_card", actor="ada")
    deciding.assign(queued, [second], "bob", actor="bob")
    with pytest.raises(ConflictError, match=f"Case {second} has changed since, by bob"):
        deciding.undo(queued, change.batch, actor="ada")
    assert state(queued, first).outcome == "fraud"


def test_a_change_is_undone_once(queued: Workspace) -> None:
    change = deciding.decide(queued, some_cases(queued, 1), "fraud", "stolen_card", actor="ada")
    undone = deciding.undo(queued, change.batch, actor="ada")
    for batch in (change.batch, undone.batch):
        with pytest.raises(ConflictError):
            deciding.undo(queued, batch, actor="ada")
    with pytest.raises(NotFoundError):
        deciding.undo(queued, "nothing", actor="ada")


def test_a_note_does_not_stand_in_the_way_of_an_undo(queued: Workspace) -> None:
    (case,) = some_cases(queued, 1)
    change = deciding.decide(queued, [case], "fraud", "stolen_card", actor="ada")
    deciding.add_note(queued, case, "hm", actor="bob")
    deciding.undo(queued, change.batch, actor="ada")
    assert bare(state(queued, case)) == CaseState()


def test_the_last_change_is_ones_own_and_can_be_taken_back(queued: Workspace) -> None:
    first, second = some_cases(queued, 2)
    assert deciding.last_change(queued, "ada") is None
    one = deciding.decide(queued, [first], "fraud", "stolen_card", actor="ada")
    two = deciding.escalate(queued, [first, second], actor="ada")
    deciding.add_note(queued, first, "hm", actor="ada")
    last = deciding.last_change(queued, "ada")
    assert last is not None
    assert (last.batch, last.action, last.cases, last.case, last.outcome) == (two.batch, "escalated", 2, None, None)
    deciding.undo(queued, two.batch, actor="bob")
    last = deciding.last_change(queued, "ada")
    assert last is not None
    assert (last.batch, last.case, last.outcome, last.amount) == (one.batch, first, "fraud", one.amount)
    deciding.undo(queued, one.batch, actor="ada")
    assert deciding.last_change(queued, "ada") is None
    assert deciding.last_change(queued, "bob") is None


def test_every_reason_has_words_and_a_code_that_fits(queued: Workspace) -> None:
    for reasons in REASONS.values():
        assert all(len(code) <= 60 and words for code, words in reasons.items())


Act = Callable[[Workspace, list[CaseId], str], deciding.Change]
ACTS: list[Act] = [
    lambda ws, chosen, actor: deciding.decide(ws, chosen, "fraud", "stolen_card", actor=actor),
    lambda ws, chosen, actor: deciding.decide(ws, chosen, "legitimate", "data_error", actor=actor),
    lambda ws, chosen, actor: deciding.escalate(ws, chosen, actor=actor, to="bob"),
    lambda ws, chosen, actor: deciding.snooze(ws, chosen, tomorrow(), actor=actor),
    lambda ws, chosen, actor: deciding.assign(ws, chosen, "cleo", actor=actor),
    lambda ws, chosen, actor: deciding.reopen(ws, chosen, actor=actor),
]
steps = st.lists(
    st.tuples(st.integers(0, len(ACTS) - 1), st.sets(st.integers(0, 3), min_size=1), st.sampled_from(["ada", "bob"])),
    max_size=8,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_undoing_everything_last_one_first_restores_the_beginning(
    queued: Workspace, taken: list[tuple[int, set[int], str]]
) -> None:
    pool = some_cases(queued, 4)
    states, batches = [bare_states(queued, pool)], []
    for act, places, actor in taken:
        batches.append(ACTS[act](queued, [pool[place] for place in sorted(places)], actor).batch)
        states.append(bare_states(queued, pool))
    for batch in reversed(batches):
        assert bare_states(queued, pool) == states.pop()
        deciding.undo(queued, batch, actor="ada")
    assert bare_states(queued, pool) == states.pop() == [CaseState()] * 4
    assert [bare(state(queued, case)) for case in pool] == [CaseState()] * 4
    assert in_force(queued) == 0
