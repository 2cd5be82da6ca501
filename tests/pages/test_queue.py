from datetime import UTC, datetime, timedelta

import pytest

from detector.service.review import deciding, locking, queue, queueing, saved_views
from detector.service.review.case_ids import CaseId
from detector.service.review.filters import Filters
from tests.pages.saying import labels, press, said

PAGE = "pages/analysis/queue.py"
#: Who acts where nobody has given a name.
ME = "analyst"


@pytest.fixture
def queued(trained):
    """The workspace with the 40 most severe rows of week 1 in the queue."""
    queueing.send_to_queue(trained, 1, 40, actor="test")
    return trained


@pytest.fixture
def page(app, queued):
    return app.switch_page(PAGE).run()


def first(ws, **filters) -> CaseId:
    return queue.queue_page(ws, Filters(**filters), actor=ME, limit=1).lines[0].id


def test_without_a_model_the_page_says_what_it_needs(app):
    at = app.switch_page(PAGE).run()
    assert "There is no model yet" in said(at)
    assert labels(at)[-2:] == ["Train a model", "Load the sample data"]


def test_without_a_queue_the_page_leads_to_the_scored_files(app, trained):
    at = app.switch_page(PAGE).run()
    assert "No scored file has been sent to the queue yet." in said(at)
    assert press(at, "Choose a scored file").title[0].value == "Score"


def test_the_sample_data_fill_the_queue(app, finish):
    at = finish(press(app.run(), "Load the sample data"))
    at.switch_page(PAGE).run()
    assert len(at.dataframe[0].value) > 10
    assert "Open cases" in said(at)


def test_cases_stand_in_the_order_of_severity_with_reasons(page):
    table = page.dataframe[0].value
    assert len(table) == 40
    assert table["Severity"].astype(float).is_monotonic_decreasing
    assert all(0 < len(badges) <= 3 for badges in table["Reasons"])
    assert "Status" not in table  # all are open
    assert "1 to 40 of 40 cases" in said(page)


def test_work_in_progress_is_shown_with_its_rows(page, held):
    held("queue")
    page.run()
    assert "Filling the queue" in said(page)
    assert "of 4,000 rows" in said(page)


def test_an_address_opens_the_same_queue(app, queued):
    wanted = Filters(view="all", least_severity=97.0, order="amount")
    at = app.switch_page(PAGE)
    for name, value in wanted.to_query().items():
        at.query_params[name] = value
    at.run()
    assert len(at.dataframe[0].value) == queue.queue_page(queued, wanted, actor=ME).total
    assert at.number_input(key="queue_least_severity").value == 97.0
    assert at.selectbox(key="queue_order").value == "amount"


def test_a_filter_goes_into_the_address(page):
    page.number_input(key="queue_least_severity").set_value(98.0).run()
    assert page.query_params["least_severity"] == "98.0"
    assert page.dataframe[0].value["Severity"].astype(float).min() >= 98
    page.text_input(key="queue_search").set_value("nobody at all").run()
    assert "No case matches" in said(page)
    assert len(press(page, "Show the whole view").dataframe[0].value) == 40


def test_filters_outlive_a_page_switch(page):
    page.number_input(key="queue_least_severity").set_value(98.0).run()
    page.switch_page("pages/analysis/score.py").run()
    page.switch_page(PAGE).run()
    assert page.number_input(key="queue_least_severity").value == 98.0


def test_a_view_is_saved_opened_and_deleted(page, queued):
    page.number_input(key="queue_least_severity").set_value(98.0).run()
    page.text_input(key="queue_view_name").set_value("dear ones")
    press(page, "Save")
    assert [view.name for view in saved_views.list_views(queued, owner=ME)] == ["dear ones"]
    page.number_input(key="queue_least_severity").set_value(None).run()
    press(page, "dear ones")
    assert page.number_input(key="queue_least_severity").value == 98.0
    press(page, "Delete")
    assert saved_views.list_views(queued, owner=ME) == ()


def test_typed_cases_are_decided_together_and_undone(page, queued):
    ids = queue.matching(queued, Filters(), actor=ME, limit=3)
    page.text_input(key="queue_typed").set_value(", ".join(map(str, ids))).run()
    worth = queue.amount_of(queued, ids)
    assert f"Mark 3 cases, {worth:,.2f} in total, as legitimate: customer confirmed it." in said(page)
    press(page, "Mark 3 cases as legitimate")
    assert "3 cases decided as legitimate." in said(page)
    assert queue.view_counts(queued, actor=ME)["decided"] == 3
    press(page, "Undo")
    assert queue.view_counts(queued, actor=ME)["decided"] == 0


