"""Asking the database whether it is there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from detector.store import probe
from detector.store.database import Database
from detector.store.probe import DatabaseProbe


@pytest.fixture
def address(tmp_path: Path) -> str:
    address = f"sqlite:///{tmp_path / 'a place' / 'detector.db'}"
    database = Database(address)
    database.migrate()
    database.close()
    return address


def place(address: str) -> Path:
    return Path(address.removeprefix("sqlite:///"))


def test_a_database_that_is_there_answers(address: str) -> None:
    assert DatabaseProbe(address).answers()


def test_one_whose_file_is_gone_does_not_and_is_not_made_anew(address: str) -> None:
    asked = DatabaseProbe(address)
    for file in place(address).parent.glob("detector.db*"):
        file.unlink()
    assert not asked.answers()
    assert not place(address).exists()


@pytest.mark.parametrize("content", [b"", b"something else" * 1_000])
def test_one_whose_file_is_another_does_not(address: str, content: bytes) -> None:
    place(address).write_bytes(content)
    assert not DatabaseProbe(address).answers()


def test_one_that_is_locked_does_not_until_it_is_free(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "PATIENCE", 0.02)
    asked = DatabaseProbe(address)
    with closing(sqlite3.connect(place(address), isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode=DELETE")
        other.execute("BEGIN EXCLUSIVE")
        assert not asked.answers()
        other.execute("ROLLBACK")
        assert asked.answers()


def test_a_server_that_is_not_there_does_not_answer() -> None:
    asked = DatabaseProbe("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    assert not asked.answers()
    asked.close()
