import pytest

from tests.pages.saying import labels, press, said


@pytest.fixture
def page(app, trained):
    return app.switch_page("pages/analysis/score.py").run()


def test_without_a_model_the_page_says_what_it_needs(app):
    at = app.switch_page("pages/analysis/score.py").run()
    assert "Scoring needs a model" in said(at)
    assert labels(at) == ["Train a model", "Load the sample data"]


def test_without_a_run_the_page_waits_for_a_file(app, ws, files):
    from detector.service import uploads
    from detector.service.versions.training import train_file

    train_file(ws, uploads.receive(ws, "week1.csv", files["week1.csv"], actor="test").id, actor="test")
    at = app.switch_page("pages/analysis/score.py").run()
    assert "Nothing has been scored yet" in said(at)
    assert len(at.file_uploader) == 1


def test_columns_are_compared_before_anything_runs(page, upload, ws):
    from detector.service.runs import list_runs

    at = upload(page, "week4.csv")
    table = at.table[0].value
    assert "entry\\_mode" in table["Column"].tolist()
    assert any("missing" in status for status in table["Status"])
    assert "Score this file" in labels(at)
    assert len(list_runs(ws)) == 1


def test_a_scored_file_shows_counts_histogram_rows_and_downloads(page, upload, finish):
    at = finish(press(upload(page, "week2.csv"), "Score this file"))
    text = said(at)
    assert "Rows: 400" in text
    assert "Cutoff: 90.0" in text
    assert at.selectbox(key="score_run").value == 2
    assert len(at.get("plotly_chart")) == 2
    rows = at.dataframe[0].value
    assert rows["severity"].is_monotonic_decreasing
    assert rows["flagged"].all()
    assert len(at.get("download_button")) == 2


def test_the_most_severe_row_is_explained_in_words(page):
    row = page.dataframe[0].value.index[0]
    assert f"Row {row}, severity" in said(page)
    assert any(" is " in line for line in said(page).splitlines() if line.startswith("- "))


def test_all_rows_come_in_pages_of_two_hundred(page):
    page.segmented_control(key="score_view").set_value("All rows").run()
    assert len(page.dataframe[0].value) == 200
    assert "Rows 1 to 200 of 400" in said(page)
    page.get("pagination")[0].set_value(2).run()
    assert "Rows 201 to 400 of 400" in said(page)


def test_the_same_file_twice_is_recognised(page, upload):
    at = upload(page, "week1.csv")
    assert "This very file was scored before with the present champion: run 1." in said(at)
    assert {"Open run 1", "Score it again"} <= set(labels(at))
    at = press(at, "Open run 1")
    assert at.selectbox(key="score_run").value == 1


def test_a_chosen_file_outlives_a_page_switch(page, upload):
    upload(page, "week4.csv")
    page.switch_page("pages/detector/train.py").run()
    page.switch_page("pages/analysis/score.py").run()
    assert "week4.csv" in said(page)
    assert "Score this file" in labels(page)


def test_another_file_can_be_chosen(page, upload):
    at = press(upload(page, "week4.csv"), "Choose another file")
    assert len(at.file_uploader) == 1


def test_an_empty_file_is_refused_in_words(page, upload):
    at = upload(page, "nothing.csv", b"")
    assert "This file cannot be used" in said(at)
    assert "nothing.csv" in at.error[0].value
    assert "Technical detail" in said(at)


def test_text_in_a_number_column_is_named_by_row_and_column(page, upload, files):
    lines = files["week1.csv"].decode().splitlines()
    place = lines[0].split(",").index("amount")
    cells = lines[3].split(",")
    cells[place] = "twelve"
    lines[3] = ",".join(cells)
    at = upload(page, "typo.csv", "\n".join(lines).encode())
    text = said(at)
    assert "This file cannot be read" in text
    assert "Row 3" in text
    assert "amount" in text
    assert "twelve" in text
    assert "Score this file" not in labels(at)


def test_a_header_without_rows_cannot_be_scored(page, upload, files):
    at = upload(page, "header.csv", files["week1.csv"].splitlines()[0] + b"\n")
    assert "This file has no rows" in said(at)
    assert "Score this file" not in labels(at)


def test_a_table_of_something_else_is_blocked(page, upload):
    at = upload(page, "planets.csv", b"planet,moons\nmars,2\nearth,1\n" * 20)
    assert "cannot" in said(at)
    assert "Score this file" not in labels(at)


def test_an_old_run_can_be_scored_again_with_the_champion(page, trained, files, finish):
    from detector.service import uploads
    from detector.service.versions.training import train_file

    train_file(trained, uploads.receive(trained, "week2.csv", files["week2.csv"], actor="test").id, actor="test")
    page.run()
    assert "Run 1 was scored with version 1; the champion is version 2." in said(page)
    finish(press(page, "Score again"))
    assert page.selectbox(key="score_run").value == 2
    assert "Version: 2" in said(page)


def test_work_in_progress_is_shown_with_its_rows(page, held):
    held("score")
    page.run()
    assert "Scoring" in said(page)
    assert "of 4,000 rows" in said(page)
    assert "Cancel" in labels(page)


def test_cancelled_work_says_that_nothing_changed(page, held, finish):
    page.session_state["score_job"] = held("score")
    at = finish(press(page.run(), "Cancel"))
    assert "Nothing was changed" in said(at)
    at = press(at, "Dismiss")
    assert "Nothing was changed" not in said(at)


def test_the_most_severe_rows_are_sent_to_the_queue_once(page, trained, finish):
    from detector.service.review import queueing

    run = page.selectbox(key="score_run").value
    flagged = next(metric.value for metric in page.metric if metric.label == "Flagged")
    at = finish(press(page, f"Send the top {flagged} to the queue"))
    assert f"{flagged} rows of this run are in the queue, 0 decided." in said(at)
    assert queueing.get_queue(trained, run).rows == int(flagged)
    at = press(at, "Open in the queue")
    assert at.title[0].value == "Queue"
    assert at.selectbox(key="queue_run").value == run
