"""T35: no log holds a transaction or a forged line, and no error tells a secret or where things lie."""

from __future__ import annotations

import json
import re
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from trust.promise import Outcome, Promise, Size
from trust.raw_requests import CARD, Raw, answered, raw_requests
from trust.serving import Api, api
from trust.workspaces import trained_home

SECRET = "hunter2-and-nobody-knows"  # noqa: S105 - a secret to look for
_PROBLEM = re.compile(rb"content-type: application/problem\+json")
#: What tells where the program lies, how it is built inside, or who runs it.
_INSIDE = ("Traceback", ".py", "site-packages", "sqlite", "sqlalchemy", "SELECT ", "INSERT ", SECRET)


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Send every fault with a card number in it, break the database under the API, and read all that it wrote."""
    faults: list[str] = []
    problems = 0
    trained_home(folder, 60, trees=5)
    breaks = ["trust.broken_api:leak"] if broken else []
    with api(folder, broken=breaks, log_level="INFO", environment={"SOME_API_TOKEN": SECRET}) as running:
        for raw in list(raw_requests())[:: size.choose(1, 5)]:
            received = answered(running, raw)
            problems += _told(raw, received, folder, faults)
        problems += _without_database(running, folder, faults)
    lines = running.written.splitlines()
    for number, line in enumerate(lines, 1):
        for what in (CARD, SECRET):
            if what in line:
                faults.append(f"line {number} of the log holds what was sent or is secret: {line[:80]!r}")
        if line.startswith("{") and not _is_one_object(line):
            faults.append(f"line {number} of the log is no JSON: {line[:80]!r}")
        if "forged" in line:
            faults.append(f"line {number} of the log was written by a caller")
    return Outcome(
        f"{len(lines):,} lines of log without a card number or a forged line; {problems} problem documents without a "
        "path, a statement or a secret",
        tuple(faults),
    )


def _told(raw: Raw, received: bytes, home: Path, faults: list[str]) -> int:
    """Look at the problem documents in an answer; return how many there are."""
    count = 0
    for part in received.split(b"HTTP/1.1 ")[1:]:
        head, _, body = part.partition(b"\r\n\r\n")
        # Excerpts go back to their sender; headers, which proxies log, hold nothing of the request.
        if CARD.encode() in head and b"x-request-id: " + CARD.encode() not in head:
            faults.append(f"{raw.title}: the head of the answer holds what was sent")
        if _PROBLEM.search(head):
            count += 1
            faults += [f"{raw.title}: {fault}" for fault in _wrong(body.decode(), home)]
    return count


def _wrong(body: str, home: Path) -> list[str]:
    document = json.loads(body)
    text = json.dumps(document, ensure_ascii=False)
    found = [what for what in (*_INSIDE, str(home), str(Path(__file__).parents[1]), str(Path.home())) if what in text]
    long = [entry for entry in document["errors"] if len(entry["excerpt"] or "") > 64]
    return [f"a problem document tells {what!r}" for what in found] + ["an excerpt is too long"] * len(long)


def _without_database(running: Api, home: Path, faults: list[str]) -> int:
    """Put noise where the database is; what fails then is told without its inside."""
    for name in ("detector.db", "detector.db-wal", "detector.db-shm"):
        path = home / "data" / name
        if path.exists():
            path.write_bytes(b"this is no database " * 2_000)
    rows = [{"amount": n, "country": "NL", "note": CARD} for n in range(30)]
    count = 0
    for path in ("/train", "/update"):
        connection = HTTPConnection("127.0.0.1", running.port, timeout=30)
        connection.request("POST", path, json.dumps(rows), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        if answer.status < 400:
            continue  # the pages that it needs are still in its memory
        count += 1
        faults += [f"{path} without a database: {fault}" for fault in _wrong(body, home)]
    return count


def _is_one_object(line: str) -> bool:
    try:
        found: Any = json.loads(line)
    except ValueError:
        return False
    return isinstance(found, dict)


PROMISE = Promise(
    name="T35",
    says="Logs and errors tell nothing",
    asked="no raw value, no forged line in logs; no secret and no path in errors",
    breaks="the API writes bodies to its log, and where it lies into its answers",
    check=check,
)
