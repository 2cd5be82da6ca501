"""Overload on real sockets: what is refused unread, and that its connection goes on."""

import errno
import re
import socket
import threading

import pytest

from detector.api import connections
from tests.api.conftest import settings_in
from tests.api.served import ROW, answer, rest, sent, served

pytestmark = pytest.mark.usefixtures("quick_looks")


def test_what_waits_beyond_the_bound_is_refused_on_a_connection_that_is_kept(running):
    guard = running.server._guard
    guard.most_waiting = 0
    try:
        with running.connect() as wire:
            for _ in range(3):
                wire.sendall(sent("POST", "/predict", ROW))
                status, headers, document = answer(wire)
                assert (status, headers["retry-after"], document["code"]) == (503, "1", "overloaded")
                assert headers["content-type"] == "application/problem+json"
            wire.sendall(sent("GET", "/health"))
            assert answer(wire)[0] == 200
            wire.sendall(sent("POST", "/predict", ROW, "Connection: close"))
            assert answer(wire)[1]["connection"] == "close"
            assert rest(wire) == b""
    finally:
        guard.most_waiting = 48


def test_a_request_in_pieces_is_refused_as_well_and_its_connection_goes_on(running):
    guard = running.server._guard
    guard.most_waiting = 0
    try:
        with running.connect() as wire:
            whole = sent("POST", "/predict", ROW)
            wire.sendall(whole[:40])
            wire.sendall(whole[40:-3])
            wire.sendall(whole[-3:])
            assert answer(wire)[0] == 503
            wire.sendall(whole)
            assert answer(wire)[0] == 503
            guard.most_waiting = 48
            wire.sendall(whole)
            assert answer(wire)[0] == 200
    finally:
        guard.most_waiting = 48


@pytest.mark.parametrize(
    "changed",
    [
        lambda whole: whole + b"GET /",
        lambda whole: whole[:-1],
        lambda whole: whole.replace(b"Host", b"Transfer-Encoding: chunked\r\nHost"),
        lambda whole: whole.replace(b"Host", b"Content-Length: 7\r\nHost"),
        lambda whole: whole.replace(b"Host", b"X: 1\nTransfer-Encoding: chunked\r\nHost"),
        lambda whole: whole.replace(b"Host", b"Connection: close\r\nHost"),
        lambda whole: whole.replace(b"/predict", b"/train"),
    ],
)
def test_only_what_is_exactly_one_plain_request_is_refused_unread(running, changed):
    served = running.server
    protocol = served._guard.protocol(
        config=served.config, server_state=served.server_state, app_state={}, _loop=object()
    )
    whole = sent("POST", "/predict", ROW)
    assert protocol._is_whole_prediction(whole)
    assert not protocol._is_whole_prediction(changed(whole))


def test_a_refused_client_that_waits_to_be_told_to_send_is_told_so_at_once(running):
    guard = running.server._guard
    guard.most_waiting = 0
    try:
        with running.connect() as wire:
            wire.sendall(sent("POST", "/predict", b"", "Expect: 100-continue", length=100))
            assert answer(wire)[0] == 503
            assert rest(wire) == b""
    finally:
        guard.most_waiting = 48


@pytest.fixture
def full(running):
    """The lane of batches as it is when no more may wait."""
    lane = running.server._guard.capacity.lanes["batch"]
    before = lane.running, lane._waiting
    lane.running, lane._waiting = lane._most, 0
    yield
    lane.running, lane._waiting = before


@pytest.mark.parametrize(("most", "path", "body"), [(0, "/model/info", b""), (48, "/predict/batch", b"x" * 100_000)])
def test_a_refused_question_for_a_head_alone_gets_no_body(running, full, monkeypatch, most, path, body):
    monkeypatch.setattr(running.server._guard, "most_waiting", most)
    with running.connect() as wire:
        wire.sendall(sent("HEAD", path, body) + sent("GET", "/health", b"", "Connection: close"))
        assert re.fullmatch(rb"HTTP/1.1 503 .*?\r\n\r\nHTTP/1.1 200 .*", rest(wire), re.DOTALL)


@pytest.mark.parametrize("length", [1_000, 70_000, 199_999])
def test_a_batch_without_room_is_refused_by_its_head_and_its_connection_goes_on(running, full, length):
    with running.connect() as wire:
        for _ in range(3):
            wire.sendall(sent("POST", "/predict/batch", b"", length=length))
            status, headers, document = answer(wire)
            assert (status, headers["retry-after"], document["code"]) == (503, "1", "overloaded")
            assert headers["content-type"] == "application/problem+json"
            wire.sendall(b"x" * length + sent("GET", "/health"))
            assert answer(wire)[0] == 200


