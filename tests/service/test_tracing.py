from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from detector.api import create_app
from detector.service import jobs, tracing
from detector.service.versions import updating
from detector.service.versions.training import TrainResult
from detector.service.workspace import Workspace
from tests.service.conftest import transactions

ROW = transactions(1).to_dict("records")[0]


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use_traces(provider)
    yield exporter
    tracing.use_traces(None)


def named(spans: InMemorySpanExporter, name: str) -> ReadableSpan:
    (found,) = [span for span in spans.get_finished_spans() if span.name == name]
    return found


def test_a_request_and_its_score_are_one_trace_under_the_callers(
    ws: Workspace, trained: TrainResult, spans: InMemorySpanExporter
) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    with TestClient(create_app(ws)) as client:
        headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01", "X-Request-ID": "mine"}
        assert client.post("/predict", json={"data": ROW}, headers=headers).status_code == 200
    request, score = named(spans, "POST /predict"), named(spans, "score")
    assert request.context is not None
    assert score.parent is not None
    assert f"{request.context.trace_id:032x}" == trace
    assert score.parent.span_id == request.context.span_id
    assert dict(request.attributes or {}) == {
        "http.request.method": "POST",
        "request_id": "mine",
        "http.route": "/predict",
        "http.response.status_code": 200,
    }
    assert dict(score.attributes or {}) == {"version": 1, "request_id": "mine"}


def test_an_update_and_a_job_have_spans(ws: Workspace, trained: TrainResult, spans: InMemorySpanExporter) -> None:
    updating.update_rows(ws, transactions(50, 3), actor="ada")
    assert dict(named(spans, "update").attributes or {}) == {"version": 1}
    job = jobs.submit(ws, "score", {"upload_id": "none"}, actor="ada")
    jobs.wait_for_job(ws, job.id, 30)
    span = named(spans, "job")
    assert dict(span.attributes or {}) == {"kind": "score", "job": job.id, "error.type": "NotFoundError"}
    assert not span.status.is_ok


def test_no_message_of_an_error_gets_into_a_span(spans: InMemorySpanExporter) -> None:
    def fail() -> None:
        with tracing.span("work"):
            raise ValueError("4111 1111 1111 1111")

    with pytest.raises(ValueError, match="4111"):
        fail()
    assert "4111" not in named(spans, "work").to_json()


def test_off_they_make_nothing(ws: Workspace) -> None:
    assert not tracing.tracing()
    assert tracing.span("score", version=1) is tracing.span("update")


def test_without_an_address_in_the_environment_they_stay_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in tracing._ENDPOINTS:
        monkeypatch.delenv(name, raising=False)
    tracing.configure_traces()
    assert not tracing.tracing()


def test_an_address_without_the_package_that_sends_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from detector.service.logs import configure_logs

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(tracing, "import_module", lambda name: (_ for _ in ()).throw(ImportError(name=name)))
    configure_logs()
    tracing.configure_traces()
    assert not tracing.tracing()
    assert "traces are asked for" in capsys.readouterr().err
