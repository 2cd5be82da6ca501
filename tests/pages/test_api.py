import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from tests.pages.saying import labels, press, said

DOCUMENT = {
    "paths": {
        "/predict": {"post": {"description": "Score one.", "requestBody": {}, "parameters": []}},
        "/train": {"post": {"description": "Train.", "requestBody": {}}},
        "/health": {"get": {"description": "Alive?"}},
    }
}


class Api(BaseHTTPRequestHandler):
    sent: ClassVar[list[str]] = []

    def do_GET(self):
        self.answer(
            {
                "/health": {"model_version": 1},
                "/openapi.json": DOCUMENT,
                "/requests/recent": {
                    "requests": [
                        {
                            "at": "2026-03-01T10:00:00+00:00",
                            "method": "POST",
                            "route": "/predict",
                            "status": 200,
                            "milliseconds": 1.25,
                            "request_id": "r-1",
                        }
                    ]
                },
            }[self.path]
        )

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.sent.append(self.path)
        self.answer({"anomaly_score": Api.score(body["data"]) if self.path == "/predict" else None})

    def answer(self, value):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(value).encode())

    def log_message(self, *args):
        pass


@pytest.fixture
def api(app, monkeypatch):
    server = HTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("DETECTOR_API_ADDRESS", f"http://127.0.0.1:{server.server_port}")
    Api.sent = []
    yield Api
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page(api, trained, app):
    from detector.service.scoring import score_rows

    api.score = staticmethod(lambda row: float(score_rows(trained, row)[1].scores[0]))
    return app.switch_page("pages/system/api.py").run()


def test_an_api_that_does_not_answer_is_told_with_what_to_do(app):
    at = app.switch_page("pages/system/api.py").run()
    text = said(at)
    assert "Not answering" in text
    assert "python -m detector serve" in text
    assert labels(at) == ["Try again"]
    assert "Technical detail" in text


def test_a_live_api_shows_its_version_and_its_endpoints(page):
    assert "Live" in said(page)
    assert "version 1" in said(page)
    assert page.radio(key="api_endpoint").options == ["POST /predict", "POST /train", "GET /health"]


def test_an_example_is_made_from_the_schema_and_can_be_sent(page, api):
    body = json.loads(page.text_area(key="api_POST_/predict_body").value)
    assert {"amount", "merchant", "country"} <= set(body["data"])
    press(page, "Send")
    assert api.sent == ["/predict"]
    assert "Status 200 in" in said(page)
    assert any("anomaly_score" in code.value for code in page.code)


def test_the_request_is_offered_as_curl_and_as_python(page):
    shown = [code.value for code in page.code]
    assert any(code.startswith("curl -sS -X POST") for code in shown)
    assert any("requests.post" in code for code in shown)


def test_the_same_row_scores_the_same_both_ways(page):
    press(page, "Score it both ways")
    assert "Difference: none" in said(page)


def test_a_row_that_is_not_json_is_told(page):
    page.text_area(key="api_compare_row").set_value("{oops")
    press(page, "Score it both ways")
    assert "not a JSON object" in said(page)


def test_training_through_the_page_has_to_be_meant(page, api):
    page.radio(key="api_endpoint").set_value("POST /train").run()
    press(page, "Send")
    assert "Not sent" in said(page)
    assert api.sent == []
    page.checkbox[0].check()
    press(page, "Send")
    assert api.sent == ["/train"]


def test_recent_requests_are_listed(page):
    assert page.dataframe[0].value.loc[0, "Request"] == "POST /predict"
