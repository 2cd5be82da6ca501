"""The page of alerts as somebody on duty meets it."""

from __future__ import annotations

import pytest

from tests.browser.driver import Dashboard

pytestmark = pytest.mark.browser


def test_alerts_from_the_first_look_to_a_webhook(dashboard: Dashboard) -> None:
    dashboard.go("Alerts").sees("Nothing can be watched yet").picture("alerts_empty")
    dashboard.press("Load the sample data").sees("All is quiet").strip_says("Alerts")
    dashboard.page.get_by_test_id("stMain").get_by_text("Rules", exact=True).click()
    dashboard.settle().sees("More is flagged than expected").picture("alerts_rules").fits()
    dashboard.page.get_by_test_id("stMain").get_by_text("Webhooks", exact=True).click()
    dashboard.settle().sees("No webhook yet")
    dashboard.page.get_by_role("textbox", name="Name").fill("On-call")
    dashboard.page.get_by_role("textbox", name="Address").fill("http://169.254.169.254/latest")
    dashboard.press("Add the webhook").sees("A webhook goes over https://")
    dashboard.page.get_by_role("textbox", name="Address").fill("https://hooks.example.com/T0/key")
    dashboard.press("Add the webhook").sees("Copy it now").picture("alerts_webhooks").fits()
