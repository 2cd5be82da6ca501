from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator

import pytest
import structlog

from detector.service import logs, request_context, scoring
from detector.service.versions.training import TrainResult
from detector.service.workspace import Workspace
from tests.service.conftest import transactions


@pytest.fixture(autouse=True)
def json_logs() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_logs_are_json_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure_logs("INFO")
    log = structlog.get_logger()
    log.debug("quiet")
    log.info("loud", rows=3)
    caught = capsys.readouterr()
    assert caught.out == ""
    (line,) = lines(caught.err)
    assert (line["event"], line["rows"], line["level"]) == ("loud", 3, "info")


def test_a_missing_feature_is_logged_once_with_what_stands_in_for_it(
    ws: Workspace, trained: TrainResult, caught: Callable[[], list[dict[str, object]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(logs, "monotonic", lambda: now[0])
    frame = transactions(10).drop(columns="country")
    for _ in range(3):
        scoring.score_rows(ws, frame)
    (line,) = caught()
    assert line["event"] == "features missing"
    assert line["version"] == 1
    assert line["defaults"] in ({"country": "DE"}, {"country": "FR"}, {"country": "IT"})
    now[0] += logs.QUIET
    scoring.score_rows(ws, frame)
    assert len(caught()) == 2


def test_rows_that_carry_everything_are_not_logged(
    ws: Workspace, trained: TrainResult, caught: Callable[[], list[dict[str, object]]]
) -> None:
    scoring.score_rows(ws, transactions(10))
    assert caught() == []


@pytest.fixture
def caught(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, object]]]]:
    # A program that ran in this process before may have set the module's own logger up for good.
    monkeypatch.setattr(logs, "_log", structlog.get_logger())
    with structlog.testing.capture_logs() as entries:
        yield lambda: [dict(entry) for entry in entries if entry["log_level"] == "warning"]


def test_the_lines_of_a_job_carry_its_id(ws: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    from detector.service import jobs

    logs.configure_logs("INFO")
    job = jobs.submit(ws, "score", {"upload_id": "none"}, actor="ada")
    jobs.wait_for_job(ws, job.id, 30)
    (line,) = [line for line in lines(capsys.readouterr().err) if line["event"] == "job failed"]
    assert line["job"] == job.id


def test_lines_of_libraries_are_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logs.json_formatter())
    log = logging.getLogger("some.package")
    log.addHandler(handler)
    token = request_context.REQUEST_ID.set("r-1")
    try:
        log.warning("red\n%s", "\x1b[31m\u202e")
        try:
            raise ValueError("inside")
        except ValueError:
            secret = "4111111111111111"
            log.exception("failed")
            assert secret
    finally:
        request_context.REQUEST_ID.reset(token)
        log.removeHandler(handler)
    written = capsys.readouterr().err
    first, second = (json.loads(line) for line in written.splitlines())
    assert (first["event"], first["logger"], first["level"]) == ("red\n\x1b[31m\u202e", "some.package", "warning")
    assert first["request_id"] == "r-1"
    assert second["exception"][0]["exc_type"] == "ValueError"
    assert "4111111111111111" not in written
    assert "\u202e" not in written


def test_the_server_is_told_to_log_as_json() -> None:
    told = logs.server_logs()
    assert told["formatters"]["json"]["()"] == f"{logs.__name__}.{logs.json_formatter.__name__}"
    assert {"uvicorn", "uvicorn.error", "uvicorn.access"} <= set(told["loggers"])
    assert told["disable_existing_loggers"] is False
