"""Copying all model files of a registry into another store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from detector.errors import ModelStoreError
from detector.store import tables
from detector.store.model_store import HISTORIES, VERSIONS, ModelStore
from detector.store.observed_tables import observed_folds
from detector.store.registry import Registry
from detector.store.versions import HISTORIES as HISTORIES_OF

#: ``told(done_files, total_files, message)``, called after each file.
Told = Callable[[int, int | None, str], None]


@dataclass(frozen=True)
class Copied:
    """What was copied: versions, all files, and their bytes."""

    versions: int
    files: int
    size: int


def copy_models(registry: Registry, target: ModelStore, told: Told = lambda *_: None) -> Copied:
    """Put every file that a version names into ``target``, each checked before and read back there; again does no harm.

    Raises
    ------
    ModelFileError
        When a file is missing or was changed; ``ModelStoreError`` when a store cannot be used, or holds another file
        under one of the names. What was copied until then stays there.
    """
    source = registry.models
    if source.place == target.place:
        raise ModelStoreError("The models would be copied onto themselves. Name another store.")
    with registry.database.read() as connection:
        query = select(tables.versions.c.number, tables.versions.c.file, tables.versions.c.figures)
        versions = connection.execute(query.order_by(tables.versions.c.number)).all()
        folded = connection.scalars(select(observed_folds.c.file)).all()
    histories = sorted({row.figures[HISTORIES_OF] for row in versions if HISTORIES_OF in row.figures} | {*folded})
    total, done, size = len(versions) + len(histories), 0, 0

    def copied(content: bytes, message: str) -> None:
        nonlocal done, size
        done, size = done + 1, size + len(content)
        told(done, total, message)

    for row in versions:
        content = registry.get(row.number)
        target.put(f"{VERSIONS}/{row.file}", content)
        copied(content, "Copying versions")
    for digest in histories:
        content = registry.histories.get(digest)
        target.put(f"{HISTORIES}/{digest}.histories", content)
        copied(content, "Copying histories")
    return Copied(len(versions), done, size)
