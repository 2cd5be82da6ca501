from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from detector.service.review import cases, deciding, locking, queue, queueing
from detector.service.review.case_ids import CaseId
from detector.service.review.filters import Filters
from detector.service.review.reranking import set_learning
from detector.store import tables
from tests.pages.saying import labels, press, said

PAGE = "pages/analysis/case.py"
ME = "analyst"


@pytest.fixture
def queued(trained):
    """The workspace with the 12 most severe rows of week 1 in the queue, in the order in which they were detected."""
    queueing.send_to_queue(trained, 1, 12, actor="test")
    set_learning(trained.database, False, actor="test")
    return trained


@pytest.fixture
def ids(queued) -> list[CaseId]:
    return list(queue.matching(queued, Filters(), actor=ME, limit=12))


@pytest.fixture
def open_case(app, queued):
    def open_one(case: CaseId | str, **query: str):
        at = app.switch_page(PAGE)
        at.query_params["case"] = str(case)
        for name, value in query.items():
            at.query_params[name] = value
        return at.run()

    return open_one


@pytest.fixture
def page(open_case, ids):
    return open_case(ids[0])


def title(at) -> str:
    return at.title[0].value


def outcome(ws, case: CaseId) -> str | None:
    return cases.get_case(ws, case).state.outcome


def test_without_a_model_the_page_says_what_it_needs(app):
    at = app.switch_page(PAGE).run()
    assert "There is no model yet" in said(at)
    assert "Load the sample data" in labels(at)


def test_without_a_queue_the_page_leads_to_the_scored_files(app, trained):
    at = app.switch_page(PAGE).run()
    assert press(at, "Choose a scored file").title[0].value == "Score"


def test_work_in_progress_is_shown_with_its_rows(app, queued, held):
    held("queue")
    at = app.switch_page(PAGE).run()
    assert "of 4,000 rows" in said(at)


def test_without_a_case_the_page_offers_the_next_one(app, ids):
    at = app.switch_page(PAGE).run()
    assert "12 cases wait in the view unreviewed." in said(at)
    assert title(press(at, "Continue review")) == f"Case {ids[0]}"


def test_a_case_shows_why_what_when_and_by_whom(page, queued, ids):
    case, text = cases.get_case(queued, ids[0]), said(page)
    assert title(page) == f"Case {ids[0]}"
    for reason in case.reasons:
        assert reason.sentence in text
    assert case.entity in text
    assert f"Severity now: {case.severity:.1f}" in text
    assert f"When detected: {case.severity:.1f}" in text
    assert "Case 1 of 12 · unreviewed" in text
    shown = {row.Column.replace("\\", ""): row.Value for table in page.table for row in table.value.itertuples()}
    assert list(shown)[:3] == [case.entity_column, case.time_column, case.amount_column]
    assert set(shown) == set(case.values)
    assert float(shown[case.amount_column]) == case.values[case.amount_column]
    assert len(page.get("plotly_chart")) >= 2


def test_a_decision_opens_the_next_case_in_the_same_run(page, queued, ids):
    at = press(page, "Fraud")
    assert title(at) == f"Case {ids[1]}"
    assert at.query_params["case"] == str(ids[1])
    assert outcome(queued, ids[0]) == "fraud"
    assert outcome(queued, ids[1]) is None
    with queued.database.read() as connection:
        assert connection.scalar(select(tables.decisions.c.seconds)) >= 0.0


def test_the_reason_that_was_used_last_is_kept(page, queued, ids):
    page.selectbox(key="case_reason_fraud").set_value("card_testing").run()
    press(press(page, "Fraud"), "Fraud")
    assert [cases.get_case(queued, case).state.reason for case in ids[:2]] == ["card_testing"] * 2


def test_a_note_goes_with_the_decision_and_not_with_the_next_one(page, queued, ids):
    page.text_input(key="case_note").set_value("called the customer").run()
    press(press(page, "Legitimate"), "Unclear")
    assert [cases.get_case(queued, case).timeline[-1].note for case in ids[:2]] == ["called the customer", ""]


def test_escalated_and_snoozed_cases_leave_the_view(page, queued, ids):
    press(press(page, "Escalate"), "Snooze")
    assert title(page) == f"Case {ids[2]}"
    assert cases.get_case(queued, ids[0]).state.status == "escalated"
    until = cases.get_case(queued, ids[1]).state.snoozed_until
    assert timedelta(hours=23) < until - datetime.now(UTC) < timedelta(hours=25)


def test_next_and_previous_walk_through_the_view(page, ids):
    assert title(press(page, "Next")) == f"Case {ids[1]}"
    assert title(press(page, "Next")) == f"Case {ids[2]}"
    assert title(press(page, "Previous")) == f"Case {ids[1]}"
    assert title(press(page, "Previous")) == f"Case {ids[0]}"


def test_a_decision_in_the_middle_goes_on_from_there(open_case, ids):
    assert title(press(open_case(ids[4]), "Legitimate")) == f"Case {ids[5]}"


def test_next_stays_within_what_the_queue_was_asked_for(open_case, queued):
    wanted = Filters(order="amount", least_severity=1.0)
    order = queue.matching(queued, wanted, actor=ME, limit=12)
    at = open_case(order[0], **wanted.to_query())
    assert title(press(at, "Fraud")) == f"Case {order[1]}"
    assert at.query_params["order"] == "amount"


