"""T21: a webhook never connects into the own network, however its address is written and whatever its name resolves to.

Each way in is tried for real: a listener on this machine stands for the inner service, and a name server that answers
as the attacker likes is put in place of the system's.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from detector.service.alerts import addresses, sending
from trust.promise import Outcome, Promise, Size

#: Ways to write this machine, the networks behind it, and where clouds keep their keys.
ADDRESSES = (
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "0.0.0.0",  # noqa: S104 - to be refused
    "0", "localhost", "localhost.", "LOCALHOST", "10.0.0.1", "172.16.5.4", "192.168.0.1", "100.64.0.1",
    "169.254.169.254", "0xa9fea9fe", "2852039166", "169.254.43518", "255.255.255.255", "224.0.0.1", "[::1]", "[::]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::169.254.169.254]",
    "[2002:7f00:1::]", "[fe80::1]", "[fd00:ec2::254]", "[fc00::1]", "[::ffff:169.254.169.254]",
)  # fmt: skip
#: What the attacker's name server says, one answer after another.
REBINDING = (
    ("127.0.0.1",),
    ("8.8.8.8", "127.0.0.1"),
    ("169.254.169.254",),
    ("::1",),
    ("::ffff:10.0.0.1",),
    ("64:ff9b::a00:1",),
)


def check(_folder: Path, _size: Size, broken: bool) -> Outcome:
    """Try each way in; count the connections that the inner service and other inner addresses get."""
    faults: list[str] = []
    tried = 0
    with _inner_service() as (port, visits), _broken(broken), _watched_connections() as went:
        for scheme in ("https", "http"):
            for host in ADDRESSES:
                tried += 1
                _send(f"{scheme}://{host}:{port}/latest/meta-data")
        for answers in REBINDING:
            tried += 1
            with mock.patch("socket.getaddrinfo", _saying(answers)):
                _send(f"https://attacker.example:{port}/")
        tried += 1
        # The first answer is harmless, all later ones are not: what was judged is what is connected to.
        with mock.patch("socket.getaddrinfo", _saying(("93.184.215.14",), ("127.0.0.1",))):
            _send(f"https://rebinding.example:{port}/")
        faults += [f"a connection was made to {address}" for address in went if address != "93.184.215.14"]
    faults += [f"the inner service was reached: {visit!r}" for visit in visits]
    return Outcome(f"{tried} ways in, {len(faults)} connections into the own network", tuple(faults))


def _send(url: str) -> None:
    sending.send(url, "whsec_" + "a" * 32, "msg_1", "{}", datetime.now(UTC))


def _saying(*rounds: tuple[str, ...]) -> Callable[..., Any]:
    left = list(rounds)

    def getaddrinfo(_host: str, port: int, *_: object, **__: object) -> list[Any]:
        said = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in said]

    return getaddrinfo


@contextmanager
def _watched_connections() -> Iterator[list[str]]:
    """Note where connections are made to; only those to this machine are really made."""
    went: list[str] = []
    connect = socket.create_connection

    def watched(address: tuple[str, int], timeout: float | None = None) -> socket.socket:
        went.append(address[0])
        if not address[0].startswith(("127.", "::1", "localhost", "0.0.0.0")):  # noqa: S104 - one to look for
            raise ConnectionRefusedError
        return connect(address, timeout)

    with mock.patch("socket.create_connection", watched):
        yield went


@contextmanager
def _broken(broken: bool) -> Iterator[None]:
    """Judge no address, and let any scheme pass."""
    if not broken:
        yield
        return
    with (
        mock.patch.object(addresses, "refuse", return_value=None),
        mock.patch.object(addresses, "is_private_host", return_value=True),
    ):
        yield


@contextmanager
def _inner_service() -> Iterator[tuple[int, list[bytes]]]:
    """Listen as a service of the own network would; yield its port, and what reached it."""
    visits: list[bytes] = []
    listening = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        while True:
            visitor, _ = listening.accept()
            with visitor:
                if ended.is_set():
                    return
                visitor.settimeout(2.0)
                try:
                    visits.append(visitor.recv(200))
                    visitor.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1], visits
    finally:
        ended.set()
        socket.create_connection(listening.getsockname()).close()
        thread.join()
        listening.close()


PROMISE = Promise(
    name="T21",
    says="Webhooks lead nowhere into the own network",
    asked="every way of writing an inner address, rebinding: 0 connections",
    breaks="addresses are not judged",
    check=check,
)
