from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import time_machine

from detector.service import runs, scoring, uploads
from detector.service.checkpoints import checkpoints_folder
from detector.service.sweeping import ABANDONED, sweep
from detector.service.versions import training, updating
from detector.service.versions.training import TrainResult
from detector.service.workspace import Workspace
from detector.store.identity import identity_of
from detector.store.model_cache import ModelCache
from detector.store.model_objects import ObjectStore
from tests.service.conftest import csv, transactions

LATER = 2 * ABANDONED


def later(ws: Workspace) -> None:
    """Sweep two days from now."""
    with time_machine.travel(time.time() + LATER):
        sweep(ws.settings, ws.database, ws.models)


@pytest.fixture
def data(ws: Workspace, trained: TrainResult) -> Path:
    """The data folder of a workspace that was used."""
    upload = uploads.receive(ws, "a.csv", csv(transactions(40)), actor="ada")
    scoring.score_file(ws, upload.id, actor="ada")
    updating.preview_update(ws, upload.id, actor="ada")
    return ws.settings.data_folder


@pytest.mark.parametrize(
    "orphan",
    ["uploads/0123", "runs/0123.parquet", "queues/0123.rows.parquet", "previews/0123.joblib", "runs/0123.part"],
)
def test_what_no_row_names_is_removed_after_a_day(ws: Workspace, data: Path, orphan: str) -> None:
    path = data / orphan
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    sweep(ws.settings, ws.database, ws.models)
    assert path.exists()
    later(ws)
    assert not path.exists()


def test_what_rows_name_stays(ws: Workspace, data: Path) -> None:
    before = sorted(path for path in data.rglob("*") if path.is_file())
    later(ws)
    assert sorted(path for path in data.rglob("*") if path.is_file()) == before
    assert len(runs.run_rows(ws, 1)) == 40


def test_files_older_than_the_database_are_none_of_its_business(ws: Workspace, data: Path) -> None:
    path = data / "runs" / "0123.parquet"
    path.write_bytes(b"x")
    os.utime(path, (1, 1))
    later(ws)
    assert path.exists()


def test_a_model_is_never_removed(ws: Workspace, trained: TrainResult) -> None:
    path = ws.settings.models_folder / "versions" / "0123.joblib"
    path.write_bytes(b"x")
    later(ws)
    assert path.exists()


def test_a_model_that_no_row_came_to_name_is_removed_unless_another_database_announced_it(ws: Workspace) -> None:
    models = ObjectStore(f"memory://{ws.settings.home.name}/models", ModelCache(ws.settings.home / "cache", 1_000))
    own = identity_of(ws.database)
    for file, database in (("own.joblib", own), ("another.joblib", own[::-1])):
        models.announce(file, database)
        models.put(f"versions/{file}", b"a model")
    with time_machine.travel(time.time() + LATER):
        sweep(ws.settings, ws.database, models)
    assert models.names() == ("versions/another.joblib",)


def test_what_a_job_had_scored_is_removed_once_nobody_goes_on(ws: Workspace) -> None:
    folder = checkpoints_folder(ws) / "job"
    folder.mkdir(parents=True)
    sweep(ws.settings, ws.database, ws.models)
    assert folder.exists()
    later(ws)
    assert not folder.exists()


def test_the_copy_of_the_champion_is_renewed_where_its_writer_died(ws: Workspace, trained: TrainResult) -> None:
    first = ws.registry.get(1)
    training.train_rows(ws, transactions(seed=3), actor="ada")
    for left in (first, None):
        ws.settings.champion_path.unlink()
        if left is not None:
            ws.settings.champion_path.write_bytes(left)
        Workspace.open(ws.settings).close()
        assert ws.settings.champion_path.read_bytes() == ws.registry.get(2)
