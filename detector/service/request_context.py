"""On whose behalf this thread or task works: the request and the job that its log lines and spans belong to."""

from __future__ import annotations

from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any

#: The id of the request that is being answered, and of the job that is being worked on; empty outside of any.
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
JOB_ID: ContextVar[str] = ContextVar("job_id", default="")


def add_context(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Name the request and the job in a log line, as a processor of structlog."""
    if request_id := REQUEST_ID.get():
        line.setdefault("request_id", request_id)
    if job_id := JOB_ID.get():
        line.setdefault("job", job_id)
    return line
