"""What goes through: request ids, one JSON line for each request, and the latest requests for the dashboard.

Nothing of a request's content is kept: method, route as it is documented (never the path as sent), status and time.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import secrets
import sys
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from time import perf_counter, time
from typing import Any, NamedTuple

import orjson
import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from detector.api.counting import RequestCounts
from detector.api.problems import REQUEST_ID
from detector.service import request_context
from detector.service.redaction import redacted_text
from detector.service.tracing import end_request, request_span, tracing

#: How many requests are remembered.
REMEMBERED = 200
#: Seconds for which lines are collected before they are written in one go.
COLLECT = 0.1

#: An answer may hold rows of the workspace: no cache keeps it, and no browser guesses what else it could be.
_FOR_NOBODY_ELSE = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
_CALLER_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class Answered(NamedTuple):
    """A request that was answered: when it came (seconds since 1970, UTC), what it was, and how long it took."""

    at: float
    method: str
    route: str
    status: int
    milliseconds: float
    request_id: str

    def to_dict(self) -> dict[str, Any]:
        """Return the request as plain values, the time as ISO 8601."""
        return self._asdict() | {"at": datetime.fromtimestamp(self.at, UTC).isoformat()}


class Traffic:
    """The latest requests of this process, and the lines that are still to be written."""

    def __init__(self, *, logged: bool = True) -> None:
        self.total = 0
        self.counts = RequestCounts()
        self._logged = logged
        self._latest: deque[Answered] = deque(maxlen=REMEMBERED)
        self._lines: list[Answered] = []

    def note(self, answered: Answered) -> None:
        """Remember a request; its line is written within a tenth of a second. Call it on the event loop."""
        self.total += 1
        self._latest.append(answered)
        if self._logged:
            if not self._lines:
                asyncio.get_running_loop().call_later(COLLECT, self.write)
            self._lines.append(answered)

    def write(self) -> None:
        """Write the lines collected until now, in the form of this package's other logs."""
        lines, self._lines = self._lines, []
        if lines:
            text = b"\n".join([_rendered(answered) for answered in lines])
            structlog.BytesLogger(sys.stderr.buffer).msg(text)

    def latest(self) -> Iterator[dict[str, Any]]:
        """Yield the latest requests, newest first."""
        for answered in reversed(tuple(self._latest)):
            yield answered.to_dict()


class TrafficMiddleware:
    """Gives each request an id (the caller's ``X-Request-ID`` when it is one), returns it, and notes the request."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self.app = app
        self._traffic = traffic
        self._prefix = secrets.token_hex(6)
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note it when it is answered."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, at = perf_counter(), time()
        request_id = self._request_id(scope)
        scope[REQUEST_ID] = request_id
        # Each request is a task of its own, so what is set here ends with it.
        request_context.REQUEST_ID.set(request_id)
        header = (b"x-request-id", request_id.encode())
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] += (header, *_FOR_NOBODY_ELSE)
            await send(message)

        self._traffic.counts.begin()
        try:
            if tracing():
                await self._traced(scope, receive, send_with_id, lambda: status)
            else:
                await self.app(scope, receive, send_with_id)
        finally:
            route, seconds = _route(scope), perf_counter() - started
            self._traffic.counts.end(route, scope["method"], status, seconds)
            milliseconds = round(seconds * 1e3, 3)
            self._traffic.note(Answered(at, scope["method"], route, status, milliseconds, request_id))

    async def _traced(self, scope: Scope, receive: Receive, send: Send, status: Callable[[], int]) -> None:
        headers = {str(name, "latin-1"): str(value, "latin-1") for name, value in scope["headers"]}
        with request_span(scope["method"], headers) as current:
            try:
                await self.app(scope, receive, send)
            finally:
                end_request(current, scope["method"], _route(scope), status())

    def _request_id(self, scope: Scope) -> str:
        for name, value in scope["headers"]:
            if name == b"x-request-id" and _CALLER_ID.fullmatch(value):
                given = str(value, "ascii")
                # Ids are logged: one that looks like a key or a card's number is replaced by our own.
                if redacted_text(given) == given:
                    return given
        return f"{self._prefix}-{next(self._numbers):x}"


def _route(scope: Scope) -> str:
    """Return the route as it is documented, never the path as sent."""
    return getattr(scope.get("route"), "path", "unknown")


def _rendered(answered: Answered) -> bytes:
    line = answered.to_dict()
    return orjson.dumps({"event": "request", "level": "info", "timestamp": line.pop("at"), **line})
