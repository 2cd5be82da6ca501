from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from detector.store.database import Database
from detector.store.registry import Registry


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'data' / 'detector.db'}")
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def registry(tmp_path: Path, database: Database) -> Registry:
    return Registry(tmp_path / "models" / "versions", database)


@pytest.fixture
def processes() -> ForkServerContext:
    """Processes that have imported the package once, so that they start in milliseconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["detector.store.registry", "alembic.command"])
    return context
