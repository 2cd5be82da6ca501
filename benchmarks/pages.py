"""How long the pages of the workbench take on a run of 1,000,000 rows, in a real browser.

    python -m benchmarks.pages --home /tmp/pages [--rows 1000000] [--columns 30] [--cases 100000] [--rounds 20]

The first call makes a workspace in ``--home``: a file of random payments, a model trained on its first 50,000 rows, the
run of all of it, and its most severe rows in the queue. Later calls use it again. Then the dashboard is started and
Chromium does, in turns, what an analyst does. An interaction lasts from the click or the key until the page shows what
it asked for and has stopped working; the first paint, from asking for the address until the page's own content shows,
and "all there", until it has stopped working. The largest message is the largest frame that came over the web socket
meanwhile.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from time import monotonic, perf_counter
from urllib.error import URLError

import numpy as np
import pandas as pd
from playwright.sync_api import Page, sync_playwright

from benchmarks.common import arguments
from detector.service import runs, scoring, uploads
from detector.service.review import queueing
from detector.service.versions import training
from detector.service.workspace import Workspace
from detector.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
TRAINING_ROWS = 50_000
SECONDS_TO_START = 60


@dataclass
class Tally:
    """Times of one interaction, in seconds, and the largest message during it, in bytes."""

    times: list[float] = field(default_factory=list)
    largest: int = 0


def payments(rows: int, columns: int, seed: int = 0) -> pd.DataFrame:
    """Return random payments: card, time, amount, merchant, country, device, and numbers; one in 100 is odd."""
    random = np.random.default_rng(seed)
    odd = random.random(rows) < 0.01
    seconds = np.sort(random.integers(0, 60 * 86_400, rows))
    frame = pd.DataFrame(
        {
            "transaction": np.arange(rows),
            "card": np.char.add("C", random.integers(0, rows // 40 + 1, rows).astype(str)),
            "at": pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(seconds, unit="s"),
            "amount": np.where(odd, random.gamma(3.0, 900.0, rows), random.gamma(2.0, 25.0, rows)).round(2),
            "merchant": np.char.add("M", random.integers(0, rows // 50 + 1, rows).astype(str)),
            "country": random.choice(["DE", "FR", "IT", "ES", "NL", "BR"], rows, p=[0.3, 0.25, 0.2, 0.14, 0.1, 0.01]),
            "device": np.char.add("D", random.integers(0, rows // 10 + 1, rows).astype(str)),
        }
    )
    for i in range(columns - frame.shape[1]):
        frame[f"signal_{i:02d}"] = (random.normal(size=rows) + odd * (i % 3)).round(3).astype(np.float32)
    return frame


def prepare(home: Path, rows: int, columns: int, cases: int) -> None:
    """Make the workspace unless it is there."""
    ws = Workspace.open(Settings(home=home, api_port=9, max_upload_bytes=2 * 1024**3))
    try:
        if not runs.list_runs(ws):
            frame = payments(rows, columns)
            roles = {"transaction": "id", "card": "entity", "at": "time", "amount": "amount"}
            training.train_rows(ws, frame.head(TRAINING_ROWS), roles=roles, actor="benchmark")
            content = BytesIO()
            frame.to_parquet(content, index=False)
            upload = uploads.receive(ws, "payments.parquet", content.getvalue(), actor="benchmark")
            scoring.score_file(ws, upload.id, actor="benchmark")
        if not queueing.list_queues(ws):
            queueing.send_to_queue(ws, runs.list_runs(ws)[0].id, cases, actor="benchmark")
    finally:
        ws.close()


class Visitor:
    """One browser tab that takes the time of what it does."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.tallies: dict[tuple[str, str], Tally] = {}
        self._largest = 0
        page.on("websocket", lambda socket: socket.on("framereceived", self._received))

    def _received(self, payload: str | bytes) -> None:
        self._largest = max(self._largest, len(payload))

    def time(self, where: str, what: str, do: Callable[[], object], shown: Callable[[], object] | None = None) -> None:
        """Do something and wait until the page shows it and has stopped working."""
        self._largest = 0
        start = perf_counter()
        do()
        if shown is not None:
            shown()
        self.settle()
        tally = self.tallies.setdefault((where, what), Tally())
        tally.times.append(perf_counter() - start)
        tally.largest = max(tally.largest, self._largest)

    def time_opening(self, where: str, path: str, text: str) -> None:
        """Open an address; take the time until its content shows and until it has stopped working."""
        self._largest = 0
        start = perf_counter()
        self.open(path, text)
        first = perf_counter() - start
        self.settle()
        for what, seconds in (("first paint", first), ("all there", perf_counter() - start)):
            tally = self.tallies.setdefault((where, what), Tally())
            tally.times.append(seconds)
            tally.largest = max(tally.largest, self._largest)

    def settle(self) -> None:
        """Wait until the page has stopped working: no script runs, and no element waits for its successor."""
        self.page.wait_for_function(
            "document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'"
            " && !document.querySelector('[data-testid=stSkeleton]')"
        )

    def open(self, path: str, text: str) -> None:
        """Open an address and wait until a text of the page's own shows."""
        self.page.goto(self.address + path)
        self.page.get_by_test_id("stMain").get_by_text(text).first.wait_for()

    def heading(self) -> str:
        """Return the title of the page."""
        return self.page.locator("h1").first.inner_text()

    def another_case(self, before: str) -> None:
        """Wait until the page shows another case."""
        self.page.wait_for_function("before => document.querySelector('h1')?.innerText !== before", arg=before)


