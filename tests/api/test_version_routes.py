import threading

import pytest
from fastapi.testclient import TestClient

from detector.api import create_app
from detector.api import documents as docs
from detector.api import version_documents as own
from detector.service import demo
from detector.service.versions import trying
from detector.service.versions.live_trial import LiveTrial
from detector.service.versions.training import train_rows
from detector.service.versions.updating import update_rows
from detector.service.workspace import Workspace
from detector.store.audit import entries
from tests.api.conftest import settings_in
from tests.api.samples import ODD, transactions
from tests.databases import databases

ROWS = [row | {"txn": f"t{number}"} for number, row in enumerate(transactions(60, seed=8))]


@pytest.fixture(scope="module")
def made_once(tmp_path_factory, database_kind):
    home = tmp_path_factory.mktemp("versions")
    ws = Workspace.open(settings_in(home))
    train_rows(ws, transactions(300), actor="test")
    update_rows(ws, transactions(100, seed=1), actor="test")
    ws.registry.register(_copy(ws), actor="test")
    ws.close()
    yield home
    databases.forget(home)


@pytest.fixture
def ws(made_once, tmp_path, open_workspace):
    """A workspace with three versions; the second is champion."""
    databases.copy(made_once, tmp_path)
    return open_workspace()


def _copy(ws):
    from detector.service.versions.versioning import new_version

    return new_version(ws.detector(1).updated(transactions(80, seed=4)), origin="updated", parent=1)


@pytest.fixture
def client(ws):
    with TestClient(create_app(ws)) as client:
        yield client


@pytest.fixture
def no_worker(monkeypatch):
    """Leave the queue of a trial to the test."""
    monkeypatch.setattr(LiveTrial, "_work", lambda self: None)


def taking_part(ws):
    ws.current_champion()
    for thread in threading.enumerate():
        if thread.name == "challenger":
            thread.join()
    return ws.trial.running


def put(client, path, **body):
    return client.put(path, json=body)


def test_versions_are_listed_newest_first_page_by_page(client):
    first = own.VersionsDocument.model_validate(client.get("/models?limit=2").json())
    assert [one.version for one in first.versions] == [3, 2]
    assert first.versions[1].aliases == ["champion"]
    rest = own.VersionsDocument.model_validate(client.get(f"/models?limit=2&before={first.next}").json())
    assert ([one.version for one in rest.versions], rest.next) == ([1], None)


def test_a_version_is_described(client):
    found = own.VersionDocument.model_validate(client.get("/models/2").json())
    assert (found.version, found.parent, found.origin, found.rows, found.waiting) == (2, 1, "updated", 400, False)
    assert "amount" in found.features


@pytest.mark.parametrize("number", ["9", "0", "x", "1.0", "99999999999999999999"])
def test_a_version_that_is_not_there_is_not_found(client, number):
    answer = client.get(f"/models/{number}")
    assert answer.status_code == 404
    assert "no version" in answer.json()["detail"]


def test_versions_of_the_demo_are_not_offered(client, ws):
    demo.play_week(ws, 1, actor="test")
    assert [one["version"] for one in client.get("/models").json()["versions"]] == [3, 2, 1]
    assert client.get("/models/4").status_code == 404
    assert client.get("/models/aliases/demo").status_code == 404
    answer = put(client, "/models/aliases/champion", version=4, expected_revision=2, reason="x")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "before=0", "page=2"])
def test_a_page_that_cannot_be_asked_for_is_refused(client, query):
    assert client.get(f"/models?{query}").status_code == 422


def test_an_alias_tells_its_revision_as_etag_too(client):
    answer = client.get("/models/aliases/champion")
    found = own.AliasDocument.model_validate(answer.json())
    assert (found.version, found.revision, found.moved_by) == (2, 2, "test")
    assert answer.headers["etag"] == '"2"'
    assert client.get("/models/aliases").json()["aliases"] == [answer.json()]
    assert client.get("/models/aliases/challenger").status_code == 404


