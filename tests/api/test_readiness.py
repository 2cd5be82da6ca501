"""``/ready``: what it says, and that scoring needs no database."""

import threading

import pytest
from fastapi.testclient import TestClient

from detector.api import create_app
from detector.errors import ModelStoreError
from detector.service.keys import create_key, list_keys
from detector.service.versions.training import train_rows
from detector.service.watching import LATELY, DatabaseWatch
from tests.api.samples import transactions


class Probe:
    """A database that is there or away, or says nothing until it is told to."""

    def __init__(self):
        self.there = True
        self.closed = False
        self.may_answer = threading.Event()
        self.may_answer.set()

    def answers(self):
        assert self.may_answer.wait(60)
        return self.there

    def close(self):
        self.closed = True


@pytest.fixture
def probe(monkeypatch):
    probe = Probe()
    monkeypatch.setattr("detector.service.watching.DatabaseProbe", lambda address: probe)
    return probe


def test_it_is_ready_before_the_first_training_and_says_that_there_is_no_model(empty_client):
    while (told := empty_client.get("/ready")).json()["parts"]["model_store"] == "not asked yet":
        pass
    assert told.status_code == 200
    assert told.json() | {"timestamp": None} == {
        "status": "ready",
        "not_ready": [],
        "parts": {
            "startup": "done",
            "database": "answers",
            "model_store": "answers",
            "model": "none yet",
            "intake": "open",
        },
        "model_version": None,
        "champion_version": None,
        "timestamp": None,
    }


def test_it_names_the_version_that_is_loaded(client):
    told = client.get("/ready").json()
    assert (told["parts"]["model"], told["model_version"], told["champion_version"]) == ("loaded", 1, 1)


def test_it_tells_of_a_champion_that_it_cannot_read_and_goes_on_answering_with_the_one_before(
    open_workspace, monkeypatch
):
    ours, theirs = open_workspace(), open_workspace()
    train_rows(theirs, transactions(400), actor="test")

    def away(*_):
        raise ModelStoreError("The model store is away.")

    with TestClient(create_app(ours)) as client:
        monkeypatch.setattr(ours.models, "get", away)
        monkeypatch.setattr(ours.models, "put", away)
        monkeypatch.setattr("detector.service.store_watch.PAUSE", 0.01)
        monkeypatch.setattr(ours.models, "answers", lambda: False)
        train_rows(theirs, transactions(400, seed=1), actor="test")
        while (told := client.get("/ready").json())["parts"]["model"] == "loaded":
            pass
        while client.get("/ready").json()["parts"]["model_store"] != "does not answer":
            pass
        assert (told["status"], told["parts"]["model"]) == ("ready", "behind")
        assert (told["model_version"], told["champion_version"]) == (1, 2)
        assert client.post("/predict", json={"data": transactions(1)[0]}).json()["model_version"] == 1
        refused = client.post("/train", json={"transactions": transactions(400)})
        assert (refused.status_code, refused.json()["code"]) == (503, "model_store")
        assert len(ours.registry.list()) == 2
        monkeypatch.undo()
        while client.get("/ready").json()["parts"]["model"] == "behind":
            pass
        assert client.post("/predict", json={"data": transactions(1)[0]}).json()["model_version"] == 2


def test_while_the_database_is_away_it_is_alive_and_scores_and_is_not_ready(trained, probe):
    with TestClient(create_app(trained)) as client:
        probe.there = False
        while client.get("/ready").status_code == 200:
            pass
        assert client.get("/ready").json()["not_ready"] == ["database"]
        assert client.get("/health").status_code == 200
        assert client.post("/predict", json={"data": transactions(1)[0]}).status_code == 200
        probe.there = True
        while client.get("/ready").status_code == 503:
            pass
    assert probe.closed


def test_a_closing_process_is_not_ready(trained):
    app = create_app(trained)
    with TestClient(app) as client:
        app.state.readiness.close()
        told = client.get("/ready")
    assert (told.status_code, told.json()["not_ready"]) == (503, ["intake"])


def test_a_database_that_says_nothing_is_away_after_a_moment(trained, probe):
    now = [100.0]
    watch = DatabaseWatch(trained, clock=lambda: now[0])
    watch.look()
    assert watch.answers
    now[0] += LATELY
    assert not watch.answers
    watch.look()
    assert watch.answers


def test_requests_never_look_at_the_database_while_somebody_else_does(open_workspace, probe, monkeypatch):
    workspace = open_workspace()
    train_rows(workspace, transactions(400), actor="test")
    with TestClient(create_app(workspace)) as client:
        hanging = threading.Event()

        def hang():
            hanging.wait(60)
            raise AssertionError("nobody should wait for this")

        monkeypatch.setattr(workspace.database, "read", hang)
        monkeypatch.setattr(workspace, "look_up_champion", lambda: None)
        for _ in range(3):
            assert client.post("/predict", json={"data": transactions(1)[0]}).status_code == 200
            assert client.get("/health").json()["model_version"] == 1
        monkeypatch.undo()
        hanging.set()


def test_a_version_of_another_process_is_followed(open_workspace):
    ours, theirs = open_workspace(), open_workspace()
    with TestClient(create_app(ours)) as client:
        assert client.post("/predict", json={"data": transactions(1)[0]}).status_code == 503
        train_rows(theirs, transactions(400), actor="test")
        while (told := client.get("/ready").json())["model_version"] is None:
            assert told["status"] == "ready"
        assert client.post("/predict", json={"data": transactions(1)[0]}).status_code == 200


def test_the_use_of_a_key_is_noted_though_no_other_request_comes(trained, probe, monkeypatch):
    trained.keys.note_use(create_key(trained, "nightly", "service", actor="test").key.encode())
    watch = DatabaseWatch(trained)
    watch.look()
    watch.note_keys()
    assert list_keys(trained, actor="test")[0].last_used_at is None
    monkeypatch.setattr("detector.service.key_watch.NOTED_EVERY", 0.0)
    watch.note_keys()
    assert list_keys(trained, actor="test")[0].last_used_at is not None
