"""nginx as ``deploy/nginx`` configures it, in front of stand-ins that count and of real replicas."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from detector.service import keys
from detector.settings import Settings
from trust.nginx_server import CONFIGURATION, Nginx, nginx
from trust.serving import Api, api
from trust.workspaces import opened, trained_home, transactions

pytestmark = pytest.mark.needs_nginx(reason="it is what is tested")

WHOLE = (CONFIGURATION / "nginx.conf").read_text()
UPSTREAM = (CONFIGURATION / "replicas.conf").read_text()


class StandIn(ThreadingHTTPServer):
    """In a replica's place: counts requests, and answers with what came or breaks the connection off."""

    def __init__(self, status: int | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = status
        self.came: list[tuple[str, dict[str, str], int]] = []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StandIn

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.came.append((self.path, headers, len(body)))
        if self.server.status is None:
            self.close_connection = True
            return
        content = json.dumps({"path": self.path, "headers": headers}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def dying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Nginx, list[StandIn]]]:
    """nginx, which never leaves a replica alone here, and two replicas that break every request off."""
    servers = [StandIn(None), StandIn(None)]
    ports = [int(server.server_address[1]) for server in servers]
    with nginx(tmp_path_factory.mktemp("front") / "nginx", ports, change=("max_fails=1", "max_fails=0")) as front:
        yield front, servers
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def in_front(stack: ExitStack, tmp_path: Path) -> Callable[..., tuple[Nginx, list[StandIn]]]:
    def begin(*statuses: int | None) -> tuple[Nginx, list[StandIn]]:
        servers = [StandIn(status) for status in statuses]
        for server in servers:
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
        ports = [int(server.server_address[1]) for server in servers]
        return stack.enter_context(nginx(tmp_path / "nginx", ports)), servers

    return begin


def ask(
    port: int, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], Any]:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, told, method=method)
    try:
        answer = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        content = answer.read()
        return answer.status, dict(answer.headers), json.loads(content) if content[:1] in b"{[" else content


READS = ["POST /predict", "POST /predict?explain=true", "POST /predict/batch", "GET /model/info",
         "POST /predict/batch?version=3&explain=false", "POST /predict?observe=false", "GET /cases/1-2"]  # fmt: skip
ONCE = ["POST /predict?observe=true", "POST /predict?explain=true&observe=true", "POST /predict?obs%65rve=true",
        "POST /predict?observe=1", "POST /predict/batch?observe=on", "POST /predict?observe=false&observe=true",
        "POST /train", "POST /update", "POST /cases/1-2/decision", "PUT /models/aliases/champion", "PUT /models/trial",
        "DELETE /models/trial", "POST /predict/../update", "POST /unknown"]  # fmt: skip
KEY = {"Idempotency_Key": "k"}
WITH_KEY = ["POST /train", "POST /update", "POST /cases/1-2/decision", "PUT /models/aliases/champion"]


@pytest.mark.parametrize(
    ("which", "tries", "key"),
    [*((one, 2, {}) for one in READS), *((one, 1, {}) for one in ONCE), *((one, 2, KEY) for one in WITH_KEY)],
)
def test_what_a_replica_broke_off_goes_to_another_only_where_nothing_happens_twice(
    dying: tuple[Nginx, list[StandIn]], which: str, tries: int, key: dict[str, str]
) -> None:
    front, servers = dying
    before = sum(len(server.came) for server in servers)
    method, _, path = which.partition(" ")
    status, told, answer = ask(front.port, method, path, None if method == "GET" else b"{}", **key)
    assert status == 502
    assert (answer["code"], told["Retry-After"]) == ("no_replica", "1")
    assert sum(len(server.came) for server in servers) - before == tries


def test_a_replica_that_does_not_answer_is_left_alone_and_nobody_notices(in_front) -> None:
    front, (dead, well) = in_front(None, 200)
    assert [ask(front.port, "POST", "/predict", b"{}")[0] for _ in range(20)] == [200] * 20
    assert len(dead.came) < 5
    assert len(well.came) == 20


def test_that_there_is_no_room_is_told_as_the_replica_says_it(in_front) -> None:
    # Sent on, it would only fill the others; and counted as a failure, it would leave nginx without replicas.
    front, servers = in_front(503, 503)
    assert {ask(front.port, "POST", "/predict", b"{}")[0] for _ in range(40)} == {503}
    assert sum(len(server.came) for server in servers) == 40


def test_who_asks_is_what_the_socket_says_and_not_what_the_request_does(in_front) -> None:
    front, _ = in_front(200)
    claims = {"X_Forwarded_For": "10.0.0.1", "Forwarded": "for=10.0.0.1", "X_Real_IP": "10.0.0.1"}
    _, _, answer = ask(front.port, "GET", "/model/info", **claims)
    told = answer["headers"]
    assert told["x-forwarded-for"] == "127.0.0.1"
    assert not {"forwarded", "x-real-ip"} & set(told)


def test_a_request_keeps_its_id_or_gets_one(in_front) -> None:
    front, _ = in_front(200)
    kept = ask(front.port, "GET", "/health", X_Request_ID="order-66")[2]["headers"]["x-request-id"]
    made = ask(front.port, "GET", "/health", X_Request_ID="no id of ours")[2]["headers"]["x-request-id"]
    assert kept == "order-66"
    assert re.fullmatch(r"[0-9a-f]{32}", made)


