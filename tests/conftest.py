"""What every test needs."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partialmethod
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import HealthCheck, settings
from starlette.testclient import TestClient

from tests import java
from tests.databases import Kind, databases, kinds_of, told
from trust.nginx_server import program as nginx_program

if TYPE_CHECKING:
    from tests.object_stores import ObjectServer

# How long an example takes says how busy the machine is, not whether it is right.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

#: Whatever opens a database in one of these folders does so on PostgreSQL as well, in every run.
BOTH = (
    "tests/store",
    "tests/service/exports/test_auditing.py",
    "tests/service/review/test_deciding.py",
    "tests/service/review/test_locking.py",
    "tests/service/review/test_saved_views.py",
    "tests/service/test_folded_versions.py",
    "tests/service/test_folding.py",
    "tests/service/test_jobs.py",
    "tests/service/test_loading.py",
    "tests/service/test_swept_histories.py",
)

#: These run the same lines again and again, as properties do, which takes half as long when nobody counts them. What
#: the other tests cover has to be enough.
REPEATING = ("tests/trust", "tests/pages/test_inputs.py", "tests/test_inputs.py", "tests/test_examples.py")
#: Nor do those count that run a test again with other values, beyond so many.
COUNTED = 2


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=("sqlite", "postgres"), help="run all tests on this database")


def pytest_report_header() -> list[str]:
    missing = (
        None if nginx_program() else "nginx is not installed (apt-get install nginx-light): its tests are left out."
    )
    return [line for line in (told(), missing, java.told()) if line]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each database that it is meant for."""
    if "database_kind" in metafunc.fixturenames:
        kinds = kinds_of(metafunc.config.getoption("--database"), _meant_for(metafunc.definition, metafunc.config))
        if kinds != ("sqlite",):
            metafunc.parametrize("database_kind", kinds, indirect=True, scope="session")


def _meant_for(item: pytest.Item, config: pytest.Config) -> tuple[Kind, ...]:
    if item.get_closest_marker("postgres_only"):
        return ("postgres",)
    if item.get_closest_marker("sqlite_only"):
        return ("sqlite",)
    return ("sqlite", "postgres") if config.getoption("--database") or item.nodeid.startswith(BOTH) else ("sqlite",)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is about the other database, or what needs Java; the number is told at the end of the run."""
    times = Counter[str]()
    for item in items:
        test = item.nodeid.partition("[")[0]
        times[test] += 1
        if item.get_closest_marker("hypothesis") or item.nodeid.startswith(REPEATING) or times[test] > COUNTED:
            item.add_marker("no_cover")
        markers = (item.get_closest_marker(name) for name in ("sqlite_only", "postgres_only", "needs_nginx"))
        marker = next(filter(None, markers), None)
        if marker is not None and not marker.kwargs.get("reason"):
            raise pytest.UsageError(f"{item.nodeid}: {marker.name} needs a reason.")
    if os.environ.get("CI") and not nginx_program() and any(item.get_closest_marker("needs_nginx") for item in items):
        raise pytest.UsageError("nginx is not installed: apt-get install nginx-light.")
    chosen = config.getoption("--database")
    left_out = [
        item
        for item in items
        if (chosen == "postgres" and item.get_closest_marker("sqlite_only"))
        or (item.get_closest_marker("postgres_only") and not kinds_of(chosen, ("postgres",)))
        or (item.get_closest_marker("needs_nginx") and not nginx_program())
    ] + java.without(items)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def fresh_logs() -> Iterator[None]:
    """Undo what a program run by a test set up for logs: its stderr is gone when the test ends."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def own_main() -> Iterator[None]:
    """Bring back what runs the tests: Streamlit's driver puts a page in its place, which new processes would run."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(autouse=True, scope="session")
def calls_from_this_machine() -> Iterator[None]:
    """Let the test client be a program on this machine, as those are that use an API without keys."""
    patch = pytest.MonkeyPatch()
    local = partialmethod(TestClient.__init__, base_url="http://127.0.0.1", client=("127.0.0.1", 50_000))
    patch.setattr(TestClient, "__init__", local)
    yield
    patch.undo()


@pytest.fixture(scope="session", autouse=True)
def _database_server() -> Iterator[None]:
    yield
    databases.close()


@pytest.fixture(scope="session")
def object_server() -> Iterator[ObjectServer]:
    """The object store of this run; it is started with the first test that needs one."""
    from tests.object_stores import ObjectServer

    server = ObjectServer()
    yield server
    server.stop()


@pytest.fixture
def bucket(object_server: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty bucket, which the environment lets use."""
    from tests.object_stores import use

    use(object_server.environment, monkeypatch)
    return object_server.make_bucket()


@pytest.fixture(scope="session")
def database_kind(request: pytest.FixtureRequest) -> Kind:
    """``sqlite`` or ``postgres``: where this test keeps its tables."""
    databases.kind = getattr(request, "param", "sqlite")
    return databases.kind