def test_a_pattern_is_closed_at_once(page, queued):
    page.segmented_control(key="queue_show").set_value("Patterns").run()
    largest = queue.patterns(queued, Filters(), actor=ME)[0]
    table = page.dataframe[0].value
    assert table["Open"].iloc[0] == f"{largest.cases} cases"
    page.selectbox(key="queue_pattern_chosen").set_value(largest.name).run()
    assert len(page.dataframe[0].value) == largest.cases
    page.checkbox(key="queue_everything").check().run()
    press(page, f"Mark {largest.cases} cases as legitimate")
    assert queue.view_counts(queued, actor=ME)["decided"] == largest.cases


def test_all_that_match_are_decided_as_they_were_seen(page, queued):
    before = queue.view_counts(queued, actor=ME)["unreviewed"]
    page.checkbox(key="queue_everything").check().run()
    deciding.snooze(queued, [first(queued)], datetime.now(UTC) + timedelta(days=1), actor="bob")
    press(page, f"Mark {before} cases as legitimate")
    assert "bob left it snoozed. Nothing was changed" in said(page)
    assert queue.view_counts(queued, actor=ME)["decided"] == 0


def test_cases_can_be_snoozed_and_handed_over(page, queued):
    case = first(queued)
    page.text_input(key="queue_typed").set_value(str(case)).run()
    press(page, "Snooze 1 case for 1 day")
    assert queue.view_counts(queued, actor=ME)["snoozed"] == 1
    case = first(queued)
    page.text_input(key="queue_typed").set_value(str(case)).run()
    page.text_input(key="bulk_to").set_value("bob").run()
    press(page, "Assign 1 case")
    assert queue.view_counts(queued, actor="bob")["mine"] == 1


def test_a_mistyped_case_is_told_in_words(page):
    page.text_input(key="queue_typed").set_value("seventeen").run()
    assert "such as 4-1523, not 'seventeen'" in said(page)


def test_a_case_that_somebody_looks_at_is_not_decided(page, queued):
    case = first(queued)
    page.text_input(key="queue_typed").set_value(str(case)).run()
    locking.hold(queued, case, actor="bob")
    press(page, "Mark 1 case as legitimate")
    assert f"bob is looking at case {case}" in said(page)
    assert queue.view_counts(queued, actor=ME)["decided"] == 0


def test_a_worked_through_queue_offers_more_rows(page, queued, finish):
    ids = queue.matching(queued, Filters(), actor=ME, limit=40)
    deciding.decide(queued, ids, "legitimate", "known_pattern", actor="bob")
    page.run()
    assert "All 40 cases are decided." in said(page)
    at = finish(press(page, "Send 25 more of run 1"))
    assert len(at.dataframe[0].value) == 25
    assert queueing.get_queue(queued, 1).rows == 65


def test_continue_review_opens_the_next_case(page, queued):
    case = first(queued)
    locking.hold(queued, case, actor="bob")
    at = press(page, "Continue review")
    assert at.title[0].value.startswith("Case")
    assert at.query_params["case"] == str(queue.next_case(queued, Filters(), actor=ME))
    assert at.query_params["case"] != str(case)


def test_a_queue_whose_file_is_gone_is_told_in_words(page, queued):
    from detector.service.review.inbox import Inbox

    for file in queued.inbox.folder.iterdir():
        file.unlink()
    queued.inbox = Inbox(queued.database, queued.inbox.folder, queued.reranker.ranked)
    page.run()
    assert "The cases of run 1 (week1.csv) are gone" in said(page)
    at = press(page, "Take it out")
    assert "No scored file has been sent to the queue yet." in said(at)


def test_scores_of_an_earlier_version_are_said_to_be_out_of_date(page, queued, files):
    from detector.service import uploads
    from detector.service.versions.training import train_file

    train_file(queued, uploads.receive(queued, "week2.csv", files["week2.csv"], actor="test").id, actor="test")
    assert "Run 1 was scored with version 1; the champion is version 2." in said(page.run())


def test_two_names_are_two_analysts(page, queued):
    page.text_input(key="analyst_name").set_value("  Ada  Lovelace ").run()
    page.text_input(key="queue_typed").set_value(str(first(queued))).run()
    press(page, "Mark 1 case as legitimate")
    assert deciding.last_change(queued, "Ada Lovelace") is not None
    assert deciding.last_change(queued, ME) is None
