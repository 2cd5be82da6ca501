"""A lead tries a cutoff on a scored file and applies it."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_a_cutoff_is_tried_in_any_of_three_fields_and_applied_with_a_reason(dashboard, files):
    dashboard.go("Cutoff").sees("A cutoff needs a model").picture("cutoff_empty")
    dashboard.go("Overview").press("Load the sample data").sees("Flagged per day")
    dashboard.go("Cutoff").sees("Not measurable yet").picture("cutoff").fits()
    main = dashboard.page.get_by_test_id("stMain")
    share, cutoff = (main.get_by_role("spinbutton", name=name) for name in ("Flagged share, %", "Cutoff"))
    share.fill("4")
    share.press("Enter")
    dashboard.sees("Tried, not saved")
    expect(cutoff).not_to_have_value("90")
    tried = cutoff.input_value()
    cases = main.get_by_role("spinbutton", name="Cases a day")
    cases.fill("2")
    cases.press("Enter")
    expect(cutoff).not_to_have_value(tried)
    dashboard.settle().picture("cutoff_tried").fits()
    main.get_by_role("textbox", name="Reason").fill("Two hands less this week")
    dashboard.press("Apply").sees("Two hands less this week")
    strip = dashboard.page.get_by_test_id("stSidebar")
    expect(strip.get_by_text("severity 90.0")).to_have_count(0, timeout=30_000)
    main.get_by_text("Log axis", exact=True).click()
    dashboard.settle().picture("cutoff_log")
