"""Connections that cannot be held open for nothing, and requests that are refused before they cost anything.

uvicorn's protocol has no limit on how long a head, a body or the reading of an answer may take, nor on how large a head
may be, and closes an idle connection without a look whether a request lies in it unread. What is added costs a few
assignments a request; the time limits are looked after by one task for all connections.
"""

from __future__ import annotations

import array
import asyncio
import sys
from contextlib import suppress
from functools import cached_property
from http import HTTPStatus
from typing import Any, ClassVar

import httptools
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from detector.api.capacity import ALWAYS_ANSWERED, Capacity, busy_response, declared_bytes
from detector.api.discarding import POSSIBLE, Discarding
from detector.api.raw import as_sent, cut_answer, is_plain_prediction
from detector.settings import Settings

if sys.platform != "win32":
    import fcntl
    import termios

#: Seconds between two looks at the connections.
TICK = 0.5
#: Seconds in which a body may be slower than the least rate.
GRACE = 5.0
#: Seconds for which the rest of a body is still taken that was answered before it was complete.
DRAIN = 5.0
#: A rest of so many bytes is dropped unseen.
_MUCH = 1 << 16

_BATCH = b"/predict/batch"
_ALWAYS = frozenset(path.encode() for path in ALWAYS_ANSWERED)


