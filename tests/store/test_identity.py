from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection

from detector.store import audit, identity, moving
from detector.store.database import Database
from detector.store.identity import find_identity, identity_of


def test_a_database_has_none_until_somebody_asks_and_then_keeps_it(database: Database, address: str) -> None:
    with database.read() as connection:
        assert find_identity(connection) is None
    found = identity_of(database)
    assert len(found) == 32
    again = Database(address)
    assert identity_of(again) == found
    again.close()
    with database.read() as connection:
        assert find_identity(connection) == found
        # Nobody chose it.
        assert audit.entries(connection) == ()


def test_threads_that_ask_at_once_are_told_the_same(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    all_asked, seen = threading.Barrier(4, timeout=60), set[int]()

    def late(connection: Connection) -> str | None:
        found = find_identity(connection)
        if threading.get_ident() not in seen:
            seen.add(threading.get_ident())
            all_asked.wait()
        return found

    # All of them have seen that there is none before the first one writes.
    monkeypatch.setattr(identity, "find_identity", late)
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(identity_of, [database] * 4))) == 1


def test_it_is_another_in_each_database_and_moves_with_the_tables(database: Database, tmp_path: Path) -> None:
    one, other = (Database(f"sqlite:///{tmp_path / name}/detector.db") for name in ("one", "other"))
    other.migrate()
    assert identity_of(database) != identity_of(other)
    moving.move(database, one)
    assert identity_of(one) == identity_of(database)
    one.close()
    other.close()
