"""A lead lets a challenger stand beside the champion, compares the two, and goes back with a reason."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_a_challenger_is_compared_and_promoted(dashboard, files):
    dashboard.go("Models").sees("There is no model yet").picture("models_empty")
    dashboard.go("Train").upload(files / "week1.csv").sees("Read as CSV").press("Train on 400 rows").strip_says(
        "version 1"
    )
    dashboard.go("Score").upload(files / "week2.csv").sees("device_score").press("Score this file").sees(
        "Rows that stand out"
    )
    dashboard.go("Update").upload(files / "week2.csv").sees("device_score").press("Preview the update").sees(
        "Severity before and after"
    )
    dashboard.press("Accept").strip_says("version 2")

    dashboard.go("Models").sees("400 new rows of week2.csv, on top of version 1").picture("models").fits()
    version = dashboard.page.get_by_test_id("stMain").get_by_role("combobox", name="Version", exact=True)
    version.click()
    version.fill("Version 1")
    version.press("Enter")
    dashboard.sees("400 rows of week1.csv").press("Make challenger").sees("Not compared yet")
    dashboard.press("Compare").sees("Who would have caught what").picture("models_compared").fits()
    dashboard.press("Roll back to version 1").sees("Say why the champion changes")
    dashboard.page.get_by_role("textbox", name="Reason to go back to version 1").fill("Too many alarms")
    dashboard.press("Roll back to version 1").strip_says("version 1").sees("This version is the champion")
    expect(dashboard.button("Compare")).to_have_count(0)
