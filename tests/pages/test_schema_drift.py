import shutil

import pytest

from tests.pages.saying import labels, press, said


def scored(ws, files, name, change=lambda content: content):
    from detector.service import uploads
    from detector.service.scoring import score_file

    return score_file(ws, uploads.receive(ws, name, change(files[name]), actor="test").id, actor="test")


@pytest.fixture
def page(app, trained):
    return app.switch_page("pages/detector/schema_drift.py").run()


@pytest.fixture
def drifted(app, trained, files):
    """The page on week 4, which lacks a column that week 1 had."""
    scored(trained, files, "week4.csv")
    return app.switch_page("pages/detector/schema_drift.py").run()


def box(at, label):
    return next(one for one in at.selectbox if one.label.startswith(label))


def test_without_a_model_there_is_nothing_to_compare_with(app):
    at = app.switch_page("pages/detector/schema_drift.py").run()
    assert "There is no model to compare with yet" in said(at)
    assert "Load the sample data" in labels(at)


def test_a_model_without_a_run_shows_its_schema_and_leads_to_scoring(app, ws, files):
    from detector.service import uploads
    from detector.service.versions.training import train_file

    train_file(ws, uploads.receive(ws, "week1.csv", files["week1.csv"], actor="test").id, actor="test")
    at = app.switch_page("pages/detector/schema_drift.py").run()
    assert "No file has been scored yet" in said(at)
    assert len(at.get("plotly_chart")) == 1
    assert press(at, "Score a file").title[0].value == "Score"


def test_the_training_file_itself_is_calm(page):
    text = said(page)
    assert "0 of 9 columns drifting, 0 to watch, 0 new. Compared with what version 1 knew." in text
    assert "Every column came as the version that scored it knows it." in text
    assert "Drifting: 0" in text


def test_a_lost_column_is_told_with_its_effect_and_what_to_do(drifted):
    table = drifted.table[0].value
    assert "entry\\_mode" in table["Column"].tolist()
    line = table[table["Column"] == "entry\\_mode"].iloc[0]
    assert "missing" in line["Change"]
    assert line["Effect on scores"].endswith("of what the scores rest on is not used.")
    assert "Ask whoever delivers the file" in line["What to do"]
    assert "Since run 1" in said(drifted)
    assert "entry_mode is missing." in said(drifted)


def test_columns_are_listed_with_state_in_words_and_figures(drifted):
    listed = drifted.dataframe[0].value
    assert listed["State"].iloc[0] == "▲ drifting"
    assert listed["Column"].iloc[0] == "entry_mode"
    assert {"Weight", "Importance", "PSI", "No value", "What has changed"} <= set(listed.columns)


def test_a_column_can_be_chosen_without_a_mouse(drifted):
    at = box(drifted, "Column in detail").set_value("amount").run()
    text = said(at)
    assert "Wasserstein: " in text
    assert "p, KS test: " in text
    assert len(at.get("plotly_chart")) == 2
    at = box(at, "Column in detail").set_value("country").run()
    assert "p, chi-square: " in said(at)


def test_a_run_is_compared_with_another_run(drifted):
    at = box(drifted, "Compared with").set_value(1).run()
    assert "Compared with run 1, week1.csv." in said(at)


def test_a_run_that_was_never_measured_is_measured_on_request(drifted, ws, finish):
    shutil.rmtree(ws.settings.data_folder / "drift")
    at = drifted.run()
    assert "was scored before columns were compared" in said(at)
    at = finish(press(at, "Compare its columns"))
    assert "columns drifting" in said(at)


def test_a_comparison_in_progress_is_shown(page, held):
    held("drift")
    text = said(page.run())
    assert "Comparing the columns" in text
    assert "of 4,000 rows" in text


def test_a_comparison_that_fails_is_told_and_leaves_a_way_on(drifted, ws, finish):
    shutil.rmtree(ws.settings.data_folder / "drift")
    at = drifted.run()
    for rows in (ws.settings.data_folder / "runs").iterdir():
        rows.unlink()
    at = finish(press(at, "Compare its columns"))
    text = said(at)
    assert "The comparison failed" in text
    assert "Score the file again" in text


def test_a_run_of_an_earlier_version_is_said_to_be_out_of_date(drifted, trained, files):
    from detector.service import uploads
    from detector.service.versions.training import train_file

    train_file(trained, uploads.receive(trained, "week2.csv", files["week2.csv"], actor="test").id, actor="test")
    at = drifted.run()
    assert "Run 2 was scored with version 1; the champion is version 2." in said(at)
    assert "Score again" in labels(at)


def test_the_run_is_taken_from_the_address(drifted):
    drifted.query_params["run"] = "1"
    at = drifted.run()
    assert box(at, "Run").value == 1


def test_names_of_columns_are_shown_as_they_are(app, ws, files):
    from detector.service import uploads
    from detector.service.versions.training import train_file

    hostile = "**[x](javascript:alert(1))** <img src=x> $y$ :red[z]"

    def renamed(content):
        head, _, rest = content.decode().partition("\n")
        return f"{head.replace('country', hostile)}\n{rest}".encode()

    week = uploads.receive(ws, "week1.csv", renamed(files["week1.csv"]), actor="test")
    train_file(ws, week.id, actor="test")
    scored(ws, files, "week4.csv")
    at = app.switch_page("pages/detector/schema_drift.py").run()
    assert not at.exception
    at = box(at, "Column in detail").set_value(hostile).run()
    assert hostile.replace("*", "") in said(at).replace("\\", "")


def test_the_reports_are_offered(drifted):
    assert [button.label for button in drifted.get("download_button")] == ["Download HTML", "Download JSON"]
