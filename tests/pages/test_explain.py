import pytest

from detector.service import runs, uploads
from detector.service.versions.training import train_file
from tests.pages.saying import labels, press, said

PAGE = "pages/detector/explain.py"


@pytest.fixture
def page(app, trained):
    return app.switch_page(PAGE).run()


def slider(at, name):
    return next(slider for slider in at.slider if slider.label.replace("\\", "") == name)


def test_without_a_model_there_is_nothing_to_explain(app):
    at = app.switch_page(PAGE).run()
    assert "nothing to explain before a model is trained" in said(at)
    assert "Load the sample data" in labels(at)


def test_the_sample_its_size_and_the_version_are_stated(page):
    text = said(page)
    assert "400 rows of run 1, which has 400, taken evenly. Explained by version 1." in text
    assert "What scores rest on" in text
    assert len(page.get("plotly_chart")) >= 4


def test_without_a_run_the_models_own_rows_are_explained(app, ws, files):
    week = uploads.receive(ws, "week1.csv", files["week1.csv"], actor="test")
    train_file(ws, week.id, actor="test")
    at = app.switch_page(PAGE).run()
    assert "rows that this version keeps of those it learned from" in said(at)
    assert "Score a file to open its rows" in said(at)
    assert not at.number_input


def test_the_most_severe_row_is_open_and_another_can_be_chosen_by_number(page, ws):
    worst = runs.run_rows(ws, 1, limit=1)
    assert page.number_input[0].value == worst.index[0]
    assert f"Severity: {worst['severity'].iloc[0]:.1f}" in said(page)
    other = runs.run_rows(ws, 1, offset=300, limit=1)
    page.number_input[0].set_value(int(other.index[0])).run()
    assert f"Severity: {other['severity'].iloc[0]:.1f}" in said(page)
    assert f"Row {other.index[0]} with version 1." in said(page)


def test_a_changed_value_is_scored_at_once_and_can_be_taken_back(page):
    severity = next(metric.value for metric in page.metric if metric.label == "Severity")
    moved = slider(page, "amount")
    moved.set_value((moved.min + moved.max) / 4).run()
    assert "as changed, with version 1; it is not stored" in said(page)
    assert any(metric.label == "Severity" and metric.delta for metric in page.metric)
    press(page, "Back to the row as it is")
    assert next(metric.value for metric in page.metric if metric.label == "Severity") == severity
    assert "Back to the row as it is" not in labels(page)


@pytest.mark.parametrize("kind", ["numeric", "categorical", "datetime"])
def test_dependence_is_shown_for_every_kind_of_column(page, ws, kind):
    name = next(f.name for f in ws.champion().detector.schema_.learned if f.kind == kind and not f.derived)
    column = next(box for box in page.selectbox if box.label == "Column")
    column.select(name).run()
    assert ("the lines hold four fifths of the rows" in said(page)) == (kind != "numeric")


def test_a_run_of_an_earlier_version_says_so_and_is_explained_by_it(page, ws, files):
    train_file(ws, uploads.receive(ws, "week3.csv", files["week3.csv"], actor="test").id, actor="test")
    page.run()
    assert "Run 1 was scored with version 1; the champion is version 2." in said(page)
    assert "Score again" in labels(page)
    assert "Explained by version 1." in said(page)


def test_a_link_opens_a_row_of_a_run(app, trained):
    app.run()
    app.query_params["run"] = "1"
    app.query_params["row"] = "17"
    at = app.switch_page(PAGE).run()
    assert at.number_input[0].value == 17


def test_a_run_whose_rows_are_gone_says_so(app, trained):
    runs.run_path(trained, 1).unlink()
    at = app.switch_page(PAGE).run()
    assert "gone from data/runs" in said(at)


def test_a_job_in_progress_is_shown(page, held):
    held("score")
    page.run()
    assert "Scoring" in said(page)
