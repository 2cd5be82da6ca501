"""Who comes in, and what the others are told."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
import time_machine
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from detector.api import create_app
from detector.api.admission import AdmissionMiddleware, Rights
from detector.api.doors import Door, doors
from detector.api.routes import Endpoints
from detector.api.traffic import Traffic
from detector.service.access import Caller, Right, Role
from detector.service.key_watch import Keys, KeyWatch
from detector.service.keys import create_key, revoke_key
from detector.service.workspace import Workspace
from tests.api.conftest import settings_in
from tests.api.samples import transactions

ROW = {"data": transactions(1)[0]}


@pytest.fixture
def ws(tmp_path) -> Iterator[Workspace]:
    workspace = Workspace.open(settings_in(tmp_path))
    yield workspace
    workspace.close()


@pytest.fixture
def api(ws: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(ws)) as client:
        yield client


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def key_of(ws: Workspace, role: Role = "service", name: str = "scorer") -> str:
    return create_key(ws, name, role, actor="test").key


def from_elsewhere(ws: Workspace, address: str = "203.0.113.9") -> TestClient:
    return TestClient(create_app(ws), client=(address, 4711))


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


def test_once_a_key_is_set_everybody_needs_one(ws: Workspace, api: TestClient) -> None:
    key = key_of(ws)
    answer = api.get("/model/info")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "no_key"
    assert api.get("/model/info", headers=bearer(key)).status_code == 200


def test_with_keys_programs_elsewhere_are_served_through_proxies_and_under_any_name(ws: Workspace) -> None:
    key = key_of(ws)
    with from_elsewhere(ws) as client:
        headers = bearer(key) | {"X-Forwarded-For": "198.51.100.7", "Host": "scores.example.org"}
        assert client.get("/model/info", headers=headers).status_code == 200


def test_a_key_that_is_presented_counts_even_where_none_is_needed(api: TestClient) -> None:
    assert api.get("/model/info", headers=bearer("dak_wrong")).status_code == 401


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer"])
def test_the_scheme_is_read_in_any_case(ws: Workspace, api: TestClient, scheme: str) -> None:
    assert api.get("/model/info", headers={"Authorization": f"{scheme} {key_of(ws)}"}).status_code == 200


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic YTpi", "Token x", "Bearer \xff\xfe", "x" * 9_000])
def test_an_authorization_that_is_none_is_refused(ws: Workspace, api: TestClient, value: str) -> None:
    key_of(ws)
    answer = api.get("/model/info", headers={"Authorization": value.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.json()["code"] == ("wrong_key" if "\xff" in value else "no_key")


def test_a_key_that_was_cut_short_is_told_so(ws: Workspace, api: TestClient) -> None:
    key = key_of(ws)
    assert "cut short" in api.get("/model/info", headers=bearer(key[:-1])).json()["detail"]
    other = key_of(ws, name="other")
    revoke_key(ws, other[4:16], actor="test")
    answer = api.get("/model/info", headers=bearer(other))
    assert answer.json()["code"] == "wrong_key"
    assert "cut short" not in answer.json()["detail"]
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_a_key_with_another_keys_secret_is_refused(ws: Workspace, api: TestClient) -> None:
    one, other = key_of(ws), key_of(ws, name="other")
    assert api.get("/model/info", headers=bearer(one[:16] + other[16:])).status_code == 401


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


def test_a_revoked_key_is_refused_at_once(ws: Workspace, api: TestClient) -> None:
    key_of(ws, name="stays")
    key = key_of(ws)
    assert api.get("/model/info", headers=bearer(key)).status_code == 200
    revoke_key(ws, key[4:16], actor="test")
    assert api.get("/model/info", headers=bearer(key)).status_code == 401


def test_a_key_ends_on_its_day(ws: Workspace, api: TestClient) -> None:
    key = create_key(ws, "short", "viewer", actor="test", days=2).key
    assert api.get("/requests/recent", headers=bearer(key)).status_code == 200
    with time_machine.travel(datetime.now(UTC) + timedelta(days=3), tick=False):
        assert api.get("/requests/recent", headers=bearer(key)).status_code == 401
        # Keys that have run out do not open the API to everybody on the machine.
        assert api.get("/requests/recent").status_code == 401


def test_who_came_with_a_key_stands_in_the_log(ws: Workspace, api: TestClient) -> None:
    from detector.service.exports.auditing import audit_page

    key = key_of(ws, "lead", "nightly")
    assert api.post("/train", json={"transactions": transactions(50)}, headers=bearer(key)).status_code == 200
    assert "key nightly" in {line.actor for line in audit_page(ws).lines}


def test_a_database_that_is_away_changes_nothing_for_keys_that_are_known(
    ws: Workspace, api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_of(ws, "viewer")

    def away(_self: object) -> None:
        raise OperationalError("SELECT", {}, Exception("away"))

    monkeypatch.setattr("detector.service.key_watch.KeyWatch._read", away)
    monkeypatch.setattr("detector.service.key_watch.monotonic", itertools.count(1e9, 10).__next__)
    assert api.get("/requests/recent", headers=bearer(key)).status_code == 200
    assert api.get("/requests/recent").status_code == 401


def test_keys_that_were_never_read_let_nobody_in(
    ws: Workspace, api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_self: object) -> None:
        raise OperationalError("SELECT", {}, Exception("away"))

    ws.keys._keys = None
    monkeypatch.setattr("detector.service.key_watch.KeyWatch._read", away)
    answer = api.get("/requests/recent")
    assert answer.status_code == 503
    assert answer.json()["code"] == "keys_unknown"
    assert answer.headers["Retry-After"]


def test_wrong_keys_are_slowed_down_whatever_they_say_of_their_address(ws: Workspace, api: TestClient) -> None:
    key = key_of(ws, "viewer")
    wrong = key[:-8] + "00000000"
    answers = [
        api.get("/requests/recent", headers=bearer(wrong) | {"X-Forwarded-For": f"198.51.100.{number}"})
        for number in range(15)
    ]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 5
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    # Nor is the right secret looked at now: guessing goes no faster than that.
    assert api.get("/requests/recent", headers=bearer(key)).status_code == 429
    with from_elsewhere(ws) as client:
        assert client.get("/requests/recent", headers=bearer(key)).status_code == 200


def test_a_program_with_an_old_key_does_not_lock_out_its_neighbours(ws: Workspace, api: TestClient) -> None:
    old, good = key_of(ws, "viewer", "old"), key_of(ws, "viewer", "good")
    revoke_key(ws, old[4:16], actor="test")
    statuses = [api.get("/requests/recent", headers=bearer(old)).status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert api.get("/requests/recent", headers=bearer(good)).status_code == 200


def test_requests_of_one_key_can_be_limited(tmp_path) -> None:
    ws = Workspace.open(settings_in(tmp_path, requests_per_second=1, burst_seconds=3))
    with TestClient(create_app(ws)) as client:
        one, other = key_of(ws, "viewer", "one"), key_of(ws, "viewer", "other")
        answers = [client.get("/requests/recent", headers=bearer(one)) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 2
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 3
        assert client.get("/requests/recent", headers=bearer(other)).status_code == 200
        assert client.get("/health").status_code == 200
    ws.close()


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


def test_the_use_of_a_key_is_written_down_later_and_not_with_each_request(ws: Workspace) -> None:
    from detector.service.keys import list_keys

    key = key_of(ws, "viewer")
    with TestClient(create_app(ws)) as client:
        client.get("/requests/recent", headers=bearer(key))
        assert list_keys(ws, actor="test")[0].last_used_at is None
    assert list_keys(ws, actor="test")[0].last_used_at is not None


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


def test_requests_that_come_while_the_keys_are_read_share_one_reading(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = 0
    read = KeyWatch._read

    def counted(watch: KeyWatch) -> Keys:
        nonlocal readings
        readings += 1
        return read(watch)

    async def reached(_scope: Scope, _receive: Receive, _send: Send) -> None:
        passed.append(1)

    passed: list[int] = []
    endpoints = Endpoints(Traffic())
    admission = AdmissionMiddleware(reached, doors(endpoints), lambda: ws.keys, ws.settings)
    monkeypatch.setattr(KeyWatch, "_read", counted)
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/model/info",
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 1),
    }

    async def many() -> None:
        await asyncio.gather(*(admission(dict(scope), _nothing, _nowhere) for _ in range(50)))

    asyncio.run(many())
    assert (len(passed), readings) == (50, 1)


async def _nothing() -> Message:
    raise AssertionError("no body is read")


async def _nowhere(_message: Message) -> None:
    raise AssertionError("nothing is answered here")
