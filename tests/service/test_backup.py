from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from detector.service import backup, runs, scoring
from detector.service.backup import BackupError, make_backup, restore_backup
from detector.service.review.queue import open_cases
from detector.service.uploads import Upload
from detector.service.versions import training, updating
from detector.service.workspace import Workspace
from detector.settings import Settings
from tests.service.conftest import PARAMETERS, transactions

of_the_file = pytest.mark.sqlite_only(reason="copies the database's file; PostgreSQL's own tool saves it otherwise")


def elsewhere(folder: Path) -> Settings:
    return Settings(home=folder, api_port=9)


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@of_the_file
def test_what_is_restored_is_what_was_saved(
    queued: Workspace, tmp_path: Path, open_workspace: Callable[..., Workspace]
) -> None:
    made = make_backup(queued.settings, tmp_path / "saved")
    assert made.absent == ()
    assert (tmp_path / "saved").stat().st_mode & 0o077 == 0
    found = restore_backup(elsewhere(tmp_path / "new"), tmp_path / "saved")
    assert (found.files, found.revision) == (made.files, made.revision)
    again = open_workspace(home=tmp_path / "new")
    frame = transactions(40, 9)
    before, after = queued.require_champion(), again.require_champion()
    assert before.version == after.version
    assert before.detector.score(frame).scores.tolist() == after.detector.score(frame).scores.tolist()
    assert runs.run_rows(queued, 1).equals(runs.run_rows(again, 1))
    assert open_cases(queued) == open_cases(again) == 60
    assert again.settings.champion_path.read_bytes() == queued.settings.champion_path.read_bytes()


@of_the_file
def test_a_backup_made_while_others_write_is_whole(
    ws: Workspace, give: Callable[..., Upload], tmp_path: Path, open_workspace: Callable[..., Workspace]
) -> None:
    training.train_rows(ws, transactions(), PARAMETERS, actor="ada")
    upload, begun, ended, failed = give(transactions(200, 1)), threading.Event(), threading.Event(), []

    def work() -> None:
        try:
            for step in range(200):
                updating.update_rows(ws, transactions(30, step), actor="ada")
                scoring.score_file(ws, upload.id, actor="ada")
                begun.set()
                if ended.is_set():
                    return
        except Exception as error:  # noqa: BLE001 - told to the test
            failed.append(error)

    writer = threading.Thread(target=work)
    writer.start()
    try:
        assert begun.wait(120)
        made = [make_backup(ws.settings, tmp_path / f"saved{number}") for number in range(6)]
    finally:
        ended.set()
        writer.join()
    assert failed == []
    for number, one in enumerate(made):
        assert one.absent == ()
        restore_backup(elsewhere(tmp_path / f"new{number}"), one.folder)
        again = open_workspace(home=tmp_path / f"new{number}")
        for info in again.registry.list():
            again.registry.get(info.number)
        kept = runs.list_runs(again)
        assert kept
        for run in kept:
            assert len(runs.run_rows(again, run.id)) == 200
    assert len(ws.registry.list()) > 1


@of_the_file
def test_a_damaged_backup_is_refused_before_anything_is_written(queued: Workspace, tmp_path: Path) -> None:
    make_backup(queued.settings, tmp_path / "saved")
    names = list(json.loads((tmp_path / "saved" / backup.MANIFEST).read_bytes())["files"])
    for name in names:
        path = tmp_path / "saved" / name
        content = path.read_bytes()
        damage(path)
        with pytest.raises(BackupError, match="is not what was saved"):
            restore_backup(elsewhere(tmp_path / "new"), tmp_path / "saved")
        path.unlink()
        with pytest.raises(BackupError, match="lacks"):
            restore_backup(elsewhere(tmp_path / "new"), tmp_path / "saved")
        path.write_bytes(content)
    assert not (tmp_path / "new").exists()


