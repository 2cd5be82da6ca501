"""Backup and restore of a workspace: the database first, then the files that it names.

Files of versions, runs and queues are written before the row that names them and never change. So a snapshot of the
database, taken first, names only files that are there; what is copied beyond is of changes that came later, and does no
harm. Neither needs the service to stop: the snapshot is SQLite's own online backup. Models are saved from wherever the
model store is, under ``models/``, and restored to wherever it is then.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path, PurePosixPath
from secrets import token_hex
from typing import Any

from sqlalchemy import make_url

from detector.durable import begin_beside, flush_folder, write_durably
from detector.errors import DetectorError
from detector.service.champion import CHAMPION
from detector.service.saved_models import PLACES, model_files, put_model
from detector.settings import Settings
from detector.store.tables import REVISION
from detector.version import VERSION

FORMAT = 1
MANIFEST, DATABASE = "manifest.json", "detector.db"
#: Folders of data/ that are not kept: what is in them is made anew when somebody asks.
_LEFT_OUT = {"exports", "model-cache"}
_CHUNK = 1024**2


class BackupError(DetectorError):
    """A backup cannot be made or restored; nothing was changed."""

    code = "backup"


@dataclass(frozen=True)
class Backup:
    """A backup on disk. ``absent``: files that the database names and that were gone before it was made."""

    folder: Path
    made_at: datetime
    revision: str | None
    files: int
    size: int
    absent: tuple[str, ...]


def make_backup(settings: Settings, folder: Path, *, files_only: bool = False) -> Backup:
    """Copy the workspace into ``folder``, which appears when the copy is whole; the service may run all the while.

    ``files_only``: without the database, for one on PostgreSQL, which ``pg_dump`` saves beforehand.

    Raises
    ------
    BackupError
        When ``folder`` holds something, there is no workspace, or the database is not SQLite.
    ModelStoreError
        When the model store cannot be read.
    OSError
        When the disk refuses.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BackupError(f"{folder} holds something already; name a new folder.")
    database = _database_file(settings)
    if database is None and not files_only:
        raise BackupError(
            "The database is not SQLite. Save it first with its own tool (pg_dump), then the files with --files-only."
        )
    if database is not None and not database.is_file():
        raise BackupError(f"There is no workspace in {settings.home}: it has no database yet.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(f".{folder.name}.{token_hex(6)}.part")
    # Transactions lie in it: for the owner's eyes only.
    part.mkdir(mode=0o700)
    try:
        files: dict[str, tuple[str, int]] = {}
        revision, named = None, frozenset[str]()
        if database is not None and not files_only:
            try:
                revision, named = _copy_database(database, part / DATABASE)
            except sqlite3.DatabaseError as error:
                raise _damaged() from error
            files[DATABASE] = _digest(part / DATABASE)
        for path, place in _files(settings):
            copied = _copied(path, part / place)
            if copied is not None:
                files[place] = copied
        for place, content in model_files(settings.open_models()):
            write_durably(part / place, content)
            files[place] = sha256(content).hexdigest(), len(content)
        absent = tuple(sorted(named - files.keys()))
        made_at = datetime.now(UTC)
        manifest = {
            "format": FORMAT,
            "program": VERSION,
            "revision": revision,
            "made_at": made_at.isoformat(),
            "absent": absent,
            "files": {place: list(files[place]) for place in sorted(files)},
        }
        write_durably(part / MANIFEST, json.dumps(manifest, indent=1).encode())
        part.rename(folder)
        flush_folder(folder.parent)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return Backup(folder, made_at, revision, len(files), sum(size for _, size in files.values()), absent)


def restore_backup(settings: Settings, folder: Path) -> Backup:
    """Put a backup into the empty workspace of ``settings``. Everything is checked before the first byte is written.

    The database comes last and at once, so a restore that breaks off has made no workspace and can be repeated.

    Raises
    ------
    BackupError
        When the backup is damaged or of a newer release, or the workspace has a database already.
    ModelStoreError
        When the model store does not take the files, or has others of these names.
    OSError
        When the disk refuses.
    """
    found, files = _verified(folder)
    database = _database_file(settings)
    if DATABASE in files and database is None:
        raise BackupError("The backup holds an SQLite database, and DATABASE_URL names another kind.")
    if database is not None and DATABASE in files:
        for left in (database, Path(f"{database}-wal")):
            if left.exists():
                raise BackupError(f"{left} is there already. Stop the service and move data/ and models/ away first.")
    models = settings.open_models()
    for place, (digest, _) in files.items():
        if place.startswith(PLACES):
            put_model(models, folder / place, place, digest)
        elif place != DATABASE:
            _put(folder / place, settings.home / place, digest)
    if database is not None and DATABASE in files:
        champion = _champion_file(folder / DATABASE)
        if champion is not None and (folder / "models" / "versions" / champion).is_file():
            write_durably(settings.champion_path, (folder / "models" / "versions" / champion).read_bytes())
        _put(folder / DATABASE, database, files[DATABASE][0])
    return found


def _verified(folder: Path) -> tuple[Backup, Mapping[str, tuple[str, int]]]:
    """Return what the manifest says, after comparing every file with it."""
    try:
        manifest: Mapping[str, Any] = json.loads((folder / MANIFEST).read_bytes())
        made_at = datetime.fromisoformat(manifest["made_at"])
        files = {str(place): (str(digest), int(size)) for place, (digest, size) in manifest["files"].items()}
        form, revision, absent = manifest["format"], manifest["revision"], tuple(manifest["absent"])
    except FileNotFoundError:
        raise BackupError(f"{folder} is no backup: it has no {MANIFEST}.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BackupError(f"The {MANIFEST} of {folder} is damaged.") from None
    if form != FORMAT or (revision is not None and str(revision) > REVISION):
        raise BackupError("The backup was made by a newer release. Install that release to restore it.")
    for place, (digest, size) in files.items():
        parts = PurePosixPath(place).parts
        if "\\" in place or ".." in parts or (place != DATABASE and parts[:1] not in (("data",), ("models",))):
            raise BackupError(f"The {MANIFEST} of {folder} is damaged: it names a file outside of the workspace.")
        path = folder / place
        if path.is_symlink() or not path.is_file():
            raise BackupError(f"The backup lacks {place}. Nothing was restored.")
        if _digest(path) != (digest, size):
            raise BackupError(f"{place} in the backup is not what was saved. Nothing was restored.")
    size = sum(size for _, size in files.values())
    return Backup(folder, made_at, revision, len(files), size, absent), files


def _database_file(settings: Settings) -> Path | None:
    url = make_url(settings.database_address)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def _copy_database(source: Path, target: Path) -> tuple[str | None, frozenset[str]]:
    """Take a snapshot; return its revision, and the files that it names."""
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)
        # One file, and no journal beside it.
        copy.execute("PRAGMA journal_mode=DELETE")
        if copy.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise _damaged()
        (revision,) = copy.execute("SELECT version_num FROM alembic_version").fetchone() or (None,)
        named = {
            f"{folder}/{name}"
            for folder, table in (("models/versions", "versions"), ("data/runs", "runs"), ("data/queues", "queues"))
            for (name,) in copy.execute(f"SELECT file FROM {table}")  # noqa: S608 - our own names
        }
    _flush(target)
    return revision, frozenset(named)


def _damaged() -> BackupError:
    return BackupError("The database is damaged; SQLite's integrity check fails. Restore an earlier backup.")


def _champion_file(database: Path) -> str | None:
    with closing(sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True)) as copy:
        query = "SELECT v.file FROM aliases a JOIN versions v ON v.number = a.version WHERE a.name = ?"
        found = copy.execute(query, (CHAMPION,)).fetchone()
    return None if found is None else str(found[0])


