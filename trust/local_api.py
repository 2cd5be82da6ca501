"""API processes and threads for the checks, on loopback and on ports that are free."""

from __future__ import annotations

import multiprocessing
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvicorn

from detector.api import create_app
from detector.service.workspace import Workspace
from detector.settings import Settings

#: Seconds that a server has to start; the first start compiles.
START = 120.0


def settings_in(home: Path, **given: Any) -> Settings:
    """Return the settings of a workspace in ``home`` that heeds nothing of the environment's."""
    return Settings(home=home, model_path=None, database_url=None, api_port=9, log_level="ERROR", **given)


@contextmanager
def api_thread(workspace: Workspace) -> Iterator[int]:
    """Serve the API of ``workspace`` from a thread of this process; gives its port."""
    server, listening = _server(workspace)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def api_process(home: Path, prepare: Callable[[], None] | None = None) -> Iterator[int]:
    """Serve the API over the workspace in ``home`` from a process of its own; gives its port.

    ``prepare`` runs in that process first: where a check breaks a part on purpose. A module's function, since it is
    sent to the process by name.
    """
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(home, theirs, prepare), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(START):
            raise AssertionError(f"The API did not start within {START:.0f} s.")
        yield int(ours.recv())
    finally:
        ours.close()
        process.join(20.0)
        if process.is_alive():
            process.kill()
            process.join()


def _serve(home: Path, parent: Connection, prepare: Callable[[], None] | None) -> None:
    # The lines of requests are not what is checked.
    sys.stderr = open("/dev/null", "w")  # noqa: SIM115, PTH123
    if prepare is not None:
        prepare()
    workspace = Workspace.open(settings_in(home))
    server, listening = _server(workspace)

    def stop_with_parent() -> None:
        try:
            parent.recv()
        except EOFError:
            server.should_exit = True

    threading.Thread(target=_tell_when_ready, args=(server, listening, parent), daemon=True).start()
    threading.Thread(target=stop_with_parent, daemon=True).start()
    try:
        server.run(sockets=[listening])
    finally:
        workspace.close()


def _tell_when_ready(server: uvicorn.Server, listening: socket.socket, parent: Connection) -> None:
    pause = threading.Event()
    while not server.started:
        pause.wait(0.02)
    parent.send(listening.getsockname()[1])


def _server(workspace: Workspace) -> tuple[uvicorn.Server, socket.socket]:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(512)
    return uvicorn.Server(uvicorn.Config(create_app(workspace), log_level="error", access_log=False)), listening
