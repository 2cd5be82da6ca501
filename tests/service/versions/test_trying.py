from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from detector.errors import ConflictError, InputError, NotFoundError
from detector.service import scoring
from detector.service.versions import challenging, live_trial, training, trying, updating
from detector.service.versions.live_trial import LiveTrial
from detector.service.versions.training import TrainResult
from detector.service.versions.trial import TrialCounts
from detector.service.workspace import Workspace
from detector.store import audit
from tests.service.conftest import PARAMETERS, transactions

ROWS = transactions(40, seed=9).to_dict("records")


@pytest.fixture
def second(ws: Workspace, trained: TrainResult) -> int:
    """Version 2, trained on other rows, while version 1 is champion."""
    made = training.train_rows(ws, transactions(seed=5), PARAMETERS, actor="ada").version
    updating.roll_back(ws, 1, actor="ada", reason="test")
    return made


@pytest.fixture
def taking_part(ws: Workspace, second: int) -> Callable[[], LiveTrial]:
    """Return a function that lets the workspace take part in the trial that goes on, and waits until it does."""

    def take_part() -> LiveTrial:
        ws.take_part_in_trials()
        ws.current_champion()
        for thread in threading.enumerate():
            if thread.name == "challenger":
                thread.join()
        return ws.trial

    return take_part


def counted(ws: Workspace) -> TrialCounts:
    """Return what is counted once everything that waits has been scored."""
    ws.trial.score_waiting(threading.Event())
    ws.trial.write()
    state = trying.trial_state(ws)
    assert state is not None
    return state.counts


