"""The log of observed events is kept short, and no version that is used knows less for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from errno import ENOSPC
from itertools import count

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from structlog.testing import capture_logs

from detector.service import folding
from detector.service.loading import load
from detector.service.versions import updating
from detector.service.workspace import Workspace
from detector.store import numbering
from detector.store.observed import append_events, last_number
from detector.store.observed_folds import knowing, note_file
from detector.store.observed_tables import observed_events
from tests.service.replicas import (
    AGES,
    LATER,
    Pair,
    age,
    assert_alike,
    entities_of,
    events_in_log,
    fold_now,
    history_files,
    observe,
    payments,
    take_out_now,
)


def test_old_events_are_folded_into_the_histories_and_nothing_changes(pair: Pair) -> None:
    one, other = pair
    for hour in range(4):
        observe(pair[hour % 2], 10 + hour)
    before = load(one.registry, 1).detector
    assert not fold_now(one, more_than=4)
    assert fold_now(one, more_than=3)
    assert events_in_log(one) == 4
    take_out_now(one)
    assert events_in_log(one) == 0
    assert_alike(load(one.registry, 1).detector, before)
    observe(other, 20)
    for ws in pair:
        assert_alike(ws.current_champion().detector, load(one.registry, 1).detector)
    # Numbers are not given twice.
    with one.database.read() as connection:
        assert last_number(connection) == 5
    assert not fold_now(one, more_than=1)


def test_a_process_that_slept_until_events_were_taken_out_loads_its_model_anew(pair: Pair) -> None:
    one, other = pair
    asleep = other.current_champion()
    observe(one, 10)
    assert fold_now(one)
    assert other.current_champion().detector is asleep.detector
    observe(one, 11)
    assert fold_now(one)
    take_out_now(one)
    asleep.followed.position = 1
    awake = other.current_champion()
    assert awake.detector is not asleep.detector
    assert_alike(awake.detector, one.current_champion().detector)


def test_of_two_processes_that_fold_at_once_one_succeeds(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = pair
    observe(one, 10)
    whole = folding.load
    done: list[bool] = []

    def meanwhile(*given: object, **named: object) -> object:
        loaded = whole(*given, **named)
        if not done:
            done.append(True)
            observe(other, 11)
            done.append(fold_now(other))
        return loaded

    monkeypatch.setattr(folding, "load", meanwhile)
    assert not fold_now(one)
    assert done == [True, True]
    take_out_now(one)
    assert_alike(load(one.registry, 1).detector, one.current_champion().detector)
    # The file of the one that came too late goes, that of the other one stays.
    assert history_files(one) == 3
    one.folding.sweep(AGES)
    assert history_files(one) == 2
    assert_alike(load(one.registry, 1).detector, other.current_champion().detector)


def test_events_are_taken_out_while_another_process_loads(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = pair
    observe(one, 10)
    get = other.registry.get

    def meanwhile(version: int) -> bytes:
        monkeypatch.undo()
        assert fold_now(one)
        take_out_now(one)
        observe(one, 11)
        return get(version)

    monkeypatch.setattr(other.registry, "get", meanwhile)
    assert_alike(other.current_champion().detector, one.current_champion().detector)


def test_few_events_are_folded_once_they_are_a_day_old_and_then_the_log_is_empty(pair: Pair) -> None:
    one, _ = pair
    observe(one, 10)
    age(one, timedelta(hours=23))
    one.folding.keep_short()
    assert (events_in_log(one), history_files(one)) == (1, 1)
    age(one, timedelta(hours=2))
    one.folding.keep_short()
    assert (events_in_log(one), history_files(one)) == (0, 2)
    one.folding.keep_short()
    assert history_files(one) == 2
    assert_alike(load(one.registry, 1).detector, one.current_champion().detector)


def test_what_a_newer_champion_was_made_with_is_taken_out_though_nothing_was_folded(pair: Pair) -> None:
    one, _ = pair
    observe(one, 10)
    updating.update_rows(one, payments(60, seed=3, day=30), actor="test")
    observe(one, 11, at="2026-04-25T10:00:00")
    one.folding.take_out(entities_of(one), settled=AGES)
    assert events_in_log(one) == 2
    take_out_now(one)
    assert events_in_log(one) == 1
    assert history_files(one) == 2


def test_what_is_folded_stays_for_a_day_up_to_a_size(pair: Pair) -> None:
    one, _ = pair
    for hour in range(4):
        observe(one, 10 + hour)
    assert fold_now(one)
    with one.database.read() as connection:
        size = connection.scalar(select(func.length(observed_events.c.content)).limit(1))
    one.folding.take_out(entities_of(one), settled=AGES, most_bytes=5 * size)
    assert events_in_log(one) == 4
    one.folding.take_out(entities_of(one), settled=AGES, most_bytes=2 * size)
    assert events_in_log(one) == 2


def test_many_rows_are_taken_out_a_few_at_a_time(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "ROWS_AT_ONCE", 2)
    one, _ = pair
    for hour in range(7):
        observe(one, 10 + hour)
    assert fold_now(one)
    take_out_now(one)
    assert events_in_log(one) == 0
    assert_alike(load(one.registry, 1).detector, one.current_champion().detector)


def test_numbers_go_on_where_32_bits_end(pair: Pair) -> None:
    one, other = pair
    with one.database.write() as connection:
        numbering.set_last(connection, observed_events, 2**31 - 1)
    observe(one, 10)
    updating.update_rows(one, payments(60, seed=3, day=30), actor="test")
    observe(other, 11, at="2026-04-25T10:00:00")
    assert fold_now(one, 2)
    take_out_now(one, 2)
    with one.database.read() as connection:
        assert last_number(connection) == knowing(connection, 2).position == 2**31 + 1
    for ws in pair:
        assert_alike(ws.current_champion().detector, load(one.registry, 2).detector)


def test_events_of_entities_that_no_version_has_are_kept_for_a_day(pair: Pair) -> None:
    one, _ = pair
    with one.database.write() as connection:
        append_events(connection, "of nobody", "somebody", 3, b"events")
    one.folding.keep_short()
    assert events_in_log(one) == 3
    age(one, timedelta(days=2))
    one.folding.keep_short()
    assert events_in_log(one) == 0


def test_a_full_disk_delays_the_fold_and_not_what_makes_room(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = pair
    with one.database.write() as connection:
        assert note_file(connection, "0" * 64, datetime.now(UTC))
    one.models.put(f"histories/{'0' * 64}.histories", b"left by a process that died")
    observe(one, 10)
    age(one, timedelta(days=2))

    def full(*_: object) -> None:
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr(one.registry.models, "put", full)
    with capture_logs() as logs:
        one.folding.keep_short()
    assert logs[0]["event"] == "what was observed is folded later"
    assert (events_in_log(one), history_files(one)) == (1, 1)


def test_whatever_is_observed_folded_and_taken_out_all_know_what_one_process_would_that_saw_everything(
    pair: Pair, open_workspace: Callable[..., Workspace]
) -> None:
    processes = list(pair)
    alone = load(pair[0].registry, 1).detector
    seconds = count(1)
    which = st.integers(0, 1)
    steps = st.one_of(
        st.tuples(st.just("observe"), which, st.integers(1, 3)),
        st.tuples(st.sampled_from(["fold", "take out", "look", "sweep", "write"]), which, st.just(0)),
        st.tuples(st.just("start anew"), which, st.just(0)),
    )

    @settings(max_examples=12, database=None, deadline=None)
    @given(steps=st.lists(steps, min_size=3, max_size=14))
    def hold(steps: list[tuple[str, int, int]]) -> None:
        for what, which, many in steps:
            ws = processes[which]
            if what == "observe":
                for _ in range(many):
                    moment = pd.Timestamp("2026-03-25") + pd.Timedelta(seconds=60 * next(seconds))
                    row = LATER | {"at": moment.isoformat(), "card": f"c{many}"}
                    ws.following.note(ws.require_champion(), row)
                    alone.follow(row)
            elif what == "fold":
                fold_now(ws)
            elif what == "take out":
                take_out_now(ws)
            elif what == "sweep":
                ws.folding.sweep(AGES)
            elif what == "look":
                ws.current_champion()
            elif what == "write":
                ws.following.write()
            else:
                ws.following.write()
                processes[which] = open_workspace()
        for ws in processes:
            ws.following.write()
        # All but the order in which the last events of an entity came.
        for ws in processes:
            assert_alike(ws.current_champion().detector, alone, but="recent")
        assert_alike(load(processes[0].registry, 1).detector, alone, but="recent")

    hold()
