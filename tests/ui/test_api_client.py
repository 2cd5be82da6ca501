import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from detector.ui.api_client import Endpoint, as_curl, as_python, endpoints, example_body, send

ROW = {"amount": 12.5, "merchant": "O'Neill & Sons", "card_present": True, "note": None}


class Echo(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(422 if self.path == "/bad" else 200)
        self.end_headers()
        self.wfile.write(json.dumps({"path": self.path, "got": json.loads(body)}).encode())

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"not json")

    def log_message(self, *args):
        pass


@pytest.fixture
def root():
    server = HTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_request_comes_back_with_status_time_and_body(root):
    answer = send(root, "POST", "/predict?explain=true", json.dumps(ROW))
    assert answer.ok
    assert answer.seconds > 0
    assert answer.json() == {"path": "/predict?explain=true", "got": ROW}


def test_a_refused_request_is_an_answer_that_is_not_ok(root):
    answer = send(root, "POST", "/bad", "{}")
    assert answer.answered
    assert not answer.ok
    assert answer.status == 422


def test_a_body_that_is_not_json_has_no_values(root):
    assert send(root, "GET", "/").json() is None


def test_a_server_that_is_not_there_is_told_and_not_raised():
    answer = send("http://127.0.0.1:9", "GET", "/", timeout=1.0)
    assert not answer.answered
    assert answer.text


DOCUMENT = {
    "paths": {
        "/health": {"get": {"summary": "Is it alive?"}, "parameters": []},
        "/predict": {
            "post": {
                "summary": "Score one.",
                "requestBody": {},
                "parameters": [{"name": "explain", "in": "query"}, {"name": "X", "in": "header"}],
            }
        },
        "/train": {"post": {"summary": "Train", "description": "Train a model.", "requestBody": {}}},
    }
}


def test_every_documented_endpoint_gets_a_card():
    found = {endpoint.name: endpoint for endpoint in endpoints(DOCUMENT, ROW)}
    assert list(found) == ["GET /health", "POST /predict", "POST /train"]
    assert found["GET /health"].example is None
    assert found["POST /predict"].example == {"data": ROW}
    assert found["POST /predict"].query == ("explain",)
    assert found["POST /train"].summary == "Train a model."


def test_only_training_and_updating_change_the_model():
    found = {endpoint.path: endpoint.changes_the_model for endpoint in endpoints(DOCUMENT, ROW)}
    assert found == {"/health": False, "/predict": False, "/train": True}


def test_a_move_of_an_alias_gets_a_path_and_a_body_to_begin_with():
    alias = {"name": "alias", "in": "path", "schema": {"enum": ["champion", "challenger"]}}
    schema = {
        "properties": {"version": {"examples": [2]}, "mode": {"enum": ["shadow"]}, "expected_revision": {}, "note": {}},
        "required": ["version", "mode"],
    }
    body = {"content": {"application/json": {"schema": schema}}}
    document = {
        "paths": {
            "/models/aliases/{alias}": {
                "put": {"parameters": [alias], "requestBody": body},
                "delete": {"parameters": [alias, {"name": "If-Match", "in": "header"}]},
            }
        }
    }
    (found,) = endpoints(document, ROW)
    assert (found.name, found.example_path) == ("PUT /models/aliases/{alias}", "/models/aliases/champion")
    assert found.example == {"version": 2, "mode": "shadow", "expected_revision": 0}
    assert "which version answers" in found.warning


def test_a_training_example_holds_rows_that_differ():
    rows = example_body("/train", ROW)["transactions"]
    assert len({row["amount"] for row in rows}) == len(rows) == 20
    assert len(example_body("/update", ROW)["transactions"]) == 2


def test_curl_quotes_what_a_shell_would_take_apart():
    endpoint = Endpoint("POST", "/predict", "", {})
    command = as_curl("http://x:1", endpoint, "/predict?explain=true", json.dumps(ROW))
    assert command.startswith("curl -sS -X POST 'http://x:1/predict?explain=true'")
    echoed = subprocess.run(
        ["sh", "-c", command.replace("curl", "printf '%s\\n'")], capture_output=True, text=True, check=True
    )
    assert json.loads(echoed.stdout.splitlines()[-1]) == ROW


def test_a_get_needs_neither_method_nor_body_in_curl():
    assert as_curl("http://x:1", Endpoint("GET", "/", "", None), "/", None) == "curl -sS http://x:1/"


def test_the_python_script_is_python_that_holds_the_same_body():
    script = as_python("http://x:1", Endpoint("POST", "/predict", "", {}), "/predict", json.dumps(ROW))
    assert 'requests.post("http://x:1/predict", json=body, timeout=30)' in script
    shown = subprocess.run(
        [sys.executable, "-c", script.split("answer =")[0].replace("import requests", "") + "print(repr(body))"],
        capture_output=True,
        check=True,
        text=True,
    )
    assert shown.stdout.strip() == repr(ROW)


def test_a_body_that_cannot_be_read_still_makes_a_script():
    assert "'{oops'" in as_python("http://x:1", Endpoint("POST", "/predict", "", {}), "/predict", "{oops")
