"""The database: SQLite inside the workspace by default, PostgreSQL by address.

Reads see one snapshot; writes are serialised. On SQLite a write begins with ``BEGIN IMMEDIATE``, since a transaction
that reads and only then writes fails at once when somebody else wrote in between: the busy timeout does not cover
that upgrade. On PostgreSQL a write begins with an advisory lock, and sees what was committed before it had the lock; a
read is repeatable and may not write.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, select
from sqlalchemy.exc import DataError, OperationalError, ProgrammingError, SQLAlchemyError
from sqlalchemy.sql import column, table

from detector.durable import make_folder
from detector.errors import DetectorError, InputError
from detector.store import postgres
from detector.store.limits import Limits
from detector.store.locks import file_lock
from detector.store.tables import REVISION

#: The largest number of a version or a run; a database cannot be asked for one beyond it.
LARGEST_NUMBER = 2**31 - 1
#: How long a write waits for the others, in milliseconds.
BUSY_MILLISECONDS = 30_000


class DatabaseError(DetectorError):
    """The database cannot be opened or does not fit this release."""

    code = "database"


class Database:
    """An open database at an SQLAlchemy address. Safe to share between threads, not across a fork.

    Attributes
    ----------
    file : Path or None
        The file of an SQLite database.
    place : str
        What tells this database from others, whoever opens it.

    Raises
    ------
    DatabaseError
        When the address is not understood or the database was made by a newer release.
    """

    def __init__(self, address: str, limits: Limits | None = None) -> None:
        url = _understood(address)
        self.file: Path | None = None
        if url.get_backend_name() == "sqlite":
            if not url.database or url.database == ":memory:":
                raise DatabaseError("The database has to be a file, since several threads and processes share it.")
            self.file = Path(url.database)
            # Uploaded transactions lie beside the database: for the owner's eyes only.
            make_folder(self.file.parent, 0o700)
            arguments = {"connect_args": {"timeout": BUSY_MILLISECONDS / 1000, "check_same_thread": False}}
            snapshot: dict[str, Any] = {}
        else:
            arguments = postgres.engine_arguments(url, limits or Limits())
            snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self.engine: Engine = create_engine(
            url,
            json_serializer=to_json,
            json_deserializer=_from_json,
            # Values of the user, which an error, and with it the log, must not tell.
            hide_parameters=True,
            **arguments,
        )
        if self.file is not None:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            event.listen(self.engine, "handle_error", postgres.hide_values)
        event.listen(self.engine, "before_cursor_execute", _require_keepable)
        self.place = str(self.file.resolve()) if self.file else postgres.place_of(url)
        self._reading = self.engine.execution_options(**snapshot)
        self._writing = self.engine.execution_options(detector_write=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection whose statements all see the same state.

        Raises
        ------
        InputError
            When a text or a number is one that no database keeps (so does ``write``).
        """
        with _in_range(), self._reading.begin() as connection:
            yield connection

    @contextmanager
    def write(self, *, patient: bool = False) -> Iterator[Connection]:
        """Give the one connection that may write now; commit at the end, roll back on an error.

        ``patient``: on PostgreSQL, wait and work without a limit of time.
        """
        with _in_range(), self._turn(), self._writing.begin() as connection:
            if self.file is None:
                postgres.wait_for_writers(connection, patient=patient)
            yield connection

    def _turn(self) -> AbstractContextManager[None]:
        """Wait for the writers of all processes that came before.

        SQLite lets those who wait look again after pauses that grow, so that under many writers some are never in time
        and fail. A lock on a file wakes them when it is free, and PostgreSQL's has a queue.
        """
        if self.file is None or sys.platform == "win32":
            return nullcontext()
        return file_lock(self.file.with_name(self.file.name + ".writers"))

    def migrate(self) -> None:
        """Bring the schema to this release. Several processes may do so at once: one works, the others wait.

        Raises
        ------
        DatabaseError
            When the database cannot be reached or used, or a newer release has made it.
        """
        with self.opening():
            with self.read() as connection:
                if self.revision(connection) == REVISION:
                    return
            with self.write(patient=True) as connection:
                self.migrate_in(connection)

    @contextmanager
    def opening(self) -> Iterator[None]:
        """Say in a sentence why the database cannot be used; on SQLite, be the only one that opens it."""
        try:
            if self.file is None:
                yield
                return
            with file_lock(self.file.with_name(self.file.name + ".lock")):
                with self.engine.connect() as connection:
                    # Kept in the file from then on; must not race with another process, hence under the lock.
                    connection.connection.cursor().execute("PRAGMA journal_mode=WAL")
                yield
        except (OperationalError, ProgrammingError) as error:
            raise DatabaseError(_why(error)) from error

    def migrate_in(self, connection: Connection) -> None:
        """Bring the schema to this release in the caller's transaction; raises ``DatabaseError``."""
        if self.revision(connection) == REVISION:
            return
        if self.file is None and postgres.encoding(connection) != "UTF8":
            raise DatabaseError("The database does not keep its texts in UTF8. Make one that does: createdb -E UTF8.")
        from alembic import command
        from alembic.config import Config
        from alembic.util.exc import CommandError

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise DatabaseError(
                "The database was made by a newer release. Install that release, or name another database."
            ) from error

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def revision(self, connection: Connection) -> str | None:
        """Return the schema's revision, ``None`` in an empty database."""
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.scalar(select(column("version_num")).select_from(table("alembic_version")))
        return found


