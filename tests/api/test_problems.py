import json

import pytest
from fastapi.testclient import TestClient

from detector.api import create_app
from detector.api.documents import ProblemDocument
from detector.errors import Cancelled, ConflictError, InputError, ModelFileError, NotFoundError
from detector.service import scoring
from tests.api.samples import transactions

ROW = transactions(1)[0]
JSON = {"Content-Type": "application/json"}
ROUTES = ["/predict", "/predict/batch", "/train", "/update"]


def problem(answer, status, code):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    json.loads(answer.text, parse_constant=pytest.fail)
    document = ProblemDocument.model_validate(answer.json())
    assert (document.status, document.code) == (status, code)
    assert document.errors
    assert document.total >= len(document.errors)
    return document


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b'{"data": {"a"', 400),
        (b'{"transactions": [{"a": 1}, {"a"', 400),
        (b'{"data": {"a": "\xff"}}', 400),
        ('{"data": {"a": 1}}'.encode("utf-16"), 400),
        (b"5", 422),
        (b"null", 422),
        (b'"text"', 422),
        (b"[" * 20_000 + b"]" * 20_000, 422),
        (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, 422),
        (b'{"other": 1}', 422),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_on_every_route(client, path, body, status):
    answer = client.post(path, content=body, headers=JSON)
    problem(answer, status, answer.json()["code"])


@pytest.mark.parametrize("path", ["/predict/batch", "/train", "/update"])
@pytest.mark.parametrize("value", ["NaN", "-Infinity", "1e999", "3" * 5000, r'"\ud800"', "{}", "[1]", '1, "a": 2'])
def test_a_value_that_cannot_be_taken_is_named_by_row_and_field(client, path, value):
    body = f'{{"transactions": [{json.dumps(ROW)}, {{"a": {value}}}]}}'.encode()
    (error,) = problem(client.post(path, content=body, headers=JSON), 422, "bad_input").errors
    assert (error.row, error.column) == (2, "a")
    assert len(error.excerpt or "") <= 64


@pytest.mark.parametrize("value", ["much", "12.5", True])
def test_a_number_field_that_holds_something_else_is_named(client, value):
    (error,) = problem(client.post("/predict", json={"data": ROW | {"amount": value}}), 422, "bad_input").errors
    assert (error.row, error.column, error.code) == (1, "amount", "not_a_number")
    rows = [ROW, ROW, ROW | {"amount": value}]
    (error,) = problem(client.post("/predict/batch", json={"transactions": rows}), 422, "bad_input").errors
    assert (error.row, error.column, error.code) == (3, "amount", "not_a_number")


def test_a_number_beyond_what_the_model_computes_with_is_named(client):
    (error,) = problem(client.post("/predict", json={"data": ROW | {"amount": 1e300}}), 422, "bad_input").errors
    assert (error.row, error.column, error.excerpt) == (1, "amount", "1e+300")


@pytest.mark.parametrize(
    ("value", "code"), [("much", "not_a_number"), (False, "not_a_number"), (1e300, "unreadable_value")]
)
def test_an_update_with_a_value_that_its_field_cannot_hold_changes_nothing(client, trained, value, code):
    before = trained.champion().version
    rows = [ROW, ROW, ROW | {"amount": value}]
    (error,) = problem(client.post("/update", json={"transactions": rows}), 422, "bad_input").errors
    assert (error.row, error.column, error.code) == (3, "amount", code)
    assert trained.champion().version == before


def test_a_transaction_without_any_known_field_is_refused(client):
    for data in ({}, {"unheard": 1}, {"amount": None}):
        problem(client.post("/predict", json={"data": data}), 422, "no_known_columns")
    body = {"transactions": [ROW, {"unheard": 1}, ROW, {}]}
    found = problem(client.post("/predict/batch", json=body), 422, "no_known_columns")
    assert [error.row for error in found.errors] == [2, 4]


@pytest.mark.parametrize("path", ["/train", "/update"])
@pytest.mark.parametrize("body", [[], {"transactions": []}])
def test_there_is_nothing_to_learn_from_no_rows(client, path, body):
    (error,) = problem(client.post(path, json=body), 422, "bad_input").errors
    assert error.code == "no_rows"


