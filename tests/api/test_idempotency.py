from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from detector.api import create_app, idempotency
from detector.api.idempotency import KEY, REPLAYED
from detector.service import repeats
from detector.service.repeats import Answer, Claim, OvertakenError, Repeatable
from detector.service.workspace import Workspace
from tests.api.samples import transactions

KEYED = {KEY: "order-1"}


@pytest.fixture
def workspace(open_workspace: Callable[..., Workspace]) -> Workspace:
    return open_workspace()


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(workspace)) as client:
        yield client


@pytest.fixture
def train_body() -> dict[str, Any]:
    return {"transactions": transactions(40)}


def versions(workspace: Workspace) -> int:
    return len(workspace.registry.list())


def test_a_repeated_training_is_answered_as_before(client: TestClient, workspace: Workspace, train_body: Any) -> None:
    first = client.post("/train", json=train_body, headers=KEYED)
    again = client.post("/train", json=train_body, headers=KEYED)
    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    assert REPLAYED not in first.headers
    assert again.headers[REPLAYED] == "true"
    assert versions(workspace) == 1
    assert client.post("/train", json=train_body, headers={KEY: "order-2"}).json()["model_version"] == 2
    assert client.post("/train", json=train_body).json()["model_version"] == 3


def test_a_repeated_update_learns_once(client: TestClient, workspace: Workspace, train_body: Any) -> None:
    client.post("/train", json=train_body)
    answers = [client.post("/update", json=train_body, headers=KEYED) for _ in range(3)]
    assert len({answer.content for answer in answers}) == 1
    assert versions(workspace) == 2


@pytest.mark.parametrize("other", ["body", "query", "path"])
def test_a_key_names_one_request(client: TestClient, workspace: Workspace, train_body: Any, other: str) -> None:
    client.post("/train", json=train_body, headers=KEYED)
    body = {"transactions": train_body["transactions"][:-1]} if other == "body" else train_body
    path = {"body": "/train", "query": "/train?n_estimators=9", "path": "/update"}[other]
    answer = client.post(path, json=body, headers=KEYED)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "key_reused"
    assert versions(workspace) == 1


@pytest.mark.parametrize("key", ["", "two words", "x" * 201, "kl\u00fc"])
def test_a_key_that_cannot_be_one_is_refused(
    client: TestClient, workspace: Workspace, train_body: Any, key: str
) -> None:
    answer = client.post("/train", json=train_body, headers={KEY: key.encode()})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_key")
    assert versions(workspace) == 0


def test_what_failed_may_be_tried_again(client: TestClient, workspace: Workspace, train_body: Any) -> None:
    assert client.post("/update", json=train_body, headers=KEYED).status_code == 503
    client.post("/train", json=train_body)
    answer = client.post("/update", json=train_body, headers=KEYED)
    assert (answer.status_code, REPLAYED in answer.headers) == (200, False)


def test_a_request_that_is_at_work_is_not_begun_twice(
    client: TestClient, workspace: Workspace, train_body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "PATIENCE", 0.0)
    monkeypatch.setattr(idempotency, "claim", lambda *_: None)
    answer = client.post("/train", json=train_body, headers=KEYED)
    assert (answer.status_code, answer.json()["code"]) == (409, "still_working")
    assert answer.headers["Retry-After"] == "2"
    assert versions(workspace) == 0


def test_parallel_repetitions_have_one_effect(client: TestClient, workspace: Workspace, train_body: Any) -> None:
    answers: list[bytes] = []

    def send() -> None:
        answer = client.post("/train", json=train_body, headers=KEYED)
        # The lane of trainings holds three; who is told that nothing was done asks again.
        while answer.status_code == 503 and answer.headers["Retry-After"]:
            answer = client.post("/train", json=train_body, headers=KEYED)
        answers.append(answer.content)

    senders = [threading.Thread(target=send) for _ in range(4)]
    for thread in senders:
        thread.start()
    for thread in senders:
        thread.join()
    assert len(answers) == 4
    assert len(set(answers)) == 1
    assert versions(workspace) == 1


def test_a_claim_that_was_taken_over_cannot_answer(workspace: Workspace) -> None:
    request = Repeatable("ada", "order-1", "asked")
    slow = repeats.claim(workspace.database, request, until=-repeats.CLAIMED)
    assert isinstance(slow, Claim)
    quick = repeats.claim(workspace.database, request)
    assert isinstance(quick, Claim)
    assert repeats.claim(workspace.database, request) is None
    with pytest.raises(OvertakenError), workspace.database.write() as connection:
        slow.answer(connection, Answer(200, b"slow"))
    slow.let_go()
    with workspace.database.write() as connection:
        quick.answer(connection, Answer(200, b"quick"))
    assert repeats.claim(workspace.database, request) == Answer(200, b"quick")


def test_an_effect_that_is_rolled_back_takes_its_answer_along(workspace: Workspace) -> None:
    request = Repeatable("ada", "order-1", "asked")
    claimed = repeats.claim(workspace.database, request)
    assert isinstance(claimed, Claim)

    def answer_and_fail() -> None:
        with workspace.database.write() as connection:
            claimed.answer(connection, Answer(200, b"done"))
            raise KeyError

    with pytest.raises(KeyError):
        answer_and_fail()
    assert repeats.claim(workspace.database, request) is None
    claimed.let_go()
    assert isinstance(repeats.claim(workspace.database, request), Claim)


def test_two_callers_may_choose_the_same_key(workspace: Workspace) -> None:
    for caller in ("ada", "bob"):
        assert isinstance(repeats.claim(workspace.database, Repeatable(caller, "order-1", "asked")), Claim)


def test_the_description_tells_of_the_key(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for path in ("/train", "/update", "/cases/{case}/decision"):
        parameters = {parameter["name"]: parameter for parameter in paths[path]["post"]["parameters"]}
        assert parameters[KEY]["in"] == "header"
        assert "409" in paths[path]["post"]["responses"]