def _understood(address: str) -> URL:
    try:
        url = make_url(address)
    except (SQLAlchemyError, ValueError) as error:
        raise DatabaseError(
            "DATABASE_URL is not an address that SQLAlchemy understands, such as sqlite:////path/detector.db"
        ) from error
    if url.drivername in postgres.NAMES:
        return postgres.address_of(url)
    if url.drivername in ("sqlite", "sqlite+pysqlite"):
        return url
    raise DatabaseError(
        f"DATABASE_URL begins with {url.drivername}://, which is not supported. Use postgresql:// or sqlite:///."
    )


@contextmanager
def _in_range() -> Iterator[None]:
    """PostgreSQL keeps to the lengths and ranges of its columns; that is no fault of the server's."""
    try:
        yield
    except DataError as error:
        told = str(error.orig).partition("\n")[0]
        raise InputError(f"A value does not fit into the database: {told}. Nothing was changed.") from error


def _require_keepable(
    _connection: Connection, _cursor: Any, _statement: str, parameters: Any, _context: Any, _many: bool
) -> None:
    """Refuse on both engines what one of them cannot keep."""
    # Many rows come as a list, or put together as the one row of a longer statement.
    for row in parameters if isinstance(parameters, list) else (parameters,):
        for value in row.values() if isinstance(row, dict) else row:
            if isinstance(value, str):
                if "\0" in value:
                    raise InputError("A text holds a zero character, which cannot be kept. Nothing was changed.")
                if not value.isascii() and any("\ud800" <= sign <= "\udfff" for sign in value):
                    raise InputError("A text holds half a character, which cannot be kept. Nothing was changed.")
            elif isinstance(value, int) and not -(2**63) <= value < 2**63:
                raise InputError("A whole number has more than 64 bits. Nothing was changed.")


def _why(error: SQLAlchemyError) -> str:
    told = str(getattr(error, "orig", error)).strip().partition("\n")[0]
    return f"The database cannot be used: {told}. Check its address, and the rights of the account that it names."


def to_json(value: Any) -> str:
    """Return the text that is kept for a JSON value."""
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
    # As everywhere else.
    cursor.execute("PRAGMA case_sensitive_like=ON")
    connection.create_function("lower", 1, _lower, deterministic=True)
    # WAL with synchronous=NORMAL may lose acknowledged commits on a power cut.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _lower(value: Any) -> Any:
    # SQLite's own knows no letter beyond ASCII.
    return value.lower() if isinstance(value, str) else value


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("detector_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
