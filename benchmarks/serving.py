"""``POST /predict`` beside a bare FastAPI route, on one uvicorn worker each.

    python -m benchmarks.serving [--seconds 3] [--rounds 5] [--connections 16] [--out benchmarks/results/serving.json]

Two servers run side by side: the API with a model that it has just been trained with over HTTP, in a workspace of its
own, and a FastAPI application whose only route ignores the request and returns a constant dict. One client, here in
this process, drives them in turns with the same requests over the same number of connections kept alive: A, B, A, B.
Requests per second are medians over the rounds; latencies are of all requests of all rounds. Client and server share
the machine's cores, so the client's own work is in both figures. The API writes its access log to a file; uvicorn's own
is off in both.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import uvloop
from fastapi import FastAPI

ROOT = Path(__file__).resolve().parent.parent
API = "detector.api"
TRAINING_ROWS = 5_000
BODIES = 512


def bare_app() -> FastAPI:
    """Return the application to compare with."""
    app = FastAPI()

    @app.post("/predict")
    async def constant() -> Any:
        return {"is_anomaly": False, "anomaly_score": 0.42, "prediction": 1}

    return app


def transaction(source: random.Random) -> dict[str, Any]:
    """Return a transaction of ten fields."""
    return {
        "amount": round(source.lognormvariate(3.5, 1.1), 2),
        "balance": round(source.gauss(2_000, 900), 2),
        "age_days": source.randint(1, 4_000),
        "purchases_24h": source.randint(0, 9),
        "distance_km": round(source.expovariate(0.05), 1),
        "basket": source.randint(1, 40),
        "country": source.choice(["NL", "DE", "FR", "BE", "PL"]),
        "merchant": f"m-{source.randint(1, 60):03d}",
        "card_present": source.random() < 0.7,
        "risk": round(source.random(), 4),
    }


def changed(row: dict[str, Any], source: random.Random) -> dict[str, Any]:
    """Return ``row`` without three of its fields and with two that the model has not seen."""
    kept = {name: value for name, value in row.items() if name not in {"balance", "basket", "country"}}
    return kept | {"device_score": round(source.random(), 4), "channel": source.choice(["app", "web"])}


@dataclass
class Measured:
    """Requests per second of each round and the latencies of all."""

    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    processor: float = 0.0

    def summary(self) -> dict[str, float]:
        """Return the median rate, and the 50th and 99th percentile in milliseconds."""
        ordered = sorted(self.latencies)
        return {
            "requests_per_second": round(statistics.median(self.rates), 1),
            "p50_ms": round(1e3 * ordered[len(ordered) // 2], 3),
            "p99_ms": round(1e3 * ordered[int(len(ordered) * 0.99)], 3),
            "server_processor_us": round(1e6 * self.processor / len(ordered), 1),
            "requests": len(ordered),
        }


class Connection(asyncio.Protocol):
    """Sends one request after the other until the time is up."""

    def __init__(self, requests: list[bytes], begin: int, until: float) -> None:
        self.latencies: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests, self._number, self._until = requests, begin, until
        self._buffer = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        self._number += 1
        self._sent = perf_counter()
        self._transport.write(self._requests[self._number % len(self._requests)])

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        self._buffer = b""
        now = perf_counter()
        self.latencies.append(now - self._sent)
        if not head.startswith(b"HTTP/1.1 200"):
            self.done.set_exception(RuntimeError(f"{head!r} {body!r}"))
            self._transport.close()
        elif now < self._until:
            self._send()
        else:
            self.done.set_result(None)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))


async def drive(port: int, requests: list[bytes], connections: int, seconds: float) -> tuple[float, list[float]]:
    """Return requests per second and the latencies, in seconds."""
    loop = asyncio.get_running_loop()
    begun = perf_counter()
    clients = []
    for number in range(connections):
        begin = number * (len(requests) // connections)
        _, client = await loop.create_connection(
            lambda begin=begin: Connection(requests, begin, begun + seconds), "127.0.0.1", port
        )
        clients.append(client)
    await asyncio.gather(*(client.done for client in clients))
    latencies = [latency for client in clients for latency in client.latencies]
    return len(latencies) / (perf_counter() - begun), latencies


@contextmanager
def server(application: str, log: Path, **environment: str) -> Iterator[tuple[int, int]]:
    """Run one uvicorn worker; yields its port and its process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # The API as it is run, with all of its limits; anything else on a bare uvicorn.
    ours = application == API
    command = [sys.executable, "-m", *(["detector.api"] if ours else ["uvicorn", "--factory", application])]
    options = [] if ours else ["--port", str(port), "--no-access-log", "--log-level", "warning"]
    told = {"DETECTOR_API_PORT": str(port), "DETECTOR_LOG_LEVEL": "INFO"} if ours else {}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *options],
            cwd=ROOT,
            env=os.environ
            | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "benchmarks")])}
            | told
            | environment,
            stdout=output,
            stderr=output,
        )
        try:
            wait_for(port, process)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait(30)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return as soon as the server listens; it does so only when it is warm."""
    for _ in range(1200):
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode}")
        with socket.socket() as probe:
            probe.settimeout(0.1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        asyncio.run(asyncio.sleep(0.05))
    raise TimeoutError("the server does not listen after a minute")


def processor_seconds(process: int) -> float:
    """Return the processor time that a process has used, in seconds; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def train(port: int, source: random.Random) -> None:
    """Train the model that answers."""
    body = json.dumps({"transactions": [transaction(source) for _ in range(TRAINING_ROWS)]}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/train", body, {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request) as answer:
        print(json.load(answer)["message"], file=sys.stderr)


def spelled(rows: list[dict[str, Any]]) -> list[bytes]:
    """Return each row as the bytes of a whole request."""
    bodies = [json.dumps({"data": row}).encode() for row in rows]
    head = "POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
    return [head.format(len(body)).encode() + body for body in bodies]


def main() -> None:
    options = argparse.ArgumentParser(description="POST /predict beside a bare FastAPI route.")
    options.add_argument("--seconds", type=float, default=3.0, help="of each round")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--connections", type=int, default=16)
    options.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "serving.json")
    chosen = options.parse_args()

    source = random.Random(7)
    rows = [transaction(source) for _ in range(BODIES)]
    cases = {"all features": spelled(rows), "three missing, two new": spelled([changed(row, source) for row in rows])}
    results = {}
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        module = Path(__file__).stem
        bare = stack.enter_context(server(f"{module}:bare_app", home / "bare.log"))
        ours = stack.enter_context(
            server(API, home / "api.log", DETECTOR_HOME=str(home), MODEL_PATH="", DATABASE_URL="")
        )
        train(ours[0], source)
        for case, requests in cases.items():
            measured = {"api": Measured(), "bare": Measured()}
            for port, _ in (ours, bare):
                uvloop.run(drive(port, requests, chosen.connections, 1.0))
            for _ in range(chosen.rounds):
                for name, (port, process) in (("api", ours), ("bare", bare)):
                    before = processor_seconds(process)
                    rate, latencies = uvloop.run(drive(port, requests, chosen.connections, chosen.seconds))
                    measured[name].processor += processor_seconds(process) - before
                    measured[name].rates.append(rate)
                    measured[name].latencies += latencies
            figures = {name: found.summary() for name, found in measured.items()}
            ratio = figures["api"]["requests_per_second"] / figures["bare"]["requests_per_second"]
            results[case] = figures | {"ratio": round(ratio, 3)}

    print(f"{chosen.connections} connections, one worker; client and server share {os.cpu_count()} cores.\n")
    print(
        "| request | requests/s, API | bare | ratio | p50 / p99 ms, API | bare | processor us a request, API | bare |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for case, found in results.items():
        api, constant = found["api"], found["bare"]
        print(
            f"| {case} | {api['requests_per_second']:,.0f} | {constant['requests_per_second']:,.0f} "
            f"| {found['ratio']:.2f} | {api['p50_ms']:.2f} / {api['p99_ms']:.2f} "
            f"| {constant['p50_ms']:.2f} / {constant['p99_ms']:.2f} "
            f"| {api['server_processor_us']:.0f} | {constant['server_processor_us']:.0f} |"
        )
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(
        json.dumps({"connections": chosen.connections, "cores": os.cpu_count(), "cases": results}, indent=2)
    )


if __name__ == "__main__":
    main()
