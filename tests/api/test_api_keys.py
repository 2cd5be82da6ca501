"""Keys as callers present them: taken, refused, revoked, and known while the database is away."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError
from starlette.types import Message, Receive, Scope, Send

from detector.api import create_app
from detector.api.admission import AdmissionMiddleware
from detector.api.doors import doors
from detector.api.routes import Endpoints
from detector.api.traffic import Traffic
from detector.service.key_watch import Keys, KeyWatch
from detector.service.keys import create_key, revoke_key
from detector.service.workspace import Workspace
from tests.api.calling import bearer, from_elsewhere, key_of
from tests.api.samples import transactions


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


def test_the_use_of_a_key_is_written_down_later_and_not_with_each_request(ws: Workspace) -> None:
    from detector.service.keys import list_keys

    key = key_of(ws, "viewer")
    with TestClient(create_app(ws)) as client:
        client.get("/requests/recent", headers=bearer(key))
        assert list_keys(ws, actor="test")[0].last_used_at is None
    assert list_keys(ws, actor="test")[0].last_used_at is not None


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
