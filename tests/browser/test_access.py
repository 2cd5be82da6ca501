"""People sign in with their provider and have the roles that the settings give them; a lead makes and ends keys."""

import json
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import Page, expect

from detector.service.versions.training import train_rows
from detector.service.workspace import Workspace
from detector.settings import Settings
from detector.synthetic import generate_week
from tests.browser.conftest import free_port, running_dashboard
from tests.browser.driver import Dashboard
from tests.browser.provider import provider, secrets_file

pytestmark = pytest.mark.browser

PEOPLE = {
    "Lea": {"sub": "1", "email": "lea@example.org", "email_verified": True},
    "Ann": {"sub": "2", "email": "ann@example.org", "email_verified": True, "groups": ["fraud team"]},
    "Vic": {"sub": "3", "email": "vic@example.org", "email_verified": True},
    # Wrote a lead's address into an account of his own; nobody has verified it.
    "Eve": {"sub": "4", "email": "lea@example.org", "email_verified": False},
    "Out": {"sub": "5", "email": "out@example.org", "email_verified": True},
}
ROLES = {"lea@example.org": "lead", "group:fraud team": "analyst", "out@example.org": "none"}


@pytest.fixture(scope="module")
def signing_in(tmp_path_factory):
    """Return the address of a dashboard with a model, where people sign in."""
    home, port = tmp_path_factory.mktemp("home"), free_port()
    ws = Workspace.open(Settings(home=home))
    train_rows(ws, generate_week(1, rows=300), actor="test")
    ws.close()
    with provider(PEOPLE) as place:
        (home / "sign_in.toml").write_text(secrets_file(place, f"http://127.0.0.1:{port}"))
        settings = {"DETECTOR_SIGN_IN_FILE": str(home / "sign_in.toml"), "DETECTOR_ROLES": json.dumps(ROLES)}
        with running_dashboard(home, port, **settings) as root:
            yield root


def sign_in(page: Page, root: str, who: str) -> Dashboard:
    page.goto(root)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("link", name=who, exact=True).click()
    return Dashboard(page, root)


def test_nothing_is_shown_before_somebody_signs_in(page, signing_in):
    for path in ("/", "/queue", "/access", "/models"):
        page.goto(signing_in + path)
        expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
        expect(page.get_by_text("Champion")).to_have_count(0)
    Dashboard(page, signing_in).picture("sign_in")


def test_a_lead_makes_a_key_that_opens_the_api_and_ends_it(page, signing_in):
    dashboard = api_page(sign_in(page, signing_in, "Lea").strip_says("version 1"))
    root = page.get_by_test_id("stMain").locator("code", has_text="http://").first.inner_text()
    assert status(root) == 200
    dashboard.go("Access").sees("No key has been set").picture("access_empty").fits()
    page.get_by_label("Used by", exact=True).fill("nightly scoring")
    dashboard.press("Make a key")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("This is the only time that it is shown")).to_be_visible()
    key = dialog.locator("code").first.inner_text().strip()
    dashboard.page.screenshot(path="tests/browser/screenshots/access_key.png", animations="disabled")
    dialog.get_by_role("button", name="I have copied it").click()
    expect(dialog).to_have_count(0)
    assert (status(root), status(root, key)) == (401, 200)
    dashboard.settle()
    expect(page.get_by_text(key[20:])).to_have_count(0)
    dashboard.picture("access").fits()
    # The page of the API goes on, with a key of its own; what it offers to copy takes yours from the environment.
    api_page(dashboard).press("Send").sees("Status 200 in")
    page.get_by_test_id("stMain").get_by_text("As curl and as Python").click()
    dashboard.sees("DETECTOR_API_KEY").picture("api_with_key").fits()
    dashboard.go("Exports and audit")
    page.get_by_test_id("stMain").get_by_text("Audit log", exact=True).click()
    dashboard.settle().picture("access_log")


@pytest.mark.parametrize(
    ("who", "role", "refused"),
    [("Vic", "viewer", True), ("Eve", "viewer", True), ("Ann", "analyst", False)],
)
def test_each_role_sees_what_it_may_do(page, signing_in, who, role, refused):
    dashboard = sign_in(page, signing_in, who).strip_says("version 1")
    for name in ("Train", "Update", "Access"):
        dashboard.go(name).sees(f"you are here as {role}")
        expect(page.get_by_test_id("stMain").get_by_role("button")).to_have_count(0)
    dashboard.picture(f"access_as_{who.lower()}")
    dashboard.go("Score")
    expect(page.locator("input[type=file]")).to_have_count(0 if refused else 1)
    api_page(dashboard).press("Send").sees("Status 403" if refused else "Status 200")


def test_who_is_kept_out_is_told_so_and_can_leave(page, signing_in):
    dashboard = sign_in(page, signing_in, "Out").sees("has no role here")
    dashboard.press("Sign out")
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()


def test_who_signs_out_is_out(page, signing_in):
    dashboard = sign_in(page, signing_in, "Vic").strip_says("version 1")
    page.get_by_role("button", name="vic@example.org").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    page.goto(signing_in + "/queue")
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    assert dashboard


def api_page(dashboard: Dashboard) -> Dashboard:
    """Open the page of the API, which may still be starting."""
    dashboard.strip_says("live").go("API")
    main = dashboard.page.get_by_test_id("stMain")
    for _ in range(20):
        expect(main.get_by_text("Live", exact=True).or_(main.get_by_text("Not answering", exact=True))).to_be_visible()
        if main.get_by_text("Live", exact=True).count():
            break
        dashboard.press("Try again")
    return dashboard


def status(root: str, key: str = "") -> int:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(f"{root}/model/info", headers=headers), timeout=10
        ) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
