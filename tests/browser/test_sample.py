"""A new user without a file: the sample, the API page, the drift demo, light and dark."""

import pytest
from playwright.sync_api import expect

from tests.browser.driver import Dashboard

pytestmark = pytest.mark.browser

PAGES = (
    "Overview",
    "Queue",
    "Case",
    "Score",
    "Train",
    "Update",
    "Schema and drift",
    "Cutoff",
    "Explain",
    "Models",
    "Drift demo",
    "Alerts",
    "Exports and audit",
    "API",
)


def test_one_click_leads_to_flagged_transactions_and_their_reasons(dashboard):
    dashboard.press("Load the sample data").sees("Flagged per day").sees("Most frequent reasons")
    dashboard.picture("overview").fits()
    dashboard.press("Continue review").sees("When detected")
    dashboard.go("Score").sees("Rows that stand out").sees("Why does this row stand out?")


def test_the_api_answers_with_the_same_score_as_the_page(dashboard):
    # The API is a child process that begins with the first visit; it needs a moment to load.
    dashboard.strip_says("live").go("API").sees("POST /predict").press("Send").sees("Status 200 in")
    dashboard.press("Score it both ways").sees("Difference").sees("none").picture("api").fits()
    dashboard.page.get_by_text("POST /train", exact=True).first.click()
    dashboard.settle().press("Send").sees("Not sent")


def test_the_drift_demo_plays_its_five_weeks(dashboard):
    dashboard.go("Drift demo").picture("drift_demo_empty")
    for week in range(1, 6):
        dashboard.press(f"Play week {week}")
    dashboard.sees("All five weeks are played").picture("drift_demo").fits()


def test_every_page_stands_in_the_dark_too(browser, address):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="dark")
    dashboard = Dashboard(context.new_page(), address).open()
    for name in PAGES:
        dashboard.go(name).fits().picture(f"{name.lower().replace(' ', '_')}_dark")
    background = dashboard.page.get_by_test_id("stApp").evaluate("element => getComputedStyle(element).backgroundColor")
    assert background == "rgb(20, 25, 31)"
    context.close()


def test_wide_screens_are_filled_without_anything_sticking_out(browser, address):
    context = browser.new_context(viewport={"width": 1920, "height": 1080}, color_scheme="light")
    dashboard = Dashboard(context.new_page(), address).open()
    for name in PAGES:
        dashboard.go(name).fits()
    expect(dashboard.page.get_by_test_id("stException")).to_have_count(0)
    context.close()
