"""An analyst takes a scored file, the evidence on a case and the log away."""

import json
from hashlib import sha256

import openpyxl
import pytest

pytestmark = pytest.mark.browser


def test_a_file_its_manifest_the_evidence_and_the_log_arrive(dashboard, files):
    dashboard.go("Exports and audit").sees("nothing to take away yet").picture("exports_empty")
    dashboard.go("Train").upload(files / "week1.csv").sees("Read as CSV").press("Train on 400 rows").strip_says(
        "version 1"
    )
    dashboard.go("Score").upload(files / "week2.csv").sees("device_score").press("Score this file").sees(
        "Rows that stand out"
    )

    dashboard.go("Exports and audit").sees("400 rows").picture("exports").fits()
    main = dashboard.page.get_by_test_id("stMain")
    main.get_by_text("Excel", exact=True).click()
    dashboard.settle()
    book = dashboard.download("Download Excel")
    assert book.suggested_filename == "week2_run1_scored.xlsx"
    manifest = json.loads(dashboard.download("Download manifest").path().read_text())
    assert manifest["sha256"] == sha256(book.path().read_bytes()).hexdigest()
    with book.path().open("rb") as file:
        assert openpyxl.load_workbook(file, read_only=True).active.max_row == 401

    main.get_by_text("Evidence on a case", exact=True).click()
    main.get_by_role("textbox", name="Case").fill("1-7")
    dashboard.press("Make the evidence").sees("It opens in any browser").picture("exports_evidence").fits()
    evidence = dashboard.download("Download evidence").path()
    pack = dashboard.page.context.new_page()
    asked = []
    pack.on("request", lambda request: asked.append(request.url))
    pack.set_content(evidence.read_text())
    assert pack.get_by_role("heading", name="Case 1-7").is_visible()
    assert asked == []
    pack.close()

    main.get_by_text("Audit log", exact=True).click()
    dashboard.sees("only ever added").sees("Entry in full").picture("exports_audit").fits()
    lines = dashboard.download("Download JSON lines").path().read_text().splitlines()
    actions = [json.loads(line)["action"] for line in lines]
    assert {"version trained", "file scored", "run exported", "evidence taken"} <= set(actions)
