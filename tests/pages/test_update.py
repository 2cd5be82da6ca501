import pytest

from tests.pages.saying import labels, press, said


@pytest.fixture
def page(app, trained):
    return app.switch_page("pages/detector/update.py").run()


@pytest.fixture
def preview(page, upload, finish):
    return finish(press(upload(page, "week2.csv"), "Preview the update"))


def test_without_a_model_there_is_nothing_to_update(app):
    at = app.switch_page("pages/detector/update.py").run()
    assert "no model to update yet" in said(at)
    assert "Load the sample data" in labels(at)


def test_the_versions_are_listed_and_the_champion_marked(page):
    assert "Champion" in said(page)
    assert "Roll back to this" not in labels(page)


def test_columns_are_compared_before_the_preview(page, upload):
    at = upload(page, "week2.csv")
    assert "device\\_score" in at.table[0].value["Column"].tolist()
    assert "Preview the update" in labels(at)


def test_a_preview_shows_what_would_change(preview):
    text = said(preview)
    assert "Preview: learning from 400 rows" in text
    for figure in ("Flagged share", "Newly flagged", "No longer flagged", "Rank correlation", "Mean severity"):
        assert f"{figure}: " in text
    assert "device_score" in text
    assert len(preview.get("plotly_chart")) == 1


def test_nothing_changes_until_the_update_is_accepted(preview, ws):
    assert ws.champion().version == 1
    at = press(preview, "Accept")
    assert ws.champion().version == 2
    assert "Roll back to this" in labels(at)


def test_a_rejected_update_leaves_no_trace(preview, ws):
    at = press(preview, "Reject")
    assert ws.champion().version == 1
    assert len(at.file_uploader) == 1


def test_one_click_goes_back_to_an_earlier_version(preview, ws):
    at = press(preview, "Accept")
    press(at, "Roll back to this")
    assert ws.champion().version == 1


def test_a_preview_survives_a_page_switch_and_a_new_session(preview, app):
    preview.switch_page("pages/analysis/score.py").run()
    preview.switch_page("pages/detector/update.py").run()
    assert "Preview: learning from" in said(preview)


def test_a_preview_of_an_older_champion_can_only_be_thrown_away(preview, trained, files):
    from detector.service import uploads
    from detector.service.versions.training import train_file

    train_file(trained, uploads.receive(trained, "week3.csv", files["week3.csv"], actor="test").id, actor="test")
    preview.run()
    assert "not the champion any more" in said(preview)
    assert "Accept" not in labels(preview)
    at = press(preview, "Throw it away")
    assert len(at.file_uploader) == 1


def test_a_preview_in_progress_is_shown(page, held):
    held("preview_update")
    page.run()
    assert "Preparing the preview" in said(page)
