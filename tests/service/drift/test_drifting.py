"""A run is compared with training while it is scored, with other runs later, and again when nothing was kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from detector.errors import Cancelled, InputError, NotFoundError
from detector.service import jobs
from detector.service.drift import drifting
from detector.service.runs import Run
from detector.service.scoring import score_file
from detector.service.uploads import Upload
from detector.service.versions.training import TrainResult
from detector.service.workspace import Workspace
from tests.service.conftest import transactions


@pytest.fixture
def scored(ws: Workspace, trained: TrainResult, give: Callable[..., Upload]) -> Callable[..., Run]:
    def scored(frame: pd.DataFrame, name: str = "april.csv") -> Run:
        return score_file(ws, give(frame, name).id, actor="ada")

    return scored


def dearer(seed: int = 1) -> pd.DataFrame:
    return transactions(600, seed).assign(amount=lambda frame: frame["amount"] * 3.1 + 20.0)


def states(drift: drifting.RunDrift | None) -> dict[str, str]:
    assert drift is not None
    return {column.name: column.state for column in drift.columns}


def test_rows_like_those_of_training_are_calm(ws, scored) -> None:
    drift = drifting.drift_of_run(ws, scored(transactions(600, 1)).id)
    assert states(drift) == dict.fromkeys(("amount", "items", "country", "at"), "calm")
    assert (drift.state, drift.schema, drift.new, drift.against) == ("calm", (), (), "version 1")


def test_what_moved_is_named_first(ws, scored) -> None:
    drift = drifting.drift_of_run(ws, scored(dearer()).id)
    assert drift.columns[0].name == "amount"
    assert states(drift) == {"amount": "drifting", "items": "calm", "country": "calm", "at": "calm"}
    assert drift.columns[0].drift.test == "Kolmogorov-Smirnov"
    assert drift.columns[0].now["median"] > drift.columns[0].before["median"]
    assert sum(column.importance for column in drift.columns) == pytest.approx(1.0)


def test_what_is_kept_comes_back_as_it_was_and_is_json(ws, scored) -> None:
    drift = drifting.drift_of_run(ws, scored(dearer()).id)
    told = json.loads(json.dumps(drift.to_dict(), allow_nan=False))
    assert drifting.RunDrift.from_dict(told) == drift


def test_columns_that_came_otherwise_are_told_with_what_follows(ws, scored) -> None:
    frame = transactions(600, 1).drop(columns="country")
    frame["channel"] = np.random.default_rng(0).choice(["web", "app"], 600)
    frame["items"] = frame["items"].map("{} pieces or so".format)
    drift = drifting.drift_of_run(ws, scored(frame).id)
    changes = {change.column: change for change in drift.schema}
    assert set(changes) == {"country", "channel", "items"}
    assert changes["country"].effect.endswith("of what the scores rest on is not used.")
    assert changes["country"].importance > 0.0
    assert (changes["country"].action, changes["channel"].action) == ("feed", "update")
    assert changes["channel"].effect == "None yet: scores do not use it."
    assert drift.new == ("channel",)
    assert drift.importance_carried < 1.0
    gone = drift.column("country")
    assert gone is not None
    assert (gone.state, sum(gone.overlay.before)) == ("drifting", pytest.approx(1.0))


def test_two_runs_are_compared_with_each_other(ws, scored) -> None:
    one, two, three = scored(dearer(1), "a.csv"), scored(dearer(2), "b.csv"), scored(transactions(600, 3), "c.csv")
    assert set(states(drifting.drift_of_run(ws, two.id, against=one.id)).values()) == {"calm"}
    drift = drifting.drift_of_run(ws, three.id, against=one.id)
    assert states(drift)["amount"] == "drifting"
    assert (drift.against_run, drift.against) == (one.id, f"run {one.id}, a.csv")


def test_a_column_that_the_model_does_not_know_is_compared_between_runs(ws, scored) -> None:
    risk = np.random.default_rng(0)
    one = scored(transactions(600, 1).assign(risk=risk.normal(0, 1, 600)), "a.csv")
    two = scored(transactions(600, 2).assign(risk=risk.normal(2, 1, 600)), "b.csv")
    assert states(drifting.drift_of_run(ws, two.id, against=one.id))["risk"] == "drifting"


def test_a_run_is_not_compared_with_itself_nor_with_none(ws, scored) -> None:
    run = scored(dearer())
    with pytest.raises(InputError, match="cannot be compared with itself"):
        drifting.drift_of_run(ws, run.id, against=run.id)
    with pytest.raises(NotFoundError, match="There is no run 99"):
        drifting.drift_of_run(ws, 99)


def test_what_was_not_kept_is_measured_by_a_job_and_is_the_same(ws, scored) -> None:
    frame = dearer().drop(columns="items").assign(channel="web")
    run = scored(frame)
    kept = drifting.drift_of_run(ws, run.id)
    shutil.rmtree(ws.settings.data_folder / "drift")
    assert drifting.drift_of_run(ws, run.id) is None
    job = jobs.submit(ws, "drift", {"run_id": run.id}, actor="ada")
    assert jobs.wait_for_job(ws, job.id, 60).result == {"run_id": run.id}
    assert drifting.drift_of_run(ws, run.id) == kept


def test_a_measurement_that_is_cancelled_keeps_nothing(ws, scored) -> None:
    run = scored(dearer())
    shutil.rmtree(ws.settings.data_folder / "drift")

    def cancel(done: int, total: int | None, message: str) -> None:
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        drifting.measure_run(ws, run.id, progress=cancel)
    assert drifting.drift_of_run(ws, run.id) is None


@pytest.mark.parametrize("content", [b"", b"{}", b'{"format": 99}', b"[1]", b"\xff"])
def test_a_damaged_comparison_counts_as_none(ws, scored, content: bytes) -> None:
    run, other = scored(dearer(), "a.csv"), scored(dearer(2), "b.csv")
    for path in (ws.settings.data_folder / "drift").iterdir():
        path.write_bytes(content)
    assert drifting.drift_of_run(ws, run.id) is None
    assert drifting.measure_run(ws, run.id).run == run.id
    assert drifting.drift_of_run(ws, run.id) is not None
    assert drifting.drift_of_run(ws, run.id, against=other.id) is None


def test_a_disk_that_refuses_leaves_the_run_standing(ws, scored, monkeypatch) -> None:
    def refuse(path: object, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(drifting, "write_durably", refuse)
    run = scored(dearer())
    assert run.rows == 600
    assert drifting.drift_of_run(ws, run.id) is None


def test_a_file_without_rows_has_nothing_to_compare(ws, scored) -> None:
    drift = drifting.drift_of_run(ws, scored(transactions(0)).id)
    assert (drift.columns, drift.state, drift.rows) == ((), "calm", 0)


def test_what_changed_since_the_run_before_is_said(ws, scored) -> None:
    first = scored(transactions(600, 1), "a.csv")
    assert drifting.changes_since(ws, first) == (None, ())
    second = scored(dearer(2).drop(columns="country"), "b.csv")
    assert drifting.changes_since(ws, second) == (
        first.id,
        ("country is missing.", "amount is drifting; it was as in training."),
    )
    third = scored(dearer(3), "c.csv")
    before, sentences = drifting.changes_since(ws, third)
    assert (before, sentences) == (second.id, ("country comes as learned again; it was missing.",))


def test_a_column_that_scoring_names_too_is_measured_from_the_kept_rows(ws, give) -> None:
    from detector.service.versions.training import train_file

    frame = transactions(600, 1).assign(score=np.random.default_rng(0).gamma(2.0, 3.0, 600).round(1))
    train_file(ws, give(frame).id, actor="ada")
    run = score_file(ws, give(frame).id, actor="ada")
    kept = drifting.drift_of_run(ws, run.id)
    assert states(drifting.measure_run(ws, run.id)) == states(kept)
