from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from detector.core.model import DynamicAnomalyDetector
from detector.core.own_rows import on_own_rows
from detector.errors import NotFoundError
from detector.service.versions import challenging, held, training, updating
from detector.service.versions.training import TrainResult
from detector.service.workspace import Workspace
from detector.store import audit
from detector.synthetic import generate_week
from tests.service.conftest import PARAMETERS, csv, transactions


def poison(rows: int = 60) -> pd.DataFrame:
    """Rows that are all far too dear and come at night, as somebody sends them who wants such rows to be ordinary."""
    return transactions(rows, seed=3).assign(amount=5_000.0, at="2026-03-04T03:15:00")


def test_an_update_of_what_the_champion_flags_waits_for_a_person(ws: Workspace, trained: TrainResult) -> None:
    result = updating.update_rows(ws, poison(), actor="api")
    assert not result.promoted
    assert "The champion flags 60 of the 60 rows" in result.suspicions[0]
    assert ws.current_champion().version == 1
    (waiting,) = held.waiting_versions(ws)
    assert (waiting.version, waiting.reasons) == (2, result.suspicions)
    with ws.database.read() as connection:
        assert audit.entries(connection, limit=1)[0].action == "update held back"


def test_a_file_is_held_back_as_rows_are(ws: Workspace, trained: TrainResult, tmp_path: Path) -> None:
    path = tmp_path / "poison.csv"
    path.write_bytes(csv(poison()))
    assert not updating.update_path(ws, path, actor="ada").promoted
    assert ws.current_champion().version == 1


def test_ordinary_updates_pass(ws: Workspace, trained: TrainResult) -> None:
    for seed in range(1, 6):
        assert updating.update_rows(ws, transactions(100, seed=seed), actor="api").promoted


@pytest.mark.parametrize("rows", [400, 2000])
def test_the_weeks_of_the_sample_pass(open_workspace: Callable[..., Workspace], rows: int) -> None:
    ws = open_workspace()
    training.train_rows(ws, generate_week(1, rows=rows), roles={"is_fraud": "label"}, actor="ada")
    for week in range(2, 6):
        result = updating.update_rows(ws, generate_week(week, rows=rows), actor="api")
        assert result.promoted, (week, result.suspicions)


def test_a_handful_of_odd_rows_is_no_attack(ws: Workspace, trained: TrainResult) -> None:
    assert updating.update_rows(ws, poison(3), actor="api").promoted


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"update_min_correlation": 1.0}, "stand in another order"),
        ({"update_max_shift": 0.0}, "would be flagged instead of"),
        ({"update_max_flagged": 0.0}, "where about 10.0% are usual"),
    ],
)
def test_each_bound_is_a_setting(open_workspace: Callable[..., Workspace], limits: dict[str, float], told: str) -> None:
    ws = open_workspace(**limits)
    training.train_rows(ws, transactions(), PARAMETERS, actor="ada")
    frame = transactions(200, seed=7)
    if "update_max_flagged" in limits:
        frame.loc[:150, "amount"] = 5_000.0
    assert told in " ".join(updating.update_rows(ws, frame, actor="api").suspicions)


def test_a_lead_promotes_what_waits(ws: Workspace, trained: TrainResult) -> None:
    updating.update_rows(ws, poison(), actor="api")
    challenging.promote(ws, 2, seen=challenging.standing(ws).champion, actor="lead", reason="a sale at night")
    assert ws.current_champion().version == 2
    assert held.waiting_versions(ws) == ()


def test_a_lead_dismisses_what_waits(ws: Workspace, trained: TrainResult) -> None:
    updating.update_rows(ws, poison(), actor="api")
    held.dismiss(ws, 2, actor="lead", reason="an attack")
    assert held.waiting_versions(ws) == ()
    assert [info.number for info in updating.list_versions(ws)] == [2, 1]
    with pytest.raises(NotFoundError, match="does not wait"):
        held.dismiss(ws, 2, actor="lead")


def test_own_rows_are_the_same_before_and_after_an_update_that_adds_columns() -> None:
    before = DynamicAnomalyDetector(n_estimators=30).fit(transactions())
    frame = transactions(200, seed=7).assign(risk=np.random.default_rng(7).random(200))
    after = before.updated(frame).updated(frame)
    assert "risk" in {feature.name for feature in after.schema_.learned}
    same = on_own_rows(before, before)
    assert same is not None
    assert np.array_equal(same.scores_before, same.scores_after)
    moved = on_own_rows(before, after)
    assert moved is not None
    assert np.array_equal(moved.scores_before, same.scores_before)
    assert len(moved.severities_after) == len(moved.severities_before) == 300
    assert np.corrcoef(moved.scores_before, moved.scores_after)[0, 1] > 0.6
