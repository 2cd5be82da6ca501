"""The real application over a workspace in a temporary folder, driven without a browser."""

import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import streamlit as st
import time_machine
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from detector.service import jobs, uploads
from detector.service.access import Actor, Role
from detector.service.scoring import score_file
from detector.service.versions.training import train_file
from detector.service.workspace import Workspace
from detector.settings import Settings
from detector.synthetic import sample_files
from tests.databases import databases

APP = Path(__file__).parents[2] / "app.py"


@pytest.fixture(scope="session", autouse=True)
def components_are_looked_for_once() -> Iterator[None]:
    """Let the driver know what is installed: for every test it would read what all packages say of themselves."""
    patch = pytest.MonkeyPatch()
    found = manifest_scanner.scan_component_manifests()
    patch.setattr(manifest_scanner, "scan_component_manifests", lambda: found)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def files() -> dict[str, bytes]:
    """The five weeks of the sample data, 400 rows each."""
    return sample_files(rows=400)


@pytest.fixture(scope="session")
def learned(tmp_path_factory, files, database_kind) -> Path:
    """The folder of a workspace with week 1 learned and scored, which tests have copies of."""
    home = tmp_path_factory.mktemp("learned")
    # So long ago that what pages say of it ("2 days ago") is the same from the first test to the last.
    with time_machine.travel(datetime.now(UTC) - timedelta(days=2, hours=12)):
        ws = Workspace.open(Settings(home=home, model_path=None, database_url=databases.address(home), api_port=9))
        week = uploads.receive(ws, "week1.csv", files["week1.csv"], actor="test")
        train_file(ws, week.id, actor="test")
        score_file(ws, week.id, actor="test")
        ws.close()
    return home


@pytest.fixture
def app(request, tmp_path, monkeypatch, database_kind) -> Iterator[AppTest]:
    """The application, not run yet, over a workspace that is empty unless ``trained`` is asked for; no API answers."""
    if "trained" in request.fixturenames:
        databases.copy(request.getfixturevalue("learned"), tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = probe.getsockname()[1]
    monkeypatch.setenv("DETECTOR_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", databases.address(tmp_path))
    monkeypatch.setenv("DETECTOR_API_ADDRESS", f"http://127.0.0.1:{nobody}")
    monkeypatch.chdir(APP.parent)
    # The driver has no browser's address, and is no person who signed in.
    monkeypatch.setattr("detector.ui.signing_in._from_here", lambda: True)
    st.cache_resource.clear()
    yield AppTest.from_file(str(APP), default_timeout=60)
    st.cache_resource.clear()
    databases.forget(tmp_path)


@pytest.fixture
def ws(app) -> Workspace:
    """The workspace that the pages use."""
    from detector.ui.frame import workspace

    return workspace()


@pytest.fixture
def trained(ws) -> Workspace:
    """The workspace with week 1 learned and scored."""
    assert ws.champion() is not None
    return ws


@pytest.fixture
def come_as(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Role | None], None]:
    """Return a function that lets somebody sign in, in a role."""

    def sign_in(name: str, role: Role | None) -> None:
        for module in ("frame", "signing_in", "access_panels", "asking"):
            monkeypatch.setattr(f"detector.ui.{module}.sign_in_is_on", lambda: True)
        for module in ("frame", "signing_in"):
            monkeypatch.setattr(f"detector.ui.{module}.signed_in", lambda: Actor(name, role))

    return sign_in


@pytest.fixture
def finish(ws):
    """Return a function that waits for the newest job and shows the page again."""

    def wait(at: AppTest) -> AppTest:
        job = jobs.latest_job(ws)
        assert job is not None
        assert jobs.wait_for_job(ws, job.id, 60).is_over
        # The first run finds the job over and begins the page anew; the second is what a person then sees.
        at.run()
        return at.run()

    return wait


@pytest.fixture
def held(ws):
    """Return a function that begins a job of a kind and holds it half-way until the test is over."""
    let_go = threading.Event()

    def hold(kind: str) -> str:
        def work(progress):
            while not let_go.wait(0.02):
                progress(2_000, 4_000, "Reading the file")
            return {}

        job = ws.background.submit(kind, {}, "test", work)
        # Progress reaches the database with the next heartbeat.
        while jobs.get_job(ws, job).done_rows == 0:
            let_go.wait(0.05)
        return job

    yield hold
    let_go.set()


@pytest.fixture
def upload(files):
    """Return a function that puts a file into the page's uploader."""

    def put(at: AppTest, name: str, content: bytes | None = None) -> AppTest:
        body = files[name] if content is None else content
        at.file_uploader[0].set_value((name, body, "application/octet-stream"))
        return at.run()

    return put
