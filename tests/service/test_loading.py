"""Several processes over one workspace: what one observes, all know, and nothing is counted twice or lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select

from detector.core.model import DynamicAnomalyDetector
from detector.service import loading, observing, scoring
from detector.service.loading import POSITION, fold, load
from detector.service.versions import training, updating
from detector.service.versions.training import TrainParameters
from detector.service.workspace import Workspace
from detector.store.observed_tables import observed_events
from tests.service.test_following import LAST, LATER, ROLES, habit, payments

AGES = timedelta(seconds=-60)
"""Older than a minute from now: all that there is."""


@pytest.fixture
def pair(open_workspace: Callable[..., Workspace]) -> tuple[Workspace, Workspace]:
    one = open_workspace()
    training.train_rows(one, payments(), TrainParameters(n_estimators=10), ROLES, actor="test")
    return one, open_workspace()


def observe(ws: Workspace, hour: int, **changed: object) -> None:
    row = LATER | {"at": f"2026-03-25T{hour:02d}:00:00"} | changed
    scoring.score_rows(ws, row, observe=True)
    ws.following.write()


def events_in_log(ws: Workspace) -> int:
    with ws.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(observed_events)) or 0


def state(detector: DynamicAnomalyDetector) -> dict[str, np.ndarray]:
    return detector.behaviour.histories[0].to_content()


def assert_alike(one: DynamicAnomalyDetector, other: DynamicAnomalyDetector) -> None:
    for name, values in state(one).items():
        np.testing.assert_allclose(values, state(other)[name], rtol=1e-5, err_msg=name)


def test_what_one_process_observes_the_other_knows_at_its_next_look(pair: tuple[Workspace, Workspace]) -> None:
    one, other = pair
    before = habit(other.current_champion().detector)
    observe(one, 10)
    observe(other, 11, card="c2")
    for ws in pair:
        assert_alike(ws.current_champion().detector, load(ws.registry, 1).detector)
    assert habit(other.current_champion().detector) < before
    # A second look adds nothing.
    assert_alike(other.current_champion().detector, one.current_champion().detector)


def test_a_transaction_that_was_sent_to_two_processes_counts_once(pair: tuple[Workspace, Workspace]) -> None:
    one, other = pair
    observe(one, 10)
    alone = state(one.current_champion().detector)["figures"].copy()
    observe(other, 10)
    for ws in pair:
        np.testing.assert_array_equal(state(ws.current_champion().detector)["figures"], alone)
    np.testing.assert_array_equal(state(load(one.registry, 1).detector)["figures"], alone)


def test_what_comes_while_a_version_is_made_is_not_lost_to_it(
    pair: tuple[Workspace, Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = pair
    observe(other, 10)
    taught = updating.taught

    def meanwhile(ws: Workspace, detector: DynamicAnomalyDetector) -> DynamicAnomalyDetector:
        observe(other, 11, amount=400.0)
        return taught(ws, detector)

    monkeypatch.setattr(updating, "taught", meanwhile)
    updating.update_rows(one, payments(60, seed=3, day=30), actor="test")
    made = one.registry.info(2)
    assert made.figures[POSITION] == 1
    known = DynamicAnomalyDetector.from_bytes(one.registry.get(2)).with_histories(one.registry.histories_of(2)[0])
    probe = LAST | {"at": "2026-05-01T13:00:00"}
    assert habit(one.current_champion().detector, probe) < habit(known, probe)
    assert_alike(one.current_champion().detector, other.current_champion().detector)


def test_a_new_training_knows_nothing_of_what_was_observed_before_it(pair: tuple[Workspace, Workspace]) -> None:
    one, _ = pair
    observe(one, 10)
    training.train_rows(one, payments(), TrainParameters(n_estimators=10), ROLES, actor="test")
    assert one.registry.info(2).figures[POSITION] == 1
    first = DynamicAnomalyDetector.from_bytes(one.registry.get(1)).with_histories(one.registry.histories_of(1)[0])
    assert_alike(one.current_champion().detector, first)


def test_old_events_are_folded_into_the_histories_and_nothing_changes(pair: tuple[Workspace, Workspace]) -> None:
    one, other = pair
    for hour in range(4):
        observe(pair[hour % 2], 10 + hour)
    before = load(one.registry, 1).detector
    assert not fold(one.registry, 1)
    assert fold(one.registry, 1, more_than=3, older_than=AGES)
    assert events_in_log(one) == 0
    assert_alike(load(one.registry, 1).detector, before)
    observe(other, 20)
    assert_alike(one.current_champion().detector, other.current_champion().detector)
    assert_alike(load(one.registry, 1).detector, other.current_champion().detector)
    # Numbers are not given twice.
    with one.database.read() as connection:
        assert connection.scalar(select(observed_events.c.number)) == 5


def test_a_process_that_slept_over_a_fold_loads_its_model_anew(pair: tuple[Workspace, Workspace]) -> None:
    one, other = pair
    asleep = other.current_champion()
    observe(one, 10)
    assert fold(one.registry, 1, more_than=0, older_than=AGES)
    awake = other.current_champion()
    assert awake.detector is not asleep.detector
    assert_alike(awake.detector, one.current_champion().detector)


def test_of_two_processes_that_fold_at_once_one_succeeds(
    pair: tuple[Workspace, Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = pair
    observe(one, 10)
    whole = loading.load
    done: list[bool] = []

    def meanwhile(*given: object, **named: object) -> object:
        loaded = whole(*given, **named)
        if not done:
            done.append(True)
            done.append(fold(other.registry, 1, more_than=0, older_than=AGES))
        return loaded

    monkeypatch.setattr(loading, "load", meanwhile)
    assert not fold(one.registry, 1, more_than=0, older_than=AGES)
    assert done == [True, True]
    assert_alike(load(one.registry, 1).detector, one.current_champion().detector)


def test_what_an_earlier_release_has_observed_still_counts(pair: tuple[Workspace, Workspace]) -> None:
    one, _ = pair
    own = one.current_champion().detector.begun()
    own.follow(LATER)
    one.registry.models.replace("histories/1-before.observed", own.histories_to_bytes())
    assert habit(load(one.registry, 1).detector) < habit(one.current_champion().detector)


def test_events_that_cannot_be_read_are_left_out_and_told(
    pair: tuple[Workspace, Workspace], capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = pair
    before = habit(other.current_champion().detector)
    observe(one, 10)
    with one.database.write() as connection:
        connection.execute(observed_events.update().values(content=b"spoilt"))
    assert habit(other.current_champion().detector) == before
    assert "cannot be read" in capsys.readouterr().out + capsys.readouterr().err


# Columns


def note(ws: Workspace, *rows: dict[str, object]) -> None:
    for row in rows:
        ws.observations.note(ws.current_champion(), row, tuple(row))
    ws.observations.count()


def told(ws: Workspace) -> dict[str, object]:
    detector = ws.current_champion().detector
    names = [feature.name for feature in detector.schema_ if feature.status == "observed"]
    return {name: detector.feature_stats[name] for name in names}


def test_columns_counted_in_turns_are_those_of_one_process_that_has_seen_all(
    pair: tuple[Workspace, Workspace], open_workspace: Callable[..., Workspace], tmp_path: Path
) -> None:
    alone = open_workspace(home=tmp_path / "alone")
    training.train_rows(alone, payments(), TrainParameters(n_estimators=10), ROLES, actor="test")
    random = np.random.default_rng(5)
    for _ in range(30):
        rows = [
            {"risk": float(random.normal()), "device": f"d{random.integers(0, 9)}"}
            if random.random() < 0.7
            else {"device": None}
            for _ in range(random.integers(1, 5))
        ]
        note(pair[int(random.integers(0, 2))], *rows)
        note(alone, *rows)
    assert told(pair[0]) == told(pair[1]) == told(alone)
    assert set(told(alone)) == {"risk", "device"}


def test_the_first_that_meets_a_column_says_of_which_kind_it_is(pair: tuple[Workspace, Workspace]) -> None:
    one, other = pair
    note(one, {"risk": 1.5})
    note(other, {"risk": "high"})
    kinds = {ws.current_champion().detector.schema_.by_name["risk"].kind for ws in pair}
    assert kinds == {"numeric"}
    assert told(one) == told(other)


def test_columns_that_were_met_survive_a_restart_and_are_the_versions_own(
    pair: tuple[Workspace, Workspace], open_workspace: Callable[..., Workspace]
) -> None:
    one, _ = pair
    note(one, {"risk": 1.5}, {"risk": 2.5})
    assert told(open_workspace()) == told(one) != {}
    updating.update_rows(one, payments(60, seed=3, day=30), actor="test")
    assert told(one) == {}


def test_ever_new_names_do_not_fill_the_database(
    pair: tuple[Workspace, Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observing, "MOST_NAMES", 4)
    one, other = pair
    note(one, {"a": 1.0, "b": 1.0, "c": 1.0})
    note(other, {"d": 1.0, "e": 1.0, "a": 2.0})
    assert set(told(one)) == set(told(other)) == {"a", "b", "c", "d"}
    assert told(one)["a"]["rows"] == 2