def _files(settings: Settings) -> Iterator[tuple[Path, str]]:
    """Yield the files of the workspace with their places in a backup."""
    database = _database_file(settings)
    for root in (settings.models_folder, settings.data_folder):
        for path in sorted(root.rglob("*")):
            place = path.relative_to(settings.home)
            if path.is_symlink() or not path.is_file() or path.suffix in {".part", ".lock"}:
                continue
            if place.parts[0] == "data" and (place.parts[1] in _LEFT_OUT or len(place.parts) == 2):
                continue
            # These are saved from the model store, wherever it is.
            if place.as_posix().startswith(PLACES):
                continue
            # The champion's own file is written anew from its version.
            if path in (settings.champion_path, database):
                continue
            yield path, place.as_posix()


def _copied(source: Path, target: Path) -> tuple[str, int] | None:
    """Copy a file and return its digest and size; ``None`` when it has gone in the meantime."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = sha256(), 0
    try:
        file = source.open("rb")
    except FileNotFoundError:
        return None
    with file, target.open("wb") as copy:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    return digest.hexdigest(), size


def _put(source: Path, target: Path, digest: str) -> None:
    """Copy a file of the backup to its place, whole or not at all, and make sure that it is what was saved."""
    handle, temporary = begin_beside(target)
    found = sha256()
    try:
        with os.fdopen(handle, "wb") as copy, source.open("rb") as file:
            while chunk := file.read(_CHUNK):
                found.update(chunk)
                copy.write(chunk)
            copy.flush()
            os.fsync(copy.fileno())
        if found.hexdigest() != digest:
            raise BackupError(f"{source.name} changed while it was restored.")
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush_folder(target.parent)


def _digest(path: Path) -> tuple[str, int]:
    digest, size = sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
