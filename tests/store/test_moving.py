from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Table, delete, func, insert, inspect, select, text, update
from sqlalchemy.exc import IntegrityError

from detector.__main__ import main
from detector.store import audit, moving, tables
from detector.store.database import Database, DatabaseError
from detector.store.digests import digest_of
from trust.filling import fill


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Database]:
    """A database on SQLite with rows in every table."""
    database = Database(f"sqlite:///{tmp_path / 'source.db'}")
    database.migrate()
    with database.write() as connection:
        fill(connection, tables.metadata, {}, 30)
    yield database
    database.close()


@pytest.fixture
def target(empty_address: str) -> Iterator[Database]:
    database = Database(empty_address)
    yield database
    database.close()


def held(database: Database) -> list[object]:
    with database.read() as connection:
        return [digest_of(connection, table) for table in tables.metadata.sorted_tables]


def is_as_before(database: Database) -> bool:
    if database.file is not None:
        return not database.file.exists()
    with database.read() as connection:
        return inspect(connection).get_table_names() == []


def test_every_row_of_every_table_arrives_and_comes_back(source: Database, target: Database, tmp_path: Path) -> None:
    copied = moving.move(source, target)
    assert [digest.table for digest in copied] == [table.name for table in tables.metadata.sorted_tables]
    assert all(digest.rows for digest in copied)
    assert held(target) == held(source) == list(copied)
    back = Database(f"sqlite:///{tmp_path / 'back.db'}")
    assert moving.move(target, back) == copied
    back.close()


def test_numbers_that_were_given_and_taken_back_are_not_given_again(source: Database, target: Database) -> None:
    with source.write() as connection:
        connection.execute(delete(tables.saved_views).where(tables.saved_views.c.id > 20))
    moving.move(source, target)
    new = insert(tables.saved_views).values(owner="ada", name="mine", query="", saved_at=datetime.now(UTC))
    with target.write() as connection:
        assert connection.scalar(new.returning(tables.saved_views.c.id)) == 31


@pytest.mark.parametrize("table", [tables.audit, tables.versions, tables.case_events], ids=lambda table: table.name)
def test_what_could_not_be_changed_cannot_be_changed_after_the_move(
    source: Database, target: Database, table: Table
) -> None:
    moving.move(source, target)
    column = list(table.c)[-1]
    for statement in (update(table).values({column: column}), delete(table)):
        with pytest.raises(IntegrityError, match=f"{table.name} is append-only"), target.write() as connection:
            connection.execute(statement)


def test_a_target_that_is_not_empty_is_refused_and_left_alone(source: Database, target: Database) -> None:
    target.migrate()
    with target.write() as connection:
        audit.record(connection, actor="ada", action="looked", subject="version 1")
    with pytest.raises(DatabaseError, match="not empty: its table audit holds 1 rows"):
        moving.move(source, target)
    with target.read() as connection:
        assert connection.scalar(select(func.count()).select_from(tables.audit)) == 1


def test_an_empty_target_that_was_made_before_is_used(source: Database, target: Database) -> None:
    target.migrate()
    moving.move(source, target)
    assert held(target) == held(source)


def test_tables_of_another_program_are_not_touched(source: Database, target: Database) -> None:
    with target.opening(), target.write() as connection:
        connection.execute(text("CREATE TABLE jobs (title VARCHAR)"))
    with pytest.raises(DatabaseError, match="tables of another program"):
        moving.move(source, target)


def test_a_database_is_not_moved_onto_itself(source: Database) -> None:
    again = Database(f"sqlite:///{source.file}")
    with pytest.raises(DatabaseError, match="onto itself"):
        moving.move(source, again)
    again.close()


def test_where_no_database_is_nothing_is_moved_and_none_is_made(target: Database, tmp_path: Path) -> None:
    nothing = Database(f"sqlite:///{tmp_path / 'nothing.db'}")
    with pytest.raises(DatabaseError, match=r"no database in .*nothing\.db; there is nothing to move"):
        moving.move(nothing, target)
    assert not (tmp_path / "nothing.db").exists()
    assert is_as_before(target)


