"""One message to one address: the one that was judged, in time, over TLS that is vouched for."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_httpserver import HTTPServer
from werkzeug import Request

from detector.service.alerts import sending


def test_the_connection_goes_to_the_address_that_was_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that says something else a moment later (DNS rebinding) changes nothing."""
    said = iter([["8.8.8.8"], ["127.0.0.1"]])
    went: list[Any] = []

    def resolve(*_: object, **__: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in next(said)]

    def connect(address: object, timeout: float) -> socket.socket:
        went.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    secret = "whsec_" + "a" * 32
    sent = sending.send("https://rebinding.example/", secret, "msg_1", "{}", datetime.now(UTC))
    assert not sent.taken
    assert went == [("8.8.8.8", 443)]
    # The next try asks anew, and is judged anew.
    sent = sending.send("https://rebinding.example/", secret, "msg_1", "{}", datetime.now(UTC))
    assert "own network" in str(sent.problem)
    assert len(went) == 1


def test_an_inner_address_is_not_connected_to(httpserver: HTTPServer, receiver: list[Request]) -> None:
    url = httpserver.url_for("/hook").replace("http:", "https:")
    sent = sending.send(url, "whsec_" + "a" * 32, "msg_1", "{}", datetime.now(UTC))
    assert "own network" in str(sent.problem)
    assert receiver == []


@pytest.fixture
def raw() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """Serve one connection by hand; return its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def serve(answer: Callable[[socket.socket], None]) -> str:
        def run() -> None:
            connection, _ = listening.accept()
            with connection:
                answer(connection)

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}/"

    yield serve
    for thread in threads:
        thread.join(10)
    listening.close()


def send_to(url: str) -> sending.Sent:
    return sending.send(url, "whsec_" + "a" * 32, "msg_1", "{}", datetime.now(UTC), ("127.0.0.1",))


def test_an_answer_that_never_ends_is_hung_up_on(
    raw: Callable[[Callable[[socket.socket], None]], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "ALL_SECONDS", 0.3)

    def drip(connection: socket.socket) -> None:
        connection.recv(4_096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nx: ")
        pause = threading.Event()
        try:
            while not pause.wait(0.02):
                connection.sendall(b"a")
        except OSError:
            return

    assert send_to(raw(drip)).problem == "The other side did not answer in time."


def test_a_huge_answer_is_not_read(raw: Callable[[Callable[[socket.socket], None]], str]) -> None:
    sent: list[int] = []

    def flood(connection: socket.socket) -> None:
        connection.recv(4_096)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        try:
            for _ in range(1_000):
                sent.append(connection.send(b"x" * 100_000))
        except OSError:
            return

    assert send_to(raw(flood)).taken
    assert sum(sent) < 50_000_000


def test_nonsense_is_no_answer(raw: Callable[[Callable[[socket.socket], None]], str]) -> None:
    def babble(connection: socket.socket) -> None:
        connection.recv(4_096)
        connection.sendall(b"hello\r\n\r\n")

    assert "answers nonsense" in str(send_to(raw(babble)).problem)


def test_nobody_at_the_address_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert "Nobody listens" in str(send_to(f"http://127.0.0.1:{port}/").problem)


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Return the address of a server that speaks TLS with a certificate of its own for localhost, and that."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    public, both = tmp_path / "public.pem", tmp_path / "both.pem"
    public.write_bytes(certificate.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    both.write_bytes(private + certificate.public_bytes(pem))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(both)
    with HTTPServer(ssl_context=context) as server:
        server.expect_request("/").respond_with_data("thanks")
        yield server.url_for("/"), public


def send_named(url: str) -> sending.Sent:
    return sending.send(url, "whsec_" + "a" * 32, "msg_1", "{}", datetime.now(UTC), ("127.0.0.1", "localhost"))


def test_a_certificate_has_to_be_vouched_for_and_of_the_very_host(
    secure: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, public = secure
    assert "certificate of the other side is not valid" in str(send_named(url).problem)
    monkeypatch.setenv("SSL_CERT_FILE", str(public))
    assert send_named(url).taken
    assert "certificate of the other side is not valid" in str(
        send_named(url.replace("localhost", "127.0.0.1")).problem
    )


def test_a_server_without_tls_is_not_spoken_to_in_clear(httpserver: HTTPServer, receiver: list[Request]) -> None:
    url = httpserver.url_for("/hook").replace("http:", "https:")
    assert send_named(url).problem == "The other side does not speak TLS as it should."
    assert receiver == []
