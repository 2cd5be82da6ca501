from __future__ import annotations

import multiprocessing
import sqlite3
import threading
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, inspect, select, text
from sqlalchemy.exc import IntegrityError

from detector.store import tables
from detector.store.database import Database, DatabaseError
from trust.migrating import migrate_to

MIGRATIONS = Path(tables.__file__).with_name("migrations")


#: Why a test is not run on PostgreSQL.
ABOUT_THE_FILE = "looks into the SQLite file, or at SQLite's own settings"


def open_and_migrate(address: str, errors: multiprocessing.SimpleQueue[str]) -> None:
    try:
        database = Database(address)
        database.migrate()
        with database.read() as connection:
            connection.execute(select(tables.versions)).all()
        database.close()
    except Exception as error:  # noqa: BLE001 - told to the test
        errors.put(repr(error))


@pytest.mark.parametrize("revision", [None, "0001"], ids=["new", "old"])
def test_several_processes_open_a_workspace_at_once(
    empty_address: str, processes: ForkServerContext, revision: str | None
) -> None:
    if revision is not None:
        old = Database(empty_address)
        with old.opening(), old.write() as connection:
            migrate_to(connection, revision)
        old.close()
    errors = processes.SimpleQueue()
    openers = [processes.Process(target=open_and_migrate, args=(empty_address, errors)) for _ in range(4)]
    for opener in openers:
        opener.start()
    for opener in openers:
        opener.join()
    assert errors.empty(), errors.get()
    assert [opener.exitcode for opener in openers] == [0] * 4
    database = Database(empty_address)
    with database.read() as connection:
        assert database.revision(connection) == tables.REVISION
    database.close()


def test_the_migrations_make_the_tables_that_the_code_uses(database: Database) -> None:
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []


def test_the_revision_in_the_code_is_the_newest_migration() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == tables.REVISION


def test_migrations_lead_down_again(database: Database) -> None:
    with database.write() as connection:
        migrate_to(connection, "base")
    with database.read() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]


def test_a_database_of_a_newer_release_is_refused(database: Database, address: str) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    newer = Database(address)
    with pytest.raises(DatabaseError, match="made by a newer release"):
        newer.migrate()
    newer.close()


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ("no address", "not an address"),
        ("sqlite://", "has to be a file"),
        ("sqlite:///:memory:", "has to be a file"),
        ("postgresql://host:port/name", "not an address"),
        ("mysql://host/name", "begins with mysql://, which is not supported"),
        ("postgresql+psycopg2://host/name", r"postgresql\+psycopg2://, which is not supported. Use postgresql://"),
    ],
)
def test_an_address_that_cannot_be_used_says_so(wrong: str, match: str) -> None:
    with pytest.raises(DatabaseError, match=match):
        Database(wrong)


@pytest.mark.sqlite_only(reason=ABOUT_THE_FILE)
def test_commits_survive_a_power_cut_and_references_are_checked(database: Database) -> None:
    with database.read() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA synchronous")) == 2
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1


def test_threads_that_read_and_then_write_wait_for_each_other(database: Database) -> None:
    start = threading.Barrier(4)
    errors: list[Exception] = []

    def count_up() -> None:
        start.wait()
        try:
            for _ in range(5):
                with database.write() as connection:
                    found = connection.scalar(text("SELECT count(*) FROM preferences"))
                    connection.execute(
                        text("INSERT INTO preferences VALUES (:name, '1', '2026-01-01', 'me')"), {"name": f"n{found}"}
                    )
        except Exception as error:  # noqa: BLE001 - told to the test
            errors.append(error)

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM preferences")) == 20


def test_an_error_in_a_transaction_leaves_nothing(database: Database) -> None:
    def write_and_fail() -> None:
        with database.write() as connection:
            connection.execute(text("INSERT INTO preferences VALUES ('x', '1', '2026-01-01', 'me')"))
            raise KeyError

    with pytest.raises(KeyError):
        write_and_fail()
    with database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM preferences")) == 0


def test_the_log_and_the_versions_cannot_be_changed(database: Database) -> None:
    from detector.store import audit

    with database.write() as connection:
        audit.record(connection, actor="ada", action="looked", subject="version 1", why="curious")
    for statement in ("UPDATE audit SET actor = 'eve'", "DELETE FROM audit"):
        with pytest.raises(IntegrityError, match="append-only"), database.write() as connection:
            connection.execute(text(statement))
    with database.read() as connection:
        entry = audit.entries(connection)[0]
    assert (entry.actor, entry.action, entry.subject, entry.details) == (
        "ada",
        "looked",
        "version 1",
        {"why": "curious"},
    )
    assert entry.at.tzinfo is not None


def test_a_row_without_the_thing_it_refers_to_is_refused(database: Database) -> None:
    from datetime import UTC, datetime

    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(
            insert(tables.aliases).values(
                name="champion", version=7, revision=1, moved_at=datetime.now(UTC), moved_by="me"
            )
        )


@pytest.mark.sqlite_only(reason=ABOUT_THE_FILE)
def test_an_ordinary_client_can_read_the_file(database: Database) -> None:
    file = database.engine.url.database
    assert file is not None
    connection = sqlite3.connect(file)
    assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (tables.REVISION,)
    connection.close()


def test_an_error_of_the_database_does_not_tell_what_a_statement_was_called_with(database: Database) -> None:
    row = {"number": 1, "sha256": "4111111111111111"}
    with pytest.raises(IntegrityError) as caught, database.write() as connection:
        connection.execute(insert(tables.versions).values(**row))
    assert "4111111111111111" not in f"{caught.value} {caught.value.orig}"
