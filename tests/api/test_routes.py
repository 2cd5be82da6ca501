from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient

from detector.api import create_app
from detector.api import documents as docs
from detector.service.versions.training import train_rows
from tests.api.samples import ODD, transactions
from tests.databases import databases

ROW = transactions(1, seed=5)[0]


def test_the_root_names_the_service(client):
    answer = client.get("/").json()
    docs.RootDocument.model_validate(answer)
    assert answer["status"] == "running"


def test_health_tells_whether_there_is_a_model(client, empty_client):
    assert docs.HealthDocument.model_validate(client.get("/health").json()).model_loaded is True
    assert docs.HealthDocument.model_validate(empty_client.get("/health").json()).model_loaded is False


def test_model_info_describes_the_model_that_answers(client, trained):
    found = docs.ModelDocument.model_validate(client.get("/model/info").json())
    assert found.is_fitted is True
    assert set(found.features) >= set(ROW)
    assert found.num_features == len(found.features)
    assert (found.contamination, found.n_estimators, found.model_version) == (0.1, 100, trained.champion().version)
    assert found.feature_stats["amount"]["median"] == pytest.approx(20, rel=0.3)


def test_model_info_before_training_says_what_to_do(empty_client):
    answer = empty_client.get("/model/info").json()
    docs.ModelDocument.model_validate(answer)
    assert answer["is_fitted"] is False
    assert "POST /train" in answer["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/predict", {"data": ROW}),
        ("/predict/batch", {"transactions": [ROW]}),
        ("/update", {"transactions": [ROW]}),
    ],
)
def test_before_training_the_answer_says_what_to_do(empty_client, path, body):
    answer = empty_client.post(path, json=body)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert "POST /train" in docs.ProblemDocument.model_validate(answer.json()).detail


def test_predict_tells_a_normal_from_an_odd_transaction(client):
    normal = client.post("/predict", json={"data": ROW}).json()
    odd = client.post("/predict", json={"data": ODD}).json()
    for answer in (normal, odd):
        docs.PredictionDocument.model_validate(answer)
        assert "reasons" not in answer
        assert datetime.fromisoformat(answer["timestamp"]).tzinfo == UTC
    assert (normal["is_anomaly"], normal["prediction"]) == (False, 1)
    assert (odd["is_anomaly"], odd["prediction"]) == (True, -1)
    assert odd["anomaly_score"] > normal["anomaly_score"]
    assert odd["severity"] > odd["cutoff"] >= normal["severity"]


def test_predict_scores_as_the_detector_does(client, trained):
    champion = trained.champion()
    answer = client.post("/predict", json={"data": ROW}).json()
    result = champion.detector.score(ROW, cutoff=champion.cutoff)
    assert answer["anomaly_score"] == result.scores[0]
    assert answer["severity"] == result.severities[0]
    assert answer["model_version"] == champion.version


def test_predict_lists_new_and_missing_fields_and_goes_on(client):
    data = {name: ROW[name] for name in ("amount", "country", "visits")} | {
        "device": "d-1",
        "risk": 0.3,
        "balance": None,
    }
    answer = client.post("/predict", json={"data": data}).json()
    assert answer["new_features"] == ["device", "risk"]
    assert sorted(answer["missing_features"]) == ["balance", "card_present"]


def test_a_new_field_is_registered_and_its_statistics_begin(client):
    for _ in range(3):
        client.post("/predict", json={"data": ROW | {"channel_no": 4}})
    info = client.get("/model/info").json()
    assert "channel_no" in info["features"]
    assert "channel_no" not in info["learned_features"]
    assert info["feature_stats"]["channel_no"]["rows"] == 3


def test_predict_gives_reasons_when_asked(client):
    answer = client.post("/predict?explain=true", json={"data": ODD}).json()
    reasons = docs.PredictionDocument.model_validate(answer).reasons
    assert reasons
    assert "amount" in {reason.feature for reason in reasons}


def test_a_batch_is_answered_row_by_row_in_order(client):
    rows = [*transactions(30, seed=6), ODD]
    answer = client.post("/predict/batch", json={"transactions": rows}).json()
    found = docs.BatchDocument.model_validate(answer)
    assert found.total_transactions == 31
    assert found.predictions[-1].is_anomaly
    assert found.anomalies_detected == sum(row.is_anomaly for row in found.predictions)


def test_a_batch_and_single_requests_give_the_same_verdicts(client):
    rows = transactions(5, seed=7)
    batch = client.post("/predict/batch", json={"transactions": rows}).json()["predictions"]
    singles = [client.post("/predict", json={"data": row}).json() for row in rows]
    for one, other in zip(batch, singles, strict=True):
        assert {**one, "timestamp": ""} == {**other, "timestamp": ""}


def test_a_ragged_batch_says_what_each_row_lacks(client):
    rows = [ROW, {"amount": 3.0, "extra": 1}, ROW]
    found = client.post("/predict/batch", json={"transactions": rows}).json()["predictions"]
    assert [row["new_features"] for row in found] == [[], ["extra"], []]
    assert found[0]["missing_features"] == []
    assert sorted(found[1]["missing_features"]) == ["balance", "card_present", "country", "visits"]


