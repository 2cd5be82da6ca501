from __future__ import annotations

from collections.abc import Callable

import pytest

from detector.errors import Cancelled, InputError, NotFoundError
from detector.service import runs, scoring
from detector.service.review import cases, deciding, queue, queueing
from detector.service.review.case_ids import CaseId
from detector.service.review.filters import Filters
from detector.service.uploads import Upload
from detector.service.versions import training
from detector.service.workspace import Workspace
from tests.service.conftest import PARAMETERS, card_payments, transactions

Give = Callable[..., Upload]


def lines(ws: Workspace, **filters: object) -> tuple[queue.CaseLine, ...]:
    return queue.queue_page(ws, Filters(**filters), actor="ada").lines


def test_the_most_severe_rows_become_cases_in_their_order(queued: Workspace) -> None:
    found = lines(queued)
    rows = runs.run_rows(queued, 1, limit=60)
    assert [line.severity for line in found] == rows["severity"].tolist()
    assert {line.id.row for line in found if line.severity > found[-1].severity} <= set(rows.index)
    assert {line.id.run for line in found} == {1}


def test_each_case_tells_whose_when_how_much_and_why(queued: Workspace) -> None:
    whole = card_payments(seed=1)
    for line in lines(queued):
        row = whole.iloc[line.id.row - 1]
        assert line.entity == row["card"]
        assert line.amount == row["amount"]
        assert f"{line.time:%Y-%m-%dT%H:%M:%S}" == row["at"]
        assert line.badges
        assert set(line.pattern.split(" · ")) <= set(line.badges)


def test_odd_payments_say_that_the_amount_is_high(queued: Workspace) -> None:
    assert lines(queued)[0].amount == 5_000.0
    assert "amount high" in lines(queued)[0].badges


def test_sending_again_brings_more_and_keeps_what_was_decided(queued: Workspace) -> None:
    case = lines(queued)[0].id
    deciding.decide(queued, [case], "fraud", "stolen_card", actor="ada")
    assert queueing.send_to_queue(queued, 1, 80, actor="bob").rows == 80
    assert queue.view_counts(queued, actor="ada")["all"] == 80
    assert [line.id for line in lines(queued, view="decided")] == [case]


def test_fewer_rows_leave_and_their_decisions_stay(queued: Workspace) -> None:
    last = lines(queued)[-1].id
    deciding.decide(queued, [last], "legitimate", "data_error", actor="ada")
    queueing.send_to_queue(queued, 1, 20, actor="ada")
    with pytest.raises(NotFoundError, match=f"Case {last} is not in the queue"):
        queued.inbox.find(last)
    queueing.send_to_queue(queued, 1, 60, actor="ada")
    assert cases.get_case(queued, last).state.outcome == "legitimate"


def test_more_rows_than_there_are_send_all(queued: Workspace) -> None:
    assert queueing.send_to_queue(queued, 1, 5_000, actor="ada").rows == 300


@pytest.mark.parametrize("rows", [0, -1, queueing.MOST_CASES + 1])
def test_a_number_of_rows_out_of_range_is_refused(queued: Workspace, rows: int) -> None:
    with pytest.raises(InputError, match="Between 1 and 200,000 rows"):
        queueing.send_to_queue(queued, 1, rows, actor="ada")


def test_an_unknown_run_is_refused(queued: Workspace) -> None:
    with pytest.raises(NotFoundError):
        queueing.send_to_queue(queued, 7, 10, actor="ada")
    with pytest.raises(NotFoundError, match="Run 7 is not in the queue"):
        queueing.close_queue(queued, 7, actor="ada")


def test_stopping_half_way_changes_nothing(queued: Workspace) -> None:
    def stop(done: int, total: int | None, message: str) -> None:
        if message.startswith("Finding"):
            raise Cancelled("stopped")

    before = sorted(queued.inbox.folder.iterdir())
    with pytest.raises(Cancelled):
        queueing.send_to_queue(queued, 1, 80, actor="ada", progress=stop)
    assert sorted(queued.inbox.folder.iterdir()) == before
    assert queueing.get_queue(queued, 1).rows == 60


def test_a_closed_queue_is_gone_and_can_be_sent_again(queued: Workspace) -> None:
    queueing.close_queue(queued, 1, actor="ada")
    assert queueing.list_queues(queued) == ()
    assert lines(queued) == ()
    assert queue.open_cases(queued) is None
    queueing.send_to_queue(queued, 1, 60, actor="ada")
    assert len(lines(queued)) == 60


def test_several_runs_stand_in_one_queue_the_newest_named_first(queued: Workspace, give: Give) -> None:
    scoring.score_file(queued, give(card_payments(seed=2), "april.csv").id, actor="ada")
    queueing.send_to_queue(queued, 2, 40, actor="ada")
    assert [(found.run, found.name) for found in queueing.list_queues(queued)] == [(2, "april.csv"), (1, "march.csv")]
    found = lines(queued)
    assert {line.id.run for line in found} == {1, 2}
    assert [line.severity for line in found] == sorted((line.severity for line in found), reverse=True)


def test_a_file_without_entity_and_time_has_cases_too(ws: Workspace, give: Give) -> None:
    frame = transactions().drop(columns="at")
    training.train_rows(ws, frame, PARAMETERS, actor="ada")
    scoring.score_file(ws, give(frame).id, actor="ada")
    queueing.send_to_queue(ws, 1, 5, actor="ada")
    assert {(line.entity, line.time) for line in lines(ws)} == {(None, None)}


def test_another_process_sees_the_queue_and_what_is_decided(
    queued: Workspace, open_workspace: Callable[..., Workspace]
) -> None:
    other = open_workspace()
    case = lines(other)[0].id
    deciding.decide(queued, [case], "fraud", "card_testing", actor="ada")
    assert [line.state.reason for line in lines(other, view="decided")] == ["card_testing"]


def test_a_case_is_named_by_run_and_row() -> None:
    assert str(CaseId.parse(" 4-1523 ")) == "4-1523"
    for text in ("", "4", "4-", "-4", "4-1-2", "4-١", "x" * 99):
        with pytest.raises(InputError, match="such as 4-1523"):
            CaseId.parse(text)
