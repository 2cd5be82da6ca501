"""Requests that no client library would send, byte for byte, each with a card number where it might be logged."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from trust.serving import Api

#: Stands in bodies, names, paths, queries and headers of everything that is sent, and nowhere in a log or an answer's
#: headers. (An excerpt of a faulty value goes back to its sender only.)
CARD = "4111111111111111"
BODY = b'{"data": {"amount": 12.5, "note": "%s"}}' % CARD.encode()


@dataclass(frozen=True)
class Raw:
    """Some bytes to send, and what may come back: statuses in order; an empty answer is a closed connection."""

    title: str
    data: bytes
    statuses: frozenset[int]
    may_close: bool = True
    answers: int = 1
    #: Whether its sender says that nothing follows; an answer that takes a while is then not sent any more.
    half_closes: bool = True


_REFUSED = frozenset(range(400, 500))
_FINE = frozenset({200})


def _post(
    body: bytes = BODY, *headers: str, path: str = "/predict", length: str | None = "", version: str = "1.1"
) -> bytes:
    lines = [f"POST {path} HTTP/{version}", "Host: 127.0.0.1", f"X-Note: {CARD}"]
    if not any(header.lower().startswith("content-type") for header in headers):
        lines.append("Content-Type: application/json")
    if length is not None:
        lines.append(f"Content-Length: {length or len(body)}")
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + body


def _get(path: str, *headers: str, method: str = "GET", version: str = "1.1") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: 127.0.0.1", *headers, "", ""]).encode("latin-1")


def _chunked(*chunks: bytes) -> bytes:
    return _post(b"", "Transfer-Encoding: chunked", length=None) + b"".join(chunks)


def raw_requests() -> Iterator[Raw]:
    """Yield the requests."""
    half = len(BODY) // 2
    yield Raw("a good one", _post(), _FINE, may_close=False)
    yield Raw("a body that is cut", _post(BODY[:half], length=str(len(BODY))), _REFUSED)
    yield Raw("nothing of the body", _post(b"", length="500"), _REFUSED)
    yield Raw("a length that is too short", _post(length=str(half)), _REFUSED)
    for length in ("-1", "abc", "1e3", "+5", "0x10", "1" * 40, "5, 5", "5 5", "\xb2"):
        yield Raw(f"the length {length[:12]!r}", _post(length=length), _REFUSED)
    yield Raw("two lengths", _post(BODY, "Content-Length: 5"), _REFUSED)
    yield Raw("a length beyond the limit", _post(length=str(10**12)), _REFUSED)
    yield Raw("length and chunks", _post(BODY, "Transfer-Encoding: chunked"), _REFUSED)
    yield Raw("chunks and length", _post(b"5\r\n" + BODY + b"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), _REFUSED)
    yield Raw("two encodings", _post(b"0\r\n\r\n", "Transfer-Encoding: chunked, identity", length=None), _REFUSED)
    yield Raw("an unknown encoding", _post(b"0\r\n\r\n", "Transfer-Encoding: xchunked", length=None), _REFUSED)
    whole = b"%x\r\n%s\r\n" % (len(BODY), BODY)
    yield Raw("chunks", _chunked(whole, b"0\r\n\r\n"), _FINE, may_close=False)
    for size in (b"zz", b"-5", b"ffffffffffffffffffff", b"", b" 5 5", b"5;" + b"x" * 100_000):
        yield Raw(f"a chunk of size {size[:12]!r}", _chunked(size + b"\r\nhello\r\n0\r\n\r\n"), _REFUSED)
    yield Raw("a chunk that is cut", _chunked(b"%x\r\n" % len(BODY), BODY[:half]), _REFUSED)
    yield Raw("chunks without end", _chunked(whole), _REFUSED)
    yield Raw("a chunk longer than it says", _chunked(b"5\r\n" + BODY + b"\r\n0\r\n\r\n"), _REFUSED)
    for kind in ("text/plain", "application/json; charset=utf-16", "application/json; charset=latin-1", "", CARD):
        yield Raw(f"the type {kind!r}", _post(BODY, f"Content-Type: {kind}"), frozenset({415}), may_close=False)
    for kinds in (("application/json", "text/plain"), ("text/plain", "application/json")):
        two = _post(BODY, *(f"Content-Type: {kind}" for kind in kinds))
        yield Raw(f"two types, {kinds[0]} first", two, frozenset({415}), may_close=False)
    yield Raw("a packed body", _post(gzip.compress(BODY), "Content-Encoding: gzip"), _REFUSED, may_close=False)
    yield Raw("UTF-16", _post(BODY.decode().encode("utf-16")), frozenset({400}), may_close=False)
    yield Raw("a header without end", _get("/health")[:-2] + b"X-A: " + b"a" * 300_000, _REFUSED)
    yield Raw("a huge header", _get("/health", f"X-A: {CARD * 20_000}"), _REFUSED)
    yield Raw("10,000 headers", _get("/health", *(f"X-{n}: {CARD}" for n in range(10_000))), _REFUSED)
    yield Raw("a NUL in a header", _get("/health", f"X-A: {CARD}\0"), _REFUSED)
    yield Raw("a lone carriage return in a header", _get("/health", f"X-A: {CARD}\rX-B: 1"), _REFUSED)
    yield Raw("a folded header", _get("/health", f"X-Request-ID: a\r\n {CARD}"), _REFUSED | _FINE)
    yield Raw("a blank before the colon", _get("/health", f"X-A : {CARD}"), _REFUSED)
    yield Raw("a header that is no header", _get("/health", CARD), _REFUSED)
    for given in (CARD * 9, "a b", f'"}}{CARD}', "ü", ""):
        yield Raw(f"the request id {given[:8]!r}", _get("/health", f"X-Request-ID: {given}"), _FINE, may_close=False)
    for path in (
        f"/nothing/{CARD}", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/docs-assets/../../../../etc/passwd",
        "/docs-assets/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/docs-assets//etc/passwd", "/%00", "/%ff", "/%zz",
        "/docs-assets/%00", "/docs-assets/" + "a" * 5_000, "//etc/passwd", "/model/info/", "/docs-assets/%5c..%5c",
    ):  # fmt: skip
        yield Raw(f"the path {path[:40]}", _get(path), _REFUSED | frozenset({307}))
    yield Raw("a path of 200,000 characters", _get("/" + "a" * 200_000), _REFUSED)
    yield Raw("an unknown parameter", _post(path=f"/predict?{CARD}=1"), frozenset({422}), may_close=False)
    yield Raw("a parameter of bytes", _post(path="/predict?explain=%ff%00"), frozenset({422}), may_close=False)
    for method in ("PUT", "DELETE", "TRACE", "PATCH", "OPTIONS", "BREW", "get"):
        yield Raw(f"the method {method}", _get("/predict", method=method), _REFUSED)
    yield Raw("CONNECT", _get("example.org:443", method="CONNECT"), _REFUSED)
    for version in ("9.9", "0.9", "2.0", "x"):
        yield Raw(f"HTTP/{version}", _get("/health", version=version), _REFUSED | _FINE)
    yield Raw("HTTP/1.0", _get("/health", version="1.0"), _FINE, may_close=False)
    yield Raw("no host", b"GET /health HTTP/1.1\r\n\r\n", _REFUSED | _FINE)
    yield Raw("noise", b"\x00\xff\x13\x37" * 50, _REFUSED)
    yield Raw("a greeting of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), _REFUSED)
    yield Raw("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", _REFUSED)
    yield Raw("a WebSocket", _get("/predict", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), _REFUSED)  # fmt: skip
    last = "Connection: close"
    three = _get("/health") + _post() + _get("/model/info", last)
    yield Raw("three at once", three, _FINE, may_close=False, answers=3, half_closes=False)
    yield Raw("one behind another's body", _post(BODY + _get("/nothing", last), length=str(len(BODY))), _FINE,
              may_close=False, answers=2, half_closes=False)  # fmt: skip
    yield Raw("a faulty value", _post(b'{"data": {"amount": "%s"}}' % CARD.encode()), frozenset({422}), may_close=False)
    yield Raw("a faulty name", _post(b'{"data": {"%s": {}}}' % CARD.encode()), frozenset({422}), may_close=False)
    junk = (
        b'{"transactions": [{"amount": 1}, {"amount": "%s\\n{\\"event\\": \\"forged\\"}", "more": {}}]}' % CARD.encode()
    )
    for path in ("/predict/batch", "/update", "/train"):
        forged = _post(junk, last, path=path)
        yield Raw(f"a forged line to {path}", forged, frozenset({422}), may_close=False, half_closes=False)


def answered(api: Api, raw: Raw) -> bytes:
    """Send the bytes, say that nothing follows, and return all that comes back until the connection closes."""
    received = b""
    with api.connect(10.0) as connection:
        try:
            connection.sendall(raw.data)
            if not raw.may_close:
                # An answer that has to come may take its time, and would not be sent to who has said goodbye.
                received = connection.recv(1 << 16)
            if raw.half_closes:
                # Where the other side has closed already, there may be an answer all the same.
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
            while block := connection.recv(1 << 16):
                received += block
        except (ConnectionResetError, BrokenPipeError):
            pass
    return received
