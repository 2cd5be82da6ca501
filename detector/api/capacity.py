"""How much is worked on at once, how much may wait, and what is told to the rest: 503 at once, before a body is read.

=============  ==============================================  ==================================================
kind           what it is                                      where it is bounded
=============  ==============================================  ==================================================
single         ``POST /predict``: scored on the event loop     requests that have arrived and are not begun; in
                                                               front of the application, see ``connections.py``
batch          ``POST /predict/batch``, and with ``explain``   a lane: some run, some wait; long bodies beyond
                                                               it in front of the application as well
learn          ``POST /train``, ``POST /update``               a lane
other          all else but the state of the process           a lane
=============  ==============================================  ==================================================

Bodies are counted in bytes while they arrive, over all requests together, before anything parses them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from http import HTTPStatus

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from detector.api.problems import problem_response
from detector.settings import Settings

#: Seconds after which a caller may try again.
RETRY_AFTER = {"single": 1, "batch": 1, "learn": 5, "other": 1}
#: A declared body of no more bytes is not counted: as many of them as there are connections fit into memory.
SMALL_BODY = 65_536
#: What says how the process is must be answered under any load.
ALWAYS_ANSWERED = frozenset({"/health", "/ready", "/metrics", "/"})

_LEARNING = frozenset({"/train", "/update"})


class Busy(Exception):  # noqa: N818 - no fault
    """There is no room for this request now."""


class Lane:
    """Requests of one kind: at most ``most`` at work, at most ``waiting`` in turn, each for at most ``patience`` s."""

    def __init__(self, kind: str, most: int, waiting: int, patience: float) -> None:
        self.kind = kind
        self.running = 0
        self._most, self._waiting, self._patience = most, waiting, patience
        self._queue: deque[asyncio.Future[None]] = deque()

    @property
    def full(self) -> bool:
        """Whether one more would be refused."""
        return self.running >= self._most and len(self._queue) >= self._waiting

    async def enter(self) -> None:
        """Wait for this request's turn; raises ``Busy``."""
        if self.running < self._most:
            self.running += 1
            return
        if self.full:
            raise Busy
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await asyncio.wait((turn,), timeout=self._patience)
        except asyncio.CancelledError:
            # The turn may have come at the very moment: then it is somebody else's.
            if turn.done():
                self.leave()
            else:
                self._queue.remove(turn)
            raise
        if not turn.done():
            self._queue.remove(turn)
            raise Busy

    def leave(self) -> None:
        """Let the next one in."""
        if self._queue:
            self._queue.popleft().set_result(None)
        else:
            self.running -= 1


class Capacity:
    """The lanes of a process, the bytes of bodies that it holds, and how many requests it has refused."""

    def __init__(self, settings: Settings) -> None:
        patience = settings.max_wait_seconds
        self.lanes: Mapping[str, Lane] = {
            "batch": Lane("batch", settings.max_batches, settings.max_batches_waiting, patience),
            "learn": Lane("learn", settings.max_trainings, settings.max_trainings_waiting, patience),
            "other": Lane("other", settings.max_others, settings.max_others_waiting, patience),
        }
        self.body_limit = settings.max_request_bytes
        self.held_limit = max(settings.max_held_bytes, settings.max_request_bytes)
        self.held = 0
        self.refused = dict.fromkeys(RETRY_AFTER, 0)

    def lane(self, scope: Scope) -> Lane | None:
        """Return the lane of a request; ``None`` for those that are answered on the event loop at once."""
        path = scope["path"]
        if path == "/predict":
            return self.lanes["batch"] if b"explain" in scope["query_string"] else None
        if path == "/predict/batch":
            return self.lanes["batch"]
        if path in _LEARNING:
            return self.lanes["learn"]
        return None if path in ALWAYS_ANSWERED else self.lanes["other"]

    def busy(self, kind: str) -> Response:
        """Count a refusal and return its answer."""
        self.refused[kind] += 1
        return busy_response(kind)


def busy_response(kind: str) -> Response:
    """Return the answer to a request for which there is no room."""
    seconds = RETRY_AFTER[kind]
    detail = f"The server has as much to do as it can take. Nothing was done; try again in {seconds} s."
    headers = {"Retry-After": str(seconds)}
    return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", detail, headers=headers)


class CapacityMiddleware:
    """Lets requests in by their lanes, with their bodies complete and counted; refuses the rest."""

    def __init__(self, app: ASGIApp, capacity: Capacity) -> None:
        self.app = app
        self._admission = capacity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on when there is room for it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        capacity = self._admission
        lane = capacity.lane(scope)
        declared = declared_bytes(scope["headers"])
        if lane is None and 0 <= declared <= SMALL_BODY:
            await self.app(scope, receive, send)
            return
        kind = "single" if lane is None else lane.kind
        if lane is not None and lane.full:
            await capacity.busy(kind)(scope, receive, send)
            return
        if declared > capacity.body_limit:
            # The application says so without reading it.
            await self.app(scope, receive, send)
            return
        body = _Body(capacity, receive)
        try:
            if declared and not await body.read():
                await capacity.busy(kind)(scope, receive, send)
            elif lane is None:
                await self.app(scope, body.receive, send)
            else:
                await self._in_turn(lane, body, scope, send)
        finally:
            body.let_go()

    async def _in_turn(self, lane: Lane, body: _Body, scope: Scope, send: Send) -> None:
        try:
            await lane.enter()
        except Busy:
            await self._admission.busy(lane.kind)(scope, body.receive, send)
            return
        try:
            await self.app(scope, body.receive, send)
        finally:
            lane.leave()


class _Body:
    """A body, read before the application asks for it, and handed to it as it came."""

    def __init__(self, capacity: Capacity, receive: Receive) -> None:
        self._admission, self._receive = capacity, receive
        self._messages: deque[Message] = deque()
        self._held = 0

    async def read(self) -> bool:
        """Read to the end, to a byte beyond the limit of one body, or until the client is gone.

        Returns ``False`` when all bodies together would be too large.
        """
        size = 0
        while size <= self._admission.body_limit:
            message = await self._receive()
            self._messages.append(message)
            arrived = len(message.get("body", b""))
            size += arrived
            if self._admission.held + arrived > self._admission.held_limit:
                return False
            self._held += arrived
            self._admission.held += arrived
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                return True
        return True

    async def receive(self) -> Message:
        """Return what was read, then what comes."""
        return self._messages.popleft() if self._messages else await self._receive()

    def let_go(self) -> None:
        """Count the body no longer."""
        self._messages.clear()
        self._admission.held -= self._held
        self._held = 0


def declared_bytes(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """Return how long a request says that its body is; -1 where it has one and does not say."""
    for name, value in headers:
        if name == b"content-length":
            # Any number of zeros may stand before it; a length that were cut would begin the next request in this body.
            return int(value.lstrip(b"0")[:20] or b"0") if value.isdigit() else -1
        if name == b"transfer-encoding":
            return -1
    return 0
