"""Programs that call the API: with a key, or from elsewhere."""

from __future__ import annotations

from fastapi.testclient import TestClient

from detector.api import create_app
from detector.service.access import Role
from detector.service.keys import create_key
from detector.service.workspace import Workspace


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def key_of(ws: Workspace, role: Role = "service", name: str = "scorer") -> str:
    return create_key(ws, name, role, actor="test").key


def from_elsewhere(ws: Workspace, address: str = "203.0.113.9") -> TestClient:
    return TestClient(create_app(ws), client=(address, 4711))
