import pytest
from fastapi.testclient import TestClient

from detector.api import create_app

ROLES = {"card": "entity"}


def payments():
    return [
        {"card": f"c{number % 6}", "at": f"2026-03-{1 + number // 24:02d}T{number % 24:02d}:15:00",
         "amount": 5.0 + number % 6 + (number * 7 % 10) / 10, "items": 1 + number % 4}
        for number in range(300)
    ]  # fmt: skip


@pytest.fixture
def client(open_workspace):
    with TestClient(create_app(open_workspace())) as client:
        body = {"transactions": payments(), "roles": ROLES, "n_estimators": 20}
        assert client.post("/train", json=body).status_code == 200
        yield client


def severity(client, query="", **changed):
    row = {"card": "c1", "at": "2026-03-14T12:00:00", "amount": 60.0, "items": 2} | changed
    answer = client.post(f"/predict{query}", json={"data": row})
    assert answer.status_code == 200
    return answer.json()["anomaly_score"]


def test_a_request_changes_later_answers_only_when_it_is_to_be_observed(client):
    later = {"at": "2026-03-14T13:00:00", "amount": 7.5}
    before = severity(client, **later)
    severity(client)
    assert severity(client, **later) == before
    severity(client, "?observe=true")
    assert severity(client, **later) != before


def test_a_batch_is_observed_row_by_row_in_time(client):
    later = {"at": "2026-03-14T13:00:00", "amount": 7.5}
    before = severity(client, **later)
    rows = [{"card": "c1", "at": f"2026-03-14T12:{minute:02d}:00", "amount": 60.0} for minute in (20, 10, 30)]
    answer = client.post("/predict/batch?observe=true", json={"transactions": rows})
    assert answer.status_code == 200
    assert severity(client, **later) != before


def test_a_request_sent_twice_and_observed_twice_gets_the_same_answer(client):
    first = severity(client, "?observe=true")
    assert severity(client, "?observe=true") == pytest.approx(first, rel=1e-3)


def test_the_model_tells_the_columns_that_a_request_carries_and_not_what_is_derived_from_them(client):
    told = client.get("/model/info").json()
    assert told["learned_features"] == ["amount", "at", "items"]
