"""Workspaces whose models are in an object store: each with a home of its own, as on machines of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from detector.__main__ import main
from detector.errors import ModelStoreError, NotFoundError
from detector.service import champion as champion_module
from detector.service import overview, scoring
from detector.service.backup import make_backup, restore_backup
from detector.service.review.case_ids import CaseId
from detector.service.review.cases import get_case
from detector.service.store_watch import LATELY, StoreWatch
from detector.service.versions import training, updating
from detector.service.versions.training import TrainParameters
from detector.service.workspace import Workspace
from detector.store.model_cache import ModelCache
from detector.store.model_objects import ObjectStore
from detector.store.model_store import ModelStore, open_model_store
from tests.databases import databases
from tests.object_stores import ObjectServer, object_store
from tests.service.conftest import PARAMETERS, transactions
from tests.service.replicas import LATER, ROLES, assert_alike, fold_now, habit, observe, payments
from tests.service.reviewing import queued

OpenMachine = Callable[[str], Workspace]


@pytest.fixture
def machine(
    open_workspace: Callable[..., Workspace], bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> OpenMachine:
    """Opens the workspace of a machine by name: all have one database and one object store in common, and no folder."""

    def quickly(address: str, folder: Path, cache: ModelCache) -> ModelStore:
        return object_store(address, cache) if "://" in address else open_model_store(address, folder, cache)

    monkeypatch.setattr("detector.settings.open_model_store", quickly)

    def open_one(name: str) -> Workspace:
        database = databases.address(tmp_path)
        return open_workspace(home=tmp_path / name, database_url=database, model_store=f"{bucket}/models")

    return open_one


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the champion be looked up each time that it is asked for."""
    monkeypatch.setattr(champion_module, "FRESH", 0.0)
    monkeypatch.setattr(champion_module, "PAUSE", 0.0)


def refuse(*_: object) -> None:
    raise ModelStoreError("The model store is away.")


def test_what_one_machine_trains_another_serves_with_the_same_scores(machine: OpenMachine, at_once: None) -> None:
    here, there = machine("here"), machine("there")
    training.train_rows(here, transactions(), PARAMETERS, actor="ada")
    assert there.require_champion().version == 1
    rows = transactions(40, 9)
    assert (
        there.require_champion().detector.score(rows).scores.tolist()
        == here.require_champion().detector.score(rows).scores.tolist()
    )
    training.train_rows(there, transactions(seed=1), PARAMETERS, actor="ada")
    assert here.require_champion().version == 2
    updating.roll_back(there, 1, actor="ada", reason="")
    assert here.require_champion().version == 1
    # A plain file stays a plain file, on the machine that promoted.
    assert there.settings.champion_path.read_bytes() == there.registry.get(1)
    for ws in (here, there):
        assert not (ws.settings.models_folder / "versions").exists()


def test_what_was_observed_on_one_machine_enters_the_update_on_another(machine: OpenMachine) -> None:
    here = machine("here")
    training.train_rows(here, payments(), TrainParameters(n_estimators=20), ROLES, actor="ada")
    before = habit(here.require_champion().detector)
    scoring.score_rows(here, LATER, observe=True)
    here.following.write()
    observed = habit(here.require_champion().detector)
    assert observed != before
    assert habit(machine("there").require_champion().detector) == pytest.approx(observed, rel=1e-5)


