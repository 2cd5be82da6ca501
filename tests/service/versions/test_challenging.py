from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from detector.errors import Cancelled, ConflictError, InputError, NotFoundError, NotTrainedError
from detector.service import jobs, runs, scoring
from detector.service.runs import Run
from detector.service.uploads import Upload
from detector.service.versions import challenging, training, updating, versus
from detector.service.versions.training import TrainResult
from detector.service.workspace import Workspace
from detector.store import audit
from tests.decisions import decide
from tests.service.conftest import PARAMETERS, transactions

Give = Callable[..., Upload]


@pytest.fixture
def run(ws: Workspace, trained: TrainResult, give: Give) -> Run:
    return scoring.score_file(ws, give(transactions(250, seed=2)).id, actor="ada")


@pytest.fixture
def second(ws: Workspace, run: Run) -> int:
    """Version 2, trained on other rows, while version 1 is champion."""
    made = training.train_rows(ws, transactions(seed=5), PARAMETERS, actor="ada").version
    updating.roll_back(ws, 1, actor="ada", reason="test")
    return made


def test_a_version_challenges_the_champion_until_it_is_stopped(ws: Workspace, second: int) -> None:
    assert challenging.standing(ws).challenger is None
    alias = challenging.make_challenger(ws, second, seen=None, actor="eve")
    assert challenging.standing(ws).challenger == alias
    assert ws.current_champion().version == 1
    challenging.stop_challenge(ws, seen=alias, actor="eve")
    assert challenging.standing(ws).challenger is None
    with ws.database.read() as connection:
        assert [entry.action for entry in audit.entries(connection, limit=2)] == [
            "challenger dropped",
            "challenger moved",
        ]


def test_the_champion_cannot_challenge_itself(ws: Workspace, second: int) -> None:
    with pytest.raises(InputError, match="cannot challenge itself"):
        challenging.make_challenger(ws, 1, seen=None, actor="eve")
    with pytest.raises(NotFoundError, match="no version 9"):
        challenging.make_challenger(ws, 9, seen=None, actor="eve")


def test_two_people_do_not_overwrite_each_other(ws: Workspace, second: int) -> None:
    seen = challenging.standing(ws)
    named = challenging.make_challenger(ws, second, seen=seen.challenger, actor="eve")
    with pytest.raises(ConflictError, match="challenger has changed"):
        challenging.make_challenger(ws, second, seen=seen.challenger, actor="bob")
    challenging.promote(ws, second, seen=seen.champion, actor="eve", reason="catches more")
    with pytest.raises(ConflictError, match="champion has changed"):
        challenging.promote(ws, second, seen=seen.champion, actor="bob", reason="me too")
    with pytest.raises(ConflictError):
        challenging.stop_challenge(ws, seen=named, actor="bob")


def test_a_promoted_challenger_is_champion_and_challenges_no_more(ws: Workspace, second: int) -> None:
    challenging.make_challenger(ws, second, seen=None, actor="eve")
    challenging.promote(ws, second, seen=challenging.standing(ws).champion, actor="eve", reason="catches more")
    assert ws.current_champion().version == second
    challenging.promote(ws, 1, seen=challenging.standing(ws).champion, actor="eve", reason="too many alarms")
    assert challenging.standing(ws).challenger is None
    with ws.database.read() as connection:
        newest = audit.entries(connection, limit=1)[0]
    assert (newest.action, newest.details["reason"]) == ("champion moved", "too many alarms")


def test_a_promotion_needs_a_reason_and_another_version(ws: Workspace, second: int) -> None:
    champion = challenging.standing(ws).champion
    with pytest.raises(InputError, match="Say why"):
        challenging.promote(ws, second, seen=champion, actor="eve", reason=" ")
    with pytest.raises(InputError, match="champion already"):
        challenging.promote(ws, 1, seen=champion, actor="eve", reason="again")


def test_without_a_champion_nothing_stands(ws: Workspace) -> None:
    with pytest.raises(NotTrainedError):
        challenging.standing(ws)


def test_the_descent_goes_back_to_the_first_training(ws: Workspace, trained: TrainResult) -> None:
    updating.update_rows(ws, transactions(60, seed=3), actor="ada")
    updating.update_rows(ws, transactions(60, seed=4), actor="ada")
    assert [info.number for info in challenging.lineage(ws, 3)] == [1, 2, 3]
    assert [info.origin for info in challenging.lineage(ws, 3)] == ["trained", "updated", "updated"]


def test_a_cutoff_of_the_leads_own_holds_for_whoever_is_champion(ws: Workspace, second: int) -> None:
    assert challenging.cutoff_as_champion(ws, second) == 90.0
    ws.set_cutoff(97.0, actor="eve")
    assert challenging.cutoff_as_champion(ws, second) == 97.0


