"""The power is cut behind each write: which files a POSIX file system may then hold, and whether they are enough.

While a workspace is made and used, every flush and every commit is noted, with what has changed in the folders since
the one before. A cut may come behind any of these steps. What was flushed is there; what was not may be there, half
there or gone, each piece by itself: the content of a file is safe when the file was flushed, its name, its new name
or its absence when the folder was. The database counts as one piece that is safe once a commit has returned, which is
what SQLite promises. In each such state every row that was committed has to find its file as it was written.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

from detector import durable
from detector.service import scoring, uploads
from detector.service.champion import CHAMPION
from detector.service.review import queueing
from detector.service.review.case_ids import CaseId
from detector.service.review.deciding import decide
from detector.service.versions import training, updating
from detector.store.database import Database
from trust.promise import Size
from trust.workspaces import SMALL, opened, payments

#: Up to so many pieces that are not safe, all that may become of them is tried; beyond, each by itself.
_TRIED_TOGETHER = 6
#: States that a process really opens.
_OPENED = (60, 1)


@dataclass
class Disk:
    """What is on the disk: for each name its file (an inode), and for each file its content; folders are files too."""

    names: dict[str, int] = field(default_factory=dict)
    contents: dict[int, bytes | None] = field(default_factory=dict)

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, ``None`` when it or a folder that it lies in is not there."""
        parts = name.split("/")
        if any("/".join(parts[:i]) not in self.names for i in range(1, len(parts))):
            return None
        return self.contents.get(self.names[name]) if name in self.names else None


@dataclass(frozen=True)
class Step:
    """One thing that was done: ``wrote`` content, ``named`` a file (maybe anew), ``flushed``, ``committed``."""

    kind: str
    inode: int = 0
    name: str = ""
    before: str = ""
    content: bytes | None = None


