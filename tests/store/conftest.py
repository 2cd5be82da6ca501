from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from detector.store.database import Database
from detector.store.model_cache import ModelCache
from detector.store.model_folder import FolderStore
from detector.store.model_store import ModelStore
from detector.store.registry import Registry
from tests.databases import Kind, databases


@pytest.fixture
def address(tmp_path: Path, database_kind: Kind) -> Iterator[str]:
    """Where a migrated database is."""
    yield databases.address(tmp_path)
    databases.forget(tmp_path)


@pytest.fixture
def empty_address(tmp_path: Path, database_kind: Kind) -> Iterator[str]:
    """Where a database is in which nothing was made yet."""
    yield databases.empty(tmp_path)
    databases.forget(tmp_path)


@pytest.fixture
def database(address: str) -> Iterator[Database]:
    database = Database(address)
    database.migrate()
    yield database
    database.close()


@pytest.fixture(params=["folder", "objects"])
def models(tmp_path: Path, request: pytest.FixtureRequest) -> ModelStore:
    """A model store of either kind."""
    if request.param == "folder":
        return FolderStore(tmp_path / "models", "models")
    from tests.object_stores import object_store

    return object_store(f"{request.getfixturevalue('bucket')}/models", ModelCache(tmp_path / "cache", 10_000_000))


@pytest.fixture
def registry(models: ModelStore, database: Database) -> Registry:
    return Registry(models, database)


@pytest.fixture
def processes() -> ForkServerContext:
    """Processes that have imported the package once, so that they start in milliseconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["detector.store.registry", "alembic.command"])
    return context