def test_an_interruption_leaves_nothing(source: Database, target: Database) -> None:
    def interrupt(done: int, total: int | None, message: str) -> None:
        if message == "Copying decisions":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        moving.move(source, target, interrupt)
    assert is_as_before(target)
    moving.move(source, target)


def move_and_die(source: str, target: str) -> None:
    def die(done: int, total: int | None, message: str) -> None:
        if message == "Copying decisions":
            os.kill(os.getpid(), signal.SIGKILL)

    moving.move(Database(source), Database(target), die)


def test_a_process_that_is_killed_leaves_a_target_that_can_be_used(
    source: Database, target: Database, empty_address: str, processes: ForkServerContext
) -> None:
    mover = processes.Process(target=move_and_die, args=(f"sqlite:///{source.file}", empty_address))
    mover.start()
    mover.join()
    assert mover.exitcode == -signal.SIGKILL
    with target.read() as connection:
        assert inspect(connection).get_table_names() == []
    moving.move(source, target)
    assert held(target) == held(source)


def test_a_value_that_changes_on_the_way_is_noticed_and_nothing_kept(
    source: Database, target: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = moving._add

    def swap(into: Connection, table: Table, rows: Any) -> None:
        if table is tables.audit:
            place = table.c.keys().index("actor")
            rows = [(*row[:place], "eve", *row[place + 1 :]) for row in rows]
        add(into, table, rows)

    monkeypatch.setattr(moving, "_add", swap)
    with pytest.raises(DatabaseError, match=r"table audit differs after copying: 30 rows .* Nothing was kept"):
        moving.move(source, target)
    assert is_as_before(target)


def test_a_source_that_goes_on_changing_is_noticed_and_nothing_kept(source: Database, target: Database) -> None:
    writing: list[str] = []

    def write_meanwhile(done: int, total: int | None, message: str) -> None:
        if not writing:
            writing.append(message)
            with source.write() as connection:
                audit.record(connection, actor="eve", action="decided", subject="case 1-1")

    with pytest.raises(DatabaseError, match=r"table audit was changed while it was copied.* Stop the dashboard"):
        moving.move(source, target, write_meanwhile)
    assert is_as_before(target)


@pytest.mark.postgres_only(reason="SQLite keeps zero characters in texts")
def test_a_text_that_postgresql_cannot_keep_is_named(source: Database, target: Database) -> None:
    with source.write() as connection:
        # As it was written before such texts were refused.
        connection.execute(text("UPDATE preferences SET set_by = 'a' || char(0) WHERE name LIKE '1 %'"))
    with pytest.raises(DatabaseError, match=r"preferences cannot be copied: .*NUL.*the row with name '1 "):
        moving.move(source, target)
    assert is_as_before(target)


def test_an_old_database_is_brought_to_this_release_on_the_way(tmp_path: Path, target: Database) -> None:
    from trust.migrating import migrate_to

    old = Database(f"sqlite:///{tmp_path / 'old.db'}")
    with old.opening(), old.write() as connection:
        migrate_to(connection, "0001")
    moving.move(old, target)
    with target.read() as connection:
        assert target.revision(connection) == tables.REVISION
    old.close()


def test_the_command_prints_what_each_table_holds_and_what_to_do_next(
    source: Database, empty_address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{source.file}")
    assert main(["move-database", "--to", empty_address]) == 0
    out = capsys.readouterr().out
    for table in tables.metadata.tables:
        # The log has one end.
        rows = "1" if table == "audit_head" else "30"
        assert any(line.split()[:2] == [table, rows] for line in out.splitlines()), table
    assert "counts and hashes are equal" in out
    assert "Set DATABASE_URL to the new address" in out
    assert main(["move-database", "--to", empty_address]) == 2
    assert "The target is not empty" in capsys.readouterr().err


def test_the_command_says_in_a_sentence_when_the_target_cannot_be_reached(
    source: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{source.file}")
    assert main(["move-database", "--to", "postgresql://ada:secret@127.0.0.1:9/base"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: The database cannot be used: connection")
    assert err.count("\n") == 1
    assert "secret" not in err
