"""Requests by the clock, and what the machine does to clocks meanwhile.

A shared machine takes its processors away for some milliseconds again and again, which no program on it can help. So
the same threads wait for the same moments in between without a server: how late they are then is the machine's share.
"""

from __future__ import annotations

import re
import socket
import statistics
import threading
import time
from collections.abc import Callable
from time import perf_counter

import numpy as np

#: Seconds of a stretch of requests, and of the stretch without a server behind it.
STRETCH, IDLE_STRETCH = 2.0, 1.0
#: Connections over which requests are sent, and threads that wait.
CONNECTIONS = 16

_PERCENTILES = {"p50_ms": 50.0, "p95_ms": 95.0, "p99_ms": 99.0, "p999_ms": 99.9}


class Asker:
    """One connection, kept alive, that waits for each answer."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> bytes:
        """Return the whole answer."""
        self._socket.sendall(request)
        found = bytearray()
        while (split := found.find(b"\r\n\r\n")) < 0:
            found += self._received()
        told = re.search(rb"content-length: *(\d+)", found[:split], re.IGNORECASE)
        assert told is not None
        length = int(told[1])
        while len(found) < split + 4 + length:
            found += self._received()
        return bytes(found)

    def _received(self) -> bytes:
        found = self._socket.recv(1 << 20)
        if not found:
            raise ConnectionError("the server closed the connection")
        return found

    def close(self) -> None:
        """Give the connection back."""
        self._socket.close()


def ask(port: int, request: bytes) -> tuple[float, bytes]:
    """Return the seconds that an answer took on a new connection, and the answer."""
    asker = Asker(port)
    try:
        begun = perf_counter()
        answer = asker.ask(request)
        return perf_counter() - begun, answer
    finally:
        asker.close()


def open_loop(port: int, requests: list[bytes], rate: float, seconds: float) -> list[float]:
    """Return the latencies, in seconds, of requests that are due by the clock; each counts from when it was due.

    Raises
    ------
    RuntimeError, OSError
        When one is not answered with 200.
    """
    askers = [Asker(port) for _ in range(CONNECTIONS)]

    def send(number: int, slot: int) -> None:
        answer = askers[number].ask(requests[slot % len(requests)])
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(answer[:300])

    try:
        return _by_the_clock(rate, seconds, send)
    finally:
        for asker in askers:
            asker.close()


def lateness(rate: float, seconds: float) -> list[float]:
    """Return how late, in seconds, threads that only wait notice that their moment has come."""
    return _by_the_clock(rate, seconds, lambda _number, _slot: None)


def in_stretches(port: int, requests: list[bytes], rate: float, seconds: float) -> dict[str, float]:
    """Return latencies of ``seconds`` of open loop in stretches, and the machine's lateness between them.

    Percentiles in milliseconds: of all requests, ``median_p99_ms`` of the stretch in the middle, ``alone_p99_ms`` of
    the machine without a server.
    """
    latencies: list[float] = []
    alone: list[float] = []
    each: list[float] = []
    for _ in range(max(1, round(seconds / STRETCH))):
        found = open_loop(port, requests, rate, STRETCH)
        each.append(percentiles(found)["p99_ms"])
        latencies += found
        alone += lateness(rate, IDLE_STRETCH)
    return percentiles(latencies) | {
        "median_p99_ms": round(statistics.median(each), 3),
        "alone_p99_ms": percentiles(alone)["p99_ms"],
    }


def percentiles(latencies: list[float]) -> dict[str, float]:
    """Return some percentiles in milliseconds."""
    values = np.percentile(np.array(latencies) * 1e3, list(_PERCENTILES.values()))
    return dict(zip(_PERCENTILES, values.round(3).tolist(), strict=True))


def _by_the_clock(rate: float, seconds: float, act: Callable[[int, int], None]) -> list[float]:
    begin = perf_counter() + 0.2
    found: list[list[float]] = [[] for _ in range(CONNECTIONS)]
    failed: list[Exception] = []

    def work(number: int) -> None:
        try:
            for slot in range(number, int(rate * seconds), CONNECTIONS):
                due = begin + slot / rate
                if (wait := due - perf_counter()) > 0:
                    time.sleep(wait)  # until the next one is due
                act(number, slot)
                found[number].append(perf_counter() - due)
        except (OSError, RuntimeError) as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return [latency for one in found for latency in one]
