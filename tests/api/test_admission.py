"""Who comes in, and what the others are told."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from detector.api import create_app
from detector.api.admission import Rights
from detector.api.doors import Door, doors
from detector.api.routes import Endpoints
from detector.api.traffic import Traffic
from detector.service.access import Caller, Right, Role
from detector.service.workspace import Workspace
from tests.api.calling import bearer, from_elsewhere, key_of
from tests.api.samples import transactions

ROW = {"data": transactions(1)[0]}


def test_a_machine_without_keys_serves_its_own_programs(api: TestClient) -> None:
    assert api.get("/model/info").status_code == 200
    assert api.post("/train", json={"transactions": transactions(50)}).status_code == 200


@pytest.mark.parametrize(
    "address", ["203.0.113.9", "10.0.0.4", "2001:db8::1", "testclient", "127.0.0.1.example.org", ""]
)
def test_without_keys_nobody_else_is_served(ws: Workspace, address: str) -> None:
    with from_elsewhere(ws, address) as client:
        answer = client.get("/model/info")
        assert answer.status_code == 403
        assert answer.json()["code"] == "no_key_has_been_set"
        assert "python -m detector keys create" in answer.json()["detail"]
        assert client.get("/health").status_code == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
def test_every_address_of_the_machine_itself_is_local(ws: Workspace, address: str) -> None:
    with from_elsewhere(ws, address) as client:
        assert client.get("/model/info").status_code == 200


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Forwarded-Host", "X-Forwarded-Proto", "Via"]
)
def test_what_came_through_a_proxy_is_not_local(api: TestClient, header: str) -> None:
    assert api.get("/model/info", headers={header: "127.0.0.1"}).status_code == 403


@pytest.mark.parametrize("host", ["evil.example.org", "localhost.evil.org", "127.0.0.1.evil.org:8000", "10.0.0.1"])
def test_a_browser_that_was_led_here_under_another_name_is_not_local(api: TestClient, host: str) -> None:
    assert api.get("/model/info", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000"])
def test_the_names_of_the_machine_itself_are_local(api: TestClient, host: str) -> None:
    assert api.get("/model/info", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("role", get_args(Role))
def test_each_role_comes_in_at_its_own_doors_only(ws: Workspace, api: TestClient, role: Role) -> None:
    key = key_of(ws, role)
    for door in doors(Endpoints(Traffic())):
        answer = api.request(door.method, door.path, headers=bearer(key), json={} if door.method == "POST" else None)
        allowed = door.right is None or Caller("x", role).may(door.right)
        assert (answer.status_code == 403) is not allowed, (door, answer.text)
        if not allowed:
            assert f"the right to {door.right}" in answer.json()["detail"]
            assert f'scope="{door.right}"' in answer.headers["WWW-Authenticate"]


def test_paths_are_unknown_only_to_those_who_may_come_in(ws: Workspace, api: TestClient) -> None:
    assert api.get("/nothing").status_code == 404
    key = key_of(ws, "viewer")
    assert api.get("/nothing").status_code == 401
    assert api.get("/nothing", headers=bearer(key)).status_code == 404
    assert api.get("/nothing", headers=bearer(key)).json()["code"] == "not_found"
    assert api.delete("/predict").status_code == 401
    assert api.delete("/predict", headers=bearer(key)).status_code == 405


@pytest.mark.parametrize("path", ["/predict/", "//predict", "/PREDICT", "/predict%2f", "/docs-assets/../predict"])
def test_a_path_written_otherwise_leads_to_no_door(ws: Workspace, api: TestClient, path: str) -> None:
    key_of(ws)
    assert api.post(path, json=ROW, follow_redirects=False).status_code in {401, 404, 405}


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/docs-assets/swagger-ui.css"])
def test_the_description_is_public(ws: Workspace, path: str) -> None:
    key_of(ws)
    with from_elsewhere(ws) as client:
        assert client.get(path).status_code == 200


def test_a_route_that_is_no_door_is_not_served(ws: Workspace) -> None:
    app = create_app(ws)
    app.add_api_route("/forgotten", lambda: {"secret": 1})
    key = key_of(ws, "lead")
    with TestClient(app) as client:
        assert client.get("/forgotten", headers=bearer(key)).status_code == 404


def test_a_refused_request_is_logged_under_its_door(ws: Workspace, api: TestClient) -> None:
    key = key_of(ws, "viewer")
    api.post("/train", json=ROW)
    api.get("/nothing-of-ours")
    told = api.get("/requests/recent", headers=bearer(key)).json()["requests"]
    assert [(one["route"], one["status"]) for one in told] == [("unknown", 401), ("/train", 401)]


def test_there_is_no_way_in_by_websocket(api: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect), api.websocket_connect("/predict"):
        pass


def test_a_body_is_not_read_before_its_sender_may_send_it(ws: Workspace) -> None:
    key_of(ws)
    app, read, sent = create_app(ws), [], []

    async def receive() -> dict[str, Any]:
        read.append(1)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/train", "raw_path": b"/train", "query_string": b"", "root_path": "",
        "headers": [(b"host", b"127.0.0.1"), (b"content-length", b"10000000000")], "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000), "scheme": "http", "http_version": "1.1", "asgi": {"version": "3.0"},
    }  # fmt: skip
    with TestClient(app) as client:
        client.portal.call(app, scope, receive, send)
    assert read == []
    assert sent[0]["status"] == 401
    assert (b"connection", b"close") in sent[0]["headers"]


def test_answers_are_kept_by_nobody_and_open_to_no_other_site(ws: Workspace, api: TestClient) -> None:
    for answer in (
        api.get("/model/info", headers={"Origin": "https://evil.example"}),
        api.get("/health"),
        api.get("/no"),
    ):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    before = api.options("/train", headers=asked)
    assert before.status_code == 405
    assert not [name for name in before.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_what_another_site_may_send_without_asking_is_not_read_as_json(api: TestClient, kind: str) -> None:
    answer = api.post("/train", content=b'{"transactions": []}', headers={"Content-Type": kind})
    assert answer.status_code == 415


def door(method: str, path: str, right: Right | None) -> Door:
    return Door(method, path, right, None, None, "")  # type: ignore[arg-type]


def test_a_door_with_a_place_for_a_name_asks_for_its_own_right() -> None:
    rights = Rights((
        door("GET", "/models/compare", "read"),
        door("GET", "/models/{version}", "decide"),
        door("POST", "/models/{version}", "manage"),
    ))  # fmt: skip
    assert rights.at("/models/3") == {"GET": "decide", "POST": "manage"}
    # The router would hand a POST to the door with the place for a name.
    assert rights.at("/models/compare") == {"GET": "read", "POST": "manage"}
    assert rights.at("/models/3/4") is None
    assert rights.at("/models") is None