@pytest.fixture
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the queue to the test."""
    monkeypatch.setattr(LiveTrial, "_work", lambda self: None)


def start(ws: Workspace, version: int, mode: str = "shadow", **given: object) -> object:
    revision = trying.challenger_revision(ws)
    return trying.start_trial(ws, version, mode=mode, expected_revision=revision, actor="eve", **given)


def test_a_shadow_scores_what_the_champion_answers(
    ws: Workspace, second: int, taking_part: Callable[[], LiveTrial], no_worker: None
) -> None:
    start(ws, second)
    taking_part()
    for row in ROWS:
        champion, _, _ = scoring.score_rows(ws, row)
        assert champion.version == 1
    scoring.score_rows(ws, ROWS)
    found = counted(ws)
    one, other = (ws.detector(version) for version in (1, second))
    a, b = (
        np.concatenate([*(model.score(row).severities for row in ROWS), model.score(ROWS).severities])
        for model in (one, other)
    )
    assert found.agreement.rows == 80
    assert (found.agreement.champion, found.agreement.challenger) == (int((a > 90).sum()), int((b > 90).sum()))
    assert found.shift == pytest.approx(float(np.abs(a - b).sum()))
    assert found.champion.rows == found.challenger.rows == 80
    assert (found.answered, found.dropped, found.failed) == (0, 0, 0)


def test_processes_add_up_what_they_count(
    ws: Workspace, second: int, taking_part: Callable[[], LiveTrial], no_worker: None
) -> None:
    start(ws, second)
    taking_part()
    scoring.score_rows(ws, ROWS)
    first = counted(ws)
    scoring.score_rows(ws, ROWS)
    assert counted(ws) == first.plus(first)


def test_the_workers_counts_are_written_when_the_workspace_closes(
    open_workspace: Callable[..., Workspace], ws: Workspace, second: int, taking_part: Callable[[], LiveTrial]
) -> None:
    start(ws, second)
    taking_part()
    scoring.score_rows(ws, ROWS)
    ws.trial.close()
    state = trying.trial_state(ws)
    assert state is not None
    assert state.counts.agreement.rows + state.counts.dropped == 40


def test_what_does_not_fit_into_the_queue_is_counted_as_dropped(
    ws: Workspace,
    second: int,
    taking_part: Callable[[], LiveTrial],
    no_worker: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_trial, "MOST_WAITING", 50)
    start(ws, second)
    taking_part()
    for _ in range(3):
        scoring.score_rows(ws, ROWS)
    found = counted(ws)
    assert (found.agreement.rows, found.dropped) == (40, 80)
    scoring.score_rows(ws, ROWS)
    assert counted(ws).agreement.rows == 80


def test_a_challenger_that_raises_harms_no_answer(
    ws: Workspace,
    second: int,
    taking_part: Callable[[], LiveTrial],
    no_worker: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start(ws, second)
    taking_part()

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    assert ws.trial.running is not None
    monkeypatch.setattr(ws.trial.running.challenger.detector, "score", fail, raising=False)
    assert scoring.score_rows(ws, ROWS)[0].version == 1
    assert counted(ws).failed == 40


def test_a_challenger_whose_file_is_gone_harms_no_answer(
    ws: Workspace, open_workspace: Callable[..., Workspace], second: int
) -> None:
    start(ws, second, "share", share=0.5)
    for path in ws.settings.models_folder.glob(f"versions/{ws.registry.info(second).sha256[:12]}-*"):
        path.unlink()
    other = open_workspace()
    other.take_part_in_trials()
    other.current_champion()
    for thread in threading.enumerate():
        if thread.name == "challenger":
            thread.join()
    assert other.trial.running is not None
    assert other.trial.running.places(ROWS) == []
    assert scoring.score_rows(other, ROWS)[0].version == 1
    other.trial.write()
    state = trying.trial_state(ws)
    assert state is not None
    assert (state.counts.failed, state.counts.agreement.rows) == (40, 0)


def test_the_challenger_answers_its_share_of_transactions_and_always_the_same_ones(
    ws: Workspace, second: int, taking_part: Callable[[], LiveTrial], no_worker: None
) -> None:
    rows = [{**row, "order": number} for number, row in enumerate(transactions(2000, seed=3).to_dict("records"))]
    start(ws, second, "share", share=0.25, field="order")
    running = taking_part().running
    assert running is not None
    places = running.places(rows)
    assert 0.2 < len(places) / len(rows) < 0.3
    changed = [{"amount": 1.0, "order": str(row["order"])} for row in rows]
    assert running.places(changed) == places
    start(ws, second, "share", share=0.5, field="order")
    running = taking_part().running
    assert running is not None
    assert set(places) < set(running.places(rows))


def test_without_an_id_the_whole_transaction_decides(ws: Workspace, second: int) -> None:
    trial = start(ws, second, "share", share=0.5)
    champion = ws.require_champion()
    running = live_trial.Running(replace(trial, field=None), champion, champion)
    row = {"amount": 3.0, "country": "DE", "txn": None}
    assert running.answers(row) == running.answers(dict(reversed(row.items())))
    answers = [running.answers({"amount": float(number)}) for number in range(400)]
    assert 120 < sum(answers) < 280


def test_the_version_that_did_not_answer_is_scored_beside(
    ws: Workspace, second: int, taking_part: Callable[[], LiveTrial], no_worker: None
) -> None:
    start(ws, second, "share", share=0.5)
    running = taking_part().running
    assert running is not None
    champion, result, _ = scoring.score_rows(ws, ROWS, by=running.challenger)
    assert champion.version == second
    found = counted(ws)
    assert (found.agreement.rows, found.answered) == (40, 40)
    assert found.agreement.challenger == int((result.labels == -1).sum())
    # Another version that somebody asked for takes no part.
    scoring.score_rows(ws, ROWS, by=ws.as_champion(second))
    assert counted(ws) == found


@pytest.mark.parametrize("how", ["stop", "promote", "alias", "drop"])
def test_a_trial_ends_when_its_challenger_challenges_no_more(
    ws: Workspace, second: int, taking_part: Callable[[], LiveTrial], how: str
) -> None:
    trial = start(ws, second)
    assert taking_part().running is not None
    alias = challenging.standing(ws).challenger
    assert alias is not None
    if how == "stop":
        trying.stop_trial(ws, expected_revision=trial.revision, actor="eve")
    elif how == "promote":
        challenging.move_champion(
            ws, second, expected_revision=challenging.standing(ws).champion_revision, actor="eve", reason="better"
        )
        assert challenging.standing(ws).challenger is None
    elif how == "alias":
        challenging.make_challenger(ws, second, seen=alias, actor="eve")
    else:
        challenging.stop_challenge(ws, seen=alias, actor="eve")
    assert trying.trial_state(ws) is None
    ws.current_champion()
    assert ws.trial.running is None


def test_a_trial_begins_only_from_the_challenger_that_was_seen(ws: Workspace, second: int) -> None:
    first = start(ws, second)
    with pytest.raises(ConflictError, match="challenger has changed"):
        trying.start_trial(ws, second, mode="shadow", expected_revision=0, actor="bob")
    trying.stop_trial(ws, expected_revision=first.revision, actor="eve")
    again = start(ws, second)
    # A revision never means two things: what was seen before the stop is refused.
    assert again.revision > first.revision
    with pytest.raises(ConflictError):
        trying.stop_trial(ws, expected_revision=first.revision, actor="bob")
    with ws.database.read() as connection:
        actions = [entry.action for entry in audit.entries(connection, limit=5)]
    assert actions == ["trial started", "challenger moved", "challenger dropped", "trial started", "challenger moved"]


def test_what_cannot_be_tried_is_refused(ws: Workspace, second: int) -> None:
    with pytest.raises(InputError, match="cannot challenge itself"):
        start(ws, 1)
    with pytest.raises(InputError, match="between 0 and 1"):
        start(ws, second, "share", share=1.5)
    with pytest.raises(InputError, match="shadow or share"):
        start(ws, second, "twice")
    with pytest.raises(NotFoundError, match="no version 9"):
        start(ws, 9)
    with pytest.raises(NotFoundError, match="No challenger is on live traffic"):
        trying.stop_trial(ws, expected_revision=0, actor="eve")


def test_the_id_that_a_person_named_decides_who_answers(ws: Workspace) -> None:
    frame = transactions(300).assign(order=[f"O{number:04d}" for number in range(300)])
    for seed in (0, 1):
        roles = {"order": "id"}
        training.train_rows(ws, frame.assign(items=seed + frame["items"]), PARAMETERS, roles, actor="ada")
    assert start(ws, 1, "share").field == "order"


def test_going_back_leads_to_the_champion_before(ws: Workspace, second: int) -> None:
    assert challenging.champion_before(ws) == second
    updating.roll_back(ws, second, actor="ada", reason="again")
    assert challenging.champion_before(ws) == 1


def test_there_is_nothing_to_go_back_to_before_the_first_promotion(ws: Workspace, trained: TrainResult) -> None:
    with pytest.raises(NotFoundError, match="first champion"):
        challenging.champion_before(ws)
