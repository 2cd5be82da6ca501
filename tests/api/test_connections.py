"""Slow, greedy and silent clients on real sockets."""

import errno
import json
import re
import socket
import threading
from concurrent.futures import Future
from unittest.mock import Mock

import pytest

from detector.api import connections
from detector.service.versions.training import train_rows
from detector.service.workspace import Workspace
from tests.api.conftest import settings_in
from tests.api.samples import transactions
from tests.api.served import answer, rest, sent, served

ROW = json.dumps({"data": transactions(1)[0]}).encode()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    workspace = Workspace.open(settings_in(folder))
    train_rows(workspace, transactions(400), actor="test")
    workspace.close()
    return folder


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch):
    monkeypatch.setattr(connections, "TICK", 0.02)


@pytest.fixture(scope="module")
def running(home):
    limits = {"max_head_bytes": 4_096, "max_request_bytes": 200_000, "stop_delay_seconds": 0}
    with served(settings_in(home, **limits)) as running:
        yield running


def test_a_request_is_answered_and_its_connection_kept(running):
    with running.connect() as wire:
        for _ in range(3):
            wire.sendall(sent("POST", "/predict", ROW))
            status, headers, document = answer(wire)
            assert (status, "connection" in headers) == (200, False)
            assert 0 < document["anomaly_score"] < 1


def test_who_says_nothing_is_closed_without_a_word(home):
    with served(settings_in(home, max_head_seconds=0.1)) as running, running.connect() as wire:
        assert rest(wire) == b""


def test_a_head_that_comes_too_slowly_is_cut(home):
    with served(settings_in(home, max_head_seconds=0.1)) as running, running.connect() as wire:
        wire.sendall(b"GET /health HTTP/1.1\r\nHost: te")
        status, headers, document = answer(wire)
        assert (status, document["code"], headers["connection"]) == (408, "request_timeout", "close")
        assert rest(wire) == b""


def test_a_body_that_comes_too_slowly_is_cut(home):
    with served(settings_in(home, max_body_seconds=0.1)) as running, running.connect() as wire:
        wire.sendall(sent("POST", "/predict", ROW[:10], length=len(ROW)))
        assert answer(wire)[0] == 408
        assert rest(wire) == b""


def test_a_body_below_the_least_rate_is_cut(home, monkeypatch):
    monkeypatch.setattr(connections, "GRACE", 0.0)
    with served(settings_in(home, min_body_bytes_per_second=10**9)) as running, running.connect() as wire:
        wire.sendall(sent("POST", "/predict/batch", b"[", length=1_000))
        assert answer(wire)[0] == 408


def test_a_head_without_an_end_is_refused(running):
    with running.connect() as wire:
        wire.sendall(b"GET /health HTTP/1.1\r\nX-Long: " + b"x" * 10_000)
        status, _, document = answer(wire)
        assert (status, document["code"]) == (431, "head_too_large")


def test_a_whole_head_that_is_too_long_is_refused(running):
    with running.connect() as wire:
        wire.sendall(sent("GET", "/health", b"", "X-Long: " + "x" * 10_000))
        assert answer(wire)[0] == 431
        assert rest(wire) == b""


def test_a_body_declared_too_large_is_refused_before_it_comes(running):
    with running.connect() as wire:
        wire.sendall(sent("POST", "/predict", b"", length=10**9))
        status, _, document = answer(wire)
        assert (status, document["code"]) == (413, "body_too_large")


def test_a_chunked_body_is_counted_while_it_comes(running):
    head = [
        "POST /predict/batch HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
    ]
    with running.connect() as wire:
        wire.sendall("\r\n".join(head).encode() + b"\r\n\r\n")
        wire.sendall(b"10000\r\n" + b"[" * 0x10000 + b"\r\n")
        wire.sendall((b"10000\r\n" + b"[" * 0x10000 + b"\r\n") * 4)
        assert answer(wire)[0] == 413


def test_a_client_that_was_slow_before_its_early_answer_can_still_read_it(running):
    state = running.server.server_state
    known = set(state.connections)
    chunk = b"10000\r\n" + b"[" * 0x10000 + b"\r\n"
    with running.connect() as wire:
        head = b"POST /predict/batch HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        wire.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
        while not (ours := state.connections - known) or next(iter(ours)).body_bytes < 0x10000:
            pass
        (connection,) = ours
        connection.seconds = 4 * connections.DRAIN
        wire.sendall(chunk * 3)
        assert answer(wire)[0] == 413
        assert connection.seconds < connections.DRAIN


def test_after_an_early_answer_the_rest_of_the_body_is_taken_and_the_connection_goes_on(running):
    with running.connect() as wire:
        wire.sendall(
            sent("POST", "/predict", b"x" * 10, "Content-Type: text/plain", length=50_000).replace(
                b"Content-Type: application/json\r\n", b""
            )
        )
        assert answer(wire)[0] == 415
        wire.sendall(b"x" * 49_990 + sent("GET", "/health"))
        assert answer(wire)[0] == 200