def test_a_single_row_is_not_enough_to_train_on(client):
    answer = client.post("/train", json={"transactions": [ROW]})
    problem(answer, 422, answer.json()["code"])


@pytest.mark.parametrize(
    ("query", "column"),
    [
        ("contamination=0.7", "contamination"),
        ("n_estimators=0", "n_estimators"),
        ("max_samples=0", "max_samples"),
        ("scaler_type=odd", "scaler_type"),
        ("random_state=-1", "random_state"),
        ("contaminaton=0.1", "contaminaton"),
    ],
)
def test_a_bad_training_parameter_is_named(client, query, column):
    document = problem(client.post(f"/train?{query}", json={"transactions": transactions(20)}), 422, "bad_input")
    assert column in document.detail


@pytest.mark.parametrize("path", ["/predict?explain=perhaps", "/predict?explian=1", "/update?explain=1"])
def test_a_bad_query_is_refused(client, path):
    problem(client.post(path, json={"data": ROW}), 422, "bad_input")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", ""]
)
def test_a_body_that_is_not_declared_as_json_in_utf8_is_refused(client, kind):
    answer = client.post("/predict", content=json.dumps({"data": ROW}), headers={"Content-Type": kind})
    assert problem(answer, 415, answer.json()["code"])


@pytest.mark.parametrize("kind", ["application/json; charset=UTF-8", "application/vnd.api+json", "Application/JSON"])
def test_other_spellings_of_json_are_taken(client, kind):
    answer = client.post("/predict", content=json.dumps({"data": ROW}), headers={"Content-Type": kind})
    assert answer.status_code == 200


def test_one_row_over_the_limit_is_refused(client):
    assert client.post("/predict/batch", json={"transactions": [ROW] * 200}).status_code == 200
    (error,) = problem(client.post("/predict/batch", json={"transactions": [ROW] * 201}), 413, "too_many_rows").errors
    assert error.row == 201


def test_more_rows_than_can_be_explained_are_refused(client):
    body = {"transactions": [ROW] * 101}
    assert "At most 100" in problem(client.post("/predict/batch?explain=1", json=body), 422, "bad_input").detail


def test_a_body_over_the_limit_is_refused_whether_its_length_is_told_or_not(open_workspace):
    with TestClient(create_app(open_workspace(max_request_bytes=1000))) as client:
        long = json.dumps({"data": {"a": "x" * 1000}}).encode()
        problem(client.post("/predict", content=long, headers=JSON), 413, "body_too_large")
        chunks = (long[start : start + 100] for start in range(0, len(long), 100))
        problem(client.post("/predict", content=chunks, headers=JSON), 413, "body_too_large")


def test_unknown_paths_and_methods_are_problems_too(client):
    problem(client.get("/nowhere"), 404, "not_found")
    answer = client.get("/predict")
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFoundError("There is no version 9."), 404),
        (ConflictError("Somebody was first."), 409),
        (Cancelled("Stopped."), 409),
        (InputError("Bad."), 422),
        (ModelFileError("Damaged."), 500),
    ],
)
def test_each_error_of_the_package_has_its_status(client, monkeypatch, error, status):
    def fail(*_arguments, **_options):
        raise error

    monkeypatch.setattr("detector.api.routes.score_rows", fail)
    answer = client.post("/predict", json={"data": ROW})
    assert problem(answer, status, error.code).detail == error.message


def test_a_fault_of_ours_names_the_request_and_tells_nothing_else(trained, monkeypatch):
    def fail(*_arguments, **_options):
        raise RuntimeError("secret inside")

    monkeypatch.setattr("detector.api.routes.score_rows", fail)
    with TestClient(create_app(trained), raise_server_exceptions=False) as client:
        answer = client.post("/predict", json={"data": ROW}, headers={"X-Request-ID": "mine-2"})
    assert "mine-2" in problem(answer, 500, "internal_error").detail
    assert "secret" not in answer.text
    assert scoring.score_rows is not fail
