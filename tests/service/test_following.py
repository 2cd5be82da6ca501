from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from detector.core.model import DynamicAnomalyDetector
from detector.errors import ModelFileError
from detector.service import following, scoring, uploads
from detector.service.versions import previewing, training, updating
from detector.service.versions.training import TrainParameters
from detector.service.workspace import Workspace
from detector.store.observed_tables import observed_events
from tests.service.replicas import HABIT, LAST, LATER, ROLES, habit, payments


@pytest.fixture
def carded(ws: Workspace) -> Workspace:
    training.train_rows(ws, payments(), TrainParameters(n_estimators=20), ROLES, actor="test")
    return ws


def test_a_version_keeps_its_histories_in_a_file_beside_the_model(carded: Workspace) -> None:
    champion = carded.require_champion()
    files = list((carded.settings.home / "models" / "histories").iterdir())
    assert [path.suffix for path in files] == [".histories"]
    model = DynamicAnomalyDetector.from_bytes(carded.registry.get(champion.version))
    assert model.behaviour is not None
    assert len(model.behaviour.histories[0]) == 0
    assert len(champion.detector.behaviour.histories[0]) == 12
    assert HABIT not in training.train_result(carded, champion.version).features


def test_histories_that_were_changed_on_disk_are_refused(
    carded: Workspace, open_workspace: Callable[..., Workspace]
) -> None:
    path = next((carded.settings.home / "models" / "histories").iterdir())
    path.write_bytes(path.read_bytes() + b".")
    with pytest.raises(ModelFileError, match="not the ones that were registered"):
        open_workspace().champion()
    path.unlink()
    with pytest.raises(ModelFileError, match="cannot be read"):
        open_workspace().champion()


def test_scoring_looks_at_the_histories_and_only_observing_advances_them(carded: Workspace) -> None:
    detector = carded.require_champion().detector
    before = habit(detector)
    scoring.score_rows(carded, LATER)
    assert habit(detector) == before
    scoring.score_rows(carded, LATER, observe=True)
    assert habit(detector) < before
    after = habit(detector)
    scoring.score_rows(carded, LATER, observe=True)
    assert habit(detector) == after


def test_what_was_observed_survives_a_restart_and_enters_the_next_version(
    carded: Workspace, open_workspace: Callable[..., Workspace]
) -> None:
    before = habit(carded.require_champion().detector)
    scoring.score_rows(carded, LATER, observe=True)
    observed = habit(carded.require_champion().detector)
    carded.following.write()
    other = open_workspace()
    assert habit(other.require_champion().detector) == pytest.approx(observed, rel=1e-5)
    updating.update_rows(other, payments(60, seed=3, day=30), actor="test")
    updated = habit(other.require_champion().detector, LAST | {"at": "2026-05-01T13:00:00"})
    alone = DynamicAnomalyDetector.from_bytes(other.registry.get(1))
    assert before != observed
    fresh = alone.with_histories(other.registry.histories_of(1)).updated(payments(60, seed=3, day=30))
    assert updated != habit(fresh, LAST | {"at": "2026-05-01T13:00:00"})


def test_an_update_advances_the_histories_of_the_new_version_alone(carded: Workspace) -> None:
    first = carded.require_champion()
    rows = payments(80, seed=4, day=21)
    updating.update_rows(carded, rows, actor="test")
    probe = LAST | {"at": "2026-04-20T13:00:00"}
    assert habit(carded.current_champion().detector, probe) != habit(carded.detector(first.version), probe)
    updating.roll_back(carded, first.version, actor="test", reason="")
    assert habit(carded.current_champion().detector, probe) == habit(first.detector, probe)


def test_a_preview_compares_both_models_against_the_same_past_and_its_acceptance_keeps_histories(
    carded: Workspace,
) -> None:
    rows = payments(120, seed=5, day=21)
    upload = uploads.receive(carded, "next.csv", rows.to_csv(index=False).encode(), actor="test")
    preview = previewing.preview_update(carded, upload.id)
    assert abs(preview.flagged_share_after - preview.flagged_share_before) < 0.2
    previewing.accept_update(carded, preview.token, actor="test")
    champion = carded.current_champion()
    assert champion.version == 2
    assert carded.registry.histories_of(2) is not None
    assert champion.detector.behaviour.histories[0].to_content()["times"].max() > 1.7745e9


def test_a_file_scored_in_batches_gets_the_scores_of_one_piece(
    carded: Workspace, open_workspace: Callable[..., Workspace], tmp_path: Path
) -> None:
    rows = payments(90, seed=6, day=21)
    path = tmp_path / "next.csv"
    rows.to_csv(path, index=False)
    small = open_workspace(batch_rows=25)
    scoring.score_path(small, path, tmp_path / "scored.csv")
    in_batches = pd.read_csv(tmp_path / "scored.csv")
    assert HABIT not in in_batches.columns
    whole = carded.require_champion().detector.score(rows)
    np.testing.assert_allclose(in_batches["score"], whole.scores)


def test_the_latest_rows_are_held_out_where_an_entity_is_named(carded: Workspace) -> None:
    told = training.train_result(carded, 1)
    assert told is not None
    assert told.held_out_rows == 80
    assert told.flagged_shares[10.0] < 0.35


def test_without_an_entity_observing_writes_nothing(ws: Workspace) -> None:
    training.train_rows(ws, payments(), TrainParameters(n_estimators=5), actor="test")
    scoring.score_rows(ws, LATER, observe=True)
    ws.following.write()
    assert log(ws) == []


def test_a_database_that_is_away_is_logged_and_does_not_stop_scoring(
    carded: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OperationalError("INSERT", {}, Exception("server closed the connection"))

    monkeypatch.setattr(following, "append_events", refuse)
    scoring.score_rows(carded, LATER, observe=True)
    carded.following.write()
    monkeypatch.undo()
    carded.following.write()
    assert len(log(carded)) == 1


def test_what_cannot_be_written_does_not_fill_the_memory(carded: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "MOST_WAITING", 2)
    monkeypatch.setattr(following, "PAUSE", 3_600.0)
    for hour in range(5):
        scoring.score_rows(carded, LATER | {"at": f"2026-03-25T{hour + 12}:00:00"}, observe=True)
    carded.following.write()
    assert sum(events for _, events in log(carded)) == 2


def log(ws: Workspace) -> list[tuple[int, int]]:
    with ws.database.read() as connection:
        rows = connection.execute(select(observed_events.c.number, observed_events.c.events))
        return [(row.number, row.events) for row in rows]
