"""Clients that offer load: as fast as answers come (closed loop), or at a rate whatever comes back (open loop)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import cast

#: Seconds that answers have after the last request.
_PATIENCE = 10.0
_LENGTH = b"content-length: "


@dataclass
class Tally:
    """What came back: latencies in seconds by status (0: the connection broke), and what was never sent."""

    seconds: float = 0.0
    latencies: dict[int, list[float]] = field(default_factory=dict)
    unsent: int = 0
    without_advice: int = 0
    bodies: list[bytes] = field(default_factory=list)

    @property
    def answered(self) -> int:
        """Number of requests that came to an end."""
        return sum(map(len, self.latencies.values()))

    @property
    def goodput(self) -> float:
        """Requests answered with 200, per second."""
        return len(self.latencies.get(200, ())) / self.seconds

    def and_also(self, other: Tally) -> Tally:
        """Return what came back in both stretches of time."""
        both = {status: [*self.latencies.get(status, []), *other.latencies.get(status, [])]
                for status in {*self.latencies, *other.latencies}}  # fmt: skip
        return Tally(
            self.seconds + other.seconds, both, self.unsent + other.unsent,
            self.without_advice + other.without_advice, self.bodies + other.bodies,
        )  # fmt: skip

    def refused(self) -> list[float]:
        """Return the latencies of those that were refused for lack of room, in order."""
        return sorted(self.latencies.get(503, []) + self.latencies.get(429, []))

    def good(self) -> list[float]:
        """Return the latencies of those that were answered, in order."""
        return sorted(self.latencies.get(200, []))


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` of the ordered values lie; 0 where there are none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


Done = Callable[["Wire", int, bytes], None]


class Wire(asyncio.Protocol):
    """A connection that is kept, with one request at a time on it."""

    def __init__(self, done: Done) -> None:
        self.busy = False
        self.lost = False
        self.sent = 0.0
        self.retry_after = False
        self._done = done
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes) -> None:
        """Send a request."""
        self.busy, self.sent = True, perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Hand on an answer as soon as it is whole."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end]
        at = head.find(_LENGTH)
        length = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])
        if len(self._buffer) < end + 4 + length:
            return
        body, self._buffer, self.busy = self._buffer[end + 4 :], b"", False
        self.retry_after = b"retry-after: " in head
        self._done(self, int(head[9:12]), body)

    def connection_lost(self, _error: Exception | None) -> None:
        """Tell of a request that gets no answer."""
        self.lost = True
        if self.busy:
            self.busy = False
            self._done(self, 0, b"")


async def closed_loop(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Tally:
    """Send on each connection the next request as soon as the last one is answered."""
    tally = Tally()
    begun = perf_counter()
    number = 0
    over = asyncio.get_running_loop().create_future()
    running = connections

    def go_on(wire: Wire) -> None:
        nonlocal number
        number += 1
        wire.ask(requests[number % len(requests)])

    def done(wire: Wire, status: int, _body: bytes) -> None:
        nonlocal running
        now = perf_counter()
        tally.latencies.setdefault(status, []).append(now - wire.sent)
        if now - begun < seconds and not wire.lost:
            go_on(wire)
            return
        running -= 1
        if not running:
            over.set_result(None)

    wires = [await connected(port, done) for _ in range(connections)]
    begun = perf_counter()
    for wire in wires:
        go_on(wire)
    await over
    tally.seconds = perf_counter() - begun
    for wire in wires:
        wire.transport.close()
    return tally


async def open_loop(
    port: int, requests: Sequence[bytes], rate: float, seconds: float, connections: int, watch: Callable[[], None]
) -> Tally:
    """Send ``rate`` requests a second, whatever comes back; one that finds no free connection is not sent.

    ``watch`` is called some ten times a second.
    """
    tally = Tally()
    free: deque[Wire] = deque()
    waiting: set[Wire] = set()

    def done(wire: Wire, status: int, _body: bytes) -> None:
        tally.latencies.setdefault(status, []).append(perf_counter() - wire.sent)
        waiting.discard(wire)
        tally.without_advice += status in {429, 503} and not wire.retry_after
        if not wire.lost:
            free.append(wire)

    for _ in range(connections):
        free.append(await connected(port, done))
    everyone = list(free)
    begun = perf_counter()
    issued = ticks = 0
    while (now := perf_counter()) - begun < seconds:
        due = int((now - begun) * rate) - issued
        for _ in range(due):
            issued += 1
            wire = None
            while free and (wire := free.popleft()).lost:
                wire = None
            if wire is None:
                tally.unsent += 1
                continue
            waiting.add(wire)
            wire.ask(requests[issued % len(requests)])
        ticks += 1
        if ticks % 64 == 0:
            watch()
        await asyncio.sleep(0.001)
    tally.seconds = perf_counter() - begun
    until = perf_counter() + _PATIENCE
    while waiting and perf_counter() < until:
        await asyncio.sleep(0.01)
    tally.unsent += len(waiting)
    for wire in everyone:
        wire.transport.close()
    return tally


async def connected(port: int, done: Done) -> Wire:
    """Return a new connection."""
    _, wire = await asyncio.get_running_loop().create_connection(lambda: Wire(done), "127.0.0.1", port)
    return wire
