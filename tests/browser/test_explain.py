"""From what scores rest on to one row, by a click, and what it would score with other values."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_a_point_opens_its_row_and_a_changed_value_is_scored_at_once(dashboard):
    dashboard.press("Load the sample data").sees("Flagged per day")
    dashboard.go("Explain").sees("What scores rest on").sees("What if?").picture("explain").fits()
    page = dashboard.page
    number = page.get_by_label("Row of the file, counted from 1")
    before = number.input_value()
    for chart in (1, 2):  # the swarm, and one column of numbers
        if chart == 2:
            column = page.get_by_test_id("stSelectbox").filter(has_text="Column").locator("input")
            column.click()
            column.fill("amount")
            column.press("Enter")
            dashboard.settle()
        point = page.locator(".js-plotly-plot").nth(chart).locator(".points path").nth(3)
        point.scroll_into_view_if_needed()
        box = point.bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        expect(number).not_to_have_value(before)
        before = dashboard.settle() and number.input_value()
        dashboard.sees(f"Row {int(before):,} with version 1.")
    slider = page.get_by_role("slider", name=re.compile("amount")).first
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    dashboard.sees("as changed, with version 1; it is not stored").sees("Before the change").picture(
        "explain_what_if"
    ).fits()
    dashboard.press("Back to the row as it is").sees(f"Row {int(before):,} with version 1.")