def test_with_the_store_away_a_process_starts_with_what_this_machine_has_kept(
    machine: OpenMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = machine("here")
    training.train_rows(here, payments(), TrainParameters(n_estimators=20), ROLES, actor="ada")
    for folded in (False, True):
        observe(here, 10 + folded)
        if folded:
            assert fold_now(here)
        with monkeypatch.context() as away:
            away.setattr(ObjectStore, "_open", refuse)
            again = machine("here").require_champion()
        assert_alike(again.detector, here.current_champion().detector)


def test_while_the_store_is_away_a_training_changes_nothing_and_the_champion_goes_on(
    machine: OpenMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws = machine("here")
    training.train_rows(ws, transactions(), PARAMETERS, actor="ada")
    champion = ws.require_champion()
    with monkeypatch.context() as away:
        away.setattr(ObjectStore, "_open", refuse)
        for change in (training.train_rows, updating.update_rows):
            with pytest.raises(ModelStoreError, match="is away"):
                change(ws, transactions(seed=1), actor="ada")
        assert ws.current_champion() is champion
        assert len(ws.registry.list()) == 1
        assert ws.registry.get(1)
        assert len(scoring.score_rows(ws, transactions(3))[1].scores) == 3
    assert training.train_rows(ws, transactions(seed=1), PARAMETERS, actor="ada").version == 2


def test_a_machine_that_cannot_fetch_a_new_champion_goes_on_with_the_old_one_says_so_and_tries_again(
    machine: OpenMachine, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = machine("here"), machine("there")
    training.train_rows(here, transactions(), PARAMETERS, actor="ada")
    assert there.require_champion().version == 1
    training.train_rows(here, transactions(seed=1), PARAMETERS, actor="ada")
    with monkeypatch.context() as away, capture_logs() as logs:
        away.setattr(there.models, "get", refuse)
        for _ in range(3):
            assert there.require_champion().version == 1
        assert there.behind is not None
        assert (there.behind.version, there.behind.reason) == (2, "The model store is away.")
        notice = overview.status(there).notice
        assert notice is not None
        assert notice.startswith("Version 2 is champion, and cannot be read here; the one before goes on.")
    assert [entry["event"] for entry in logs].count("the new champion cannot be read; the last one goes on") == 1
    assert there.require_champion().version == 2
    assert there.behind is None
    assert overview.status(there).notice is None


def test_a_machine_that_is_behind_waits_a_moment_before_it_tries_again(
    machine: OpenMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(champion_module, "monotonic", lambda: now[0])
    here, there = machine("here"), machine("there")
    training.train_rows(here, transactions(), PARAMETERS, actor="ada")
    there.follow_champion(True)
    training.train_rows(here, transactions(seed=1), PARAMETERS, actor="ada")
    asked = []

    def away(name: str, digest: str | None = None) -> bytes:
        asked.append(name)
        raise ModelStoreError("away")

    with monkeypatch.context() as patch:
        patch.setattr(there.models, "get", away)
        for _ in range(8):
            there.look_up_champion()
            now[0] += champion_module.FRESH
    assert len(asked) == 2
    now[0] += champion_module.PAUSE
    there.look_up_champion()
    assert there.require_champion().version == 2


def test_a_machine_opens_while_the_store_is_away_and_has_its_models_from_before(
    machine: OpenMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    training.train_rows(machine("here"), transactions(), PARAMETERS, actor="ada")
    monkeypatch.setattr(ObjectStore, "_open", refuse)
    with capture_logs() as logs:
        assert machine("here").require_champion().version == 1
        with pytest.raises(ModelStoreError):
            machine("there").require_champion()
    assert "the model store could not be swept" in [entry["event"] for entry in logs]


def test_a_promotion_stands_though_the_copy_of_the_champion_cannot_be_written(
    machine: OpenMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws = machine("here")
    for seed in range(2):
        training.train_rows(ws, transactions(seed=seed), PARAMETERS, actor="ada")
    ws.detector(1)
    monkeypatch.setattr(ws.models, "get", refuse)
    updating.roll_back(ws, 1, actor="ada", reason="")
    assert ws.require_champion().version == 1
    assert ws.notice is not None
    assert "could not be written: The model store is away." in ws.notice


def test_a_backup_holds_the_models_of_the_store_and_is_restored_to_a_folder_or_to_a_store(
    machine: OpenMachine, open_workspace: Callable[..., Workspace], object_server: ObjectServer, tmp_path: Path
) -> None:
    ws = machine("here")
    training.train_rows(ws, payments(), TrainParameters(n_estimators=20), ROLES, actor="ada")
    saved = make_backup(ws.settings, tmp_path / "saved", files_only=True)
    places = {path.relative_to(saved.folder).as_posix() for path in saved.folder.rglob("*") if path.is_file()}
    assert {f"models/{name}" for name in ws.models.names()} == {name for name in places if name.startswith("models/")}
    assert not any("model-cache" in name for name in places)
    folder = ws.settings.model_copy(update={"home": tmp_path / "new", "model_store": str(tmp_path / "shared")})
    store = ws.settings.model_copy(
        update={"home": tmp_path / "newer", "model_store": f"{object_server.make_bucket()}/restored"}
    )
    for settings in (store, folder):
        for _ in range(2):
            # A restore that is begun again finds what it has put there.
            restore_backup(settings, saved.folder)
        assert settings.open_models().names() == ws.models.names()


def test_all_models_are_copied_into_another_store_and_serve_from_there(
    machine: OpenMachine, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ws = machine("here")
    training.train_rows(ws, payments(), TrainParameters(n_estimators=20), ROLES, actor="ada")
    updating.update_rows(ws, payments(60, seed=3, day=30), actor="ada")
    scoring.score_rows(ws, LATER, observe=True)
    ws.following.write()
    assert fold_now(ws, 2)
    for name in ("home", "database_url", "model_store"):
        variable = "DATABASE_URL" if name == "database_url" else f"DETECTOR_{name.upper()}"
        monkeypatch.setenv(variable, str(getattr(ws.settings, name)))
    for _ in range(2):
        assert main(["copy-models", "--to", str(tmp_path / "shared")]) == 0
    said = capsys.readouterr().out
    assert "Copied 2 versions, 5 files" in said
    other = ws.settings.model_copy(update={"model_store": str(tmp_path / "shared")})
    assert other.open_models().names() == ws.models.names()
    assert main(["copy-models", "--to", str(ws.settings.model_store)]) == 2
    assert "onto themselves" in capsys.readouterr().err
    name = ws.models.names("versions/")[0]
    ws.models.delete(name)
    ws.models.put(name, b"damaged")
    for path in ws.settings.model_cache_folder.glob("*.model"):
        path.unlink()
    assert main(["copy-models", "--to", str(tmp_path / "another")]) == 2
    assert "is not the one that was registered" in capsys.readouterr().err


def test_a_case_whose_queue_is_on_another_machine_is_not_found(machine: OpenMachine) -> None:
    here, there = machine("here"), machine("there")
    table = queued(here)
    case = CaseId(table.queue.run, int(table.rows[0]))
    assert get_case(here, case).id == case
    with pytest.raises(NotFoundError):
        get_case(there, case)


def test_a_store_is_away_when_it_says_nothing_for_a_while(tmp_path: Path) -> None:
    now, there = [0.0], [True]

    class Store(ObjectStore):
        def answers(self) -> bool:
            return there[0]

    watch = StoreWatch(Store("memory://store", ModelCache(tmp_path, 0)), clock=lambda: now[0])
    assert watch.state == "not asked yet"
    watch.look()
    assert watch.state == "answers"
    now[0] += LATELY
    assert watch.state == "does not answer"
    with capture_logs() as logs:
        for there[0] in (False, False, True):
            watch.look()
    assert watch.state == "answers"
    assert [entry["event"] for entry in logs] == ["the model store does not answer", "the model store answers again"]
