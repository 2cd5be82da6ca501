"""Files of histories and columns that belong to nothing any more are removed, and no others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from detector.errors import ModelStoreError
from detector.service.loading import load
from detector.service.versions import updating
from detector.service.workspace import Workspace
from detector.store.observed_folds import note_file
from detector.store.observed_tables import observed_columns, observed_files
from tests.service.replicas import (
    AGES,
    Pair,
    age,
    assert_alike,
    fold_now,
    history_files,
    observe,
    payments,
)
from trust.migrating import migrate_to


def test_files_that_nothing_names_are_removed_after_a_day_and_no_others(pair: Pair) -> None:
    one, _ = pair
    one.models.put(f"histories/{'0' * 64}.histories", b"of another database")
    for hour in (10, 11):
        age(one, timedelta(days=2))
        observe(one, hour)
        assert fold_now(one)
    # Somebody may read the one before just now, however old it is.
    assert history_files(one) == 4
    one.folding.sweep()
    assert history_files(one) == 4
    age(one, timedelta(days=2))
    one.folding.sweep()
    assert history_files(one) == 3
    assert_alike(load(one.registry, 1).detector, one.current_champion().detector)
    with one.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(observed_files)) == 1


def test_files_of_folds_that_were_made_before_files_were_noted_are_known(pair: Pair) -> None:
    one, _ = pair
    observe(one, 10)
    assert fold_now(one)

    def noted() -> list[str]:
        with one.database.read() as connection:
            return list(connection.scalars(select(observed_files.c.file)))

    before = noted()
    with one.database.write() as connection:
        migrate_to(connection, "0007")
    one.database.migrate()
    assert noted() == before != []


def test_a_file_that_is_being_removed_is_not_named_again(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = pair
    old = datetime.now(UTC) - timedelta(days=2)
    with one.database.write() as connection:
        assert note_file(connection, "a", old)
        assert note_file(connection, "a", old)
        assert not note_file(connection, "a", datetime.now(UTC) + timedelta(seconds=60))

    def refuse(*_: object) -> None:
        raise ModelStoreError("The model store is away.")

    with monkeypatch.context() as away, capture_logs() as logs:
        away.setattr(one.registry.histories, "remove", refuse)
        one.folding.sweep(AGES)
    assert [entry["event"] for entry in logs] == ["a file of histories is removed later"]
    one.folding.sweep(AGES)
    with one.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(observed_files)) == 0


def test_columns_of_past_versions_are_dropped_after_a_day_and_counted_anew_after_a_rollback(pair: Pair) -> None:
    one, other = pair

    def note(ws: Workspace) -> None:
        ws.observations.note(ws.current_champion(), {"risk": 1.5}, ("risk",))
        ws.observations.count()

    note(other)
    updating.update_rows(one, payments(60, seed=3, day=30), actor="test")
    note(one)
    one.folding.sweep()

    def versions() -> list[int]:
        with one.database.read() as connection:
            return list(connection.scalars(select(observed_columns.c.version).order_by(observed_columns.c.version)))

    assert versions() == [1, 2]
    age(one, timedelta(days=2))
    one.folding.sweep()
    assert versions() == [2]
    updating.roll_back(one, 1, actor="test", reason="")
    note(one)
    # Processes that have kept the model in memory go on from what it knew then.
    assert [ws.current_champion().detector.feature_stats["risk"]["rows"] for ws in pair] == [2, 2]