@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_of_what_nobody_wants_exactly_the_body_is_dropped(running, full, pieces):
    body = b"GET /nowhere HTTP/1.1\r\n\r\n" * 7_000
    whole = sent("POST", "/predict/batch", body) + sent("POST", "/predict", ROW, "Connection: close")
    with running.connect() as wire:
        for piece in range(pieces):
            wire.sendall(whole[piece * len(whole) // pieces : (piece + 1) * len(whole) // pieces])
        assert re.findall(rb"HTTP/1.1 (\d+)", rest(wire)) == [b"503", b"200"]


def test_who_vanishes_while_a_body_is_dropped_is_forgotten(running, full):
    state = running.server.server_state
    known = set(state.connections)
    with running.connect() as wire:
        wire.sendall(sent("POST", "/predict/batch", b"x" * 100_000, length=190_000))
        assert answer(wire)[0] == 503
        (ours,) = state.connections - known
        wire.shutdown(socket.SHUT_WR)
        assert rest(wire) == b""
    assert ours not in state.connections
    assert ours.discarding is None


def test_a_dropped_body_that_does_not_end_is_cut(running, full, monkeypatch):
    monkeypatch.setattr(connections, "DRAIN", 0.1)
    with running.connect() as wire:
        wire.sendall(sent("POST", "/predict/batch", b"x", length=190_000))
        assert answer(wire)[0] == 503
        assert rest(wire) == b""


def test_a_length_with_leading_zeros_is_dropped_whole(running, full, monkeypatch):
    monkeypatch.setattr(connections, "_MUCH", 1_000)
    body = b"GET /nowhere HTTP/1.1\r\n\r\n" * 7_000
    head = sent("POST", "/predict/batch", b"", length=len(body))
    with running.connect() as wire:
        wire.sendall(head.replace(b"Length: ", b"Length: " + b"0" * 15))
        assert answer(wire)[0] == 503
        wire.sendall(body + sent("GET", "/health", b"", "Connection: close"))
        assert re.findall(rb"HTTP/1.1 (\d+)", rest(wire)) == [b"200"]


def test_a_request_right_behind_a_refused_one_is_not_closed_as_idle(running, full, monkeypatch):
    monkeypatch.setattr(connections, "_MUCH", 1)
    state = running.server.server_state
    known = set(state.connections)
    with running.connect() as wire:
        next_one = sent("POST", "/predict", b"", "Expect: 100-continue", length=len(ROW))
        wire.sendall(sent("POST", "/predict/batch", b"x" * 100) + next_one)
        received = b""
        while b"100 Continue" not in received:
            received += wire.recv(65_536)
        (ours,) = state.connections - known
        assert ours.timeout_keep_alive_task is None


def test_a_stop_ends_a_connection_once_its_body_is_dropped(home, monkeypatch):
    told, shutdown = threading.Event(), connections.GuardedProtocol.shutdown
    monkeypatch.setattr(connections.GuardedProtocol, "shutdown", lambda ours: (shutdown(ours), told.set()))
    with served(settings_in(home, stop_delay_seconds=0)) as running, running.connect() as wire:
        lane = running.server._guard.capacity.lanes["batch"]
        lane.running, lane._waiting = lane._most, 0
        wire.sendall(sent("POST", "/predict/batch", b"", length=100_000))
        assert answer(wire)[0] == 503
        running.stop()
        assert told.wait(60)
        wire.sendall(b"x" * 100_000)
        wire.settimeout(5)
        assert rest(wire) == b""


def test_without_a_descriptor_for_it_a_refused_body_is_read_and_dropped(running, full, monkeypatch):
    def none_left(_descriptor):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("detector.api.discarding.os.dup", none_left)
    with running.connect() as wire:
        wire.sendall(sent("POST", "/predict/batch", b"", length=150_000))
        assert answer(wire)[0] == 503
        wire.sendall(b"x" * 150_000 + sent("GET", "/health"))
        assert answer(wire)[0] == 200


@pytest.mark.parametrize("header", ["Connection: close", "Expect: 100-continue"])
def test_a_batch_that_is_the_last_on_its_connection_is_refused_by_the_application(running, full, header, monkeypatch):
    monkeypatch.setattr(connections, "DRAIN", 0.1)
    with running.connect() as wire:
        wire.sendall(sent("POST", "/predict/batch", b"", header, length=100_000))
        assert answer(wire)[0] == 503
        assert rest(wire) == b""
