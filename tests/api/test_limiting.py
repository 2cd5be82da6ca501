"""Who tries keys is slowed down, and so is who asks more often than the settings allow; nobody else is."""

from __future__ import annotations

from collections.abc import Callable

from fastapi.testclient import TestClient

from detector.api import create_app
from detector.service.keys import revoke_key
from detector.service.workspace import Workspace
from tests.api.calling import bearer, from_elsewhere, key_of


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


def test_requests_of_one_key_can_be_limited(open_workspace: Callable[..., Workspace]) -> None:
    ws = open_workspace(requests_per_second=1, burst_seconds=3)
    with TestClient(create_app(ws)) as client:
        one, other = key_of(ws, "viewer", "one"), key_of(ws, "viewer", "other")
        answers = [client.get("/requests/recent", headers=bearer(one)) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 2
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 3
        assert client.get("/requests/recent", headers=bearer(other)).status_code == 200
        assert client.get("/health").status_code == 200
