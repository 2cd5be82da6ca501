"""An analyst with files of her own: train, score, download, update, roll back."""

import csv

import pytest

pytestmark = pytest.mark.browser


def test_train_score_download_update_and_roll_back(dashboard, files):
    dashboard.sees("There is no model yet").picture("overview_empty")
    for name in ("Score", "Update"):
        dashboard.go(name).picture(f"{name.lower()}_empty")
    dashboard.go("Train").picture("train_empty").upload(files / "week1.csv")
    dashboard.sees("Read as CSV, UTF-8, comma between columns.").picture("train_check").fits()
    dashboard.press("Train on 400 rows").sees("rows held out").strip_says("version 1").picture("train_result").fits()

    dashboard.go("Score").upload(files / "week4.csv").sees("entry_mode").picture("score_verdict").fits()
    dashboard.press("Score this file").sees("Rows that stand out").sees("severity").picture("score_run").fits()
    arrived = dashboard.download("Download CSV")
    assert arrived.suggested_filename == "week4_run1_scored.csv"
    with arrived.path().open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 400
    assert {"transaction_id", "amount", "score", "severity", "flagged", "version"} <= set(rows[0])
    assert dashboard.download("Download Parquet").suggested_filename == "week4_run1_scored.parquet"

    dashboard.upload(files / "week4.csv").sees("This very file was scored before").picture("score_again")
    dashboard.press("Choose another file")

    dashboard.go("Update").upload(files / "week2.csv").sees("device_score").picture("update_verdict").fits()
    dashboard.press("Preview the update").sees("Severity before and after").picture("update_preview").fits()
    dashboard.press("Accept").strip_says("version 2").sees("Roll back to this").picture("update_versions")
    dashboard.go("Score").sees("Run 1 was scored with version 1; the champion is version 2.").picture("score_stale")
    dashboard.go("Update").press("Roll back to this").strip_says("version 1")


def test_a_broken_file_is_explained_and_another_can_be_chosen(dashboard, files, tmp_path):
    lines = (files / "week1.csv").read_text().splitlines()
    broken = tmp_path / "twice.csv"
    broken.write_text("\n".join([lines[0].replace("country", "amount"), *lines[1:]]))
    dashboard.go("Score").upload(broken).sees("This file cannot be read").sees("amount").picture("score_error").fits()
    dashboard.press("Choose another file").sees("File to score")
    nothing = tmp_path / "nothing.csv"
    nothing.write_bytes(b"")
    dashboard.upload(nothing).sees("This file cannot be used").picture("score_empty_file")


def test_a_bookmarked_page_opens_with_its_frame(page, address):
    from tests.browser.driver import Dashboard

    Dashboard(page, address).open("/update").sees("Versions").fits()
