"""What SQLite and PostgreSQL would treat differently if nobody saw to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from detector.errors import InputError
from detector.store import audit, tables
from detector.store.database import Database

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def keep(database: Database, name: str, value: Any, at: datetime = NOON, by: str = "ada") -> Any:
    kept = tables.preferences
    with database.write() as connection:
        connection.execute(insert(kept).values(name=name, value=value, set_at=at, set_by=by))
    with database.read() as connection:
        return connection.execute(select(kept).where(kept.c.name == name)).mappings().one()


@pytest.mark.parametrize(
    "value",
    [
        True,
        0,
        12,
        2.5,
        1e300,
        "text",
        "12",
        "null",
        "",
        [],
        {},
        {"ü": [None, 1.5, {"deep": "🙂\u0000"}]},
        2**53 + 1,
        None,
    ],
    ids=repr,
)
def test_a_document_comes_back_as_it_was(database: Database, value: Any) -> None:
    assert keep(database, "any", value)["value"] == value


def test_what_is_not_a_number_becomes_none_in_a_document(database: Database) -> None:
    assert keep(database, "any", {"share": float("nan")})["value"] == {"share": None}


def test_times_keep_their_microseconds_and_their_zone(database: Database) -> None:
    at = datetime(2026, 7, 1, 23, 59, 59, 999_999, timezone(timedelta(hours=-5)))
    assert keep(database, "any", 1, at)["set_at"] == at


@pytest.mark.parametrize(
    ("name", "match"), [("a\0b", "a zero character"), ("\ud800", "half a character")], ids=["zero", "surrogate"]
)
def test_a_text_that_one_of_them_cannot_keep_is_refused_by_both(database: Database, name: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        keep(database, name, 1)
    with pytest.raises(InputError, match=match), database.read() as connection:
        connection.execute(select(tables.preferences).where(tables.preferences.c.name == name))


def test_a_number_beyond_64_bits_is_refused_by_both(database: Database) -> None:
    with pytest.raises(InputError, match="more than 64 bits"), database.read() as connection:
        connection.execute(select(tables.decisions).where(tables.decisions.c.row == 2**63))


@pytest.mark.postgres_only(reason="SQLite knows no lengths and no ranges below 64 bits")
def test_a_value_that_does_not_fit_its_column_is_the_callers_fault(database: Database) -> None:
    with pytest.raises(InputError, match=r"does not fit .*too long.* Nothing was changed"):
        keep(database, "n" * 41, 1)
    with pytest.raises(InputError, match=r"does not fit .*out of range"), database.read() as connection:
        connection.execute(select(tables.runs).where(tables.runs.c.id == 2**40))


def test_texts_are_compared_by_case(database: Database) -> None:
    with database.write() as connection:
        for actor in ("Ada", "ada", "ADA"):
            audit.record(connection, actor=actor, action="looked", subject="version 1")
    entry = tables.audit.c
    with database.read() as connection:
        assert connection.scalars(select(entry.actor).where(entry.actor == "ADA")).all() == ["ADA"]
        assert connection.scalars(select(entry.actor).where(entry.actor.like("%da"))).all() == ["Ada", "ada"]


def test_texts_are_found_in_any_case_beyond_ascii_too(database: Database) -> None:
    with database.write() as connection:
        audit.record(connection, actor="ada", action="view saved", subject="view ÄRGER")
    with database.read() as connection:
        found = select(tables.audit.c.subject).where(tables.audit.c.subject.icontains("ärg", autoescape=True))
        assert connection.scalars(found).all() == ["view ÄRGER"]


def test_a_transaction_sees_one_state_from_beginning_to_end(database: Database) -> None:
    names = select(tables.preferences.c.name)
    with database.read() as reading:
        assert reading.scalars(names).all() == []
        keep(database, "meanwhile", 1)
        assert reading.scalars(names).all() == []


def test_a_writer_sees_what_was_written_before_its_turn(database: Database) -> None:
    keep(database, "count", 0)
    kept = tables.preferences.c
    for _ in range(3):
        with database.write() as connection:
            before = connection.scalar(select(kept.value).where(kept.name == "count"))
            connection.execute(update(tables.preferences).values(value=before + 1))
    with database.read() as connection:
        assert connection.scalar(select(kept.value)) == 3


def test_numbers_go_on_after_a_row_that_was_not_kept(database: Database) -> None:
    view = {"owner": "ada", "query": "", "saved_at": NOON}
    new = insert(tables.saved_views).returning(tables.saved_views.c.id)
    with database.write() as connection:
        first = connection.scalar(new.values(name="one", **view))
    with pytest.raises(SQLAlchemyError), database.write() as connection:
        connection.execute(new.values(name="one", **view))
    with database.write() as connection:
        assert connection.scalar(new.values(name="two", **view)) > first
