import re

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from detector.api.docs import add_docs


@pytest.fixture
def client():
    app = FastAPI(docs_url=None, redoc_url=None)
    add_docs(app)
    return TestClient(app)


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_a_page_refers_to_no_other_host(client, page):
    answer = client.get(page)
    assert answer.status_code == 200
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", answer.text)
    assert "http" not in answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_every_file_that_a_page_asks_for_is_served(client, page):
    wanted = re.findall(r'(?:src|href)="(docs-assets/[^"]+)"', client.get(page).text)
    assert wanted
    for path in wanted:
        assert client.get(f"/{path}").status_code == 200


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_a_page_runs_under_its_own_policy(client, page):
    answer = client.get(page)
    assert "'unsafe-eval'" not in answer.headers["Content-Security-Policy"]
    assert answer.text.count("<script>") == 1
    assert "sha256-" in answer.headers["Content-Security-Policy"]


def test_the_redoc_script_asks_its_maker_for_nothing(client):
    script = client.get("/docs-assets/redoc.standalone.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "cdn.redoc.ly" not in script.text
