import json
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient

from detector.api import create_app
from detector.api.traffic import REMEMBERED, Answered, Traffic
from tests.api.samples import transactions

ROW = transactions(1)[0] | {"country": "very-secret-value"}


def test_every_answer_carries_a_request_id_of_its_own(client):
    ids = {client.get("/health").headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


def test_a_request_id_of_the_caller_is_kept(client):
    assert client.get("/", headers={"X-Request-ID": "order-66.a"}).headers["x-request-id"] == "order-66.a"


@pytest.mark.parametrize("sent", ["x" * 65, 'a"b', "a b", "ü".encode()])
def test_a_request_id_that_is_none_is_replaced(client, sent):
    assert client.get("/", headers={"X-Request-ID": sent}).headers["x-request-id"] != sent


def test_each_request_writes_one_line_of_json_without_its_content(trained, capfd):
    with TestClient(create_app(trained)) as client:
        client.post("/predict", json={"data": ROW}, headers={"X-Request-ID": "mine"})
    written = capfd.readouterr().err
    (line,) = [json.loads(text) for text in written.splitlines() if '"mine"' in text]
    assert datetime.fromisoformat(line["timestamp"]).tzinfo == UTC
    assert (line["method"], line["route"], line["status"]) == ("POST", "/predict", 200)
    assert line["milliseconds"] >= 0
    assert "very-secret-value" not in written


def test_only_the_latest_requests_are_remembered():
    traffic = Traffic(logged=False)
    for number in range(REMEMBERED + 50):
        traffic.note(Answered(0.0, "GET", "/", 200, 0.1, str(number)))
    latest = list(traffic.latest())
    assert (len(latest), traffic.total) == (REMEMBERED, REMEMBERED + 50)
    assert latest[0]["request_id"] == str(REMEMBERED + 49)
    assert latest[0]["at"] == "1970-01-01T00:00:00+00:00"
