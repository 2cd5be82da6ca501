from __future__ import annotations

from datetime import UTC, datetime, timedelta

from detector.service.exports import auditing
from detector.service.review import deciding, locking, queueing, reranking
from detector.service.versions import held, training, trying, updating
from detector.service.workspace import Workspace
from tests.service.conftest import PARAMETERS, transactions
from tests.service.reviewing import in_order, queued


def newest(ws: Workspace) -> str:
    """Return what the log says of the last change."""
    return auditing.audit_page(ws, limit=1).lines[0].words


def test_what_is_done_to_cases_is_told_in_words(ws: Workspace) -> None:
    table = queued(ws)
    one, two, *_ = in_order(ws)
    deciding.decide(ws, [one], "fraud", "stolen_card", actor="ada")
    assert newest(ws) == f"Case {one}: decided as fraud (stolen card)."
    deciding.undo(ws, deciding.last_change(ws, "ada").batch, actor="ada")
    assert newest(ws) == f"A change to case {one} was taken back."
    deciding.escalate(ws, [one], to="grace", actor="ada")
    assert newest(ws) == f"Case {one}: escalated to grace."
    until = datetime.now(UTC) + timedelta(days=1)
    deciding.snooze(ws, [two], until, actor="ada")
    assert newest(ws) == f"Case {two}: snoozed until {until:%Y-%m-%d %H:%M} UTC."
    deciding.add_note(ws, two, "calls back tomorrow", actor="ada")
    assert newest(ws) == f"A note was added to case {two}."
    deciding.reopen(ws, [one, two], actor="ada")
    assert newest(ws).startswith("2 cases: opened again; ")
    locking.hold(ws, one, actor="bob")
    locking.hold(ws, one, actor="ada", take_over=True)
    assert newest(ws) == f"Case {one} was taken over from bob."
    queueing.close_queue(ws, table.queue.run, actor="lead")
    assert newest(ws) == f"The cases of run {table.queue.run} left the queue."


def test_what_a_lead_does_is_told_in_words(ws: Workspace) -> None:
    table = queued(ws, rows=12)
    assert newest(ws) == f"12 rows of run {table.queue.run} went to the queue."
    reranking.set_learning(ws.database, False, actor="lead")
    assert newest(ws) == "The queue learns from decisions no more."
    reranking.set_learning(ws.database, True, actor="lead")
    assert newest(ws) == "The queue learns from decisions again."
    deciding.decide(ws, in_order(ws)[:2], "legitimate", "data_error", actor="ada")
    updating.teach(ws, actor="lead")
    told = [line.words for line in auditing.audit_page(ws, limit=2).lines]
    assert "Version 2 learned the decisions; it comes from version 1." in told


def test_what_becomes_of_challengers_and_of_updates_that_wait_is_told_in_words(ws: Workspace) -> None:
    training.train_rows(ws, transactions(), PARAMETERS, actor="ada")
    updating.update_rows(ws, transactions(60, seed=1), actor="ada")
    trial = trying.start_trial(ws, 1, mode="shadow", expected_revision=0, actor="eve")
    assert newest(ws) == "Version 1 sees live requests in shadow."
    trying.start_trial(ws, 1, mode="share", share=0.25, field="items", expected_revision=trial.revision, actor="eve")
    assert newest(ws) == "Version 1 answers 25.0% of the live requests, by items."
    night = transactions(60, seed=3).assign(amount=5_000.0, at="2026-03-04T03:15:00")
    updating.update_rows(ws, night, actor="api")
    assert newest(ws).startswith("Version 3 was held back and waits for a person. The champion flags 60 of the 60 rows")
    held.dismiss(ws, 3, actor="lead", reason="an attack")
    assert newest(ws) == "Version 3 is not wanted as champion. Reason: an attack."
