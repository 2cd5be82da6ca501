"""The two processes, dashboard and API: starting them, and ending them together.

A child never outlives the process that started it, however that one ends. The parent holds the write end of a pipe
that is the child's standard input; when the parent is gone the pipe closes, and the child, which runs under
``child.py``, takes that as the order to stop. The kernel's own signal for a parent's death is not used: it fires when
the starting *thread* ends, and a dashboard's threads come and go.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from types import FrameType

from detector.errors import DetectorError
from detector.settings import Settings

#: The dashboard's script, beside the package.
APP = Path(__file__).resolve().parent.parent / "app.py"
_RUNNER = Path(__file__).resolve().with_name("child.py")
#: Seconds that a child has to finish its requests before it is ended the hard way.
GRACE = 30.0
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104

_api_child: Child | None = None
_api_lock = threading.Lock()


class ServingError(DetectorError):
    """The dashboard or the API cannot be started, or stopped on its own."""

    code = "serving"


class Child:
    """A running module that ends when this process ends."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path | None = None):
        self.name = name
        # A session of its own keeps Ctrl-C in the terminal from reaching the child before the parent decides.
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own arguments
            [sys.executable, "-P", str(_RUNNER), *command],
            stdin=subprocess.PIPE,
            env={**os.environ, **environment},
            cwd=folder,
            start_new_session=True,
        )

    @property
    def running(self) -> bool:
        """Whether the child still runs."""
        return self.process.poll() is None

    def ask_to_stop(self) -> None:
        """Ask the child to finish, and do not wait for it."""
        if self.process.stdin is not None and not self.process.stdin.closed:
            self.process.stdin.close()

    def stop(self, grace: float = GRACE) -> None:
        """Ask the child to finish, wait at most ``grace`` seconds, then end it."""
        self.ask_to_stop()
        try:
            self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def serve(settings: Settings, say: Callable[[str], None]) -> None:
    """Run the dashboard and the API until a signal asks to stop, then end both; ``say`` gets a line for people.

    Raises
    ------
    ServingError
        When the dashboard's script is not there, a port is taken, or one of the two stops on its own (the other is
        ended).
    """
    if not APP.is_file():
        raise ServingError(f"The dashboard's script {APP} is not there; run this from a checkout of the project.")
    _require_free("dashboard", settings.dashboard_host, settings.dashboard_port)
    _require_free("API", settings.api_host, settings.api_port)
    asked, ended = threading.Event(), threading.Event()

    def ask(_signal: int, _frame: FrameType | None) -> None:
        asked.set()
        ended.set()

    before = {number: signal.signal(number, ask) for number in _ending_signals()}
    children = [start_api(settings)]
    try:
        children.append(start_dashboard(settings))
        for child in children:
            threading.Thread(target=_tell_end, args=(child, ended), daemon=True).start()
        say(f"Dashboard {dashboard_url(settings)}    API {api_url(settings)}    docs {api_url(settings)}/docs")
        _wait(settings, ended, say)
        died = [child for child in children if not child.running]
    finally:
        for child in children:
            child.ask_to_stop()
        for child in children:
            child.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
    if not asked.is_set() and died:
        raise ServingError(f"The {died[0].name} stopped on its own (exit code {died[0].process.returncode}).")
    say("Stopped.")


def ensure_api(settings: Settings) -> Child | None:
    """Start the API beside a dashboard that runs alone, once a process; return the child, or ``None`` when not needed.

    Nothing is started when ``settings.api_address`` says that the API lives elsewhere (``serve`` and the containers
    do), or when something listens on its port already.
    """
    global _api_child  # noqa: PLW0603 - one child for all threads of the process
    with _api_lock:
        if _api_child is not None and _api_child.running:
            return _api_child
        if settings.api_address is not None or listens(settings.api_host, settings.api_port):
            return None
        _api_child = start_api(settings)
        return _api_child


def start_api(settings: Settings) -> Child:
    """Start the API as a child, in the workspace of ``settings``."""
    return Child("API", ["detector.api"], _environment(settings))


def start_dashboard(settings: Settings) -> Child:
    """Start the dashboard as a child, in the workspace of ``settings``, told where the API is."""
    command = ["detector.dashboard", "run", str(APP), "--server.address", settings.dashboard_host]
    command += ["--server.port", str(settings.dashboard_port), "--server.headless", "true"]
    command += ["--logger.hideWelcomeMessage", "true"]
    # Streamlit looks for its configuration in the folder that it starts in.
    environment = {**_environment(settings), "DETECTOR_API_ADDRESS": settings.api_address or api_url(settings)}
    return Child("dashboard", command, environment, folder=APP.parent)


def dashboard_url(settings: Settings) -> str:
    """Return the root address of the dashboard, as seen from this machine."""
    return f"http://{_reachable(settings.dashboard_host)}:{settings.dashboard_port}"


def api_url(settings: Settings) -> str:
    """Return the root address of the API that runs here, as seen from this machine."""
    return f"http://{_reachable(settings.api_host)}:{settings.api_port}"


def listens(host: str, port: int) -> bool:
    """Return whether anything accepts connections there."""
    try:
        with socket.create_connection((_ANY_ADDRESS.get(host, host), port), timeout=0.5):
            return True
    except OSError:
        return False


def answers(url: str) -> bool:
    """Return whether a GET of ``url`` is answered with 200 within a second."""
    try:
        with urllib.request.urlopen(url, timeout=1.0) as answer:  # noqa: S310 - an address of our own settings
            return bool(answer.status == HTTPStatus.OK)
    except (urllib.error.URLError, OSError):
        return False


def _wait(settings: Settings, ended: threading.Event, say: Callable[[str], None]) -> None:
    """Wait for the end; say once when both answer."""
    while not ended.wait(0.25):
        if answers(f"{api_url(settings)}/health") and answers(f"{dashboard_url(settings)}/_stcore/health"):
            say("Ready. Ctrl-C ends both.")
            ended.wait()


def _tell_end(child: Child, ended: threading.Event) -> None:
    child.process.wait()
    ended.set()


def _environment(settings: Settings) -> dict[str, str]:
    """Return what a child must be told so that it opens the same workspace, wherever it starts."""
    told = {
        "DETECTOR_HOME": str(settings.home.resolve()),
        "MODEL_PATH": str(settings.champion_path.resolve()),
        "DATABASE_URL": settings.database_address,
        "DETECTOR_API_HOST": settings.api_host,
        "DETECTOR_API_PORT": str(settings.api_port),
        "DETECTOR_LOG_LEVEL": settings.log_level,
        "DETECTOR_ROLES": json.dumps(dict(settings.roles)),
    }
    if settings.sign_in_file is not None:
        told["DETECTOR_SIGN_IN_FILE"] = str(settings.sign_in_file)
    path = os.environ.get("PYTHONPATH")
    return told | {"PYTHONPATH": os.pathsep.join([str(APP.parent), *([path] if path else [])])}


def _require_free(name: str, host: str, port: int) -> None:
    if listens(host, port):
        raise ServingError(
            f"Port {port} on {host}, meant for the {name}, is taken; stop what runs there or choose another."
        )


def _reachable(host: str) -> str:
    address = _ANY_ADDRESS.get(host, host)
    return f"[{address}]" if ":" in address else address


def _ending_signals() -> list[signal.Signals]:
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    return [signal.Signals[name] for name in names if name in signal.Signals.__members__]
