"""Several processes over one workspace: what one observes, all know, and nothing is counted twice or lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from detector.core.model import DynamicAnomalyDetector
from detector.service import observing
from detector.service.loading import load
from detector.service.versions import training, updating
from detector.service.versions.training import TrainParameters
from detector.service.workspace import Workspace
from detector.store.observed_tables import observed_events
from detector.store.versions import POSITION
from tests.service.replicas import LAST, ROLES, assert_alike, habit, observe, payments, state


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
    known = DynamicAnomalyDetector.from_bytes(one.registry.get(2)).with_histories(one.registry.histories_of(2))
    probe = LAST | {"at": "2026-05-01T13:00:00"}
    assert habit(one.current_champion().detector, probe) < habit(known, probe)
    assert_alike(one.current_champion().detector, other.current_champion().detector)


def test_a_new_training_knows_nothing_of_what_was_observed_before_it(pair: tuple[Workspace, Workspace]) -> None:
    one, _ = pair
    observe(one, 10)
    training.train_rows(one, payments(), TrainParameters(n_estimators=10), ROLES, actor="test")
    assert one.registry.info(2).figures[POSITION] == 1
    first = DynamicAnomalyDetector.from_bytes(one.registry.get(1)).with_histories(one.registry.histories_of(1))
    assert_alike(one.current_champion().detector, first)


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
