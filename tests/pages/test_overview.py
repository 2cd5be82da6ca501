from detector.service.review import deciding, queue, queueing
from detector.service.review.filters import Filters
from tests.pages.saying import labels, press, said


def test_a_new_workspace_offers_to_train_or_to_load_the_sample(app):
    at = app.run()
    assert "There is no model yet" in said(at)
    assert labels(at) == ["Train a model", "Load the sample data"]


def test_the_status_strip_says_that_nothing_is_known_yet(app):
    text = said(app.run())
    assert "Champion: none yet" in text
    assert "Drift: not known yet" in text
    assert "API: starting" in text


def test_one_click_on_the_sample_leads_to_flagged_transactions(app, finish):
    at = finish(press(app.run(), "Load the sample data"))
    text = said(at)
    assert "Open cases: 97" in text
    assert "False alarms: –" in text
    assert "Champion: version 1" in text
    assert "Continue review" in labels(at)
    assert len(at.get("plotly_chart")) == 2
    assert at.dataframe[0].value.loc[0, "Version"] == "1"


def test_loading_shows_its_progress_and_survives_a_page_switch(app, held):
    held("sample")
    at = app.run()
    assert "of 4,000 rows" in said(at)
    assert "Cancel" in labels(at)
    at.switch_page("pages/analysis/score.py").run()
    assert "of 4,000 rows" in said(at)


def test_work_can_be_cancelled_from_the_page(app, held, finish):
    held("sample")
    at = finish(press(app.run(), "Cancel"))
    assert "There is no model yet" in said(at)


def test_an_old_run_is_said_to_be_out_of_date(app, trained, files):
    from detector.service import uploads
    from detector.service.versions.training import train_file

    train_file(trained, uploads.receive(trained, "week2.csv", files["week2.csv"], actor="test").id, actor="test")
    text = said(app.run())
    assert "Run 1 was scored with version 1; the champion is version 2." in text


def test_a_model_without_a_run_leads_to_scoring(app, ws, files):
    from detector.service import uploads
    from detector.service.versions.training import train_file

    train_file(ws, uploads.receive(ws, "week1.csv", files["week1.csv"], actor="test").id, actor="test")
    at = app.run()
    assert "nothing has been scored" in said(at)
    at = press(at, "Score a file")
    assert at.title[0].value == "Score"


def test_without_a_queue_the_newest_run_is_opened(app, trained):
    at = press(app.run(), "Send a file to the queue")
    assert at.title[0].value == "Score"
    assert at.selectbox(key="score_run").value == 1


def test_decisions_of_some_seconds_are_not_told_as_no_minutes(app, trained):
    queueing.send_to_queue(trained, 1, 5, actor="test")
    first = queue.matching(trained, Filters(), actor="analyst", limit=5)[0]
    deciding.decide(trained, [first], "fraud", "stolen_card", actor="analyst", seconds=3.0)
    assert "Minutes per decision: < 0.1" in said(app.run())


def test_review_goes_on_with_the_next_case(app, trained):
    queueing.send_to_queue(trained, 1, 5, actor="test")
    first = queue.matching(trained, Filters(), actor="analyst", limit=5)[0]
    deciding.decide(trained, [first], "fraud", "stolen_card", actor="analyst", seconds=90.0)
    second, *rest = queue.matching(trained, Filters(), actor="analyst", limit=4)
    at = app.run()
    assert "Open cases: 4" in said(at)
    assert "False alarms: 0.0%" in said(at)
    assert "Minutes per decision: 1.5" in said(at)
    assert press(at, "Continue review").title[0].value == f"Case {second}"
    deciding.decide(trained, [second, *rest], "legitimate", "data_error", actor="analyst")
    at.switch_page("pages/analysis/overview.py").run()
    assert press(at, "Continue review").title[0].value == "Queue"
