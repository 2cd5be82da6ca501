from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import DBAPIError

from detector.store import audit, tables
from detector.store.audit import Chain
from detector.store.database import Database
from tests.databases import break_seal


def note(database: Database, times: int = 1, **details: Any) -> None:
    with database.write() as connection:
        for number in range(times):
            audit.record(connection, actor="ada", action="looked", subject=f"version {number}", **details)


def followed(database: Database, **given: Any) -> Chain:
    with database.read() as connection:
        return audit.follow(connection, **given)


@pytest.fixture
def unsealed(database: Database) -> Database:
    """A log of ten entries that can be edited."""
    note(database, 10, why="curious", share=0.1)
    break_seal(database, "audit")
    return database


def edit(database: Database, statement: str) -> Chain:
    with database.write() as connection:
        connection.execute(text(statement))
    return followed(database)


def test_an_empty_log_is_unbroken(database: Database) -> None:
    found = followed(database)
    assert (found.entries, found.broken, found.head.hash) == (0, None, audit.FIRST)


def test_each_entry_follows_the_one_before(database: Database) -> None:
    note(database, 3)
    with database.read() as connection:
        links = connection.execute(select(tables.audit.c.previous, tables.audit.c.hash)).all()
        assert audit.head(connection) == audit.Head(3, 3, links[-1].hash)
    assert [link.previous for link in links] == [audit.FIRST, links[0].hash, links[1].hash]
    assert followed(database).entries == 3


@pytest.mark.parametrize(
    ("statement", "entry", "said"),
    [
        ("UPDATE audit SET actor = 'eve' WHERE number = 4", 4, "what it says is not what was written down"),
        ("UPDATE audit SET at = '2020-01-01 00:00:00.000000' WHERE number = 1", 1, "what it says is not"),
        ('UPDATE audit SET details = \'{"why": "curious", "share": 0.2}\' WHERE number = 7', 7, "what it says is not"),
        ("DELETE FROM audit WHERE number = 5", 6, "it does not follow the entry before it"),
        ("DELETE FROM audit WHERE number = 1", 2, "it does not follow the entry before it"),
        ("DELETE FROM audit WHERE number > 8", None, "ends with entry 8, and entry 10 was made"),
        ("DELETE FROM audit", None, "ends with entry 0, and entry 10 was made"),
        ("DELETE FROM audit_head", 1, "Entry 1 was not made by this program"),
        ("UPDATE audit_head SET entries = 11", None, "there are 10, and 11 were made"),
    ],
)
def test_the_first_entry_that_does_not_fit_is_named(
    unsealed: Database, statement: str, entry: int | None, said: str
) -> None:
    found = edit(unsealed, statement)
    assert found.broken is not None
    assert said in found.broken
    assert found.number == entry


@pytest.mark.sqlite_only(reason="PostgreSQL keeps nothing but JSON and times in such columns")
@pytest.mark.parametrize(
    ("statement", "entry"),
    [
        ("UPDATE audit SET details = 'no JSON' WHERE number = 7", 7),
        ("UPDATE audit SET at = 'no time' WHERE number = 2", 2),
    ],
)
def test_an_entry_that_cannot_be_read_is_named(unsealed: Database, statement: str, entry: int) -> None:
    found = edit(unsealed, statement)
    assert (found.number, "it cannot be read" in (found.broken or "")) == (entry, True)


def test_a_row_that_something_else_added_is_found_and_stops_nobody(unsealed: Database) -> None:
    with unsealed.write() as connection:
        row = connection.execute(select(tables.audit).where(tables.audit.c.number == 10)).mappings().one()
        connection.execute(insert(tables.audit).values({**row, "number": 11}))
    assert followed(unsealed).number == 11
    note(unsealed)
    assert followed(unsealed).number == 11


def test_a_log_that_was_written_anew_is_found_by_an_entry_that_was_noted(unsealed: Database) -> None:
    noted = followed(unsealed).head
    assert followed(unsealed, noted=(noted.number, noted.hash[:12])).broken is None
    with unsealed.write() as connection:
        connection.execute(text("DELETE FROM audit"))
        connection.execute(text("DELETE FROM audit_head"))
    note(unsealed, 10)
    assert followed(unsealed).broken is None
    told = followed(unsealed, noted=(noted.number, noted.hash))
    assert "Entry 10 is not the one that was noted" in (told.broken or "")
    assert "entry 99 was noted" in (followed(unsealed, noted=(99, noted.hash)).broken or "")


def test_the_hash_does_not_depend_on_how_a_database_keeps_times_and_numbers() -> None:
    at = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    details = {"b": 1.0, "a": [1, None, True], "z": 1e22, "n": {"x": -0.5}, "text": "é\u2028"}
    one = audit.digest(1, at, "ada", "looked", "version 1", details, audit.FIRST)
    elsewhere = at.astimezone(timezone(timedelta(hours=5)))
    turned = dict(reversed(details.items()))
    assert audit.digest(1, elsewhere, "ada", "looked", "version 1", turned, audit.FIRST) == one
    assert audit.digest(1, at, "ada", "looked", "version 1", {**details, "b": 1}, audit.FIRST) != one
    assert one == "30dd9fc66306de9813157fdd7e4fd77792a94641db521a787a6803c9a4ecb4bc"


def test_details_count_as_they_come_back(database: Database) -> None:
    import numpy as np

    note(database, share=np.float64(0.1), rows=np.int64(3), pair=(1, 2), by={1: "one"}, none=None, odd=float("nan"))
    assert followed(database).broken is None


def test_entries_that_were_there_before_are_chained_by_the_migration(database: Database) -> None:
    from alembic import command
    from alembic.config import Config

    from detector.store.audit import STEP
    from tests.store.test_database import MIGRATIONS

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    note(database, STEP + 3, share=0.25)
    with database.read() as connection:
        before = connection.execute(select(*audit.ENTRY)).all()
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0002")
    database.migrate()
    with database.read() as connection:
        assert connection.execute(select(*audit.ENTRY)).all() == before
    assert followed(database).entries == STEP + 3
    assert followed(database).broken is None
    with pytest.raises(DBAPIError, match="append-only"), database.write() as connection:
        connection.execute(update(tables.audit).values(actor="eve"))
    note(database)
    assert followed(database).broken is None
