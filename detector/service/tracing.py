"""Traces by OpenTelemetry, when somebody collects them: off by default, and then free of cost.

On when ``OTEL_EXPORTER_OTLP_ENDPOINT`` (or ``..._TRACES_ENDPOINT``) is set and the packages ``opentelemetry-sdk`` and
``opentelemetry-exporter-otlp-proto-http`` are installed. Names and numbers go into spans; never a row, a column, a path
or the message of an error.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Any

import structlog

from detector.service.request_context import JOB_ID, REQUEST_ID
from detector.version import VERSION

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer, TracerProvider

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_OFF: AbstractContextManager[None] = nullcontext()

_tracer: Tracer | None = None
_log = structlog.get_logger(__name__)


def configure_traces() -> None:
    """Begin to collect traces, if the environment asks for it; called once by each program that serves."""
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        return
    try:
        sdk = import_module("opentelemetry.sdk.trace")
        export = import_module("opentelemetry.sdk.trace.export")
        otlp = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ImportError as error:
        _log.warning("traces are asked for, and a package that sends them is not installed", package=error.name)
        return
    os.environ.setdefault("OTEL_SERVICE_NAME", "dynamic-anomaly-detection")
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    use_traces(provider)


def use_traces(provider: TracerProvider | None) -> None:
    """Send spans to ``provider`` from now on; ``None`` switches them off."""
    global _tracer  # noqa: PLW0603 - one for the process, as OpenTelemetry has it
    _tracer = None if provider is None else provider.get_tracer("detector", VERSION)


def tracing() -> bool:
    """Return whether traces are collected."""
    return _tracer is not None


def span(name: str, **attributes: str | int | float | bool) -> AbstractContextManager[Any]:
    """Return a span around a piece of work; nothing at all while traces are off."""
    return _OFF if _tracer is None else _spanned(_tracer, name, attributes, None)


def request_span(method: str, headers: Mapping[str, str]) -> AbstractContextManager[Span]:
    """Return the span of a request, under the caller's own trace if its headers name one. Only while traces are on."""
    from opentelemetry.propagate import extract

    assert _tracer is not None
    return _spanned(_tracer, method, {"http.request.method": method}, extract(headers))


def end_request(current: Span, method: str, route: str, status: int) -> None:
    """Say in the span of a request what became of it."""
    from opentelemetry.trace import StatusCode

    current.update_name(f"{method} {route}")
    current.set_attribute("http.route", route)
    current.set_attribute("http.response.status_code", status)
    if status >= 500:
        current.set_status(StatusCode.ERROR)


@contextmanager
def _spanned(tracer: Tracer, name: str, attributes: Mapping[str, Any], parent: Any) -> Iterator[Span]:
    from opentelemetry.trace import StatusCode

    own = {key: value for key, value in (("request_id", REQUEST_ID.get()), ("job", JOB_ID.get())) if value}
    # The message of an error may hold a value of the user; its kind does not.
    with tracer.start_as_current_span(
        name, parent, attributes={**attributes, **own}, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except BaseException as error:
            current.set_status(StatusCode.ERROR)
            current.set_attribute("error.type", type(error).__name__)
            raise
