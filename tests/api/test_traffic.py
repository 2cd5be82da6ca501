import json
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from detector.api import create_app
from detector.api.traffic import REMEMBERED, Answered, Traffic
from detector.service.logs import configure_logs
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


HOSTILE = [
    'x"}\n{"event": "forged", "level": "info"}',
    "\x1b[2J\x1b[31mred",
    "\u202egnp.exe",
    "\u2028line",
    "\x00nul",
    "a\r\nSet-Cookie: b=c",
]


def json_lines(text):
    return [json.loads(line) for line in text.split("\n") if line]


@pytest.mark.parametrize("nasty", HOSTILE)
def test_nobody_writes_lines_of_his_own_into_the_log(trained, capfd, nasty):
    configure_logs("INFO")
    with TestClient(create_app(trained)) as client:
        client.post("/predict", json={"data": {"amount": 3.0, nasty: 1}}, headers={"X-Request-ID": "mine"})
        client.get("/" + quote(nasty))
        raw = nasty.encode().replace(b"\r", b"").replace(b"\n", b"").replace(b"\x00", b"")
        client.get("/health", headers={b"X-Request-ID": raw, b"X-Other": raw})
    written = capfd.readouterr().err
    found = json_lines(written)
    assert {line["event"] for line in found} <= {"request", "features missing"}
    assert all(c.isprintable() or c == "\n" for c in written)
    assert "\u202e" not in written


def test_every_line_of_a_request_carries_its_id(trained, capfd):
    configure_logs("INFO")
    trained.missing_log._told.clear()
    with TestClient(create_app(trained)) as client:
        client.post("/predict/batch", json={"transactions": [{"amount": 3.0}]}, headers={"X-Request-ID": "batch-1"})
        client.post("/predict", json={"data": {"visits": 3}}, headers={"X-Request-ID": "one-1"})
        client.get("/health")
    found = json_lines(capfd.readouterr().err)
    assert [line["request_id"] for line in found if line["event"] == "features missing"] == ["batch-1", "one-1"]
    assert all("request_id" in line for line in found)


def test_a_fault_of_ours_is_logged_with_the_request_and_without_its_content(trained, capfd, monkeypatch):
    configure_logs("INFO")
    monkeypatch.setattr("detector.api.routes.score_rows", lambda *_, **__: 1 / 0)
    with TestClient(create_app(trained), raise_server_exceptions=False) as client:
        answer = client.post("/predict", json={"data": ROW}, headers={"X-Request-ID": "broken"})
    assert answer.status_code == 500
    assert "very-secret-value" not in capfd.readouterr().err