def test_promoting_and_going_back_begin_from_what_was_seen(client, ws):
    answer = put(client, "/models/aliases/champion", version=3, expected_revision=2, reason="better")
    assert (answer.status_code, answer.json()["version"], answer.headers["etag"]) == (200, 3, '"3"')
    assert client.post("/predict", json={"data": ROWS[0]}).json()["model_version"] == 3
    answer = client.put("/models/aliases/champion", json={"version": 2, "reason": "worse"}, headers={"If-Match": '"3"'})
    assert (answer.status_code, answer.json()["revision"]) == (200, 4)
    with ws.database.read() as connection:
        entry = entries(connection, limit=1)[0]
    assert (entry.actor, entry.action, entry.details["reason"]) == ("api", "champion moved", "worse")


def test_who_comes_too_late_is_told_the_state_of_now(client):
    put(client, "/models/aliases/champion", version=3, expected_revision=2, reason="first")
    answer = put(client, "/models/aliases/champion", version=1, expected_revision=2, reason="second")
    assert answer.status_code == 409
    found = docs.ProblemDocument.model_validate(answer.json())
    assert (found.code, found.current.alias, found.current.version, found.current.revision) == (
        "conflict", "champion", 3, 3,
    )  # fmt: skip
    assert "Look again" in found.detail


@pytest.mark.parametrize(
    ("body", "headers", "status", "column"),
    [
        ({"version": 3, "reason": "x"}, {}, 428, "expected_revision"),
        ({"version": 3, "reason": "x"}, {"If-Match": "*"}, 422, "If-Match"),
        ({"version": 3, "reason": "x", "expected_revision": 1}, {"If-Match": '"2"'}, 422, "expected_revision"),
        ({"version": "3", "reason": "x", "expected_revision": 2}, {}, 422, "version"),
        ({"reason": "x", "expected_revision": 2}, {}, 422, "version"),
        ({"version": 3, "expected_revision": 2, "force": True}, {}, 422, "force"),
        ({"version": 3, "expected_revision": 2}, {}, 422, None),
        ({"version": 2, "expected_revision": 2, "reason": "x"}, {}, 422, None),
        ([1], {}, 422, None),
    ],
)
def test_a_move_that_does_not_say_enough_changes_nothing(client, body, headers, status, column):
    answer = client.put("/models/aliases/champion", json=body, headers=headers)
    assert answer.status_code == status
    assert docs.ProblemDocument.model_validate(answer.json()).errors[0].column == column
    assert client.get("/models/aliases/champion").json()["revision"] == 2


def test_a_challenger_is_named_and_let_go(client):
    assert put(client, "/models/aliases/challenger", version=3, expected_revision=0).status_code == 200
    revision = client.get("/models/aliases/challenger").headers["etag"]
    assert client.delete("/models/aliases/challenger").status_code == 428
    assert client.delete("/models/aliases/challenger", headers={"If-Match": '"7"'}).status_code == 409
    answer = client.delete("/models/aliases/challenger", headers={"If-Match": revision})
    assert answer.status_code == 200
    own.DroppedDocument.model_validate(answer.json())
    assert client.delete("/models/aliases/champion", headers={"If-Match": '"2"'}).status_code == 405


def test_a_trial_is_started_watched_and_stopped(client, ws, no_worker):
    assert client.get("/models/trial").status_code == 404
    answer = put(client, "/models/trial", version=3, mode="shadow", expected_revision=0)
    found = own.TrialDocument.model_validate(answer.json())
    assert (found.version, found.mode, found.rows, found.champion.share) == (3, "shadow", 0, None)
    assert taking_part(ws).challenger.version == 3
    for row in ROWS:
        assert client.post("/predict", json={"data": row}).json()["model_version"] == 2
    client.post("/predict/batch", json={"transactions": ROWS})
    ws.trial.score_waiting(threading.Event())
    ws.trial.write()
    answer = client.get("/models/trial")
    found = own.TrialDocument.model_validate(answer.json())
    assert (found.rows, found.answered) == (120, 0)
    assert found.both + found.only_champion + found.only_challenger + found.neither == 120
    assert found.champion.low <= found.champion.share <= found.champion.high
    assert sum(found.challenger.severities) == 120
    stopped = client.delete("/models/trial", headers={"If-Match": answer.headers["etag"]})
    assert stopped.status_code == 200
    assert client.delete("/models/trial", headers={"If-Match": answer.headers["etag"]}).status_code == 404


