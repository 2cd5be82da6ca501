"""An API over a workspace of its own, and who may come in at which door, written down a second time by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

from starlette.testclient import TestClient

from detector.api import create_app
from detector.service.access import Right, Role
from detector.service.keys import create_key
from detector.service.workspace import Workspace
from detector.settings import Settings

#: What each door asks for. A door that is not here is a fault: whoever adds one says here who may come in.
TABLE: dict[tuple[str, str], Right | None] = {
    ("POST", "/predict"): "score",
    ("POST", "/predict/batch"): "score",
    ("POST", "/train"): "manage",
    ("POST", "/update"): "manage",
    ("GET", "/cases/{case}"): "read",
    ("POST", "/cases/{case}/decision"): "decide",
    ("GET", "/"): None,
    ("GET", "/health"): None,
    ("GET", "/ready"): None,
    ("GET", "/model/info"): "score",
    ("GET", "/requests/recent"): "read",
    ("GET", "/metrics"): "read",
    ("GET", "/models"): "read",
    ("GET", "/models/{version}"): "read",
    ("GET", "/models/aliases"): "read",
    ("GET", "/models/aliases/{alias}"): "read",
    ("PUT", "/models/aliases/{alias}"): "manage",
    ("DELETE", "/models/aliases/challenger"): "manage",
    ("GET", "/models/trial"): "read",
    ("PUT", "/models/trial"): "manage",
    ("DELETE", "/models/trial"): "manage",
    ("GET", "/models/waiting"): "read",
    ("DELETE", "/models/waiting/{version}"): "manage",
}
#: Which roles include which right.
MAY: dict[Right, frozenset[str]] = {
    "read": frozenset({"viewer", "analyst", "lead"}),
    "score": frozenset({"service", "analyst", "lead"}),
    "decide": frozenset({"analyst", "lead"}),
    "manage": frozenset({"lead"}),
}


@contextmanager
def workspace_in(folder: Path) -> Iterator[Workspace]:
    """Open a workspace in ``folder``, whatever the environment says."""
    ws = Workspace.open(Settings(home=folder, model_path=None, database_url=None, log_level="ERROR"))
    try:
        yield ws
    finally:
        ws.close()


def keys_of_all_roles(ws: Workspace) -> dict[str, str]:
    """Make a key for each role."""
    return {role: create_key(ws, f"a {role}", role, actor="trust").key for role in get_args(Role)}


@contextmanager
def caller_at(ws: Workspace, address: str) -> Iterator[TestClient]:
    """Give a client of the API whose socket ends at ``address``."""
    with TestClient(create_app(ws), base_url="http://127.0.0.1", client=(address, 4711)) as client:
        yield client
