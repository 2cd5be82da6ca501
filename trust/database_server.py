"""A PostgreSQL server of one's own: started from the installed programs, empty, on a socket, and stopped for sure."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

#: The server's only account, which may do everything.
OWNER = "admin"
#: Where Debian, Red Hat, Homebrew and others put the server's programs, newest release first.
_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/pgsql/bin",
)
#: Seconds that a server has to start or stop.
PATIENCE = 60
#: A shell that stops the server when its own input ends, which it does when whoever started it is gone.
LEASH = 'exec 3<&0; "$@" 3<&- & server=$!; { read -r _ <&3; kill -INT $server; } 2>/dev/null & wait $server; kill $!'


class PostgresMissingError(RuntimeError):
    """The server's programs are not installed."""


def programs() -> Path | None:
    """Return the folder that holds ``initdb`` and ``postgres``, or ``None`` when they are not installed."""
    asked = shutil.which("pg_config")
    named = []
    if asked:
        found = subprocess.run([asked, "--bindir"], capture_output=True, text=True, check=False)  # noqa: S603
        named = [Path(found.stdout.strip())]
    on_path = shutil.which("initdb")
    if on_path:
        named.append(Path(on_path).resolve().parent)
    for pattern in _FOLDERS:
        named.extend(sorted(Path("/").glob(pattern[1:]), key=_release, reverse=True))
    return next((folder for folder in named if (folder / "initdb").is_file() and (folder / "postgres").is_file()), None)


def _release(folder: Path) -> int:
    return int("".join(filter(str.isdigit, folder.parent.name)) or 0)


class PostgresServer:
    """A server in a folder of its own, in which nothing survives.

    It listens on a socket that only its account and root can reach, and trades durability for speed: what it holds is
    thrown away at the end. It stops with the process that started it, however that one ends.

    Raises
    ------
    PostgresMissingError
        When the server's programs are not installed.
    """

    def __init__(self, *settings: str) -> None:
        found = programs()
        if found is None:
            raise PostgresMissingError(
                "PostgreSQL's server programs (initdb, postgres) were not found. Install Debian's package postgresql, "
                "or put the folder that pg_config --bindir names on the PATH."
            )
        self.programs = found
        self.settings = settings
        # Not below pytest's folders: a socket's path holds at most 107 characters, and those are closed to others.
        self.folder = Path(tempfile.mkdtemp(prefix="detector-pg-"))
        self._account = _account()
        if self._account is not None:
            shutil.chown(self.folder, self._account)
        self._process: subprocess.Popen[bytes] | None = None
        # A language's order of texts, unlike SQLite's: nothing may depend on it.
        self._run("initdb", "--pgdata", str(self.folder / "data"), "--username", OWNER, "--auth", "trust",
                  "--encoding", "UTF8", "--locale", "C.UTF-8", "--locale-provider", "icu", "--icu-locale", "en-US",
                  "--no-sync", "--no-instructions")  # fmt: skip

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = ("listen_addresses=", f"unix_socket_directories={self.folder}", "fsync=off", "full_page_writes=off",
                   "synchronous_commit=off", "max_connections=200", *self.settings)  # fmt: skip
        command = [str(self.programs / "postgres"), "-D", str(self.folder / "data")]
        for option in options:
            command += ["-c", option]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the server's own programs and our own arguments
                ["/bin/sh", "-c", LEASH, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                **self._as_account(),
            )
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError as error:
                if time.monotonic() > until or self._process.poll() is not None:
                    raise RuntimeError(f"The server did not start: {(self.folder / 'log').read_text()}") from error
                time.sleep(0.02)
            else:
                return

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Let the server's processes stand still: connections stay open, and nothing answers."""
        assert self._process is not None
        known = psutil.Process(self._process.pid).children(recursive=True)
        stopped = [one for one in known if one.name() == "postgres"]
        for one in stopped:
            one.suspend()
        try:
            yield
        finally:
            for one in stopped:
                if one.is_running():
                    one.resume()

    def stop(self) -> None:
        """Stop the server, the hard way if it does not heed; what it holds stays until ``remove``."""
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()

    def remove(self) -> None:
        """Stop the server and throw away what it holds."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def address(self, name: str) -> str:
        """Return the address of a database."""
        return f"postgresql://{OWNER}@/{name}?host={self.folder}"

    def create(self, name: str, template: str | None = None) -> str:
        """Make a database, empty or as a copy of another that nobody is connected to; return its address."""
        origin = sql.SQL("") if template is None else sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        self.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)) + origin)
        return self.address(name)

    def drop(self, name: str) -> None:
        """Throw a database away, also from under those who are connected to it."""
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def execute(self, statement: str | sql.Composable) -> None:
        """Run a statement as the owner, outside any transaction."""
        with psycopg.connect(host=str(self.folder), user=OWNER, dbname="postgres", autocommit=True) as connection:
            connection.execute(statement)

    def _run(self, program: str, *arguments: str) -> None:
        result = subprocess.run(  # noqa: S603
            [str(self.programs / program), *arguments],
            capture_output=True, text=True, cwd=self.folder, check=False, timeout=PATIENCE, **self._as_account(),
        )  # fmt: skip
        if result.returncode:
            raise RuntimeError(f"{program} failed: {result.stderr or result.stdout}")

    def _as_account(self) -> dict[str, Any]:
        # The server refuses to run as root.
        return (
            {} if self._account is None else {"user": self._account, "group": _group(self._account), "extra_groups": []}
        )


def _account() -> str | None:
    """Return the account that the server runs as, ``None`` for one's own."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _group(account: str) -> int:
    return pwd.getpwnam(account).pw_gid


@lru_cache(maxsize=1)
def shared_server() -> PostgresServer:
    """Return a running server that this process uses for everything, started when it is first asked for."""
    server = PostgresServer()
    atexit.register(server.remove)
    server.start()
    return server


def stop_shared_server() -> None:
    """Stop the shared server, if it was ever asked for."""
    if shared_server.cache_info().currsize:
        shared_server().remove()
        shared_server.cache_clear()