def test_each_answer_names_the_version_that_gave_it_and_a_transaction_keeps_its_side(client, ws, no_worker):
    put(client, "/models/trial", version=3, mode="share", share=0.4, field="txn", expected_revision=0)
    running = taking_part(ws)
    chosen = {place: 3 if running.answers(row) else 2 for place, row in enumerate(ROWS)}
    assert set(chosen.values()) == {2, 3}
    singles = [client.post("/predict", json={"data": row}).json() for row in ROWS]
    batch = client.post("/predict/batch", json={"transactions": ROWS}).json()
    docs.BatchDocument.model_validate(batch)
    for place, (one, other) in enumerate(zip(singles, batch["predictions"], strict=True)):
        docs.PredictionDocument.model_validate(one)
        assert one["model_version"] == other["model_version"] == chosen[place]
        alone = ws.detector(chosen[place]).score(ROWS[place])
        assert one["anomaly_score"] == alone.scores[0]
        assert one["severity"] == alone.severities[0]
        assert other["anomaly_score"] == one["anomaly_score"]
    assert (batch["model_version"], batch["total_transactions"]) == (2, 60)
    ws.trial.score_waiting(threading.Event())
    ws.trial.write()
    found = trying.trial_state(ws).counts
    assert (found.agreement.rows, found.answered) == (120, 2 * list(chosen.values()).count(3))


def test_where_the_challenger_cannot_answer_the_champion_does(client, ws, no_worker, monkeypatch):
    put(client, "/models/trial", version=3, mode="share", share=0.99, field="txn", expected_revision=0)
    running = taking_part(ws)

    def fail(*_arguments, **_options):
        raise RuntimeError("broken")

    monkeypatch.setattr(running.challenger.detector, "score", fail, raising=False)
    for row in ROWS[:5]:
        assert client.post("/predict", json={"data": row}).json()["model_version"] == 2
    batch = client.post("/predict/batch", json={"transactions": ROWS}).json()
    assert {one["model_version"] for one in batch["predictions"]} == {2}
    ws.trial.score_waiting(threading.Event())
    ws.trial.write()
    assert trying.trial_state(ws).counts.failed == 65


def test_a_batch_may_be_scored_by_another_version(client, ws):
    put(client, "/models/aliases/challenger", version=3, expected_revision=0)
    for asked, version in (("1", 1), ("challenger", 3), ("champion", 2)):
        answer = client.post(f"/predict/batch?version={asked}", json={"transactions": ROWS[:3]}).json()
        assert (answer["model_version"], answer["predictions"][0]["model_version"]) == (version, version)
        alone = ws.detector(version).score(ROWS[:3]).scores.tolist()
        assert [one["anomaly_score"] for one in answer["predictions"]] == alone
    for asked in ("9", "demo", "-1"):
        assert client.post(f"/predict/batch?version={asked}", json={"transactions": ROWS[:3]}).status_code == 404


def test_a_suspicious_update_is_not_promoted_and_says_what_to_do(client, ws):
    answer = client.post("/update", json={"transactions": [ODD] * 40})
    found = docs.UpdatedDocument.model_validate(answer.json())
    assert (found.promoted, found.model_version) == (False, 4)
    assert "flags 40 of the 40 rows" in found.reasons[0]
    assert "PUT /models/aliases/champion" in found.message
    assert client.post("/predict", json={"data": ROWS[0]}).json()["model_version"] == 2
    (waiting,) = client.get("/models/waiting").json()["versions"]
    assert (waiting["version"], waiting["waiting"], waiting["reasons"]) == (4, True, found.reasons)
    dismissed = own.VersionDocument.model_validate(client.delete("/models/waiting/4").json())
    assert dismissed.waiting is False
    assert client.delete("/models/waiting/4").status_code == 404


def test_before_training_there_is_nothing_to_move(empty_client):
    assert empty_client.get("/models").json() == {"versions": [], "next": None}
    assert empty_client.get("/models/aliases/champion").status_code == 404
    answer = empty_client.put("/models/trial", json={"version": 1, "mode": "shadow", "expected_revision": 0})
    assert answer.status_code == 503
