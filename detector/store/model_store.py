"""Where model files are: a folder, or an object store that many machines share.

A file never changes under its name: ``versions/…`` for models, ``histories/…`` for what they remember of entities.

A version is registered in this order: its name is announced, the file is put and read back, the row that names it is
committed, the announcement is taken back. So a row never lacks its file; and of a process that died before the row,
the announcement tells which file nobody will ever name. Each database has announcements of its own, under its
:mod:`~detector.store.identity`: what another one on the same place names, it cannot know.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from detector.store.addresses import folder_of
from detector.store.model_cache import ModelCache
from detector.store.model_folder import FolderStore
from detector.store.model_objects import ObjectStore

#: Where the models of versions are in a store, and what they remember.
VERSIONS, HISTORIES = "versions", "histories"


class ModelStore(Protocol):
    """What the registry asks of a store. Safe between threads and processes.

    Methods raise ``ModelStoreError`` where a store cannot be reached or refuses, and ``OSError`` where a disk does.
    """

    #: What tells people where it is; never a password.
    place: str

    def put(self, name: str, content: bytes) -> None:
        """Keep a file, whole or not at all.

        One that is there is never overwritten: the same content counts as kept, another raises ``ModelStoreError``.
        """

    def get(self, name: str, digest: str | None = None) -> bytes:
        """Return a file's bytes; ``digest``: the SHA-256 that they should have, by which they may be found nearby.

        Raises ``FileNotFoundError``. The caller compares the digest.
        """

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""

    def names(self, prefix: str = "") -> tuple[str, ...]:
        """Return the names that begin with ``prefix``, in order."""

    def delete(self, name: str) -> None:
        """Remove a file; one that is not there does no harm."""

    def announce(self, file: str, database: str) -> None:
        """Note that ``versions/file`` is about to be put, and then named by a row of this database (its identity)."""

    def settle(self, file: str, database: str) -> None:
        """Take the announcement back. Raises nothing: one that stays is settled by :meth:`sweep`."""

    def sweep(self, database: str | None, named: Callable[[], set[str]], age: float) -> None:
        """Remove what processes left that died more than ``age`` seconds ago.

        Of announced files only those of ``database`` are touched, ``None`` when it never announced any; ``named``: the
        files that its rows name.
        """

    def answers(self) -> bool:
        """Whether the store can be used now; may take its time where a network is in between."""


def open_model_store(address: str | None, folder: Path, cache: ModelCache) -> ModelStore:
    """Return the store at ``address``: a folder, ``file://…``, or what fsspec understands, such as ``s3://bucket/models``.

    ``folder``: the one that is used without an address. Nothing is asked of a store before it is needed.

    Raises
    ------
    ModelStoreError
        When a package for such an address is not installed, or the address holds credentials that belong elsewhere.
    """
    if address is None:
        return FolderStore(folder, "models")
    found = folder_of(address)
    return ObjectStore(address, cache) if found is None else FolderStore(found, str(found))