@of_the_file
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 99}, "newer release"),
        ({"revision": "9999"}, "newer release"),
        ({"files": {"../evil": ["0", 1]}}, "outside of the workspace"),
        ({"files": {"/etc/passwd": ["0", 1]}}, "outside of the workspace"),
        ({"files": {"data/../../evil": ["0", 1]}}, "outside of the workspace"),
        ({"files": 7}, "is damaged"),
        ({"made_at": None}, "is damaged"),
    ],
)
def test_a_manifest_that_lies_is_refused(ws: Workspace, tmp_path: Path, change: dict[str, object], told: str) -> None:
    make_backup(ws.settings, tmp_path / "saved")
    path = tmp_path / "saved" / backup.MANIFEST
    path.write_text(json.dumps(json.loads(path.read_bytes()) | change))
    with pytest.raises(BackupError, match=told):
        restore_backup(elsewhere(tmp_path / "new"), tmp_path / "saved")


def test_a_folder_that_is_no_backup_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="is no backup"):
        restore_backup(elsewhere(tmp_path / "new"), tmp_path)


@of_the_file
def test_a_workspace_is_not_overwritten(ws: Workspace, tmp_path: Path) -> None:
    make_backup(ws.settings, tmp_path / "saved")
    before = tree(ws.settings.home / "data")
    with pytest.raises(BackupError, match="Stop the service and move data/ and models/ away first"):
        restore_backup(ws.settings, tmp_path / "saved")
    assert tree(ws.settings.home / "data") == before


def test_a_folder_that_holds_something_is_not_written_to(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(BackupError, match="holds something already"):
        make_backup(ws.settings, tmp_path / "full")
    assert tree(tmp_path / "full") == {"mine.txt": b"mine"}


@of_the_file
def test_a_backup_that_fails_leaves_nothing(queued: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup, "_copied", full)
    with pytest.raises(OSError, match="No space"):
        make_backup(queued.settings, tmp_path / "out" / "saved")
    assert list((tmp_path / "out").iterdir()) == []


@of_the_file
def test_a_restore_that_breaks_off_made_no_workspace_and_can_be_repeated(
    queued: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_workspace: Callable[..., Workspace]
) -> None:
    make_backup(queued.settings, tmp_path / "saved")
    put, done = backup._put, []

    def breaks(source: Path, target: Path, digest: str) -> None:
        if len(done) == 2:
            raise OSError(5, "Input/output error")
        done.append(target)
        put(source, target, digest)

    with monkeypatch.context() as broken:
        broken.setattr(backup, "_put", breaks)
        with pytest.raises(OSError, match="Input/output"):
            restore_backup(elsewhere(tmp_path / "new"), tmp_path / "saved")
    assert not (tmp_path / "new" / "data" / "detector.db").exists()
    restore_backup(elsewhere(tmp_path / "new"), tmp_path / "saved")
    assert open_cases(open_workspace(home=tmp_path / "new")) == 60


@of_the_file
def test_a_file_that_was_gone_before_is_told(queued: Workspace, tmp_path: Path) -> None:
    (file,) = (queued.settings.home / "data" / "runs").glob("*.parquet")
    file.unlink()
    assert make_backup(queued.settings, tmp_path / "saved").absent == (f"data/runs/{file.name}",)


@of_the_file
def test_a_database_that_is_damaged_is_not_saved_as_if_it_were_whole(queued: Workspace, tmp_path: Path) -> None:
    queued.close()
    database = queued.settings.home / "data" / "detector.db"
    with database.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096 * 4)
    with pytest.raises(BackupError, match="database is damaged"):
        make_backup(queued.settings, tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_another_database_is_saved_by_its_own_tool(ws: Workspace, tmp_path: Path) -> None:
    settings = ws.settings.model_copy(update={"database_url": "postgresql+psycopg://somewhere/detector"})
    with pytest.raises(BackupError, match="pg_dump"):
        make_backup(settings, tmp_path / "saved")
    assert make_backup(settings, tmp_path / "saved", files_only=True).revision is None


def test_without_a_workspace_there_is_nothing_to_save(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="no workspace"):
        make_backup(elsewhere(tmp_path / "nothing"), tmp_path / "saved")
