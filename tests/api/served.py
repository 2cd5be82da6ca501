"""The API on a real socket, in a thread of the test's process."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from detector.api.running import ApiServer, server
from detector.settings import Settings
from tests.api.samples import transactions

ROW = json.dumps({"data": transactions(1)[0]}).encode()


def free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])


class Served:
    """A running server and ways to talk to it."""

    def __init__(self, running: ApiServer, thread: threading.Thread, port: int) -> None:
        self.server, self.thread, self.port = running, thread, port

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 60)

    def stop(self) -> None:
        self.server.should_exit = True


@contextmanager
def served(settings: Settings) -> Iterator[Served]:
    """Serve ``settings`` on a free port until the end of the context."""
    running = server(settings.model_copy(update={"api_port": free_port(), "log_level": "ERROR"}))
    begun = threading.Event()
    startup = running.startup

    async def and_tell(sockets=None):
        try:
            await startup(sockets)
        finally:
            begun.set()

    running.startup = and_tell  # type: ignore[method-assign]  # nothing else tells that it listens
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        assert begun.wait(120)
        yield Served(running, thread, running.config.port)
    finally:
        running.should_exit = True
        thread.join(60)
        assert not thread.is_alive()


def sent(method: str, path: str, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    """Return a request; ``length``: what it says of its body, where that is not true."""
    head = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers]
    if body or length is not None:
        head += ["Content-Type: application/json", f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def answer(connection: socket.socket) -> tuple[int, dict[str, str], dict]:
    """Read one answer: status, headers and document."""
    received = b""
    while b"\r\n\r\n" not in received:
        more = connection.recv(65_536)
        assert more, received
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
    while len(body) < int(headers["content-length"]):
        body += connection.recv(65_536)
    return int(re.match(r"HTTP/1.1 (\d+)", lines[0])[1]), headers, json.loads(body)


def rest(connection: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    received = b""
    try:
        while more := connection.recv(65_536):
            received += more
    except ConnectionResetError:
        pass
    return received
