"""The real dashboard and API on free ports over a temporary workspace, driven by the system's Chromium."""

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from detector.synthetic import sample_files
from tests.browser.driver import Dashboard

ROOT = Path(__file__).parents[2]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SECONDS_TO_START = 60
MILLISECONDS_TO_APPEAR = 60_000


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return one Chromium for all tests."""
    expect.set_options(timeout=MILLISECONDS_TO_APPEAR)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(SWITCHES))
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> Path:
    """Return a folder with the five weeks of the sample data, 400 rows each."""
    folder = tmp_path_factory.mktemp("files")
    for name, content in sample_files(rows=400).items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Return the folder of the workspace, empty unless a module of tests fills it."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def address(home) -> Iterator[str]:
    """Return the root address of a dashboard over the workspace; it starts the API as its child."""
    with running_dashboard(home, free_port()) as root:
        yield root


@contextmanager
def running_dashboard(home: Path, port: int, **settings: str) -> Iterator[str]:
    """Run a dashboard over a workspace, with settings of the environment beside; give its root address."""
    environment = os.environ | {"DETECTOR_HOME": str(home), "DETECTOR_API_PORT": str(free_port()), **settings}
    environment.pop("DETECTOR_API_ADDRESS", None)
    command = [sys.executable, "-m", "detector.dashboard", "run", "app.py", "--server.headless", "true"]
    command += ["--server.port", str(port), "--server.address", "127.0.0.1"]
    with (
        (home / "server.log").open("wb") as log,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        ) as server,
    ):
        try:
            _wait_for(f"http://127.0.0.1:{port}/_stcore/health", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(30)


@pytest.fixture
def page(browser) -> Iterator[Page]:
    """Return a fresh tab, 1280 wide, light."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light", accept_downloads=True)
    context.set_default_timeout(MILLISECONDS_TO_APPEAR)
    yield context.new_page()
    context.close()


@pytest.fixture
def dashboard(page, address) -> Dashboard:
    """Return the dashboard, opened on its first page."""
    return Dashboard(page, address).open()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(SECONDS_TO_START * 4):
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (URLError, OSError):
            try:
                server.wait(0.25)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(f"The dashboard stopped with exit code {server.returncode}.") from None
    raise AssertionError(f"The dashboard did not answer within {SECONDS_TO_START} seconds.")
