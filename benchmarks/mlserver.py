"""The API beside MLServer with a scikit-learn IsolationForest: the same rows, in turns, one worker each.

    python -m benchmarks.mlserver --mlserver-python /path/to/its/venv/bin/python [--seconds 3] [--rounds 5] [--out FILE]

MLServer needs an environment of its own, since it wants older packages than ours (``requirements-mlserver.txt`` says
how to make one). The API is started as ``python -m detector serve`` starts it, with a key, with a rate limit that is
never reached, with its log, and with whatever else this version switches on. Both models are 100 trees, learned from
the same 5,000 rows of 30 numbers.

- Closed loop, 32 connections and one: each sends its next request when it has the answer. Rounds go A, B, A, B.
- Open loop, the API alone: 500 requests a second by the clock. A request's time counts from when it was due, so that
  one that had to wait for a slow one before it is counted as slow too.
- Batches: 10,000 rows in one request, one at a time, from the first byte sent to the last one received.
- Both at once: 200 requests a second in open loop while batches run one after the other.

Client and servers share the machine's processors, so the client's own work is in all figures.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

from benchmarks.open_load import Asker, ask, in_stretches, open_loop, percentiles
from benchmarks.serving import ROOT, Measured, drive, processor_seconds, wait_for

COLUMNS, TRAINING_ROWS, SINGLE_ROWS, BATCH_ROWS = 30, 5_000, 512, 10_000
#: What is aimed at, beside what is found.
ASKED = {"32 connections": 10.0, "p50, one connection": 0.15, "p99, open loop, ms": 5.0, "rows a second": 100_000}

_INFER = "/v2/models/forest/infer"
_TRAIN_PEER = """
import joblib, numpy, sklearn
from sklearn.ensemble import IsolationForest
rows = numpy.load("rows.npy")
joblib.dump(IsolationForest(n_estimators=100, random_state=0).fit(rows), "model.joblib")
import mlserver
print(f"MLServer {mlserver.__version__}, scikit-learn {sklearn.__version__}")
"""


def made_rows(count: int, seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return numbers of very different sizes, with all their digits."""
    source = np.random.default_rng(seed)
    return source.normal(size=(count, COLUMNS)) * np.exp(np.random.default_rng(0).normal(size=COLUMNS) * 2.0)


def records(rows: np.ndarray[Any, np.dtype[np.float64]]) -> list[dict[str, float]]:
    """Return rows as the API takes them."""
    return [{f"f{place}": value for place, value in enumerate(row)} for row in rows.tolist()]