def test_of_a_body_that_nobody_read_nothing_is_kept(running):
    state = running.server.server_state
    known = set(state.connections)
    with running.connect() as wire:
        wire.sendall(b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 50000\r\n\r\n" + b"x" * 5_000)
        assert answer(wire)[0] == 415
        (ours,) = state.connections - known
        assert not ours.cycle.body


def test_after_an_early_answer_a_body_that_does_not_end_is_cut(running, monkeypatch):
    monkeypatch.setattr(connections, "DRAIN", 0.1)
    with running.connect() as wire:
        wire.sendall(sent("POST", "/nowhere", b"x", length=50_000))
        assert answer(wire)[0] in {404, 408}
        assert rest(wire) == b""


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


@pytest.mark.parametrize(("most", "path", "body"), [(0, "/model/info", b""), (48, "/predict/batch", b"x" * 100_000)])
def test_a_refused_question_for_a_head_alone_gets_no_body(running, full, monkeypatch, most, path, body):
    monkeypatch.setattr(running.server._guard, "most_waiting", most)
    with running.connect() as wire:
        wire.sendall(sent("HEAD", path, body) + sent("GET", "/health", b"", "Connection: close"))
        assert re.fullmatch(rb"HTTP/1.1 503 .*?\r\n\r\nHTTP/1.1 200 .*", rest(wire), re.DOTALL)


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


def test_an_idle_connection_makes_room_for_a_new_one(home):
    with served(settings_in(home, max_connections=2)) as running:
        idle, busy, new = running.connect(), running.connect(), None
        with idle, busy:
            busy.sendall(sent("POST", "/predict", ROW[:5], length=len(ROW)))
            idle.sendall(sent("GET", "/health"))
            assert answer(idle)[0] == 200
            new = running.connect()
            with new:
                new.sendall(sent("GET", "/health"))
                assert answer(new)[0] == 200
                assert rest(idle) == b""
                busy.sendall(ROW[5:])
                assert answer(busy)[0] == 200


def test_all_that_connected_meanwhile_are_taken_at_once(running):
    loop, state = running.server._looking.get_loop(), running.server.server_state
    known = set(state.connections)
    busy, connected, rounds = threading.Event(), threading.Event(), Future()

    def come_round(times):
        if len(state.connections - known) == 30 or times == 30:
            rounds.set_result(times)
        else:
            loop.call_soon(come_round, times + 1)

    def work():
        busy.set()
        connected.wait(60)
        loop.call_soon(come_round, 0)

    loop.call_soon_threadsafe(work)
    busy.wait(60)
    wires = [running.connect() for _ in range(30)]
    connected.set()
    assert rounds.result(60) < 10
    for wire in wires:
        wire.close()


def test_where_all_connections_are_busy_a_new_one_is_told_so(home):
    with served(settings_in(home, max_connections=1)) as running, running.connect() as busy:
        busy.sendall(sent("POST", "/predict", ROW[:5], "Expect: 100-continue", length=len(ROW)))
        assert busy.recv(100).startswith(b"HTTP/1.1 100")
        with running.connect() as new:
            status, headers, _ = answer(new)
            assert (status, headers["retry-after"]) == (503, "1")
        busy.sendall(ROW[5:])
        assert answer(busy)[0] == 200


class Stuck:
    """A transport whose client reads nothing."""

    def __init__(self):
        self.aborted = False

    def get_write_buffer_size(self):
        return 100

    def is_closing(self):
        return True

    def abort(self):
        self.aborted = True


def test_an_answer_that_nobody_reads_ends_its_connection(running):
    loop = running.server
    protocol = loop._guard.protocol(config=loop.config, server_state=loop.server_state, app_state={}, _loop=object())
    protocol.transport = Stuck()
    for _ in range(3):
        protocol.look(12.0)
        assert not protocol.transport.aborted
    protocol.look(12.0)
    assert protocol.transport.aborted


def test_a_stop_answers_what_was_accepted_and_then_refuses(home):
    with served(settings_in(home, stop_delay_seconds=1)) as running:
        begun, idle = running.connect(), running.connect()
        with begun, idle:
            begun.sendall(sent("POST", "/predict", ROW[:5], "Expect: 100-continue", length=len(ROW)))
            assert begun.recv(100).startswith(b"HTTP/1.1 100")
            idle.sendall(sent("GET", "/ready"))
            assert answer(idle)[0] == 200
            running.stop()
            while (told := asked(running, "/ready"))[0] == 200:
                pass
            assert (told[0], told[2]["not_ready"], told[1]["connection"]) == (503, ["intake"], "close")
            assert rest(idle) == b""
            begun.sendall(ROW[5:])
            assert answer(begun)[0] == 200
            assert rest(begun) == b""
        running.thread.join(60)
        with pytest.raises(ConnectionRefusedError):
            running.connect()


@pytest.mark.parametrize("end", ["shutdown", "timeout_keep_alive_handler"])
def test_a_connection_with_an_unread_request_is_not_closed(running, end):
    loop = running.server
    ours, theirs = socket.socketpair()
    with ours, theirs:
        protocol = loop._guard.protocol(config=loop.config, server_state=loop.server_state, app_state={}, _loop=Mock())
        protocol.transport = Held(ours)
        theirs.sendall(b"GET")
        getattr(protocol, end)()
        assert not protocol.transport.closed
        ours.recv(3)
        getattr(protocol, end)()
        assert protocol.transport.closed


class Held:
    def __init__(self, ours):
        self.ours, self.closed = ours, False

    def get_extra_info(self, name):
        assert name == "socket"
        return self.ours

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True


def asked(running, path):
    with running.connect() as wire:
        wire.sendall(sent("GET", path))
        return answer(wire)