@pytest.mark.parametrize("body", [[], {"transactions": []}])
def test_an_empty_batch_gets_an_empty_answer(client, body):
    answer = client.post("/predict/batch", json=body)
    assert answer.status_code == 200
    found = docs.BatchDocument.model_validate(answer.json())
    assert (found.predictions, found.total_transactions, found.anomalies_detected) == ([], 0, 0)


def test_a_batch_is_explained_when_asked(client):
    found = client.post("/predict/batch?explain=1", json={"transactions": [ROW, ODD]}).json()["predictions"]
    assert found[1]["reasons"]


def test_a_field_that_changed_its_type_in_a_whole_batch_is_reported(client):
    rows = [row | {"visits": "many"} for row in transactions(30)]
    answer = client.post("/predict/batch", json={"transactions": rows})
    assert answer.status_code == 200
    assert answer.json()["retyped_features"] == ["visits"]


def test_a_field_under_another_name_and_one_in_another_unit_are_reported_and_used(client):
    rows = transactions(60)
    before = client.post("/predict/batch", json={"transactions": rows}).json()
    changed = [
        {"Balance" if name == "balance" else name: value for name, value in row.items()}
        | ({"amount": row["amount"] * 100.0} if row.get("amount") is not None else {})
        for row in rows
    ]
    answer = client.post("/predict/batch", json={"transactions": changed})
    found = docs.BatchDocument.model_validate(answer.json())
    assert found.renamed_features == {"balance": "Balance"}
    assert found.rescaled_features == {"amount": 100.0}
    assert answer.json()["predictions"][0]["missing_features"] == []
    scores = [verdict["anomaly_score"] for verdict in before["predictions"]]
    assert [verdict.anomaly_score for verdict in found.predictions] == pytest.approx(scores)
    assert client.post("/update", json={"transactions": changed}).status_code == 200
    single = client.post("/predict", json={"data": changed[0]})
    verdict = docs.PredictionDocument.model_validate(single.json())
    assert verdict.renamed_features == {"balance": "Balance"}
    assert verdict.rescaled_features == {"amount": 100.0}
    assert (verdict.missing_features, verdict.new_features) == ([], [])


def test_train_takes_its_parameters_from_query_and_body(empty_client):
    body = {
        "transactions": transactions(80),
        "n_estimators": 20,
        "scaler_type": "standard",
        "roles": {"visits": "ignored"},
    }
    answer = empty_client.post("/train?contamination=0.05&random_state=3&max_samples=64", json=body).json()
    found = docs.TrainedDocument.model_validate(answer)
    assert (found.num_samples, found.num_features, found.model_version) == (80, 4, 1)
    assert "visits" not in found.features
    assert found.parameters == {
        "contamination": 0.05, "n_estimators": 20, "max_samples": 64, "scaler_type": "standard", "random_state": 3
    }  # fmt: skip
    info = empty_client.get("/model/info").json()
    assert (info["contamination"], info["n_estimators"], info["model_version"]) == (0.05, 20, 1)


def test_update_learns_and_answers_with_the_next_version(empty_client):
    empty_client.post("/train", json={"transactions": transactions(80)})
    rows = [row | {"risk": index / 90} for index, row in enumerate(transactions(90, seed=2))]
    found = docs.UpdatedDocument.model_validate(empty_client.post("/update", json={"transactions": rows}).json())
    assert (found.num_new_samples, found.model_version) == (90, 2)
    assert "risk" in found.features
    assert empty_client.post("/predict", json={"data": rows[0]}).json()["model_version"] == 2


def test_a_model_trained_elsewhere_answers_here(empty_client, open_workspace):
    assert empty_client.post("/predict", json={"data": ROW}).status_code == 503
    other = open_workspace()
    train_rows(other, transactions(80), actor="dashboard")
    answers = (empty_client.post("/predict", json={"data": ROW}) for _ in range(100_000))
    assert next(answer for answer in answers if answer.status_code == 200).json()["model_version"] == 1


def test_the_latest_requests_are_listed_without_their_content(client):
    client.post("/predict", json={"data": ROW}, headers={"X-Request-ID": "mine-1"})
    client.get("/nowhere/secret")
    answer = client.get("/requests/recent").json()
    found = docs.RecentDocument.model_validate(answer).requests
    assert (found[0].route, found[0].status) == ("unknown", 404)
    assert (found[1].method, found[1].route, found[1].status, found[1].request_id) == (
        "POST",
        "/predict",
        200,
        "mine-1",
    )
    assert "secret" not in str(answer)


def test_the_environment_names_the_workspace_and_it_is_closed_at_the_end(tmp_path, monkeypatch, open_workspace):
    train_rows(open_workspace(), transactions(80), actor="test")
    monkeypatch.setenv("DETECTOR_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", databases.address(tmp_path))
    with TestClient(create_app()) as client:
        assert client.post("/predict", json={"data": ROW}).status_code == 200


def test_values_that_do_not_add_up_are_no_explanation(client, monkeypatch):
    def miss(*_arguments):
        raise ArithmeticError("the explanation misses the output by 1")

    monkeypatch.setattr("detector.core.model.DynamicAnomalyDetector.explain", miss)
    answer = client.post("/predict?explain=true", json={"data": ODD})
    assert answer.status_code == 200
    assert answer.json()["reasons"] is None
