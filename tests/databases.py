"""The databases that tests run on: SQLite in the test's folder, or one of their own on a PostgreSQL server.

Each is a copy of one that was migrated once, since migrations take ten times as long as opening does.

Whatever opens a workspace or a database in a test asks here for its address. ``--database postgres`` runs everything
on PostgreSQL; without it, the tests in ``conftest.BOTH`` run on both and all others on SQLite.
"""

from __future__ import annotations

import os
import shutil
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pytest

from detector.durable import make_folder
from detector.store.database import Database
from trust.database_server import programs as find_programs
from trust.database_server import shared_server, stop_shared_server

Kind = Literal["sqlite", "postgres"]


programs = cache(find_programs)


def kinds_of(chosen: Kind | None, meant_for: tuple[Kind, ...]) -> tuple[Kind, ...]:
    """Return what a test runs on: what it is meant for, as far as that was chosen and is installed.

    Raises
    ------
    pytest.UsageError
        When PostgreSQL is wanted, by name or on a machine of continuous integration, and is not installed.
    """
    kinds = meant_for if chosen is None else tuple(kind for kind in meant_for if kind == chosen)
    if "postgres" in kinds and programs() is None:
        if chosen is not None or os.environ.get("CI"):
            raise pytest.UsageError("PostgreSQL's server programs are not installed: apt-get install postgresql.")
        return tuple(kind for kind in kinds if kind != "postgres")
    return kinds


def told() -> str | None:
    """Return a line for the head of a test run in which PostgreSQL is left out."""
    missing = programs() is None
    return "PostgreSQL is not installed (apt-get install postgresql): tests run on SQLite only." if missing else None


class Databases:
    """Hands out an address a folder: whoever opens the same folder gets the same database."""

    def __init__(self) -> None:
        self.kind: Kind = "sqlite"
        #: A migrated database that every other on the server is a copy of, and the content of such a file.
        self._template: str | None = None
        self._file = cache(_migrated_file)
        self._numbers = count(1)
        self._named: dict[Path, str] = {}

    def address(self, folder: Path) -> str:
        """Return the address of the database that belongs to a workspace's folder."""
        if self.kind == "sqlite":
            file = folder / "data" / "detector.db"
            if not file.exists():
                make_folder(file.parent, 0o700)
                file.write_bytes(self._file())
            return f"sqlite:///{file}"
        if self._template is None:
            self._template = "template_migrated"
            made = Database(shared_server().create(self._template))
            made.migrate()
            made.close()
        return self._own(folder, self._template)

    def empty(self, folder: Path) -> str:
        """Return the address of a database in which nothing was made yet."""
        return f"sqlite:///{folder / 'data' / 'detector.db'}" if self.kind == "sqlite" else self._own(folder, None)

    def copy(self, origin: Path, folder: Path) -> None:
        """Copy a workspace, which nobody has open, with its database into a folder that is empty."""
        shutil.copytree(origin, folder, dirs_exist_ok=True)
        if self.kind == "postgres":
            self._own(folder, self._named[origin])

    def forget(self, folder: Path) -> None:
        """Throw the databases of a folder, and of those in it, away."""
        for known in [known for known in self._named if known.is_relative_to(folder)]:
            shared_server().drop(self._named.pop(known))

    def close(self) -> None:
        """Stop the server."""
        self._template = None
        stop_shared_server()

    def _own(self, folder: Path, template: str | None) -> str:
        if folder not in self._named:
            self._named[folder] = f"test_{next(self._numbers)}"
            shared_server().create(self._named[folder], template)
        return shared_server().address(self._named[folder])


def _migrated_file() -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "detector.db"
        made = Database(f"sqlite:///{file}")
        made.migrate()
        # The last one who closes it brings the write-ahead log into the file.
        made.close()
        return file.read_bytes()


#: Those of this process.
databases = Databases()


def break_seal(database: Database, table: str) -> None:
    """Let the rows of a sealed table be edited, as somebody may who owns the database."""
    with database.write() as connection:
        if connection.dialect.name == "sqlite":
            for event in ("update", "delete"):
                connection.exec_driver_sql(f"DROP TRIGGER {table}_no_{event}")
        else:
            connection.exec_driver_sql(f"DROP TRIGGER {table}_sealed ON {table}")
