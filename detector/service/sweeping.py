"""Files that processes left when they died: half-written ones, and whole ones that no row came to name.

A file is written before the row that names it, so that a row never lacks its file; a process that dies in between
leaves a file alone. Its name was drawn at random and belongs to one writer, so that age tells that the writer is dead.

What is older than the database was never meant to be named by it: a new database beside old files, because an address
was mistyped, must not cost them. Models and histories stay in any case: several databases may share a store without
knowing, and one too many costs less than one too few. Only an object store is told beforehand what is about to be
named; what was told and then never named is removed from it. Histories that were written anew are another matter: the
database has noted which files are its own, and :mod:`detector.service.folding` removes them.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, func, select

from detector.errors import ModelStoreError
from detector.settings import Settings
from detector.store import tables
from detector.store.database import Database
from detector.store.identity import find_identity
from detector.store.model_store import ModelStore

#: Age in seconds at which a file that nothing names can only be a dead process's.
ABANDONED = 24 * 3600

_log = structlog.get_logger(__name__)


def sweep(settings: Settings, database: Database, models: ModelStore) -> None:
    """Remove what dead processes left, once it is a day old."""
    data = settings.data_folder
    _sweep_models(models, database)
    names = ("uploads", "runs", "drift", "previews", "exports", "queues", "rejected")
    for folder in (*(data / name for name in names), settings.model_cache_folder):
        for part in folder.glob("*.part"):
            if _untouched_since(part, 0.0):
                part.unlink(missing_ok=True)
    for folder in (data / "checkpoints").glob("*"):
        if _untouched_since(folder, 0.0):
            shutil.rmtree(folder, ignore_errors=True)
    with database.read() as connection:
        began: datetime | None = connection.scalar(select(func.min(tables.audit.c.at)))
        if began is None:
            return
        for folder, pattern, named, name_of in _kept(connection, data):
            for path in folder.glob(pattern):
                if name_of(path) not in named and _untouched_since(path, began.timestamp()):
                    path.unlink(missing_ok=True)


def _sweep_models(models: ModelStore, database: Database) -> None:
    with database.read() as connection:
        own = find_identity(connection)

    def named() -> set[str]:
        with database.read() as connection:
            return set(connection.scalars(select(tables.versions.c.file)))

    try:
        models.sweep(own, named, ABANDONED)
    except ModelStoreError as error:
        _log.warning("the model store could not be swept", reason=error.message)


def _kept(connection: Connection, data: Path) -> list[tuple[Path, str, set[Any], Callable[[Path], str]]]:
    """Return folders, which of their files are named by rows, those names, and how a file's name tells its row's."""
    waiting = select(tables.previews.c.token).where(tables.previews.c.state == "open")
    uploads, runs, queues, previews = (
        set(connection.scalars(query))
        for query in (select(tables.uploads.c.id), select(tables.runs.c.file), select(tables.queues.c.file), waiting)
    )
    return [
        (data / "uploads", "[!.]*", uploads, lambda path: path.stem),
        (data / "runs", "*.parquet", runs, lambda path: path.name),
        (data / "queues", "*.parquet", queues, _queue_of),
        (data / "previews", "*.joblib", previews, lambda path: path.stem),
    ]


def _queue_of(path: Path) -> str:
    return path.name.removesuffix(".rows.parquet").removesuffix(".parquet") + ".parquet"


def _untouched_since(path: Path, began: float) -> bool:
    """Whether a file was last written after ``began`` and so long ago that its writer cannot be alive."""
    try:
        return began <= path.stat().st_mtime < time.time() - ABANDONED
    except FileNotFoundError:
        # Its writer was alive after all, or another process swept first.
        return False
