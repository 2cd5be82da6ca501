import pytest
from fastapi.testclient import TestClient

from detector.api import connections, create_app
from detector.service.versions.training import train_rows
from detector.service.workspace import Workspace
from detector.settings import Settings
from tests.api.samples import transactions
from tests.api.served import served
from tests.databases import databases


def settings_in(folder, **fields):
    return Settings(home=folder, model_path=None, database_url=databases.address(folder), **fields)


@pytest.fixture
def open_workspace(tmp_path, database_kind):
    """Open workspaces over one folder, and close them at the end."""
    opened = []

    def open_one(**fields):
        opened.append(Workspace.open(settings_in(tmp_path, **fields)))
        return opened[-1]

    yield open_one
    for workspace in opened:
        workspace.close()
    databases.forget(tmp_path)


@pytest.fixture
def ws(open_workspace):
    """A workspace in which nothing was trained."""
    return open_workspace()


@pytest.fixture
def api(ws):
    """The API over the workspace of the test."""
    with TestClient(create_app(ws)) as client:
        yield client


@pytest.fixture
def empty_client(open_workspace):
    """The API over a workspace in which nothing was trained."""
    with TestClient(create_app(open_workspace())) as client:
        yield client


@pytest.fixture(scope="module")
def trained(tmp_path_factory, database_kind):
    """A workspace with a model, for tests that change nothing in it."""
    home = tmp_path_factory.mktemp("home")
    workspace = Workspace.open(settings_in(home, max_request_rows=200))
    train_rows(workspace, transactions(400), actor="test")
    yield workspace
    workspace.close()
    databases.forget(home)


@pytest.fixture(scope="module")
def client(trained):
    with TestClient(create_app(trained)) as client:
        yield client


@pytest.fixture(scope="session")
def home(tmp_path_factory, database_kind):
    """The folder of a workspace with a model, to be served on a real socket."""
    folder = tmp_path_factory.mktemp("home")
    workspace = Workspace.open(settings_in(folder))
    train_rows(workspace, transactions(400), actor="test")
    workspace.close()
    yield folder
    databases.forget(folder)


@pytest.fixture(scope="module")
def running(home):
    limits = {"max_head_bytes": 4_096, "max_request_bytes": 200_000, "stop_delay_seconds": 0}
    with served(settings_in(home, **limits)) as running:
        yield running


@pytest.fixture
def quick_looks(monkeypatch):
    """Let connections be looked at so often that a test need not wait."""
    monkeypatch.setattr(connections, "TICK", 0.02)
