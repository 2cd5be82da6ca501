"""The API in a process of its own on a free port, as it is served, with what it wrote to its log."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

FACTORY = "detector.api:create_app"
SECONDS_TO_START = 60


@dataclass(frozen=True)
class ApiProcess:
    """A running API: its port, its process, and the file that its stderr and stdout go to."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def connect(self, timeout: float = 5.0) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def is_well(self) -> bool:
        """Whether it still answers."""
        try:
            with self.connect() as connection:
                connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                return connection.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            return False


@contextmanager
def api_process(home: Path, factory: str = FACTORY) -> Iterator[ApiProcess]:
    """Serve the workspace in ``home`` until the block ends.

    Raises
    ------
    RuntimeError
        When it does not answer within a minute.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    log = home / "api.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DETECTOR_", "DATABASE"))}
    command = [sys.executable, "-m", "uvicorn", "--factory", factory, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--log-level", "info", "--no-access-log", "--timeout-graceful-shutdown", "5"]
    with log.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603 - our own program
            command, env=environment | {"DETECTOR_HOME": str(home)}, stdout=file, stderr=subprocess.STDOUT
        )
        served = ApiProcess(port, process, log)
        try:
            for _ in range(SECONDS_TO_START * 10):
                if served.is_well():
                    break
                if process.poll() is not None:
                    raise RuntimeError(f"the API ended with {process.returncode}: {log.read_text()[-2_000:]}")
                time.sleep(0.1)
            else:
                raise RuntimeError("the API did not answer within a minute")
            yield served
        finally:
            process.terminate()
            process.wait(30)
