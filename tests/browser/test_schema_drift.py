"""Schema and drift: from the sample to a file that lost a column, its reports, and another run beside it."""

import json

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def choose(dashboard, label, text):
    box = dashboard.page.get_by_role("combobox", name=label)
    box.click()
    box.fill(text)
    box.press("Enter")
    return dashboard.settle()


def test_a_lost_column_is_seen_understood_and_passed_on(dashboard, files):
    dashboard.go("Schema and drift").sees("There is no model to compare with yet")
    dashboard.press("Load the sample data").sees("columns drifting")
    dashboard.go("Score").upload(files / "week4.csv").sees("missing").press("Score this file").sees(
        "Rows that stand out"
    )
    dashboard.go("Schema and drift").sees("Columns that came otherwise").sees("entry_mode is no longer there.")
    dashboard.sees("Since run 1").picture("schema_drift").fits()

    choose(dashboard, "Column in detail", "amount").sees("p, KS test")
    choose(dashboard, "Column in detail", "country").sees("p, chi-square")
    choose(dashboard, "Compared with", "week1").sees("Compared with run 1, week1.csv.")

    report = json.loads(dashboard.download("Download JSON").path().read_text())
    assert report["against_run"] == 1
    page = dashboard.page.context.new_page()
    page.set_content(dashboard.download("Download HTML").path().read_text())
    expect(page.get_by_role("heading", name="Schema and drift of run 2")).to_be_visible()


def test_a_column_is_chosen_with_a_click_on_its_line(dashboard):
    dashboard.go("Schema and drift").sees("How the columns have changed")
    grid = dashboard.page.get_by_test_id("stDataFrame").first
    grid.scroll_into_view_if_needed()
    # The box before the second line; the table is a canvas, and its lines are 35 pixels high.
    grid.click(position={"x": 18, "y": 35 + 35 + 17})
    chosen = dashboard.settle().page.get_by_role("combobox", name="Column in detail")
    expect(chosen).not_to_have_value("entry_mode")