def test_the_address_arrives_as_it_was_written(in_front) -> None:
    front, _ = in_front(200)
    for path in ("/cases/1-2?x=%20a&y=b+c", "/a%2Fb//c", "/predict/%70"):
        assert ask(front.port, "GET", path)[2]["path"] == path


def test_a_body_is_held_in_memory_up_to_the_limit_of_the_api_and_refused_beyond(in_front) -> None:
    front, (server,) = in_front(200)
    limit = Settings.model_fields["max_request_bytes"].default
    assert ask(front.port, "POST", "/predict/batch", b" " * limit)[0] == 200
    assert server.came[-1][2] == limit
    assert not any(path.is_file() for path in (front.folder / "temp-body").rglob("*"))
    # Nothing beside the body's fate is of interest here, and it is not always read to its end.
    head = (f"POST /predict/batch HTTP/1.1\r\nHost: x\r\nContent-Length: {limit + 1}\r\n\r\n").encode()
    with socket.create_connection(("127.0.0.1", front.port), 60) as connection:
        connection.sendall(head)
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 413")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "too_large"


def test_its_log_names_no_path_no_query_and_no_header(in_front) -> None:
    front, _ = in_front(200)
    ask(front.port, "GET", "/cases/17-4711?note=secret", Authorization="Bearer dak_secret", X_Request_ID="order-66")
    until = time.monotonic() + 60
    while not front.requests:
        assert time.monotonic() < until
    line = json.loads(front.requests.splitlines()[-1])
    assert (line["event"], line["request_id"], line["status"]) == ("request", "order-66", 200)
    assert not any(secret in front.requests for secret in ("4711", "secret", "dak_"))


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A replica on this machine for which no key was set."""
    home = tmp_path_factory.mktemp("home")
    trained_home(home, 200, trees=8)
    with api(home) as running:
        yield running


def test_without_keys_nobody_comes_in_through_nginx_on_the_same_machine(local: Api, tmp_path: Path) -> None:
    body = json.dumps({"data": transactions(1)[0]}).encode()
    assert ask(local.port, "POST", "/predict", body, Content_Type="application/json")[0] == 200
    with nginx(tmp_path / "nginx", [local.port]) as front:
        for claims in ({}, {"X_Forwarded_For": ""}, {"Host": "localhost"}, {"Connection": "X-Forwarded-For"}):
            status, _, answer = ask(front.port, "POST", "/predict", body, Content_Type="application/json", **claims)
            assert (status, answer["code"]) == (403, "no_key_has_been_set"), claims
        assert ask(front.port, "GET", "/health")[0] == 200
        assert ask(front.port, "GET", "/metrics")[0] == 404
    assert ask(local.port, "GET", "/metrics")[0] == 200


def test_nor_through_one_that_says_nothing_of_where_requests_come_from(local: Api, tmp_path: Path) -> None:
    # What nginx sends by default, up to release 1.29: HTTP/1.0, to the name that proxy_pass has, and no header more.
    silent = re.sub(r"\n    proxy_set_header [^;]*;", "", WHOLE).replace(
        "proxy_http_version 1.1", "proxy_http_version 1.0"
    )
    silent = silent.replace("http://replicas$request_uri", f"http://127.0.0.1:{local.port}$request_uri")
    with nginx(tmp_path / "nginx", [local.port], change=(WHOLE, silent)) as front:
        assert "proxy_set_header" not in (front.folder / "nginx.conf").read_text()
        status, _, answer = ask(front.port, "GET", "/model/info")
        assert (status, answer["code"]) == (403, "no_key_has_been_set")


def test_with_a_key_callers_come_in_through_nginx_and_metrics_stay_inside(tmp_path: Path) -> None:
    trained_home(tmp_path / "home", 200, trees=8)
    ws = opened(tmp_path / "home")
    key = keys.create_key(ws, "caller", "lead", actor="test").key
    ws.close()
    with api(tmp_path / "home") as running, nginx(tmp_path / "nginx", [running.port]) as front:
        bearer = {"Authorization": f"Bearer {key}"}
        assert ask(front.port, "GET", "/model/info")[0] == 401
        assert ask(front.port, "GET", "/model/info", **bearer)[0] == 200
        status, _, answer = ask(front.port, "GET", "/metrics", **bearer)
        assert (status, answer["code"]) == (404, "not_found")
        assert ask(running.port, "GET", "/metrics", **bearer)[0] == 200


def test_its_limits_are_those_of_the_api() -> None:
    limits = {name: field.default for name, field in Settings.model_fields.items()}
    sizes = dict(re.findall(r"(client_max_body_size|client_body_buffer_size) (\d+)m;", WHOLE))
    assert {int(size) * 1024**2 for size in sizes.values()} == {limits["max_request_bytes"]}
    assert len(sizes) == 2
    (idle,) = re.findall(r"keepalive_timeout (\d+)s;", UPSTREAM)
    assert int(idle) < limits["keep_alive_seconds"]
    (head,) = re.findall(r"client_header_timeout (\d+)s;", WHOLE)
    assert int(head) == limits["max_head_seconds"]
