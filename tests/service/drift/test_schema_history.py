"""When each column came, was learned, changed and left, since the first training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from detector.service.drift.schema_history import schema_timeline
from detector.service.scoring import score_file
from detector.service.uploads import Upload
from detector.service.versions import updating
from detector.service.versions.training import TrainResult
from detector.service.workspace import Workspace
from tests.service.conftest import transactions


def events(ws: Workspace, column: str) -> list[tuple[str, str]]:
    return [(event.step, event.sentence) for event in schema_timeline(ws).events if event.column == column]


def test_an_empty_workspace_has_no_history(ws: Workspace) -> None:
    found = schema_timeline(ws)
    assert (found.steps, found.events, found.columns) == ((), (), ())


def test_training_learns_all_columns_at_once(ws: Workspace, trained: TrainResult) -> None:
    found = schema_timeline(ws)
    assert [step.label for step in found.steps] == ["v1"]
    assert set(found.columns) == {"amount", "items", "country", "at"}
    assert events(ws, "amount") == [("v1", "Learned in training, version 1.")]


def test_a_column_arrives_is_learned_and_leaves(
    ws: Workspace, trained: TrainResult, give: Callable[..., Upload]
) -> None:
    wider = transactions(300, 1).assign(risk=np.random.default_rng(0).normal(size=300))
    score_file(ws, give(wider, "a.csv").id, actor="ada")
    updating.update_rows(ws, wider, actor="ada")
    score_file(ws, give(transactions(300, 2), "b.csv").id, actor="ada")
    score_file(ws, give(wider, "a.csv").id, actor="ada")
    assert events(ws, "risk") == [
        ("run 1", "Arrived, with numbers."),
        ("v2", "Learned: version 2 scores with it."),
        ("run 2", "Did not come."),
        ("run 3", "Came as learned again."),
    ]
    steps = schema_timeline(ws).steps
    assert [step.label for step in steps] == ["v1", "run 1", "v2", "run 2", "run 3"]
    assert [step.states.get("risk") for step in steps] == [None, "new", "new", "missing", "matched"]


def test_another_unit_another_name_and_another_type_are_told_once(
    ws: Workspace, trained: TrainResult, give: Callable[..., Upload]
) -> None:
    for seed in (1, 2):
        changed = transactions(300, seed).rename(columns={"country": "Country"})
        changed["amount"] *= 100.0
        changed["items"] = changed["items"].map("{} or so".format)
        score_file(ws, give(changed, f"{seed}.csv").id, actor="ada")
    assert [step for step, _ in events(ws, "amount")] == ["v1", "run 1"]
    assert events(ws, "amount")[1][1] == "Came in another unit, 100 times as large."
    assert events(ws, "country")[1][1] == "Came under the name Country."
    assert events(ws, "items")[1][1] == "Changed its type from numbers to text."
