"""What versions know of events that were folded since they began, or that are in the log no more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pandas as pd
import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

from detector.errors import ConflictError, ModelStoreError
from detector.service import folding, uploads
from detector.service.loading import load
from detector.service.versions import challenging, previewing, training, updating
from detector.service.versions.training import TrainParameters
from detector.service.workspace import Workspace
from detector.store import tables
from detector.store.observed import last_number
from detector.store.observed_folds import knowing
from detector.store.observed_tables import observed_events
from tests.service.replicas import (
    AGES,
    LATER,
    ROLES,
    Pair,
    age,
    assert_alike,
    entities_of,
    events_in_log,
    fold_now,
    observe,
    payments,
    state,
    take_out_now,
)


def upload(ws: Workspace) -> str:
    rows = payments(60, seed=5, day=30)
    return uploads.receive(ws, "next.csv", rows.to_csv(index=False).encode(), actor="test").id


def test_a_preview_that_is_accepted_after_a_fold_knows_what_was_observed_meanwhile(
    pair: Pair, open_workspace: Callable[..., Workspace]
) -> None:
    one, other = pair
    preview = previewing.preview_update(one, upload(one))
    observe(other, 10, at="2026-04-25T10:00:00")
    age(one, timedelta(hours=1))
    assert fold_now(one)
    one.folding.keep_short()
    previewing.accept_update(one, preview.token, actor="test")
    alone = load(one.registry, 2).detector
    assert alone.behaviour is not None
    assert_alike(alone, one.current_champion().detector)
    expected = alone.with_histories(one.registry.histories_of(2) or b"")
    expected.follow(LATER | {"at": "2026-04-25T10:00:00"})
    assert_alike(alone, expected)
    assert_alike(open_workspace().current_champion().detector, expected)


def test_a_preview_that_would_not_know_all_that_was_observed_is_made_again(pair: Pair) -> None:
    one, _ = pair
    preview = previewing.preview_update(one, upload(one))
    observe(one, 10)
    assert fold_now(one)
    take_out_now(one)
    with pytest.raises(ConflictError, match="Preview the file again"):
        previewing.accept_update(one, preview.token, actor="test")
    again = previewing.preview_update(one, upload(one))
    previewing.accept_update(one, again.token, actor="test")


def test_an_update_that_waits_and_a_challenger_are_folded_as_the_champion_is(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = pair
    rows = payments(60, seed=3, day=30)
    updating.update_rows(one, rows, actor="test")
    updating.roll_back(one, 1, actor="test", reason="")
    challenging.make_challenger(one, 2, seen=None, actor="test")
    monkeypatch.setattr(updating, "suspicions", lambda *_: ("It is odd.",))
    held = updating.update_rows(one, rows, actor="test").version
    observe(one, 10, at="2026-04-25T10:00:00")
    assert fold_now(one)
    take_out_now(one)
    assert events_in_log(one) == 1
    before = [load(one.registry, version).detector for version in (1, 2, held)]
    age(one, timedelta(days=2))
    one.folding.keep_short()
    assert events_in_log(one) == 0
    for version, known in zip((1, 2, held), before, strict=True):
        assert_alike(load(one.registry, version).detector, known)


def test_a_training_that_began_before_a_fold_misses_nothing_and_says_so_where_it_took_too_long(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = pair
    fitted = training._fitted
    kept = timedelta(days=1)

    def meanwhile(*given: object) -> object:
        with one.database.read() as connection:
            observe(other, 10 + last_number(connection))
        for version in {1, other.current_champion().version}:
            fold_now(other, version)
        other.folding.take_out(entities_of(other), settled=AGES, kept=kept)
        return fitted(*given)

    monkeypatch.setattr(training, "_fitted", meanwhile)
    result = training.train_rows(one, payments(), TrainParameters(n_estimators=10), ROLES, actor="test")
    assert training.LONG not in result.notes
    champion = one.current_champion().detector
    expected = champion.with_histories(one.registry.histories_of(2) or b"")
    with one.database.read() as connection:
        many = last_number(connection)
    expected.follow(pd.DataFrame([LATER | {"at": f"2026-03-25T{10 + hour}:00:00"} for hour in range(many)]))
    assert_alike(champion, expected)
    kept = AGES
    result = training.train_rows(one, payments(), TrainParameters(n_estimators=10), ROLES, actor="test")
    assert training.LONG in result.notes
    with capture_logs() as logs:
        load(one.registry, 3)
    assert logs == []


def test_a_version_that_the_log_does_not_go_back_to_takes_the_histories_of_the_nearest(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updating, "suspicions", lambda *_: ())
    one, other = pair
    observe(one, 10)
    updating.update_rows(one, payments(60, seed=3, day=30), actor="test")
    updating.update_rows(one, payments(60, seed=4, day=31), actor="test")
    observe(one, 11, at="2026-04-25T10:00:00")
    assert fold_now(one, 3)
    take_out_now(one, 3)
    observe(one, 12, at="2026-04-25T11:00:00")
    newest = load(one.registry, 3).detector
    with capture_logs() as logs:
        updating.roll_back(one, 1, actor="test", reason="")
    assert (logs[0]["version"], logs[0]["histories_of"], logs[0]["to_event"]) == (1, 3, 2)
    assert_alike(one.current_champion().detector, newest)
    # From then on it has a file of its own.
    age(one, timedelta(hours=1))
    one.folding.keep_short()
    with capture_logs() as logs:
        assert_alike(load(other.registry, 1).detector, newest)
    assert logs == []


def test_going_back_to_before_a_new_training_brings_back_what_its_entities_usually_did(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updating, "suspicions", lambda *_: ())
    one, _ = pair
    observe(one, 10)
    training.train_rows(one, payments(60, seed=1), TrainParameters(n_estimators=10), ROLES, actor="test")
    updating.update_rows(one, payments(60, seed=3, day=30), actor="test")
    observe(one, 11, at="2026-04-25T10:00:00")
    known = load(one.registry, 1).detector
    age(one, timedelta(days=2))
    one.folding.keep_short()
    assert events_in_log(one) == 0
    updating.roll_back(one, 1, actor="test", reason="")
    assert_alike(one.current_champion().detector, known)
    # Nothing was champion before the first training.
    one.folding.keep_short()
    assert_alike(one.current_champion().detector, known)


def test_events_that_no_histories_know_are_told_to_be_missing(pair: Pair) -> None:
    one, _ = pair
    observe(one, 10)
    before = state(load(one.registry, 1, until=0).detector)
    with one.database.write() as connection:
        connection.execute(update(observed_events).values(events=0, observer="", content=b""))
    with capture_logs() as logs:
        found = load(one.registry, 1)
    assert [entry["event"] for entry in logs] == ["what was observed is not in the log any more, and in no histories"]
    assert found.followed.position == 1
    assert (state(found.detector)["figures"] == before["figures"]).all()
    # It does not go on for ever.
    assert one.current_champion().detector is one.current_champion().detector


def test_of_entities_that_no_version_in_force_has_the_newest_version_is_folded(pair: Pair) -> None:
    one, _ = pair
    training.train_rows(one, payments(seed=1), TrainParameters(n_estimators=10), ROLES, actor="test")
    observe(one, 10)
    training.train_rows(one, payments(), TrainParameters(n_estimators=10), actor="test")
    before = load(one.registry, 2).detector
    age(one, timedelta(days=2))
    one.folding.keep_short()
    assert events_in_log(one) == 0
    assert_alike(load(one.registry, 2).detector, before)


def test_a_version_whose_file_is_lost_does_not_keep_the_log_and_a_store_that_is_away_does(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = pair
    monkeypatch.setattr(updating, "suspicions", lambda *_: ("It is odd.",))
    held = updating.update_rows(one, payments(60, seed=3, day=30), actor="test").version
    observe(one, 10)
    age(one, timedelta(days=2))

    def refuse(*_: object) -> bytes:
        raise ModelStoreError("The model store is away.")

    with monkeypatch.context() as away:
        away.setattr(one.registry.models, "get", refuse)
        one.folding.keep_short()
    assert events_in_log(one) == 1
    with one.database.read() as connection:
        file = connection.scalar(select(tables.versions.c.file).where(tables.versions.c.number == held))
    content = one.registry.get(held)
    one.models.delete(f"versions/{file}")
    with capture_logs() as logs:
        for _ in range(2):
            one.folding.keep_short()
    assert [entry["event"] for entry in logs].count("what was observed cannot be folded") == 1
    # A folder may come back, and another process may see it.
    assert events_in_log(one) == 1
    with monkeypatch.context() as later:
        later.setattr(folding, "GIVEN_UP", AGES)
        one.folding.keep_short()
    assert events_in_log(one) == 0
    # Once the file is restored, it is kept up to date again.
    one.models.put(f"versions/{file}", content)
    one.folding.keep_short()
    with one.database.read() as connection:
        assert knowing(connection, held).position == 1
    observe(one, 11)
    age(one, timedelta(days=2))
    with monkeypatch.context() as later:
        later.setattr(folding, "GIVEN_UP", AGES)
        later.setattr(one.registry.models, "get", refuse)
        one.folding.keep_short()
    assert events_in_log(one) == 1