def test_undo_brings_the_case_back_as_it_was(page, queued, ids):
    at = press(press(page, "Fraud"), "Undo")
    assert title(at) == f"Case {ids[0]}"
    assert outcome(queued, ids[0]) is None
    assert "Taken back" in said(at)


def test_a_case_that_somebody_looks_at_can_be_taken_over(open_case, queued, ids):
    locking.hold(queued, ids[0], actor="bob")
    at = open_case(ids[0])
    assert "bob is looking at this case" in said(at)
    assert at.button(key="case_fraud").disabled
    at = press(at, "Take over")
    assert not at.button(key="case_fraud").disabled
    assert locking.held_by_others(queued, "bob")[ids[0]].holder == ME


def test_what_somebody_else_decided_meanwhile_is_not_overwritten(page, queued, ids):
    locking.release(queued, ids[0], actor=ME)
    deciding.decide(queued, [ids[0]], "legitimate", "data_error", actor="bob")
    at = press(page, "Fraud")
    assert title(at) == f"Case {ids[0]}"
    assert "bob left it decided as legitimate" in said(at)
    assert outcome(queued, ids[0]) == "legitimate"
    press(at, "Reload")
    assert title(press(at, "Fraud")) == f"Case {ids[1]}"
    assert outcome(queued, ids[0]) == "fraud"


def test_a_note_stands_in_the_timeline(page):
    page.text_input(key="case_new_note").set_value("spoke to the bank")
    at = press(page, "Add note")
    assert "spoke to the bank" in said(at)
    assert f"{ME} noted" in said(at)


def test_a_case_is_assigned_from_its_page(page, queued, ids):
    page.text_input(key="case_assignee").set_value("bob").run()
    assert cases.get_case(queued, ids[0]).state.assignee == "bob"


def test_any_case_can_be_opened_by_its_name(page, ids):
    page.text_input(key="case_box").set_value(str(ids[7])).run()
    assert title(page) == f"Case {ids[7]}"
    page.text_input(key="case_box").set_value("9-9").run()
    assert title(page) == f"Case {ids[7]}"
    assert "Case 9-9 is not in the queue." in said(page)


@pytest.mark.parametrize(("name", "told"), [("9-9", "Case 9-9 is not in the queue"), ("seven", "such as 4-1523")])
def test_an_address_of_no_case_is_told_in_words(open_case, name, told):
    assert told in said(open_case(name))


def test_the_keys_are_shown_and_hidden(page):
    assert "Undo the last thing you did" in said(press(page, "Keys"))
    assert "Undo the last thing you did" not in said(press(page, "Keys"))


def test_a_worked_through_queue_tells_what_was_decided_and_offers_more(page, queued, ids, finish):
    for case in ids[:-1]:
        assert title(page) == f"Case {case}"
        press(page, "Legitimate")
    at = press(page, "Fraud")
    assert title(at) == "Case"
    assert "12 cases decided by you today: 1 fraud, 11 legitimate, 0 unclear." in said(at)
    assert "The queue is worked through." in said(at)
    at = finish(press(at, "Send 25 more of run 1"))
    assert "25 cases wait" in said(at)


def test_scores_of_an_earlier_version_are_said_to_be_out_of_date(page, queued, files):
    from detector.service import uploads
    from detector.service.versions.training import train_file

    train_file(queued, uploads.receive(queued, "week2.csv", files["week2.csv"], actor="test").id, actor="test")
    assert "scored with version 1, the champion is version 2" in said(page.run())


def test_the_decided_view_shows_what_was_decided_and_by_whom(open_case, queued, ids):
    deciding.decide(queued, [ids[3]], "fraud", "card_testing", actor="bob")
    at = open_case(ids[3], view="decided")
    assert "● fraud: card testing, by bob" in said(at)
    assert "Case 1 of 1 · decided" in said(at)


def test_the_history_gives_way_to_linked_rows_where_they_are_asked_for(page, queued, ids):
    case = cases.get_case(queued, ids[0])
    assert f"of {case.entity}, newest first" in said(page).replace("rows of", "of").replace("row of", "of")
    page.segmented_control(key="case_around").set_value("Linked rows").run()
    found = cases.linked_rows(queued, case)
    expected = "Shared with other rows" if found.links else "No other row of the file shares a rare value"
    assert expected in said(page)
    assert "newest first" not in said(page)


def test_decisions_that_move_a_case_are_told(open_case, queued, ids):
    set_learning(queued.database, True, actor="test")
    deciding.decide(queued, ids[1:3], "fraud", "stolen_card", actor="ada")
    told = said(open_case(ids[0]))
    assert "Decisions moved its severity from" in told or "Decisions left its severity as it was" in told
    assert "The strongest single pulls: up by case" in told
    assert "decided as fraud" in told


def test_what_cannot_be_taken_back_is_told_on_the_case_itself(page, queued, ids):
    at = press(page, "Fraud")
    locking.hold(queued, ids[0], actor="bob")
    at = press(at, "Undo")
    assert f"bob is looking at case {ids[0]}" in said(at)
    assert outcome(queued, ids[0]) == "fraud"
