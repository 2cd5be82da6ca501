"""The databases that tests run on: SQLite in the test's folder, or one of their own on a PostgreSQL server.

Whatever opens a workspace or a database in a test asks here for its address. ``--database postgres`` runs everything
on PostgreSQL; without it, tests marked ``both_databases`` run on both and all others on SQLite.
"""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import Literal

import pytest

from detector.store.database import Database
from trust.postgres import PostgresServer, programs

Kind = Literal["sqlite", "postgres"]
#: A migrated database that every other is a copy of.
_TEMPLATE = "template_migrated"


def kinds_of(chosen: Kind | None, marked: bool) -> tuple[Kind, ...]:
    """Return what a test runs on.

    Raises
    ------
    pytest.UsageError
        When PostgreSQL is wanted, by name or on a machine of continuous integration, and is not installed.
    """
    if chosen is not None:
        kinds: tuple[Kind, ...] = (chosen,)
    else:
        kinds = ("sqlite", "postgres") if marked else ("sqlite",)
    if "postgres" in kinds and programs() is None:
        if chosen is not None or os.environ.get("CI"):
            raise pytest.UsageError("PostgreSQL's server programs are not installed: apt-get install postgresql.")
        return ("sqlite",)
    return kinds


def told() -> str | None:
    """Return a line for the head of a test run in which PostgreSQL is left out."""
    missing = programs() is None
    return "PostgreSQL is not installed (apt-get install postgresql): tests run on SQLite only." if missing else None


class Databases:
    """Hands out an address a folder: whoever opens the same folder gets the same database."""

    def __init__(self) -> None:
        self.kind: Kind = "sqlite"
        self._server: PostgresServer | None = None
        self._numbers = count(1)
        self._named: dict[Path, str] = {}

    @property
    def server(self) -> PostgresServer:
        """The server of this run, started when it is first asked for."""
        if self._server is None:
            self._server = PostgresServer()
            self._server.start()
            template = Database(self._server.create(_TEMPLATE))
            template.migrate()
            template.close()
        return self._server

    def address(self, folder: Path) -> str:
        """Return the address of the database that belongs to a workspace's folder."""
        if self.kind == "sqlite":
            return f"sqlite:///{folder / 'data' / 'detector.db'}"
        return self._own(folder, _TEMPLATE)

    def empty(self, folder: Path) -> str:
        """Return the address of a database in which nothing was made yet."""
        return self.address(folder) if self.kind == "sqlite" else self._own(folder, None)

    def forget(self, folder: Path) -> None:
        """Throw the databases of a folder, and of those in it, away."""
        for known in [known for known in self._named if known.is_relative_to(folder)]:
            self.server.drop(self._named.pop(known))

    def _own(self, folder: Path, template: str | None) -> str:
        server = self.server
        if folder not in self._named:
            self._named[folder] = f"test_{next(self._numbers)}"
            server.create(self._named[folder], template)
        return server.address(self._named[folder])

    def close(self) -> None:
        """Stop the server."""
        if self._server is not None:
            self._server.remove()


#: Those of this process.
databases = Databases()
