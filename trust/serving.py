"""An API process of its own, over a small workspace with a model."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import orjson

from detector.service.versions.training import train_rows
from detector.service.workspace import Workspace
from detector.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
#: Seconds that a process has to listen; the first one on a machine compiles.
_START = 180.0
_SERVE = "from detector.api.running import run\nrun()\n"


@dataclass(frozen=True)
class Api:
    """A running API: where it listens, its process, and what it has written."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def memory(self) -> int:
        """Bytes of memory that the process holds now."""
        return int(self._status("VmRSS")) * 1024

    @property
    def open_files(self) -> int:
        """Number of files and sockets that the process holds open."""
        return sum(1 for _ in Path(f"/proc/{self.process.pid}/fd").iterdir())

    def stop(self, sent: signal.Signals = signal.SIGTERM, patience: float = 60.0) -> float:
        """Ask it to stop; return the seconds that it took."""
        begun = monotonic()
        self.process.send_signal(sent)
        self.process.wait(patience)
        return monotonic() - begun

    def _status(self, name: str) -> str:
        lines = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines()
        return next(line.split()[1] for line in lines if line.startswith(f"{name}:"))


def transactions(count: int, seed: int = 7) -> list[dict[str, Any]]:
    """Return made-up transactions of six fields."""
    source = random.Random(seed)  # noqa: S311 - no secret
    return [
        {
            "amount": round(source.lognormvariate(3.5, 1.1), 2),
            "balance": round(source.gauss(2_000, 900), 2),
            "age_days": source.randint(1, 4_000),
            "country": source.choice(["NL", "DE", "FR", "BE", "PL"]),
            "merchant": f"m-{source.randint(1, 60):03d}",
            "card_present": source.random() < 0.7,
        }
        for _ in range(count)
    ]


def trained_home(folder: Path, rows: int = 1_000, **fields: Any) -> Settings:
    """Train a model in ``folder`` and return the settings of that workspace."""
    settings = Settings(home=folder, model_path=None, database_url=fields.pop("database_url", None), **fields)
    workspace = Workspace.open(settings)
    train_rows(workspace, transactions(rows), actor="trust")
    workspace.close()
    return settings


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])


@contextmanager
def api(
    home: Path, *, broken: str = "", log_level: str = "WARNING", environment: Mapping[str, str] | None = None
) -> Iterator[Api]:
    """Run the API over the workspace in ``home`` until the end of the context.

    ``broken``: Python statements that run first in its process, to break it on purpose.
    """
    port, log = free_port(), home / "api.log"
    told = {
        "DETECTOR_HOME": str(home),
        "MODEL_PATH": "",
        "DATABASE_URL": "",
        "DETECTOR_API_HOST": "127.0.0.1",
        "DETECTOR_API_PORT": str(port),
        "DETECTOR_LOG_LEVEL": log_level,
    }
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", broken + "\n" + _SERVE],
            cwd=ROOT,
            env={**os.environ, **told, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    running = Api(port, process, log)
    try:
        _wait_for(running)
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


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
        if running.process.poll() is not None:
            raise RuntimeError(f"the API ended with {running.process.returncode}: {running.log.read_text()[-2000:]}")
        with socket.socket() as probe:
            probe.settimeout(0.5)
            if probe.connect_ex(("127.0.0.1", running.port)) == 0:
                return
        sleep(0.05)
    raise TimeoutError("the API does not listen")
