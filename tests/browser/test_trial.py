"""A lead tries a version on live requests, watches its figures, and promotes it; an update that is suspicious waits."""

import json
import urllib.request
from contextlib import closing

import pytest
from playwright.sync_api import expect

from detector.synthetic import generate_week

pytestmark = pytest.mark.browser


def rows(week, count):
    return json.loads(generate_week(week, rows=400).head(count).to_json(orient="records", date_format="iso"))


def post(dashboard, path, body):
    """Send a request to the API that the dashboard runs beside; its address stands on the API page."""
    request = urllib.request.Request(
        dashboard.api + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    with closing(urllib.request.urlopen(request, timeout=60)) as answer:
        return json.load(answer)


def test_a_challenger_is_tried_on_live_requests_and_promoted(dashboard, files):
    dashboard.go("Train").upload(files / "week1.csv").sees("Read as CSV").press("Train on 400 rows").strip_says(
        "version 1"
    )
    dashboard.go("Update").upload(files / "week2.csv").sees("device_score").press("Preview the update").sees(
        "Severity before and after"
    )
    dashboard.press("Accept").strip_says("version 2")
    dashboard.go("API")
    dashboard.api = (
        dashboard.page.get_by_test_id("stMain").get_by_text("http://127.0.0.1:").first.inner_text().split()[0]
    )

    dashboard.go("Models").sees("Choose another one above to try it")
    version = dashboard.page.get_by_test_id("stMain").get_by_role("combobox", name="Version", exact=True)
    version.click()
    version.fill("Version 1")
    version.press("Enter")
    dashboard.sees("Let version 1 score the same live requests").picture("models_try").fits()
    dashboard.press("Try version 1 on live requests").sees("Version 1 is tried beside version 2")
    main = dashboard.page.get_by_test_id("stMain")
    for _ in range(60):
        answer = post(dashboard, "/predict/batch", {"transactions": rows(2, 200)})
        assert {one["model_version"] for one in answer["predictions"]} == {2}
        if main.get_by_text("Requests scored by both").count():
            break
        dashboard.page.wait_for_timeout(250)
    dashboard.sees("Both say the same").picture("models_trial").fits()
    dashboard.press("Promote the challenger").sees("Say why the champion changes")
    dashboard.page.get_by_role("textbox", name="Reason to promote version 1 after this trial").fill("Fewer alarms")
    dashboard.press("Promote the challenger").strip_says("version 1").sees("This version is the champion")
    expect(dashboard.button("Stop the trial")).to_have_count(0)

    odd = [row | {"amount": 90_000.0 + place, "country": "XX"} for place, row in enumerate(rows(1, 40))]
    answer = post(dashboard, "/update", {"transactions": odd})
    assert not answer["promoted"], answer
    dashboard.go("Models").sees("1 update waiting for you").picture("models_waiting").fits()
    dashboard.press("Dismiss version 3").settle()
    expect(main.get_by_text("waiting for you")).to_have_count(0)