def queue_round(visitor: Visitor, turn: int) -> None:
    """Do on the queue what an analyst does."""
    page = visitor.page
    main = page.get_by_test_id("stMain")

    def says(text: str) -> Callable[[], object]:
        return main.get_by_text(text).first.wait_for

    visitor.time_opening("Queue", "/queue", "1 to 50 of")
    visitor.time(
        "Queue",
        "next page",
        lambda: main.get_by_role("button", name="Page 2", exact=True).click(),
        says("51 to 100 of"),
    )
    visitor.time("Queue", "view: all", lambda: main.get_by_role("radio").nth(6).click(), says("1 to 50 of"))
    search = main.get_by_role("textbox", name="Search")
    visitor.time(
        "Queue", "search", lambda: (search.fill(f"C1{turn}"), search.press("Enter")), lambda: _address(page, "search")
    )
    visitor.time("Queue", "clear search", lambda: (search.fill(""), search.press("Enter")), says("1 to 50 of"))
    severity = main.locator("[class*=st-key-queue_least_severity] input")
    visitor.time("Queue", "least severity", lambda: (severity.fill("99"), severity.press("Enter")),
                 lambda: _address(page, "least_severity"))  # fmt: skip
    visitor.time(
        "Queue", "patterns", lambda: main.get_by_text("Patterns", exact=True).click(), lambda: _address(page, "show")
    )
    visitor.time("Queue", "cases", main.get_by_text("Cases", exact=True).first.click, says("1 to 50 of"))


def case_round(visitor: Visitor) -> None:
    """Decide cases by keys."""
    page = visitor.page
    visitor.open("/queue", "1 to 50 of")
    visitor.settle()
    review = page.get_by_role("button", name="Continue review")
    visitor.time("Case", "first case of a session", review.click, lambda: visitor.another_case("Queue"))
    address = page.url.removeprefix(visitor.address)
    visitor.time_opening("Case", address, "When detected")
    for what, key in (
        ("decide", "f"),
        ("decide", "l"),
        ("escalate", "e"),
        ("next", "n"),
        ("previous", "p"),
        ("undo", "z"),
    ):
        before = visitor.heading()
        visitor.time(
            "Case", what, lambda key=key: page.keyboard.press(key), lambda before=before: visitor.another_case(before)
        )
    back = page.get_by_role("button", name="Back to the queue")
    visitor.time("Case", "back to the queue", back.click, page.get_by_text("1 to 50 of").first.wait_for)
    visitor.time("Case", "continue review", review.click, lambda: visitor.another_case("Queue"))


def table(tallies: dict[tuple[str, str], Tally]) -> str:
    """Return the figures as a Markdown table."""
    lines = ["| page | interaction | times | p50 s | p95 s | largest message |", "|---|---|---:|---:|---:|---:|"]
    for (where, what), tally in tallies.items():
        times = sorted(tally.times)
        p95 = times[min(len(times) - 1, round(0.95 * (len(times) - 1)))]
        middle, largest = statistics.median(times), tally.largest / 1e3
        lines.append(f"| {where} | {what} | {len(times)} | {middle:.2f} | {p95:.2f} | {largest:,.0f} kB |")
    return "\n".join(lines)


def main() -> None:
    parser = arguments("Times of the workbench's pages in a browser")
    parser.add_argument("--home", type=Path, required=True, help="folder of the workspace; made when it is empty")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=30)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    prepare(options.home, options.rows, options.columns, options.cases)
    with _dashboard(options.home) as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        visitor = Visitor(chromium.new_page(viewport={"width": 1280, "height": 900}), address)
        visitor.page.set_default_timeout(60_000)
        # The first visitor of a process waits for libraries and compiled code; nobody else does.
        visitor.open("/queue", "1 to 50 of")
        case_round(visitor)
        visitor.tallies.clear()
        for turn in range(options.rounds):
            queue_round(visitor, turn)
            case_round(visitor)
        chromium.close()
    found = table(visitor.tallies)
    sys.stdout.write(found + "\n")
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "pages.md").write_text(found + "\n", encoding="utf-8")


def _address(page: Page, name: str) -> None:
    page.wait_for_function("name => new URLSearchParams(location.search).has(name)", arg=name)


@contextmanager
def _dashboard(home: Path) -> Iterator[str]:
    port, api = _free_port(), _free_port()
    environment = os.environ | {"DETECTOR_HOME": str(home), "DETECTOR_API_PORT": str(api)}
    command = [sys.executable, "-m", "detector.dashboard", "run", "app.py", "--server.headless", "true"]
    command += ["--server.port", str(port), "--server.address", "127.0.0.1"]
    with (
        (home / "dashboard.log").open("wb") as log,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT) as server,
    ):
        try:
            _wait_for(f"http://127.0.0.1:{port}/_stcore/health", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    until = monotonic() + SECONDS_TO_START
    while monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (URLError, OSError):
            try:
                server.wait(0.25)
            except subprocess.TimeoutExpired:
                continue
            sys.exit(f"The dashboard stopped with exit code {server.returncode}.")
    sys.exit(f"The dashboard did not answer within {SECONDS_TO_START} seconds.")


if __name__ == "__main__":
    main()
