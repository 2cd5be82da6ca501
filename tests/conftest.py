"""What every test needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.databases import Kind, databases, kinds_of, told

#: Whatever opens a database in one of these folders does so on PostgreSQL as well, in every run.
BOTH = ("tests/store", "tests/service/review", "tests/service/versions/test_previewing.py")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=("sqlite", "postgres"), help="run all tests on this database")


def pytest_report_header() -> str | None:
    return told()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each database that it is meant for."""
    item = metafunc.definition
    if "database_kind" in metafunc.fixturenames:
        both = item.nodeid.startswith(BOTH) and not item.get_closest_marker("sqlite_only")
        kinds = kinds_of(metafunc.config.getoption("--database"), both)
        if kinds != ("sqlite",):
            metafunc.parametrize("database_kind", kinds, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, under PostgreSQL, what is about the SQLite file itself."""
    for item in items:
        marker = item.get_closest_marker("sqlite_only")
        if marker is not None and not marker.kwargs.get("reason"):
            raise pytest.UsageError(f"{item.nodeid}: sqlite_only needs a reason.")
    if config.getoption("--database") == "postgres":
        about_file = [item for item in items if item.get_closest_marker("sqlite_only")]
        config.hook.pytest_deselected(items=about_file)
        items[:] = [item for item in items if item not in about_file]


@pytest.fixture(autouse=True)
def fresh_logs() -> Iterator[None]:
    """Undo what a program run by a test set up for logs: its stderr is gone when the test ends."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session", autouse=True)
def _database_server() -> Iterator[None]:
    yield
    databases.close()


@pytest.fixture(scope="session")
def database_kind(request: pytest.FixtureRequest) -> Kind:
    """``sqlite`` or ``postgres``: where this test keeps its tables."""
    databases.kind = getattr(request, "param", "sqlite")
    return databases.kind
