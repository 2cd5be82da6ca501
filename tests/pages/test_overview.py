from tests.pages.saying import labels, press, said


def test_a_new_workspace_offers_to_train_or_to_load_the_sample(app):
    at = app.run()
    assert "There is no model yet" in said(at)
    assert labels(at) == ["Train a model", "Load the sample data"]


def test_the_status_strip_says_that_nothing_is_known_yet(app):
    text = said(app.run())
    assert "Champion: none yet" in text
    assert "Drift: not known yet" in text
    assert "API: not answering" in text


def test_one_click_on_the_sample_leads_to_flagged_transactions(app, finish):
    at = finish(press(app.run(), "Load the sample data"))
    text = said(at)
    assert "Flagged, open: 0" not in text
    assert "Champion: version 1" in text
    assert "Review flagged rows" in labels(at)
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
    from detector.service.training import train_file

    train_file(trained, uploads.receive(trained, "week2.csv", files["week2.csv"], actor="test").id, actor="test")
    text = said(app.run())
    assert "Run 1 was scored with version 1; the champion is version 2." in text


def test_a_model_without_a_run_leads_to_scoring(app, ws, files):
    from detector.service import uploads
    from detector.service.training import train_file

    train_file(ws, uploads.receive(ws, "week1.csv", files["week1.csv"], actor="test").id, actor="test")
    at = app.run()
    assert "nothing has been scored" in said(at)
    at = press(at, "Score a file")
    assert at.title[0].value == "Score"


def test_review_opens_the_newest_run(app, trained):
    at = press(app.run(), "Review flagged rows")
    assert at.title[0].value == "Score"
    assert at.selectbox(key="score_run").value == 1
