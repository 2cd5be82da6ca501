"""The API in a process of its own, run as ``python -m detector.api`` runs it, on a free port of this machine."""

from __future__ import annotations

import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import orjson

from trust.children import ChildProcess, Tell, children, named

#: Seconds that a process has to listen; the first one on a machine compiles. Seconds that it has to end.
_START, _END = 180.0, 40.0


@dataclass(frozen=True)
class Api:
    """A running API: where it listens, its process, and what it has written."""

    port: int
    process: ChildProcess
    log: Path

    @property
    def memory(self) -> int:
        """Bytes of memory that the process holds now."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmRSS:"))) * 1024

    @property
    def open_files(self) -> Counter[str]:
        """How often each file is open; all sockets count as one file, pipes and the like as others."""
        return Counter(name.split(":[")[0] for name in self._open())

    @property
    def written(self) -> str:
        """All that it has written to its log."""
        return self.log.read_text(errors="replace")

    def _open(self) -> Iterator[str]:
        for place in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                yield str(place.readlink())

    def connect(self, timeout: float = 5.0) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def is_well(self) -> bool:
        """Whether it still answers."""
        try:
            with self.connect() as connection:
                connection.sendall(request("GET", "/health", headers="Connection: close\r\n"))
                return connection.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            return False


@contextmanager
def api(
    home: Path,
    *,
    broken: Sequence[str] = (),
    log_level: str = "WARNING",
    environment: Mapping[str, str] | None = None,
    port: int | None = None,
) -> Iterator[Api]:
    """Run the API over the workspace in ``home`` until the end of the context.

    ``broken``: functions (``trust.p08_repeats:forget``) that its process calls first, to break it on purpose or to
    look into it. ``environment``: what it finds there besides. ``port``: by default a free one.
    """
    port = port or free_port()
    log = home / f"api-{port}.log"
    told = {
        "DETECTOR_HOME": str(home),
        "MODEL_PATH": "",
        "DATABASE_URL": "",
        "DETECTOR_API_HOST": "127.0.0.1",
        "DETECTOR_API_PORT": str(port),
        "DETECTOR_LOG_LEVEL": log_level,
    }
    environment = told | dict(environment or {})
    process = children().start("trust.serving:serve", home, log=str(log), environment=environment, broken=list(broken))
    running = Api(port, process, log)
    try:
        _wait_for(running)
        yield running
    finally:
        if process.running:
            process.send(signal.SIGTERM)
        try:
            process.wait(_END)
        except TimeoutError:
            process.kill()


def serve(_tell: Tell, log: str, environment: dict[str, str], broken: list[str]) -> None:
    """Serve until a signal asks to stop."""
    from detector.api.running import run

    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    for name in [name for name in os.environ if name.startswith("DETECTOR_")]:
        del os.environ[name]
    os.environ |= environment
    for each in broken:
        named(each)()
    run()


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])


def request(method: str, path: str, document: Any = None, *, headers: str = "") -> bytes:
    """Return a whole request as it is sent."""
    body = b"" if document is None else orjson.dumps(document)
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}"
    if document is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def _wait_for(running: Api) -> None:
    until = monotonic() + _START
    while monotonic() < until:
        if not running.process.running:
            raise RuntimeError(f"the API ended with {running.process.wait()}: {running.written[-2000:]}")
        if running.is_well():
            return
        sleep(0.01)
    raise TimeoutError("the API does not answer")
