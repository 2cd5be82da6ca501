"""The database: SQLite inside the workspace by default, PostgreSQL by address.

Reads see one snapshot; writes are serialised. On SQLite a write begins with ``BEGIN IMMEDIATE``, since a transaction
that reads and only then writes fails at once when somebody else wrote in between: the busy timeout does not cover
that upgrade. On PostgreSQL a write begins with an advisory lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import column, table

from detector.errors import DetectorError
from detector.store.locks import file_lock
from detector.store.tables import REVISION

#: The largest number that a database can be asked for; there is nothing beyond.
LARGEST_NUMBER = 2**63 - 1
#: How long a write waits for the others, in milliseconds.
BUSY_MILLISECONDS = 30_000
#: Key of PostgreSQL's advisory lock; any number that nobody else uses.
_WRITERS = 0x0DE7EC70


class DatabaseError(DetectorError):
    """The database cannot be opened or does not fit this release."""

    code = "database"


class Database:
    """An open database at an SQLAlchemy address. Safe to share between threads, not across a fork.

    Raises
    ------
    DatabaseError
        When the address is not understood or the database was made by a newer release.
    """

    def __init__(self, address: str) -> None:
        try:
            url = make_url(address)
        except SQLAlchemyError as error:
            raise DatabaseError(
                "DATABASE_URL is not an address that SQLAlchemy understands, such as sqlite:////path/detector.db"
            ) from error
        self._file: Path | None = None
        arguments: dict[str, Any] = {}
        if url.get_backend_name() == "sqlite":
            if not url.database or url.database == ":memory:":
                raise DatabaseError("The database has to be a file, since several threads and processes share it.")
            self._file = Path(url.database)
            # Uploaded transactions lie beside the database: for the owner's eyes only.
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            arguments = {"connect_args": {"timeout": BUSY_MILLISECONDS / 1000, "check_same_thread": False}}
        self.engine: Engine = create_engine(
            url,
            json_serializer=_to_json,
            json_deserializer=_from_json,
            pool_pre_ping=self._file is None,
            # Values of the user, which an error, and with it the log, must not tell.
            hide_parameters=True,
            **arguments,
        )
        if self._file is not None:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._writing = self.engine.execution_options(detector_write=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection whose statements all see the same state."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give the one connection that may write now; commit at the end, roll back on an error."""
        with self._writing.begin() as connection:
            if self._file is None:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITERS})
            yield connection

    def migrate(self) -> None:
        """Bring the schema to this release. Several processes may do so at once: one works, the others wait.

        Raises
        ------
        DatabaseError
            When a newer release has made the database.
        """
        if self._file is None:
            self._migrate()
            return
        with file_lock(self._file.with_name(self._file.name + ".lock")):
            with self.engine.connect() as connection:
                # Kept in the file from then on; must not race with another process, hence under the lock.
                connection.connection.cursor().execute("PRAGMA journal_mode=WAL")
            self._migrate()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def revision(self, connection: Connection) -> str | None:
        """Return the schema's revision, ``None`` in an empty database."""
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.scalar(select(column("version_num")).select_from(table("alembic_version")))
        return found

    def _migrate(self) -> None:
        with self.read() as connection:
            if self.revision(connection) == REVISION:
                return
        from alembic import command
        from alembic.config import Config
        from alembic.util.exc import CommandError

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
        try:
            with self.write() as connection:
                if self.revision(connection) != REVISION:
                    config.attributes["connection"] = connection
                    command.upgrade(config, "head")
        except CommandError as error:
            raise DatabaseError(
                "The database was made by a newer release. Install that release, or name another database."
            ) from error


def _to_json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY).decode()


def _from_json(value: Any) -> Any:
    # SQLite takes a JSON number for a number and hands it back as one.
    return value if isinstance(value, int | float) else orjson.loads(value)


def _prepare_sqlite(connection: Any, _: Any) -> None:
    # The driver would begin transactions by its own rules; _begin_sqlite does instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    cursor.execute("PRAGMA foreign_keys=ON")
    # WAL with synchronous=NORMAL may lose acknowledged commits on a power cut.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("detector_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
