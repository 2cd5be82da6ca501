"""Names, values, notes and file names full of markup: every page shows them as text, and none of it runs."""

import re

import pytest
from playwright.sync_api import expect

from detector.service.review import cases, deciding, queue, queueing
from detector.service.review.filters import Filters
from detector.service.review.saved_views import save_view
from detector.service.scoring import score_file
from detector.service.uploads import receive
from detector.service.versions.training import train_file
from detector.service.versions.updating import accept_update, preview_update
from detector.service.workspace import Workspace
from detector.settings import Settings
from tests.browser.driver import Dashboard
from trust.markup import CATEGORIES, COLUMNS, FORMULAS, NOTE, hostile_table

pytestmark = pytest.mark.browser

FILE = "<img src=x onerror=window.ran=1> **bold** $x^2$ :material:delete: [link](javascript:window.ran=1).csv"
PAGES = (
    "Overview", "Queue", "Score", "Train", "Update", "Schema and drift", "Cutoff", "Explain", "Models", "Drift demo",
    "Exports and audit", "API",
)  # fmt: skip
#: What stands on a page only if something was laid out or run. Each selector is looked for in the whole document.
LAID_OUT = {
    "an image": 'img[src="x"]',
    "a script": "script:text('window.ran')",
    "a link that runs": 'a[href^="javascript"]',
    "a formula of LaTeX": ".katex",
    "bold text": "strong:text-is('bold'), b:text-is('one'), b:text-is('bold')",
    "code": "code:text-is('code')",
    "an icon": "[role=img]:text-is('delete'), [data-testid=stIconMaterial]:text-is('delete')",
    "struck text": "del:text-is('gone'), s:text-is('gone')",
    "a heading": "h1:text-is('heading')",
    "bold text in a chart": "svg text [style*='font-weight']:text-is('one'), svg text b",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A workspace in which everything that people and files can name is named with markup."""
    folder = tmp_path_factory.mktemp("home")
    ws = Workspace.open(Settings(home=folder, model_path=None, database_url=None, log_level="ERROR"))
    week = receive(ws, FILE, hostile_table(400).to_csv(index=False, quoting=2).encode(), actor=NOTE)
    train_file(ws, week.id, actor=NOTE)
    later = hostile_table(400, seed=1).rename(columns={COLUMNS[3]: "<i>new</i> $y$"}).to_csv(index=False, quoting=2)
    run = score_file(ws, receive(ws, FILE, later.encode(), actor=NOTE).id, actor=NOTE)
    queueing.send_to_queue(ws, run.id, 20, actor=NOTE)
    first, second, *_ = queue.matching(ws, Filters(view="all"), actor=NOTE, limit=5)
    deciding.decide(ws, [first], "fraud", "stolen_card", actor=NOTE, note=NOTE)
    deciding.decide(ws, [second], "legitimate", "customer_confirmed", actor=CATEGORIES[4], note=COLUMNS[4])
    save_view(ws, FORMULAS[0][:20] + "<b>x</b> $z$", Filters(view="all"), owner=NOTE)
    ws.set_cutoff(95.0, actor=NOTE, reason=NOTE)
    update = receive(ws, FILE, later.encode(), actor=NOTE)
    accept_update(ws, preview_update(ws, update.id).token, actor=NOTE)
    ws.close()
    return folder


def look(dashboard: Dashboard, where: str) -> str:
    """Open what can be opened, make sure that nothing ran or was laid out, and return what the page says."""
    page = dashboard.settle().page
    for summary in page.get_by_test_id("stMain").locator("details:not([open]) > summary").all():
        summary.click()
    dashboard.settle()
    assert page.evaluate("window.ran") is None, where
    for what, selector in LAID_OUT.items():
        assert page.locator(selector).count() == 0, f"{where}: {what}: {page.locator(selector).first.inner_text()}"
    expect(page.get_by_test_id("stException")).to_have_count(0)
    dashboard.picture("markup_" + re.sub(r"\W+", "_", where.lower()))
    # A character without width keeps names of icons from becoming pictures.
    return page.get_by_test_id("stMain").inner_text().replace("\u2060", "")


def test_no_page_runs_or_lays_out_what_files_and_people_wrote(dashboard, tmp_path):
    dashboard.page.on("dialog", lambda _: pytest.fail("a script opened a dialog"))
    said = ""
    for name in PAGES:
        said += look(dashboard.go(name), name)
        for tab in dashboard.page.get_by_test_id("stMain").get_by_role("tab").all():
            tab.click()
            said += look(dashboard, f"{name}, {tab.inner_text()}")
    dashboard.go("Queue").press("Continue review")
    expect(dashboard.page.get_by_role("heading", level=1)).to_have_text(re.compile(r"Case \d+-\d+"))
    said += look(dashboard, "Case")

    odd = tmp_path / "<img src=x onerror=window.ran=1> $x^2$ **bold**.csv"
    odd.write_bytes(hostile_table(300, seed=2).to_csv(index=False, quoting=2).encode())
    for name in ("Train", "Score", "Update"):
        dashboard.go(name).upload(odd)
        said += look(dashboard, f"{name} with a file")
    broken = tmp_path / "<b>broken<b> $x$.csv"
    broken.write_bytes(b"<script>window.ran=1</script>,<script>window.ran=1</script>\n1,2\n")
    for name in ("Train", "Score"):
        dashboard.go(name).press("Choose another file").upload(broken)
        said += look(dashboard, f"{name} with a broken file")

    for text in COLUMNS:
        assert text in said, f"{text!r} is shown nowhere as it is"


def test_a_case_shows_notes_and_values_as_they_are(dashboard, home):
    ws = Workspace.open(Settings(home=home, model_path=None, database_url=None, log_level="ERROR"))
    decided = queue.matching(ws, Filters(view="decided"), actor="ada", limit=5)
    notes = {entry.note for case in decided for entry in cases.get_case(ws, case).timeline}
    ws.close()
    assert {NOTE, COLUMNS[4]} <= notes
    said = ""
    for case in decided:
        dashboard.open(f"/case?case={case}")
        said += look(dashboard, f"Case {case} that is decided")
    assert NOTE in said
    assert COLUMNS[4] in said