class Guard:
    """What the connections of a process share: limits, and how many requests have arrived and are not begun."""

    def __init__(self, settings: Settings, capacity: Capacity) -> None:
        self.settings = settings
        self.capacity = capacity
        self.arrived = 0
        self.begun = 0
        self.cut = 0
        self.stopping = False
        self.most_waiting = settings.max_predictions_waiting
        self.refusals = {kind: as_sent(busy_response(kind)) for kind in ("single", "batch")}

    def entrance(self, app: ASGIApp) -> ASGIApp:
        """Return ``app``, behind a counter of what it has begun."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                self.begun += 1
            await app(scope, receive, send)

        return counted

    @cached_property
    def protocol(self) -> type[GuardedProtocol]:
        """The class of the connections that this guards."""
        return type("GuardedProtocol", (GuardedProtocol,), {"guard": self})


class GuardedProtocol(HttpToolsProtocol):
    """A connection. ``seconds`` counts, by ticks, how long it has been waited for what it is waited for now."""

    guard: ClassVar[Guard]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.in_head = self.in_body = self.refused = self.spoken = self.turned_away = self.spared = False
        self.seconds = 0.0
        self.stuck = 0.0
        self.head_bytes = self.body_bytes = self.unsent = 0
        self.discarding: Discarding | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own does
        """Take a connection, at the cost of an idle one when there are too many."""
        if len(self.connections) >= self.guard.settings.max_connections and not self._make_room():
            self.turned_away = True
            self.guard.capacity.refused["other"] += 1
            transport.write(as_sent(busy_response("other"), close=True))
            transport.close()
            return
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self.discarding is not None:
            self.discarding.stop()
        if not self.turned_away:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; end a head that is too long before it is complete."""
        if self.turned_away:
            return
        guard = self.guard
        if guard.arrived - guard.begun >= guard.most_waiting and self._is_whole_prediction(data):
            # Under overload even reading a request is too much: its bytes are never parsed.
            guard.capacity.refused["single"] += 1
            self.seconds, self.spared = 0.0, True
            self.transport.write(guard.refusals["single"])
            return
        if not self.in_body:
            self.head_bytes += len(data)
        super().data_received(data)
        if self.in_body and self.idle and not self.refused:
            self._discard()
        if self.in_head and self.head_bytes > self.guard.settings.max_head_bytes:
            self.cut(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that has been idle: on which no request lies unread, or was refused unread."""
        self.timeout_keep_alive_task = None
        if self.spared or self.unread():
            self.spared = False
            self._expect_more()
        else:
            super().timeout_keep_alive_handler()

    def on_message_begin(self) -> None:
        """Begin a request."""
        # What was refused a moment before, in the same bytes, has begun to wait for this.
        self._unset_keepalive_if_required()
        self.in_head, self.spoken, self.seconds = True, True, 0.0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Hand the request on, or note that it is refused."""
        self.in_head, self.in_body, self.seconds, self.body_bytes = False, True, 0.0, 0
        guard = self.guard
        if guard.arrived - guard.begun >= guard.most_waiting and self.idle and self.url not in _ALWAYS:
            self.refused = True
            guard.capacity.refused["single"] += 1
            if self.expect_100_continue:
                self._answer_refused(close=True)
            return
        if self.head_bytes > guard.settings.max_head_bytes and self._head_size() > guard.settings.max_head_bytes:
            self.cut(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        if self.url == _BATCH and guard.capacity.lanes["batch"].full and self.idle and self._can_discard():
            # Its body, a megabyte often, is on the way; the answer need not go through the application.
            guard.capacity.refused["batch"] += 1
            self._refuse(guard.refusals["batch"])
            return
        super().on_headers_complete()
        if guard.stopping and self.cycle is not None:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Take a part of the body; what comes after the answer is counted and dropped."""
        self.body_bytes += len(body)
        if self.refused or self.transport.is_closing():
            return
        if not self.idle:
            super().on_body(body)
        elif self.body_bytes > self.guard.settings.max_request_bytes:
            self.transport.close()

    def on_message_complete(self) -> None:
        """End a request; one that is refused is answered here."""
        self.in_body, self.head_bytes = False, 0
        if self.refused:
            self._answer_refused(close=self.guard.stopping or not self.parser.should_keep_alive())
        elif self.transport.is_closing():
            return
        elif self.idle:
            self._expect_more()
        else:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Make ready for the next request."""
        if self.cycle.response_complete:
            # What came of a body that nobody read would be kept until the connection is used again.
            self.cycle.body = bytearray()
        super().on_response_complete()
        if self.in_body and self.idle:
            self.seconds = 0.0
            self._discard()

    def shutdown(self) -> None:
        """End after the request that is under way, or that lies unread; at once where there is none."""
        if not self.idle:
            self.cycle.keep_alive = False
        elif not (self.in_head or self.in_body or self.unread()):
            self.transport.close()
        else:
            # What is on the way is the last that is waited for.
            self.timeout_keep_alive = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def unread(self) -> bool:
        """Whether the system holds bytes of this connection that were not read yet."""
        if sys.platform == "win32":
            return False
        found = array.array("i", [0])
        try:
            fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.FIONREAD, found)
        except (OSError, AttributeError):
            return False
        return found[0] > 0

    def look(self, passed: float) -> None:
        """Cut the connection when it has been waited for too long; ``passed``: seconds since the last look."""
        limits = self.guard.settings
        unsent = self.transport.get_write_buffer_size()
        self.stuck = self.stuck + passed if 0 < self.unsent <= unsent else 0.0
        self.unsent = unsent
        if self.stuck > limits.max_answer_seconds:
            self.guard.cut += 1
            self.transport.abort()
        if self.transport.is_closing() or (self.in_body and self.flow.read_paused):
            return
        self.seconds += passed
        if self.in_body and self.idle and not self.refused:
            if self.seconds > DRAIN:
                self.guard.cut += 1
                self.transport.close()
        elif self.in_body:
            least = limits.min_body_bytes_per_second * (self.seconds - GRACE)
            if self.seconds > limits.max_body_seconds or self.body_bytes < least:
                self.cut(HTTPStatus.REQUEST_TIMEOUT)
        elif self.in_head and self.seconds > limits.max_head_seconds:
            self.cut(HTTPStatus.REQUEST_TIMEOUT)
        elif not self.spoken and self.seconds > limits.max_head_seconds:
            self.guard.cut += 1
            self.transport.close()

    def cut(self, status: HTTPStatus) -> None:
        """Say why, unless an answer is under way, and close."""
        self.guard.cut += 1
        if self.idle or not self.cycle.response_started:
            self.transport.write(as_sent(cut_answer(status, self.guard.settings), close=True))
        if not self.idle:
            # Who reads the body learns that nobody sends it any more, and answers nobody.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.in_head = self.in_body = False
        self.transport.close()

    def _answer_refused(self, *, close: bool) -> None:
        self.refused = False
        self._refuse(as_sent(busy_response("single"), close=True) if close else self.guard.refusals["single"])
        if close:
            self.transport.close()
        else:
            self._expect_more()

    def _refuse(self, answer: bytes) -> None:
        # Whoever asks for a head alone would take the body for the next answer.
        alone = self.parser.get_method() == b"HEAD"
        self.transport.write(answer[: answer.index(b"\r\n\r\n") + 4] if alone else answer)

    def _expect_more(self) -> None:
        """Begin to wait for the next request."""
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _can_discard(self) -> bool:
        """Whether the connection goes on after this request, and much of its body is still to come."""
        if not POSSIBLE or self.guard.stopping or self.expect_100_continue or not self.parser.should_keep_alive():
            return False
        declared = declared_bytes(self.headers)
        return declared <= self.guard.settings.max_request_bytes and declared - self.body_bytes >= _MUCH

    def _discard(self) -> None:
        """Drop what is still to come of a body whose request has been answered."""
        if self.discarding is None and not self.transport.is_closing() and self._can_discard():
            descriptor = self.transport.get_extra_info("socket").fileno()
            rest = declared_bytes(self.headers) - self.body_bytes
            # Where the process has no descriptor left, the rest is read as others are.
            with suppress(OSError):
                self.discarding = Discarding(descriptor, rest, self._discarded)
                self.transport.pause_reading()

    def _discarded(self, whole: bool) -> None:
        self.discarding = None
        if not whole:
            self.transport.close()
        if self.transport.is_closing():
            return
        # The one before waits for the bytes that it was spared.
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.on_message_complete()
        self.transport.resume_reading()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self.guard.arrived += 1
        super()._start_asgi_task(cycle, app)

    def _is_whole_prediction(self, data: bytes) -> bool:
        """Whether ``data`` is exactly one plain request to score, on a connection that expects a new one."""
        expected = not (self.in_head or self.in_body or self.guard.stopping) and self.idle
        return expected and is_plain_prediction(data)

    def _make_room(self) -> bool:
        waiting = [other for other in self.connections if isinstance(other, GuardedProtocol) and not other._busy()]
        if not waiting:
            return False
        longest = max(waiting, key=lambda other: other.seconds)
        self.guard.cut += 1
        longest.transport.abort()
        self.connections.discard(longest)
        return True

    def _busy(self) -> bool:
        return not self.idle or self.in_body or self.transport.is_closing() or self.unread()

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)


async def look_after(connections: set[Any]) -> None:
    """Look at the connections again and again, until cancelled."""
    loop = asyncio.get_running_loop()
    last = loop.time()
    while True:
        await asyncio.sleep(TICK)
        now = loop.time()
        for connection in list(connections):
            if isinstance(connection, GuardedProtocol):
                # A process that stood still for long must not blame its clients.
                connection.look(min(now - last, 2 * TICK))
        last = now
