"""The screenshots of the README: the real dashboard over the sample data, in the system's Chromium.

python docs/screenshots.py

The first week of the sample is loaded, some of its cases are decided by what the sample says of them, and the fourth
week, in which columns change, is scored. It takes about a minute. Needs requirements-test.txt and Chromium; CHROMIUM
says where that is when it is not /usr/bin/chromium.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

from detector.service import demo, scoring, uploads  # noqa: E402
from detector.service.review import deciding, queueing  # noqa: E402
from detector.service.review.filters import Filters  # noqa: E402
from detector.service.review.queue import matching  # noqa: E402
from detector.service.workspace import Workspace  # noqa: E402
from detector.settings import Settings  # noqa: E402
from detector.synthetic import generate_week, sample_files  # noqa: E402

#: Width and height of a picture, in pixels of the page.
SIZE = (1280, 860)
#: Cases that are decided before the pictures are taken.
DECIDED = 24
ANALYST = "analyst"
SECONDS_TO_START = 60


def prepare(home: Path) -> str:
    """Fill a workspace and return the case to show."""
    ws = Workspace.open(Settings(home=home))
    try:
        demo.load_sample(ws, actor=ANALYST)
        week = uploads.receive(ws, "week4.csv", sample_files()["week4.csv"], actor=ANALYST)
        run = scoring.score_file(ws, week.id, actor=ANALYST)
        queueing.send_to_queue(ws, run.id, run.flagged, actor=ANALYST)
        truth = generate_week(4)[demo.LABEL]
        of_the_run = Filters(run=run.id)
        for _ in range(DECIDED):
            (case,) = matching(ws, of_the_run, actor=ANALYST, limit=1)
            if truth.iloc[case.row - 1]:
                deciding.decide(ws, [case], "fraud", "stolen_card", actor=ANALYST, seconds=20.0)
            else:
                deciding.decide(ws, [case], "legitimate", "usual_for_customer", actor=ANALYST, seconds=20.0)
        return str(matching(ws, of_the_run, actor=ANALYST, limit=1)[0])
    finally:
        ws.close()


def picture(page: Page, name: str) -> None:
    """Wait until the page stands still and take its picture."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    page.wait_for_timeout(800)
    (HERE / "screenshots").mkdir(exist_ok=True)
    page.screenshot(path=HERE / "screenshots" / f"{name}.png", animations="disabled")


def main() -> None:
    """Take all pictures."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        case = prepare(home)
        dashboard, api = _free_port(), _free_port()
        environment = os.environ | {"DETECTOR_HOME": str(home), "DETECTOR_API_PORT": str(api)}
        command = [sys.executable, "-m", "detector.dashboard", "run", "app.py", "--server.headless", "true"]
        command += ["--server.port", str(dashboard), "--server.address", "127.0.0.1"]
        with subprocess.Popen(  # noqa: S603 - our own command
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as server:
            try:
                _wait_for(f"http://127.0.0.1:{dashboard}/_stcore/health")
                _take(f"http://127.0.0.1:{dashboard}", case)
            finally:
                server.terminate()


def _take(address: str, case: str) -> None:
    expect.set_options(timeout=SECONDS_TO_START * 1000)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = chromium.new_page(viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme="light")
        for name, path in (
            ("case", f"/case?case={case}"),
            ("drift", "/schema_drift"),
            ("cutoff", "/cutoff"),
            # Last, since the API has started by then.
            ("queue", "/queue"),
        ):
            page.goto(address + path)
            expect(page.get_by_test_id("stMain").get_by_role("heading", level=1)).to_be_visible()
            picture(page, name)
        chromium.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str) -> None:
    for _ in range(SECONDS_TO_START * 4):
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - an address of this machine
                return
        except OSError:
            time.sleep(0.25)  # it is starting; nothing tells when it listens
    raise SystemExit("The dashboard did not answer.")


if __name__ == "__main__":
    main()
