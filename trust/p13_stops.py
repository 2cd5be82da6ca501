"""P13: a stop loses no request that was accepted, and comes to an end.

A request counts as accepted when it was sent whole on a connection that the server had accepted and had not announced
to close. That is certain of a connection on which it has answered before, and of any request that its log names. Each
of them must be answered with 200. A connection on which nothing was ever answered may be turned away unread: nothing
was done, and its client may ask elsewhere.
"""

from __future__ import annotations

import asyncio
import random
import re
import signal
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from trust.promise import Outcome, Promise, Size
from trust.serving import Api, api, request
from trust.workspaces import trained_home, transactions

KEPT, FRESH, BATCHES = 12, 3, 2
MOST_SECONDS = 30.0


@dataclass
class _Seen:
    sent: int = 0
    answered: int = 0
    lost: list[str] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Stop the server under load, again and again, each time at another moment."""
    trained_home(folder)
    chance = random.Random(13)  # noqa: S311 - no secret
    seen, slowest, faults = _Seen(), 0.0, []
    stops = size.choose(50, 1)
    for number in range(stops):
        with api(folder, broken=["trust.p13_stops:end_abruptly"] if broken else [], log_level="INFO") as running:
            seconds = asyncio.run(_stopped(running, chance.uniform(0.2, 0.7), seen, number))
            slowest = max(slowest, seconds)
            named = set(re.findall(r'"request_id":"(p13-[^"]+)"', running.written))
            faults += [f"request {one} was worked on and not answered" for one in sorted(named & seen.unread)]
            running.log.unlink()
    faults += seen.lost
    if slowest > MOST_SECONDS:
        faults.append(f"a stop took {slowest:.1f} s")
    figure = (
        f"{stops} stops, {seen.answered:,} of {seen.sent:,} requests answered, {len(faults)} accepted ones lost, "
        f"{len(seen.unread)} turned away unread, exit within {slowest:.1f} s"
    )
    return Outcome(figure, tuple(faults))


async def _stopped(running: Api, after: float, seen: _Seen, number: int) -> float:
    """Let clients work, stop the server, and return how long it took to end."""
    batch = transactions(1_000, number)
    rows = transactions(64, number)
    clients = [_client(running, f"p13-{number}-k{one}", rows, True, seen) for one in range(KEPT)]
    clients += [_client(running, f"p13-{number}-f{one}", rows, False, seen) for one in range(FRESH)]
    clients += [_client(running, f"p13-{number}-b{one}", [batch], True, seen) for one in range(BATCHES)]
    working = asyncio.gather(*clients)
    await asyncio.sleep(after)
    begun = monotonic()
    running.process.send(signal.SIGTERM)
    ended = asyncio.to_thread(running.process.wait, 60)
    await asyncio.gather(working, ended)
    return monotonic() - begun


async def _client(running: Api, name: str, bodies: list[object], kept: bool, seen: _Seen) -> None:
    """Send one request after the other until nobody accepts a connection any more."""
    wire: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    proven = False
    for number in range(1_000_000):
        if wire is None:
            try:
                wire = await asyncio.open_connection("127.0.0.1", running.port)
            except OSError:
                return
            proven = False
        body = bodies[number % len(bodies)]
        one = f"{name}-{number}"
        path, document = (
            ("/predict/batch", {"transactions": body}) if isinstance(body, list) else ("/predict", {"data": body})
        )
        seen.sent += 1
        status, closing = await _asked(wire, request("POST", path, document, headers=f"X-Request-ID: {one}\r\n"))
        if status == 200:
            seen.answered += 1
            proven = True
        elif status or proven:
            seen.lost.append(f"request {one} was accepted and got {status or 'no answer'}")
        else:
            seen.unread.add(one)
        if closing or not kept or status != 200:
            wire[1].close()
            wire = None


async def _asked(wire: tuple[asyncio.StreamReader, asyncio.StreamWriter], sent: bytes) -> tuple[int, bool]:
    """Return the status (0: none came), and whether the connection is over."""
    reader, writer = wire
    try:
        writer.write(sent)
        head = await reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"content-length: (\d+)", head)
        assert found is not None
        await reader.readexactly(int(found[1]))
    except (OSError, asyncio.IncompleteReadError):
        return 0, True
    return int(head[9:12]), b"connection: close" in head


def end_abruptly() -> None:
    """Break it: connections are cut where they stand."""
    from detector.api import running

    async def abrupt(self: running.ApiServer, sockets: Any = None) -> None:
        del sockets
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    running.ApiServer.shutdown = abrupt  # type: ignore[method-assign]


PROMISE = Promise(
    name="P13",
    says="A stop is graceful",
    asked="50 SIGTERMs under load: 0 accepted requests lost, exit within 30 s",
    breaks="connections are cut where they stand",
    check=check,
)
