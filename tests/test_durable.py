"""A file is there whole, or it is as it was."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from detector import durable
from detector.durable import flush_folder, make_folder, write_durably


def test_a_file_and_its_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "model.bin"
    write_durably(path, b"first")
    assert path.read_bytes() == b"first"


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    write_durably(path, b"a long first version")
    write_durably(path, b"")
    assert path.read_bytes() == b""
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_refuses_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "model.bin"
    write_durably(path, b"before")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", refuse)
    else:
        monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="No space left"):
        write_durably(path, b"after")
    monkeypatch.undo()
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_the_content_is_on_disk_before_the_name_and_the_folder_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def flushed(descriptor: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def renamed(path: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "replace", renamed)
    write_durably(tmp_path / "model.bin", b"content")
    assert steps == ["file", "rename", "folder"]


def test_a_new_folder_is_flushed_in_the_one_above_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(durable, "flush_folder", flushed.append)
    make_folder(tmp_path / "a" / "b")
    assert flushed == [tmp_path, tmp_path / "a"]
    make_folder(tmp_path / "a" / "b")
    assert len(flushed) == 2
    make_folder(tmp_path / "own", 0o700)
    assert stat.S_IMODE((tmp_path / "own").stat().st_mode) == 0o700


def test_flushing_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        flush_folder(tmp_path / "nowhere")


def test_a_file_gets_the_permissions_that_new_files_get(tmp_path: Path) -> None:
    plain, safe = tmp_path / "plain", tmp_path / "safe"
    plain.write_bytes(b"")
    write_durably(safe, b"")
    assert stat.S_IMODE(safe.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
