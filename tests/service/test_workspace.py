from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from detector.core.model import DynamicAnomalyDetector
from detector.errors import ConflictError, InputError, NotFoundError, NotTrainedError
from detector.service import champion as champion_module
from detector.service.versions import training, updating
from detector.service.versions.training import TrainResult
from detector.service.versions.versioning import new_version
from detector.service.workspace import CHAMPION, Workspace
from detector.store import audit
from detector.store.registry import Registry
from tests.service.conftest import PARAMETERS, transactions

Open = Callable[..., Workspace]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Stop the clock by which the champion is fresh, and move it by hand."""
    now = [0.0]
    monkeypatch.setattr(champion_module, "monotonic", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] += seconds

    return move


def test_a_new_workspace_has_no_champion_and_says_what_to_do(ws: Workspace) -> None:
    assert ws.champion() is None
    with pytest.raises(NotTrainedError, match="Train one on a file, or load the sample data"):
        ws.require_champion()


def test_the_champion_is_the_version_that_was_trained_last(ws: Workspace, trained: TrainResult) -> None:
    champion = ws.require_champion()
    assert (champion.version, champion.rows, champion.cutoff) == (trained.version, 300, 90.0)
    again = training.train_rows(ws, transactions(seed=1), PARAMETERS, actor="ada")
    assert ws.require_champion().version == again.version == 2


def test_a_fresh_champion_is_the_same_value_each_time(ws: Workspace, trained: TrainResult) -> None:
    assert ws.champion() is ws.champion()


def test_a_model_trained_in_one_process_answers_in_another(
    open_workspace: Open, later: Callable[[float], None]
) -> None:
    here, there = open_workspace(), open_workspace()
    assert there.champion() is None
    training.train_rows(here, transactions(), PARAMETERS, actor="ada")
    later(champion_module.FRESH)
    first = there.require_champion()
    assert first.version == 1
    training.train_rows(here, transactions(seed=1), PARAMETERS, actor="ada")
    assert there.champion() is first
    later(champion_module.FRESH)
    assert there.require_champion().version == 2


def test_the_champion_goes_on_while_the_database_is_away(
    ws: Workspace, trained: TrainResult, later: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    champion = ws.champion()

    @contextmanager
    def away() -> Iterator[None]:
        raise OperationalError("SELECT", {}, Exception("away"))
        yield

    monkeypatch.setattr(ws.database, "read", away)
    later(champion_module.FRESH)
    assert ws.champion() is champion


def test_a_damaged_file_of_a_new_champion_leaves_the_last_one_answering(
    open_workspace: Open, later: Callable[[float], None]
) -> None:
    here, there = open_workspace(), open_workspace()
    training.train_rows(here, transactions(), PARAMETERS, actor="ada")
    later(champion_module.FRESH)
    assert there.require_champion().version == 1
    training.train_rows(here, transactions(seed=1), PARAMETERS, actor="ada")
    for path in here.settings.models_folder.glob(f"versions/{here.registry.info(2).sha256[:12]}-*"):
        path.write_bytes(b"not a model")
    later(champion_module.FRESH)
    assert there.require_champion().version == 1


def test_the_champion_is_also_kept_at_the_model_path(open_workspace: Open, tmp_path: Path) -> None:
    path = tmp_path / "elsewhere" / "mine.joblib"
    ws = open_workspace(model_path=path)
    training.train_rows(ws, transactions(), PARAMETERS, actor="ada")
    assert path.read_bytes() == ws.registry.get(1)
    training.train_rows(ws, transactions(seed=1), PARAMETERS, actor="ada")
    assert path.read_bytes() == ws.registry.get(2)
    updating.roll_back(ws, 1, actor="ada", reason="test")
    assert path.read_bytes() == ws.registry.get(1)


def test_neither_a_promotion_nor_an_opening_reads_all_versions(
    open_workspace: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws = open_workspace()
    training.train_rows(ws, transactions(), PARAMETERS, actor="ada")
    monkeypatch.setattr(Registry, "list", lambda *_, **__: pytest.fail("There may be ten thousand of them."))
    training.train_rows(ws, transactions(seed=1), PARAMETERS, actor="ada")
    # What a process that died between a promotion and the copy of its model leaves behind.
    copy = tmp_path / "models" / "anomaly_detector.joblib"
    copy.write_bytes(ws.registry.get(1))
    again = open_workspace()
    assert copy.read_bytes() == ws.registry.get(2)
    copy.write_bytes(b"somebody's own")
    open_workspace()
    assert copy.read_bytes() == b"somebody's own"
    updating.roll_back(again, 1, actor="ada", reason="test")
    assert copy.read_bytes() == ws.registry.get(1)
    assert again.notice is not None
    assert "no version of this workspace" in again.notice


def test_a_model_path_that_cannot_be_written_does_not_undo_the_promotion(open_workspace: Open, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where a folder is wanted")
    ws = open_workspace(model_path=tmp_path / "taken" / "mine.joblib")
    training.train_rows(ws, transactions(), PARAMETERS, actor="ada")
    assert ws.require_champion().version == 1
    assert ws.notice is not None
    assert "Version 1 is champion, but mine.joblib could not be written" in ws.notice


def test_a_promotion_of_a_model_in_memory_stands_though_its_file_is_gone(ws: Workspace, trained: TrainResult) -> None:
    training.train_rows(ws, transactions(seed=1), PARAMETERS, actor="ada")
    ws.detector(1)
    for path in ws.settings.models_folder.glob(f"versions/{ws.registry.info(1).sha256[:12]}-*"):
        path.unlink()
    updating.roll_back(ws, 1, actor="ada", reason="test")
    assert ws.require_champion().version == 1
    assert ws.notice is not None
    assert "could not be written: The file of version 1 cannot be read." in ws.notice


def test_a_model_file_becomes_version_1_of_an_empty_workspace(open_workspace: Open, tmp_path: Path) -> None:
    path = tmp_path / "mine.joblib"
    model = DynamicAnomalyDetector(n_estimators=10, contamination=0.05).fit(transactions())
    model.save(path)
    ws = open_workspace(home=tmp_path / "w", model_path=path)
    champion = ws.require_champion()
    assert (champion.version, champion.cutoff, champion.rows) == (1, 95.0, 300)
    assert ws.registry.info(1).origin == "imported"
    assert ws.registry.get(1) == path.read_bytes()
    again = open_workspace(home=tmp_path / "w", model_path=path)
    assert [info.number for info in again.registry.list()] == [1]


def test_a_model_file_that_is_none_is_refused_with_a_notice(open_workspace: Open, tmp_path: Path) -> None:
    path = tmp_path / "mine.joblib"
    path.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    ws = open_workspace(model_path=path)
    assert ws.champion() is None
    assert ws.notice is not None
    assert "mine.joblib was not loaded" in ws.notice


def test_a_promotion_that_comes_too_late_changes_nothing(ws: Workspace, trained: TrainResult) -> None:
    new = new_version(ws.require_champion().detector, origin="trained")
    with pytest.raises(ConflictError):
        ws.promote(new, actor="eve", expected_revision=0)
    alias = ws.registry.alias(CHAMPION)
    assert alias is not None
    assert (alias.version, alias.revision) == (1, 1)


def test_a_cutoff_of_ones_own_moves_the_champion_and_no_model(ws: Workspace, trained: TrainResult) -> None:
    ws.set_cutoff(97.5, actor="lead")
    champion = ws.require_champion()
    assert (champion.version, champion.cutoff) == (1, 97.5)
    again = training.train_rows(ws, transactions(seed=1), PARAMETERS, actor="ada")
    assert (again.version, ws.require_champion().cutoff) == (2, 97.5)
    ws.set_cutoff(None, actor="lead")
    assert ws.require_champion().cutoff == 90.0
    with ws.database.read() as connection:
        found = [entry for entry in audit.entries(connection) if entry.action == "cutoff set"]
    assert [(entry.actor, entry.details["cutoff"]) for entry in found] == [("lead", None), ("lead", 97.5)]


@pytest.mark.parametrize("wrong", [-1.0, 100.5, float("nan")])
def test_a_cutoff_that_is_no_severity_is_refused(ws: Workspace, wrong: float) -> None:
    with pytest.raises(InputError, match="between 0 and 100"):
        ws.set_cutoff(wrong, actor="lead")


def test_a_version_that_does_not_exist_has_no_model(ws: Workspace) -> None:
    with pytest.raises(NotFoundError, match="no version 9"):
        ws.detector(9)


def test_opening_removes_what_dead_processes_left_half_written(open_workspace: Open, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "runs"
    folder.mkdir(parents=True)
    old, young, whole = folder / "old.part", folder / "young.part", folder / "whole.parquet"
    for path in (old, young, whole):
        path.write_bytes(b"x")
    os.utime(old, (0, 0))
    os.utime(whole, (0, 0))
    open_workspace()
    assert sorted(path.name for path in folder.iterdir()) == ["whole.parquet", "young.part"]


def test_a_model_that_somebody_saved_at_the_champions_place_is_kept(ws: Workspace, trained: TrainResult) -> None:
    path = ws.settings.champion_path
    own = DynamicAnomalyDetector(random_state=1).fit(transactions(60))
    own.save(path)
    updating.update_rows(ws, transactions(30), actor="test")
    (kept,) = path.parent.glob(f"{path.stem}.*{path.suffix}")
    assert kept.read_bytes() == own.to_bytes()
    assert path.read_bytes() == ws.registry.get(2)
    assert kept.name in (ws.notice or "")
