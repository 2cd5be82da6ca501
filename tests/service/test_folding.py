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
from sqlalchemy import func, select, update
from structlog.testing import capture_logs

from detector.errors import ConflictError, ModelStoreError
from detector.service import folding, uploads
from detector.service.loading import load
from detector.service.versions import challenging, previewing, training, updating
from detector.service.versions.training import TrainParameters
from detector.service.workspace import Workspace
from detector.store import numbering, tables
from detector.store.observed import append_events, last_number
from detector.store.observed_folds import knowing, note_file
from detector.store.observed_tables import observed_columns, observed_events, observed_files
from tests.service.replicas import AGES, LATER, ROLES, assert_alike, entities_of, fold_now, observe, payments, state
from trust.migrating import migrate_to

Pair = tuple[Workspace, Workspace]


def take_out_now(ws: Workspace, version: int = 1) -> None:
    ws.folding.take_out(entities_of(ws, version), settled=AGES, kept=AGES)


def events_in_log(ws: Workspace) -> int:
    with ws.database.read() as connection:
        return connection.scalar(select(func.sum(observed_events.c.events))) or 0


def age(ws: Workspace, by: timedelta) -> None:
    """Let all that was written in the log and for it be so much older."""
    with ws.database.write() as connection:
        for table, column in (
            (observed_events, observed_events.c.at),
            (observed_files, observed_files.c.noted_at),
            (tables.aliases, tables.aliases.c.moved_at),
        ):
            for (moment,) in connection.execute(select(column).distinct()).all():
                connection.execute(update(table).where(column == moment).values({column.name: moment - by}))


def history_files(ws: Workspace) -> int:
    return len(ws.models.names("histories/"))


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


# Versions that began before


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


def test_events_of_entities_that_no_version_has_are_kept_for_a_day(pair: Pair) -> None:
    one, _ = pair
    with one.database.write() as connection:
        append_events(connection, "of nobody", "somebody", 3, b"events")
    one.folding.keep_short()
    assert events_in_log(one) == 3
    age(one, timedelta(days=2))
    one.folding.keep_short()
    assert events_in_log(one) == 0


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


# What is left


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
