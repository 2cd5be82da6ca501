from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from threading import Thread

import pytest

from detector import serving
from detector.serving import Child, ServingError, answers, api_url, dashboard_url, ensure_api, listens, serve
from detector.settings import Settings

#: A module that runs until it is told to stop.
WAITING = ("http.server", "--bind", "127.0.0.1")


def free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, api_port=free_port(), dashboard_port=free_port())


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Child]]:
    """Let simple servers stand in for the dashboard and the API."""
    started: list[Child] = []

    def start(name: str, port: int) -> Child:
        started.append(Child(name, [WAITING[0], str(port), *WAITING[1:]], {}))
        return started[-1]

    monkeypatch.setattr(serving, "start_api", lambda settings: start("API", settings.api_port))
    monkeypatch.setattr(serving, "start_dashboard", lambda settings: start("dashboard", settings.dashboard_port))
    monkeypatch.setattr(serving, "_api_child", None)
    yield started
    for child in started:
        child.stop()


@pytest.fixture
def listener() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_child_stops_when_it_is_asked() -> None:
    child = Child("waiting", [WAITING[0], str(free_port()), *WAITING[1:]], {})
    assert child.running
    child.stop()
    assert not child.running


def test_a_child_that_does_not_heed_is_ended(tmp_path: Path) -> None:
    deaf = (
        "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
    )
    (tmp_path / "deaf.py").write_text(deaf)
    child = Child("deaf", ["deaf"], {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(serving.APP.parent)])})
    child.stop(grace=0.2)
    assert not child.running


def test_a_child_ends_when_its_parent_is_killed() -> None:
    parent = (
        "import sys; from detector.serving import Child\n"
        f"child = Child('waiting', ['http.server', '{free_port()}', '--bind', '127.0.0.1'], {{}})\n"
        "print('started', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=serving.APP.parent
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        process.kill()
        # The child inherited this pipe; it reaches its end only when the child is gone as well.
        process.communicate(timeout=60)


def test_both_are_served_until_a_signal_asks_to_stop(settings: Settings, children: list[Child]) -> None:
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if text.startswith("Dashboard"):
            os.kill(os.getpid(), signal.SIGTERM)

    handler = signal.getsignal(signal.SIGTERM)
    serve(settings, say)
    assert dashboard_url(settings) in said[0]
    assert api_url(settings) in said[0]
    assert said[-1] == "Stopped."
    assert [child.running for child in children] == [False, False]
    assert signal.getsignal(signal.SIGTERM) is handler


def test_when_one_stops_on_its_own_the_other_is_ended_too(settings: Settings, children: list[Child]) -> None:
    def say(text: str) -> None:
        if text.startswith("Dashboard"):
            children[0].process.kill()

    with pytest.raises(ServingError, match="The API stopped on its own"):
        serve(settings, say)
    assert [child.running for child in children] == [False, False]


def test_a_port_that_is_taken_is_named_before_anything_starts(tmp_path: Path, listener: HTTPServer) -> None:
    taken = Settings(home=tmp_path, dashboard_port=listener.server_port)
    with pytest.raises(ServingError, match=rf"Port {listener.server_port} .* meant for the dashboard, is taken"):
        serve(taken, print)


def test_without_the_dashboards_script_serving_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(serving, "APP", tmp_path / "app.py")
    with pytest.raises(ServingError, match=r"app\.py is not there; run this from a checkout"):
        serve(settings, print)


def test_a_dashboard_alone_starts_the_api_once(settings: Settings, children: list[Child]) -> None:
    first = ensure_api(settings)
    assert first is not None
    assert ensure_api(settings) is first
    assert len(children) == 1


def test_an_api_that_ended_is_started_again(settings: Settings, children: list[Child]) -> None:
    first = ensure_api(settings)
    assert first is not None
    first.stop()
    assert ensure_api(settings) is not first
    assert len(children) == 2


def test_no_api_is_started_where_something_listens_already(
    tmp_path: Path, children: list[Child], listener: HTTPServer
) -> None:
    assert ensure_api(Settings(home=tmp_path, api_port=listener.server_port)) is None
    assert children == []


def test_no_api_is_started_when_it_lives_elsewhere(tmp_path: Path, children: list[Child]) -> None:
    assert ensure_api(Settings(home=tmp_path, api_address="http://api:8000")) is None
    assert children == []


def test_children_are_told_the_same_workspace(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[str, list[str], dict[str, str]]] = []
    monkeypatch.setattr(
        serving, "Child", lambda name, command, environment, folder=None: started.append((name, command, environment))
    )
    serving.start_api(settings)
    serving.start_dashboard(settings)
    (_, api, told), (_, dashboard, told_dashboard) = started
    assert api == ["detector.api"]
    assert told["DETECTOR_API_PORT"] == str(settings.api_port)
    assert str(settings.dashboard_port) in dashboard
    for environment in (told, told_dashboard):
        assert environment["DETECTOR_HOME"] == str(settings.home)
        assert environment["DATABASE_URL"] == settings.database_address
    assert told_dashboard["DETECTOR_API_ADDRESS"] == f"http://127.0.0.1:{settings.api_port}"


def test_an_address_that_means_everywhere_is_reached_on_this_machine() -> None:
    assert api_url(Settings(api_host="0.0.0.0", api_port=8001)) == "http://127.0.0.1:8001"
    assert dashboard_url(Settings(dashboard_host="::", dashboard_port=8502)) == "http://[::1]:8502"


def test_a_server_answers_or_it_does_not(listener: HTTPServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    address = f"http://127.0.0.1:{listener.server_port}"
    assert listens("127.0.0.1", listener.server_port)
    assert answers(f"{address}/")
    assert not answers(f"{address}/nothing-here")
    assert not answers(f"http://127.0.0.1:{free_port()}/")