class Recorder:
    """Notes what is done to the files below ``home``, the database's own aside."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.steps: list[Step] = []
        self._seen = Disk()

    def look(self) -> None:
        """Note what has changed since the last look."""
        names: dict[str, int] = {}
        for path in sorted(self.home.rglob("*")):
            name = path.relative_to(self.home).as_posix()
            if not (name.startswith("data/detector.db") or name.endswith((".lock", ".writers"))):
                names[name] = path.stat().st_ino
        was = self._seen.names
        gone = {inode: name for name, inode in was.items() if names.get(name) != inode}
        for name, inode in names.items():
            path = self.home / name
            content = None if path.is_dir() else path.read_bytes()
            if inode not in self._seen.contents or self._seen.contents[inode] != content:
                self._seen.contents[inode] = content
                self.steps.append(Step("wrote", inode, content=content))
            if was.get(name) != inode:
                self.steps.append(Step("named", inode, name, before=gone.pop(inode, "")))
        self.steps += [Step("named", 0, "", before=name) for name in gone.values() if name not in names]
        self._seen.names = names

    def flushed(self, descriptor: int) -> None:
        """Note that a file or a folder was flushed."""
        self.look()
        place = Path(f"/proc/self/fd/{descriptor}").readlink()
        if place == self.home or self.home in place.parents:
            name = place.relative_to(self.home).as_posix()
            self.steps.append(Step("flushed", os.fstat(descriptor).st_ino, "" if name == "." else name))

    def committed(self) -> None:
        """Note that the database has committed, and what its rows need."""
        self.look()
        connection = sqlite3.connect(self.home / "data" / "detector.db")
        try:
            content = connection.serialize()
        finally:
            connection.close()
        # As a database without a write-ahead log, which a copy in memory cannot have.
        content = content[:18] + b"\x01\x01" + content[20:]
        self.steps.append(Step("committed", content=content))


@contextmanager
def recorded(home: Path) -> Iterator[Recorder]:
    """Note what is done below ``home`` in this block."""
    recorder, fsync, write = Recorder(home), os.fsync, Database.write

    def flush(descriptor: Any) -> None:
        fsync(descriptor)
        recorder.flushed(descriptor if isinstance(descriptor, int) else descriptor.fileno())

    @contextmanager
    def commit(self: Database, **given: Any) -> Iterator[Any]:
        with write(self, **given) as connection:
            yield connection
        recorder.committed()

    os.fsync, Database.write = flush, commit  # type: ignore[method-assign]
    try:
        yield recorder
    finally:
        os.fsync, Database.write = fsync, write  # type: ignore[method-assign]


def cut_everywhere(folder: Path, size: Size, broken: bool) -> tuple[int, list[str]]:
    """Use a workspace, cut the power behind each step; return how many states were looked at, and what was lost.

    With ``broken`` the flush of a folder behind a rename is left out wherever files are written whole.
    """
    home = folder / "cut"
    home.mkdir()
    flush_folder = durable.flush_folder
    if broken:
        durable.flush_folder = lambda _folder: None
    try:
        with recorded(home) as recorder:
            _use(home, whole=size.full)
    finally:
        durable.flush_folder = flush_folder
    states, faults = 0, list[str]()
    chosen: list[tuple[Disk, bytes]] = []
    needs: Mapping[str, str] = {}
    database = b""
    for at, step in enumerate(recorder.steps):
        if step.kind == "committed":
            assert step.content is not None
            database = step.content
            needs = _needs(database, home)
        for disk in _after_a_cut(recorder.steps[: at + 1]):
            states += 1
            wrong = _missing(disk, needs)
            faults += [f"cut behind step {at} ({step.kind} {step.name}): {each}" for each in wrong]
            if not wrong and database:
                chosen.append((disk, database))
    stride = max(1, len(chosen) // size.choose(*_OPENED))
    for number, (disk, content) in enumerate(chosen[::stride]):
        faults += _opened_again(folder / f"state-{number}", disk, content)
    return states, faults


def _use(home: Path, *, whole: bool) -> None:
    """Do each kind of thing that writes files; without ``whole`` only the first ones."""
    ws = opened(home)
    training.train_rows(ws, payments(60), SMALL, {"card": "entity"}, actor="ada")
    upload = uploads.receive(ws, "march.csv", payments(60, seed=1).to_csv(index=False).encode(), actor="ada")
    run = scoring.score_file(ws, upload.id, actor="ada")
    if not whole:
        ws.close()
        return
    queueing.send_to_queue(ws, run.id, 10, actor="ada")
    row = int(ws.inbox.table(run.id).rows[0])
    decide(ws, [CaseId(run.id, row)], "fraud", "stolen_card", actor="ada")
    updating.update_rows(ws, payments(20, seed=2), actor="ada")
    preview = updating.preview_update(ws, upload.id, actor="ada")
    updating.accept_update(ws, preview.token, actor="ada")
    alias = ws.registry.alias(CHAMPION)
    assert alias is not None
    ws.move_champion(1, expected_revision=alias.revision, actor="ada", reason="back")
    ws.close()


def _needs(database: bytes, home: Path) -> dict[str, str]:
    """Return the files that the rows of a database name, each with the SHA-256 of what it must hold."""
    connection = sqlite3.connect(":memory:")
    connection.deserialize(database)
    try:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'queues'").fetchone():
            return {}
        read = connection.execute
        versions = read("SELECT file, sha256, json_extract(figures, '$.histories') FROM versions").fetchall()
        needs = {f"models/versions/{file}": digest for file, digest, _ in versions}
        needs |= {f"models/histories/{histories}.histories": histories for _, _, histories in versions if histories}
        needs |= {f"data/uploads/{name}": digest for name, digest in read("SELECT id, sha256 FROM uploads")}
        previews = read("SELECT token, sha256 FROM previews WHERE state = 'open'").fetchall()
        needs |= {f"data/previews/{token}.joblib": digest for token, digest in previews}
        files = [f"data/runs/{file}" for (file,) in read("SELECT file FROM runs")]
        for (file,) in read("SELECT file FROM queues"):
            files += [f"data/queues/{file}", f"data/queues/{Path(file).stem}.rows.parquet"]
    finally:
        connection.close()
    # Rows do not say what these hold; they never change once they are named.
    return needs | {file: sha256((home / file).read_bytes()).hexdigest() for file in files}


def _after_a_cut(steps: list[Step]) -> Iterator[Disk]:
    """Yield what the disk may hold when the power is cut behind the last of these steps."""
    safe, loose = Disk(), list[Step]()
    for step in steps:
        if step.kind in ("wrote", "named"):
            loose.append(step)
        elif step.kind == "flushed":
            stay = []
            for each in loose:
                if each.kind == "wrote" and each.inode == step.inode:
                    safe.contents[each.inode] = each.content
                elif each.kind == "named" and _folder(each) == step.name:
                    _name(safe, each)
                else:
                    stay.append(each)
            loose = stay
    # Of a file that was written on and on, only the last state matters: the earlier ones are like half of it.
    last = {step.inode: step for step in loose if step.kind == "wrote"}
    pieces = [step for step in loose if step.kind == "named" or last[step.inode] is step]
    for fates in _fates(pieces):
        disk = Disk(dict(safe.names), dict(safe.contents))
        for step, fate in zip(pieces, fates, strict=True):
            if step.kind == "named" and fate:
                _name(disk, step)
            elif step.kind == "wrote":
                content = step.content
                # A folder is there as soon as it has a name.
                whole = content if content is None or fate == 2 else content[: len(content) // 2] if fate else None
                if whole is not None or content is None:
                    disk.contents[step.inode] = whole
        yield disk


def _fates(pieces: list[Step]) -> Iterator[tuple[int, ...]]:
    """Yield what may become of pieces that are not safe: 0 gone, 1 there (a name) or half there, 2 whole."""
    most = [1 if step.kind == "named" else 0 if step.content is None else 2 for step in pieces]
    if len(pieces) <= _TRIED_TOGETHER:
        yield from product(*(range(top + 1) for top in most))
        return
    nothing, everything = [0] * len(pieces), most
    yield tuple(nothing)
    yield tuple(everything)
    for i, top in enumerate(most):
        yield (*nothing[:i], top, *nothing[i + 1 :])
        yield (*everything[:i], 0, *everything[i + 1 :])


def _folder(step: Step) -> str:
    return (step.name or step.before).rpartition("/")[0]


def _name(disk: Disk, step: Step) -> None:
    if step.before:
        disk.names.pop(step.before, None)
    if step.name:
        disk.names[step.name] = step.inode


def _missing(disk: Disk, needs: Mapping[str, str]) -> list[str]:
    """Return which files that rows name are not there as they were written."""
    if needs and "data" not in disk.names:
        return ["the folder of the database is gone"]
    faults = []
    for name, digest in needs.items():
        content = disk.read(name)
        if content is None:
            faults.append(f"{name} is gone")
        elif sha256(content).hexdigest() != digest:
            faults.append(f"{name} is not whole")
    return faults


def _opened_again(home: Path, disk: Disk, database: bytes) -> list[str]:
    """Put a state on a real disk and let the product open it, read its models and go on."""
    (home / "data").mkdir(parents=True)
    (home / "data" / "detector.db").write_bytes(database)
    for name in sorted(disk.names):
        content = disk.read(name)
        if content is not None:
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_bytes(content)
    try:
        ws = opened(home)
        try:
            for info in ws.registry.list():
                ws.registry.get(info.number)
            training.train_rows(ws, payments(60), SMALL, actor="ada")
        finally:
            ws.close()
    except Exception as error:  # noqa: BLE001 - whatever it is, the workspace cannot be used
        return [f"{home.name} cannot be used: {type(error).__name__}: {error}"]
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return []
