"""The first visit after the dashboard has started."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.driver import Dashboard

pytestmark = pytest.mark.browser


def test_a_link_to_a_page_works_for_the_first_visitor_too(page: Page, address: str) -> None:
    dashboard = Dashboard(page, address).open("/train").settle()
    expect(page.get_by_role("heading", name="Train", exact=True, level=1)).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert dashboard.page.url == f"{address}/train"
