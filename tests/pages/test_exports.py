from datetime import date

import pytest
from sqlalchemy import text

from detector.service.exports import exporting
from detector.ui import audit_panel
from tests.databases import break_seal
from tests.pages.saying import labels, press, said


@pytest.fixture
def page(app, trained):
    return app.switch_page("pages/system/exports.py").run()


@pytest.fixture
def show(page):
    def show(view):
        page.segmented_control(key="exports_view").set_value(view)
        return page.run()

    return show


def downloads(at):
    return [button.label for button in at.get("download_button")]


def test_without_a_model_there_is_nothing_to_take_away(app):
    at = app.switch_page("pages/system/exports.py").run()
    assert "nothing to take away yet" in said(at)
    assert "Load the sample data" in labels(at)


def test_the_log_can_be_read_before_there_is_a_model(app, ws):
    ws.set_cutoff(95.0, actor="eve")
    at = app.switch_page("pages/system/exports.py").run()
    at.segmented_control(key="exports_view").set_value("Audit log")
    assert "The cutoff moved to 95" in said(at.run())


def test_a_model_without_a_run_leads_to_scoring(app, ws, files):
    from detector.service import uploads
    from detector.service.versions.training import train_file

    train_file(ws, uploads.receive(ws, "week1.csv", files["week1.csv"], actor="test").id, actor="test")
    at = app.switch_page("pages/system/exports.py").run()
    assert "Nothing has been scored yet" in said(at)
    assert press(at, "Score a file").title[0].value == "Score"


@pytest.mark.parametrize(("format", "label"), [("csv", "CSV"), ("parquet", "Parquet"), ("xlsx", "Excel")])
def test_a_small_run_can_be_taken_away_at_once_with_its_manifest(page, format, label):
    page.segmented_control(key="exports_format_1").set_value(format)
    page.run()
    assert downloads(page) == [f"Download {label}", "Download manifest"]
    assert "400 rows" in said(page)


def test_a_long_run_is_prepared_first(page, ws, finish, monkeypatch):
    monkeypatch.setattr(exporting, "AT_ONCE", 100)
    page.segmented_control(key="exports_format_1").set_value("parquet")
    page.run()
    assert downloads(page) == []
    at = finish(press(page, "Prepare the Parquet file"))
    assert downloads(at) == ["Download Parquet", "Download manifest"]
    assert "SHA-256" in said(at)


def test_an_export_in_progress_can_be_cancelled(page, held):
    held("export")
    page.run()
    assert "Writing the file" in said(page)
    assert "Cancel" in labels(page)


def test_what_excel_cannot_hold_is_told_before(page, monkeypatch):
    monkeypatch.setattr(exporting, "MOST_ROWS", 100)
    page.segmented_control(key="exports_format_1").set_value("xlsx")
    page.run()
    assert "An Excel sheet holds 100 rows, and this run has 400." in said(page)
    assert downloads(page) == []


def test_an_export_that_fails_says_why(page, ws, finish, monkeypatch):
    monkeypatch.setattr(exporting, "AT_ONCE", 100)
    for path in (ws.settings.data_folder / "runs").iterdir():
        path.unlink()
    at = finish(press(page.run(), "Prepare the CSV file"))
    assert "The file could not be written" in said(at)


def test_a_run_of_an_earlier_version_is_said_to_be_stale(page, trained, files):
    from detector.service import uploads
    from detector.service.versions.training import train_file

    train_file(trained, uploads.receive(trained, "week2.csv", files["week2.csv"], actor="test").id, actor="test")
    page.run()
    assert "Run 1 was scored with version 1; the champion is version 2." in said(page)


def test_the_evidence_on_a_case_is_made_by_its_name(show):
    at = show("Evidence on a case")
    at.text_input(key="exports_case").set_value("1-7")
    at = press(at, "Make the evidence")
    assert downloads(at) == ["Download evidence"]
    assert "Case 1-7" in said(at)


@pytest.mark.parametrize(("case", "told"), [("seven", "4-1523"), ("1-401", "has no row 401"), ("9-1", "no run 9")])
def test_a_case_that_is_none_is_explained(show, case, told):
    at = show("Evidence on a case")
    at.text_input(key="exports_case").set_value(case)
    at = press(at, "Make the evidence")
    assert "There is no evidence on this case" in said(at)
    assert told in said(at)
    assert downloads(at) == []


def test_a_log_that_was_changed_is_said_to_be(page, ws):
    break_seal(ws.database, "audit")
    with ws.database.write() as connection:
        connection.execute(text("UPDATE audit SET actor = 'eve' WHERE number = 2"))
    at = page.segmented_control(key="exports_view").set_value("Audit log").run()
    assert "Entry 2 does not fit: what it says is not what was written down." in said(at)


def test_a_long_log_is_followed_when_somebody_asks(page, monkeypatch):
    monkeypatch.setattr(audit_panel, "_FOLLOWED_AT_ONCE", 1)
    at = page.segmented_control(key="exports_view").set_value("Audit log").run()
    assert "The log is unbroken" not in said(at)
    (check,) = (label for label in labels(at) if label.startswith("Check all "))
    assert "The log is unbroken" in said(press(at, check))


def test_the_log_is_told_in_words_and_can_be_filtered(show, ws):
    ws.set_cutoff(95.0, actor="eve", reason="fewer hands")
    at = show("Audit log")
    assert "only ever added" in said(at)
    first = at.dataframe[0].value.iloc[0]
    assert first["What"] == "The cutoff moved from 90 to 95. Reason: fewer hands."
    assert "fewer hands" in at.code[0].value
    assert downloads(at) == ["Download JSON lines", "Download CSV"]
    assert "The log is unbroken: " in said(at)
    at.selectbox(key="audit_actor").set_value("test").run()
    assert set(at.dataframe[0].value["Who"]) == {"test"}
    at.text_input(key="audit_subject").set_value("run 1").run()
    assert at.dataframe[0].value["Action"].tolist() == ["file scored"]
    at.date_input(key="audit_until").set_value(date(2020, 1, 1)).run()
    assert "No entry fits these filters" in said(at)


def test_the_log_comes_in_pages(show, ws):
    for step in range(60):
        ws.set_cutoff(90 + step / 10, actor="eve")
    at = show("Audit log")
    assert "Entries 1 to 50 of" in said(at)
    at.get("pagination")[0].set_value(2).run()
    assert "Entries 51 to" in said(at)