def tensor(rows: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    """Return rows as MLServer takes them."""
    return {"inputs": [{"name": "x", "shape": rows.shape, "datatype": "FP64", "data": rows.ravel().tolist()}]}


def spelled(path: str, document: Any, headers: str = "") -> bytes:
    """Return a whole request."""
    body = json.dumps(document).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def quiet_stderr(log: Path) -> Iterator[None]:
    """Let processes that are started meanwhile write their log to a file."""
    kept = os.dup(2)
    with log.open("wb") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def api(home: Path) -> Iterator[tuple[int, int, str]]:
    """Run the API over a new model; yields its port, its process id, and the header with a key, if it knows keys."""
    os.environ |= {"DETECTOR_HOME": str(home), "DETECTOR_REQUESTS_PER_SECOND": "1000000", "DETECTOR_LOG_LEVEL": "INFO"}
    for name in ("MODEL_PATH", "DATABASE_URL"):
        os.environ.pop(name, None)
    from detector.core.model import DynamicAnomalyDetector
    from detector.serving import start_api
    from detector.settings import Settings

    (home / "models").mkdir(parents=True)
    model = DynamicAnomalyDetector().fit(records(made_rows(TRAINING_ROWS, 1)))
    model.save(str(home / "models" / "anomaly_detector.joblib"))
    command = [sys.executable, "-m", "detector", "keys", "create", "benchmark", "--role", "service"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    key = re.search(r"dak_\S+", made.stdout)
    with quiet_stderr(home / "api.log"):
        port = free_port()
        child = start_api(Settings(api_port=port))
    try:
        wait_for(port, child.process)
        yield port, child.process.pid, f"Authorization: Bearer {key.group()}\r\n" if key else ""
    finally:
        child.stop()


@contextmanager
def peer(python: Path, home: Path, workers: int) -> Iterator[tuple[int, int]]:
    """Run MLServer over an IsolationForest; yields its port and its process id."""
    home.mkdir()
    np.save(home / "rows.npy", made_rows(TRAINING_ROWS, 1))
    clean = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
    told = subprocess.run([python, "-c", _TRAIN_PEER], cwd=home, env=clean, check=True, capture_output=True, text=True)
    print(told.stdout.strip().splitlines()[-1], f"with {workers} parallel worker(s)", file=sys.stderr)
    ports = [free_port() for _ in range(3)]
    settings = {"debug": False, "host": "127.0.0.1", "parallel_workers": workers}
    settings |= dict(zip(("http_port", "grpc_port", "metrics_port"), ports, strict=True))
    model = {
        "name": "forest",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": "./model.joblib"},
    }
    (home / "settings.json").write_text(json.dumps(settings))
    (home / "model-settings.json").write_text(json.dumps(model))
    with (home / "log").open("wb") as log:
        command = [str(python.parent / "mlserver"), "start", "."]
        process = subprocess.Popen(command, cwd=home, env=clean, stdout=log, stderr=log)
    try:
        wait_for(ports[0], process)
        request = spelled(_INFER, tensor(made_rows(1, 2)))
        for _ in range(200):  # it listens before the model is there
            if ask(ports[0], request)[1].startswith(b"HTTP/1.1 200"):
                break
            time.sleep(0.1)  # nothing tells when the model is there
        yield ports[0], process.pid
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def closed_loop(
    servers: dict[str, tuple[int, int, list[bytes]]], connections: int, rounds: int, seconds: float
) -> dict[str, dict[str, float]]:
    """Return the figures of each server, measured in turns."""
    measured = {name: Measured() for name in servers}
    for port, _, requests in servers.values():
        uvloop.run(drive(port, requests, connections, 1.0))
    for _ in range(rounds):
        for name, (port, process, requests) in servers.items():
            before = processor_seconds(process)
            rate, latencies = uvloop.run(drive(port, requests, connections, seconds))
            measured[name].processor += processor_seconds(process) - before
            measured[name].rates.append(rate)
            measured[name].latencies += latencies
    return {name: found.summary() for name, found in measured.items()}


def batches(servers: dict[str, tuple[int, int, bytes]], rounds: int) -> dict[str, dict[str, float]]:
    """Return the time of a batch on each server, measured in turns."""
    taken: dict[str, list[float]] = {name: [] for name in servers}
    processor = dict.fromkeys(servers, 0.0)
    for turn in range(rounds + 2):
        for name, (port, process, request) in servers.items():
            before = processor_seconds(process)
            seconds, answer = ask(port, request)
            processor[name] += (processor_seconds(process) - before) / (rounds + 2)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(answer[:300])
            if turn >= 2:
                taken[name].append(seconds)
    return {
        name: {
            "median_ms": round(1e3 * statistics.median(found), 1),
            "best_ms": round(1e3 * min(found), 1),
            "server_processor_ms": round(1e3 * processor[name], 1),
            "rows_per_second": round(BATCH_ROWS / statistics.median(found)),
        }
        for name, found in taken.items()
    }


def beside_batches(port: int, singles: list[bytes], batch: bytes, seconds: float) -> dict[str, float]:
    """Return the latencies of 200 requests a second while batches run, and how many of these ran."""
    done = threading.Event()
    count = [0]

    def work() -> None:
        asker = Asker(port)
        while not done.is_set():
            asker.ask(batch)
            count[0] += 1
        asker.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        found = percentiles(open_loop(port, singles, 200.0, seconds))
    finally:
        done.set()
        thread.join()
    return found | {"batches": count[0]}


def show(results: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the tables."""
    yield f"One worker; client and servers share {os.cpu_count()} processors.\n"
    yield f"The API has {'a key, a limit and its log' if results['key'] else 'its log; this version knows no keys'}.\n"
    yield "| closed loop | requests/s, API | MLServer | ratio | p50 / p99 ms, API | MLServer | ratio of p50 |"
    yield "|---|---|---|---|---|---|---|"
    for case, found in results["closed"].items():
        yield _closed_row(case, found)
    yield ""
    yield "| 10,000 x 30 in a request | rows/s, API | MLServer | ratio | median, best ms, API | MLServer | CPU ms |"
    yield "|---|---|---|---|---|---|---|"
    ours, theirs = results["batch"]["api"], results["batch"].get("mlserver")
    yield (
        f"| one at a time | {ours['rows_per_second']:,} | {theirs['rows_per_second'] if theirs else 0:,} "
        f"| {ours['rows_per_second'] / theirs['rows_per_second'] if theirs else 0:.2f} "
        f"| {_both(ours, 'median_ms', 'best_ms')} | {_both(theirs, 'median_ms', 'best_ms')} "
        f"| {ours['server_processor_ms']} |"
    )
    yield ""
    yield "| open loop, API | p50 ms | p95 | p99 | p99.9 | p99, median stretch | p99, machine alone |"
    yield "|---|---|---|---|---|---|---|"
    columns = ("p50_ms", "p95_ms", "p99_ms", "p999_ms", "median_p99_ms", "alone_p99_ms")
    for case, found in results["open"].items():
        yield f"| {case} | {' | '.join(str(found.get(column, '')) for column in columns)} |"


def _closed_row(case: str, found: dict[str, dict[str, float]]) -> str:
    ours, theirs = found["api"], found.get("mlserver")
    rate, p50 = (
        (
            f"{ours['requests_per_second'] / theirs['requests_per_second']:.1f}",
            f"{ours['p50_ms'] / theirs['p50_ms']:.3f}",
        )
        if theirs
        else ("", "")
    )
    return (
        f"| {case} | {ours['requests_per_second']:,.0f} | {theirs['requests_per_second'] if theirs else 0:,.0f} "
        f"| {rate} | {ours['p50_ms']} / {ours['p99_ms']} | {_both(theirs, 'p50_ms', 'p99_ms')} | {p50} |"
    )


def _both(found: dict[str, float] | None, one: str, other: str) -> str:
    return f"{found[one]} / {found[other]}" if found else "absent"


def main() -> None:
    options = argparse.ArgumentParser(description="The API beside MLServer with a scikit-learn IsolationForest.")
    options.add_argument("--mlserver-python", type=Path, help="the interpreter of an environment that has MLServer")
    options.add_argument("--mlserver-workers", type=int, default=1, help="its parallel_workers; 1 is its default")
    options.add_argument("--seconds", type=float, default=3.0, help="of each round")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--open-seconds", type=float, default=20.0, help="of the open loops")
    options.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "mlserver.json")
    chosen = options.parse_args()

    python = chosen.mlserver_python and Path(shutil.which(chosen.mlserver_python) or chosen.mlserver_python).absolute()
    if python is None:
        print("MLServer is absent: name its interpreter with --mlserver-python (make bench MLSERVER_PYTHON=path); "
              "requirements-mlserver.txt says how to get one. Only the API is measured.", file=sys.stderr)  # fmt: skip
    singles, batch = made_rows(SINGLE_ROWS, 3), made_rows(BATCH_ROWS, 4)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port, process, header = stack.enter_context(api(home / "api"))
        requests = [spelled("/predict", {"data": row}, header) for row in records(singles)]
        whole = spelled("/predict/batch", {"transactions": records(batch)}, header)
        loops = {"api": (port, process, requests)}
        wholes = {"api": (port, process, whole)}
        if python is not None:
            other, other_process = stack.enter_context(peer(python, home / "mlserver", chosen.mlserver_workers))
            loops["mlserver"] = (
                other, other_process, [spelled(_INFER, tensor(singles[row : row + 1])) for row in range(SINGLE_ROWS)]
            )  # fmt: skip
            wholes["mlserver"] = (other, other_process, spelled(_INFER, tensor(batch)))
        results: dict[str, Any] = {"key": bool(header), "processors": os.cpu_count(), "asked": ASKED}
        results["closed"] = {
            f"{count} connection{'s' if count > 1 else ''}": closed_loop(loops, count, chosen.rounds, chosen.seconds)
            for count in (32, 1)
        }
        results["batch"] = batches(wholes, 4 * chosen.rounds)
        open_loop(port, requests, 500.0, 1.0)
        results["open"] = {
            "500 requests a second": in_stretches(port, requests, 500.0, chosen.open_seconds),
            "200 a second": in_stretches(port, requests, 200.0, chosen.open_seconds / 2),
        }
        beside = beside_batches(port, requests, whole, chosen.open_seconds / 2)
        results["open"][f"200 a second, beside {beside['batches']} batches of 10,000 rows"] = beside
    print("\n".join(show(results)))
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
