"""A PostgreSQL server of its own, for checks that take one away; only where its programs are installed."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from trust.serving import free_port

_PROGRAMS = ("initdb", "pg_isready", "postgres")


@dataclass(frozen=True)
class PostgresServer:
    """A running server; ``address`` is SQLAlchemy's."""

    address: str
    process: subprocess.Popen[bytes]

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Let all of its processes stand still: connections stay open, and nothing answers."""
        main = psutil.Process(self.process.pid)
        stopped = [main, *main.children(recursive=True)]
        for one in stopped:
            one.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for one in stopped:
                if one.is_running():
                    one.send_signal(signal.SIGCONT)


@contextmanager
def postgres_server() -> Iterator[PostgresServer | None]:
    """Run a server until the end of the context; ``None`` where it is not installed."""
    programs = _programs()
    if programs is None:
        yield None
        return
    # Root is refused; its programs run as somebody who owns the folder.
    user = next(one.pw_name for one in pwd.getpwall() if one.pw_name in {"postgres", "nobody"})
    as_user = {"user": user} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="trust-postgres-"))
    if as_user:
        shutil.chown(folder, user)
    data, port = folder / "data", free_port()
    try:
        subprocess.run(  # noqa: S603 - a program of the system's
            [programs / "initdb", "-D", data, "-U", "detector", "-A", "trust", "--no-sync", "-E", "UTF8"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
            **as_user,
        )
        command = [programs / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder, "-F"]
        process = subprocess.Popen(  # noqa: S603 - a program of the system's
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            **as_user,
        )
        try:
            _wait(programs, port)
            yield PostgresServer(f"postgresql+psycopg://detector@127.0.0.1:{port}/postgres", process)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(programs: Path, port: int) -> None:
    for _ in range(600):
        ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port), "-t", "1"]
        if subprocess.run(ready, check=False).returncode == 0:  # noqa: S603 - a program of the system's
            return
    raise TimeoutError("PostgreSQL does not answer")


def _programs() -> Path | None:
    folders = [Path(found).resolve().parent] if (found := shutil.which("initdb")) else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if all((folder / one).exists() for one in _PROGRAMS)), None)
