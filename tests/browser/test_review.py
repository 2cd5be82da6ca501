"""A day's work in the queue: cases by keys alone, one taken back, a pattern closed at once, a colleague beside."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.driver import Dashboard

pytestmark = pytest.mark.browser

#: Cases of the sample data in the queue.
CASES = 97


def views(dashboard) -> dict[str, int]:
    """Return how many cases each view holds, as its tab says."""
    tabs = dashboard.page.get_by_test_id("stButtonGroup").first.get_by_role("radio").all_inner_texts()
    return {name: int(number.replace(",", "")) for name, number in (tab.rsplit(" ", 1) for tab in tabs)}


def case_shown(dashboard) -> str:
    heading = dashboard.page.get_by_role("heading", level=1)
    expect(heading).to_have_text(re.compile(r"Case \d+-\d+"))
    return heading.inner_text()


def press_key(dashboard, key: str) -> str:
    """Press a key, wait for another case and return its title."""
    before = case_shown(dashboard)
    dashboard.page.keyboard.press(key)
    expect(dashboard.page.get_by_role("heading", level=1)).not_to_have_text(before)
    dashboard.settle()
    return case_shown(dashboard)


def test_cases_are_decided_by_keys_undone_and_closed_as_a_pattern(dashboard):
    dashboard.go("Queue").press("Load the sample data").sees(f"1 to 50 of {CASES} cases").picture("queue").fits()
    assert views(dashboard)["Unreviewed"] == CASES

    # Keys work as soon as the page shows: nothing is clicked first.
    dashboard.press("Continue review").sees("When detected")
    first = case_shown(dashboard)
    dashboard.settle().picture("case").fits()
    seen = [first, *(press_key(dashboard, key) for key in "flufl")]
    assert len(set(seen)) == 6
    dashboard.strip_says(f"{CASES - 5}")
    assert press_key(dashboard, "z") == seen[4]
    expect(dashboard.page.get_by_text("Taken back")).to_be_visible()
    dashboard.picture("case_undone")
    assert press_key(dashboard, "p") == seen[5]

    # Letters that are typed into a field decide nothing.
    note = dashboard.page.get_by_placeholder("Write a note")
    note.fill("")
    note.press_sequentially("full flu")
    assert case_shown(dashboard) == seen[5]
    dashboard.page.get_by_role("button", name="Add note").click()
    dashboard.sees("full flu")

    dashboard.press("Back to the queue").sees(f"of {CASES - 4} cases")
    found = views(dashboard)
    assert (found["Unreviewed"], found["Decided"], found["All"]) == (CASES - 4, 4, CASES)

    dashboard.page.get_by_test_id("stMain").get_by_text("Patterns", exact=True).click()
    chosen = dashboard.page.get_by_role("combobox", name="Open a pattern")
    expect(chosen).to_be_visible()
    dashboard.settle().picture("queue_patterns").fits()
    chosen.click()
    chosen.press("ArrowDown")
    chosen.press("Enter")
    dashboard.sees("Cases that share").settle()
    told = dashboard.page.get_by_text(re.compile(r"^1 to \d+ of \d+ cases"))
    number = int(re.search(r"of (\d+) case", told.first.inner_text()).group(1))
    dashboard.page.get_by_text(f"All {number} cases").click()
    dashboard.settle()
    dashboard.page.get_by_test_id("stMain").get_by_role("button", name="Decide").click()
    confirm = dashboard.page.get_by_role("button", name=f"Mark {number} cases as legitimate")
    expect(confirm).to_be_visible()
    dashboard.picture("queue_bulk")
    confirm.click()
    dashboard.sees(f"{number} cases decided as legitimate.").settle().picture("queue_decided")
    assert views(dashboard)["Decided"] == 4 + number
    dashboard.press("Undo")
    expect(dashboard.page.get_by_test_id("stMain").get_by_text("Decided 4", exact=True)).to_be_visible()


def test_two_people_do_not_work_on_one_case(page, dashboard, address, browser):
    dashboard.go("Queue").press("Continue review").sees("When detected")
    mine = case_shown(dashboard)
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    other = Dashboard(context.new_page(), address).open("/queue")
    other.page.get_by_test_id("stSidebar").get_by_role("button", name="analyst").click()
    name = other.page.get_by_role("textbox", name="Your name")
    name.fill("Bea")
    name.press("Enter")
    other.strip_says("Bea").settle()
    other.page.keyboard.press("Escape")
    other.press("Continue review").sees("When detected")
    assert case_shown(other) != mine
    # The browser remembers who she is, and a case that somebody holds says so.
    path = dashboard.page.url.removeprefix(address)
    other.open(path).sees("analyst is looking at this case").strip_says("Bea")
    other.settle().picture("case_held")
    other.press("Take over")
    expect(other.page.get_by_text("is looking at this case")).to_have_count(0)
    other.settle()
    assert press_key(other, "f") != mine
    page.keyboard.press("l")
    dashboard.sees("Nothing was changed").picture("case_conflict")
    context.close()
