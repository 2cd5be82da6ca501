"""What the API does when the champion's file cannot be read, as one of an earlier program."""

from fastapi.testclient import TestClient

from detector.api import create_app
from detector.service.versions.training import train_rows
from tests.api.samples import transactions


def test_the_api_starts_and_says_in_words_why_it_has_no_model(open_workspace):
    first = open_workspace()
    train_rows(first, transactions(400), actor="test")
    files = [path for path in (first.settings.home / "models").rglob("*") if path.is_file()]
    assert files
    for file in files:
        file.chmod(0o600)
        file.write_bytes(b"not a model")
    with TestClient(create_app(open_workspace()), raise_server_exceptions=False) as client:
        told = client.get("/model/info")
        alive = client.get("/health")
        ready = client.get("/ready")
    assert told.status_code == 500
    assert told.json()["code"] == "bad_model_file"
    assert (alive.status_code, alive.json()["model_loaded"]) == (200, False)
    assert (ready.status_code, ready.json()["not_ready"]) == (503, ["model"])