def test_both_versions_score_the_same_rows_as_each_would_alone(ws: Workspace, run: Run, second: int) -> None:
    found = versus.compare_versions(ws, run.id, 1, second)
    frame = runs.run_rows(ws, run.id, order="row")[list(run.columns)]
    alone = [ws.detector(version).score(frame, cutoff=90.0) for version in (1, second)]
    both = versus.compare_versions(ws, run.id, second, 1)
    assert found.compared == found.rows == 250
    assert found.champion.flagged == run.flagged
    assert found.champion.histogram == run.histogram
    assert found.agreement.rows == 250
    assert found.agreement.champion == found.champion.flagged
    assert found.agreement.challenger == found.challenger.flagged
    assert both.agreement.only_champion == found.agreement.only_challenger
    one, other = (result.severities for result in alone)
    differences = np.where((one > 90.0) != (other > 90.0), np.abs(one - other), -1.0)
    worst = found.disagreements[0]
    assert worst.row == differences.argmax() + 1
    assert (worst.champion, worst.challenger) == (one[worst.row - 1], other[worst.row - 1])


def test_decided_rows_tell_who_would_have_caught_what(ws: Workspace, run: Run, second: int) -> None:
    order = runs.run_rows(ws, run.id).index.tolist()
    decide(ws, run, {order[0]: "fraud", order[1]: "legitimate", order[199]: "fraud", order[5]: "unclear"})
    found = versus.compare_versions(ws, run.id, 1, second)
    assert (found.frauds.champion, found.frauds.rows) == (1, 2)
    assert (found.legitimate.champion, found.legitimate.rows) == (1, 1)
    amounts = runs.chosen_rows(ws, run.id, [order[0], order[199]])["amount"].tolist()
    assert found.money[0] == pytest.approx(amounts[0])
    assert found.money[2] == pytest.approx(sum(amounts))


def test_a_large_run_is_compared_on_a_sample_that_keeps_decided_rows(
    ws: Workspace, run: Run, second: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(ws, run, dict.fromkeys(range(1, 251, 10), "fraud"))
    monkeypatch.setattr(versus, "MOST_ROWS", 40)
    found = versus.compare_versions(ws, run.id, 1, second)
    assert found.compared == found.agreement.rows == found.champion.histogram.rows == 40
    assert found.frauds.rows == 25
    assert found == versus.compare_versions(ws, run.id, 1, second)


def test_a_comparison_is_a_job_whose_result_is_found_again(ws: Workspace, run: Run, second: int) -> None:
    assert versus.latest_comparison(ws, 1, second) is None
    arguments = {"run_id": run.id, "champion": 1, "challenger": second}
    job = jobs.submit(ws, "compare_versions", arguments, actor="eve")
    assert jobs.wait_for_job(ws, job.id, 60).state == "done"
    found = versus.latest_comparison(ws, 1, second)
    assert found == versus.compare_versions(ws, run.id, 1, second)
    assert versus.latest_comparison(ws, second, 1) is None


def test_a_comparison_with_itself_or_on_nothing_is_refused(ws: Workspace, run: Run, second: int, give: Give) -> None:
    with pytest.raises(InputError, match="not with itself"):
        versus.compare_versions(ws, run.id, 1, 1)
    empty = scoring.score_file(ws, give(transactions(250).head(0), "empty.csv").id, actor="ada")
    with pytest.raises(InputError, match="no rows"):
        versus.compare_versions(ws, empty.id, 1, second)


def test_a_comparison_can_be_stopped(ws: Workspace, run: Run, second: int) -> None:
    def stop(done_rows: int, total_rows: int | None, message: str) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        versus.compare_versions(ws, run.id, 1, second, progress=stop)


def test_columns_that_clash_with_ours_are_scored_under_their_own_names(ws: Workspace, give: Give) -> None:
    frame = transactions(120).rename(columns={"items": "score"})
    training.train_file(ws, give(frame).id, PARAMETERS, actor="ada")
    run = scoring.score_file(ws, give(frame).id, actor="ada")
    training.train_rows(ws, transactions(seed=8).rename(columns={"items": "score"}), PARAMETERS, actor="ada")
    found = versus.compare_versions(ws, run.id, 1, 2)
    assert found.champion.histogram == run.histogram


def test_both_see_the_same_past_of_their_entities(ws: Workspace, give: Give) -> None:
    cards = [f"c{place % 7}" for place in range(250)]
    frame = transactions(250).assign(card=cards)
    roles = {"card": "entity", "at": "time", "amount": "amount"}
    training.train_file(ws, give(frame).id, PARAMETERS, roles, actor="ada")
    other = give(transactions(250, seed=3).assign(card=cards), "april.csv")
    run = scoring.score_file(ws, other.id, actor="ada")
    token = updating.preview_update(ws, other.id).token
    updating.accept_update(ws, token, actor="ada")
    found = versus.compare_versions(ws, run.id, 1, 2)
    assert found.champion.histogram == run.histogram
    assert found.correlation > 0.5
