"""What is PostgreSQL's own: addresses, limits of time, servers that go away, rights."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from detector.errors import DetectorError
from detector.store import tables
from detector.store.database import Database, DatabaseError
from detector.store.limits import Limits
from trust.database_server import PostgresServer, shared_server

pytestmark = pytest.mark.postgres_only(reason="about a server that others share")
COUNT = select(func.count()).select_from(tables.audit)


def with_options(address: str, options: str) -> str:
    return f"{address}&options={options}"


@pytest.fixture
def server(database_kind: str) -> Iterator[PostgresServer]:
    """A server that may be stopped."""
    server = PostgresServer()
    server.start()
    yield server
    server.remove()


@pytest.mark.parametrize("beginning", ["postgresql://", "postgres://", "postgresql+psycopg://"])
def test_every_usual_form_of_address_leads_to_the_driver_that_is_installed(address: str, beginning: str) -> None:
    database = Database(address.replace("postgresql://", beginning))
    assert database.engine.url.drivername == "postgresql+psycopg"
    with database.read() as connection:
        assert connection.scalar(COUNT) == 0
    database.close()


def test_an_address_is_told_without_its_password(address: str) -> None:
    database = Database(address.replace("admin@", "admin:secret@"))
    assert "secret" not in database.place
    database.close()


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(DBAPIError, match="read-only transaction"), database.read() as connection:
        connection.execute(text("DELETE FROM preferences"))


def test_a_connection_that_the_server_closed_is_replaced(database: Database) -> None:
    with database.read() as connection:
        own = connection.scalar(text("SELECT pg_backend_pid()"))
    other = Database(str(database.engine.url.render_as_string(hide_password=False)))
    with other.write() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:own)"), {"own": own})
    other.close()
    with database.read() as connection:
        assert connection.scalar(COUNT) == 0


def test_work_goes_on_when_the_server_is_back(server: PostgresServer) -> None:
    database = Database(server.create("base"))
    database.migrate()
    server.stop()
    with pytest.raises(OperationalError), database.read() as connection:
        connection.scalar(COUNT)
    server.start()
    with database.read() as connection:
        assert connection.scalar(COUNT) == 0
    with database.write() as connection:
        connection.execute(text("DELETE FROM preferences"))
    database.close()


def test_a_server_that_cannot_be_reached_is_told_in_a_sentence(server: PostgresServer) -> None:
    database = Database(server.create("base"))
    server.stop()
    with pytest.raises(DatabaseError, match=r"The database cannot be used: connection .* Check its address"):
        database.migrate()
    database.close()


def test_a_writer_waits_for_others_no_longer_than_it_may(address: str, database: Database) -> None:
    hasty = Database(with_options(address, "-c lock_timeout=20"))
    with database.write(), pytest.raises(OperationalError, match="lock timeout"), hasty.write():
        pass
    with hasty.write() as connection:
        assert connection.scalar(COUNT) == 0
    hasty.close()


def test_a_statement_takes_no_longer_than_it_may(address: str) -> None:
    hasty = Database(with_options(address, "-c statement_timeout=20"))
    with pytest.raises(OperationalError, match="statement timeout"), hasty.read() as connection:
        connection.execute(text("SELECT pg_sleep(30)"))
    hasty.close()


def test_a_migration_waits_for_as_long_as_another_takes(address: str, empty_address: str) -> None:
    first = Database(empty_address)
    hasty = Database(with_options(empty_address, "-c lock_timeout=20 -c statement_timeout=20"))
    begun, errors = threading.Event(), []

    def migrate() -> None:
        begun.set()
        try:
            hasty.migrate()
        except DetectorError as error:
            errors.append(error)

    waiting = threading.Thread(target=migrate)
    with first.write() as connection:
        waiting.start()
        begun.wait()
        # Longer than the other could wait for anything else.
        connection.execute(text("SELECT pg_sleep(0.2)"))
        first.migrate_in(connection)
    waiting.join()
    assert errors == []
    for database in (first, hasty):
        database.close()


def test_the_limits_are_the_settings(address: str) -> None:
    database = Database(address, Limits(connections=3, statement_seconds=7, lock_seconds=0))
    with database.read() as connection:
        shown = [connection.scalar(text(f"SHOW {name}")) for name in ("statement_timeout", "lock_timeout")]
        name = connection.scalar(text("SHOW application_name"))
    assert (shown, name) == (["7s", "0"], "detector")
    assert database.engine.pool.size() + database.engine.pool._max_overflow == 3
    database.close()


def test_a_database_that_cannot_keep_every_text_is_refused(database_kind: str) -> None:
    server = shared_server()
    server.execute("CREATE DATABASE plain ENCODING LATIN1 LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0")
    database = Database(server.address("plain"))
    with pytest.raises(DatabaseError, match="does not keep its texts in UTF8"):
        database.migrate()
    database.close()
    server.drop("plain")


def test_an_account_without_the_right_to_make_tables_is_told_so(empty_address: str) -> None:
    owner = Database(empty_address)
    with owner.write() as connection:
        connection.execute(text("DO $$ BEGIN CREATE ROLE guest LOGIN; EXCEPTION WHEN duplicate_object THEN END $$"))
    guest = Database(empty_address.replace("admin@", "guest@"))
    with pytest.raises(DatabaseError, match=r"permission denied for schema public.* the rights of the account"):
        guest.migrate()
    for database in (owner, guest):
        database.close()


@pytest.mark.parametrize("table", ["audit", "versions", "case_events"])
def test_a_sealed_table_cannot_be_emptied_at_a_stroke(database: Database, table: str) -> None:
    with pytest.raises(DBAPIError, match="append-only"), database.write() as connection:
        connection.execute(text(f"TRUNCATE {table} CASCADE"))
