"""P10: alive is not ready, and scoring needs no database.

The database goes away while the API runs, in each way that it can: its file is locked by another process, its file is
gone, or the server stands still (PostgreSQL, where its programs are installed). Meanwhile liveness, readiness and
scores are asked for again and again.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from multiprocessing.synchronize import Event
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import orjson

from trust.database_server import PostgresServer, programs
from trust.promise import Outcome, Promise, Size
from trust.serving import api
from trust.workspaces import trained_home, transactions

NO_WITHIN, YES_WITHIN, ALIVE_WITHIN = 2.0, 5.0, 1.0
#: Bytes of the index of SQLite's log that hold its locks.
_LOCKS = (120, 8)

Away = Callable[[], AbstractContextManager[None]]


@dataclass
class _Way:
    """One way in which a database goes away, and what was seen meanwhile."""

    name: str
    home: Path
    away: Away
    environment: dict[str, str] = field(default_factory=dict)
    figure: str = ""
    faults: list[str] = field(default_factory=list)


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Take the database away, look, give it back, and look again."""
    gone = _Way("SQLite's file gone", folder / "gone", lambda: _file_gone(folder / "gone"))
    locked = _Way("SQLite locked", folder / "locked", lambda: _locked(folder / "locked"))
    ways = size.choose([gone, locked], [gone])
    for way in ways:
        way.home.mkdir()
        trained_home(way.home)
    seconds = size.choose(60.0, 2.2)
    if not size.full:
        _watch(ways[0], seconds, broken)
        return _outcome(ways, "")
    with ExitStack() as stack:
        if programs() is not None:
            ways.append(_on_postgres(folder / "postgres", stack))
        with ThreadPoolExecutor(len(ways)) as threads:
            list(threads.map(lambda way: _watch(way, seconds, broken), ways))
    return _outcome(ways, "" if programs() is not None else "; PostgreSQL is not installed here and was not tried")


def _outcome(ways: list[_Way], more: str) -> Outcome:
    faults = [f"{way.name}: {fault}" for way in ways for fault in way.faults]
    return Outcome("; ".join(f"{way.name}: {way.figure}" for way in ways) + more, tuple(faults))


def _on_postgres(home: Path, stack: ExitStack) -> _Way:
    server = PostgresServer()
    stack.callback(server.remove)
    server.start()
    address = server.create("p10")
    home.mkdir()
    trained_home(home, database_url=address)
    return _Way("PostgreSQL stands still", home, server.standing_still, {"DATABASE_URL": address})


def _watch(way: _Way, seconds: float, broken: bool) -> None:
    row = transactions(1, 5)[0]
    with api(way.home, broken=["trust.p10_ready:go_blind"] if broken else [], environment=way.environment) as running:

        def ask(method: str, path: str, document: Any = None) -> tuple[int, Any, float]:
            begun = monotonic()
            connection = HTTPConnection("127.0.0.1", running.port, timeout=5)
            try:
                body = None if document is None else orjson.dumps(document)
                connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
                answer = connection.getresponse()
                return answer.status, orjson.loads(answer.read()), monotonic() - begun
            except OSError as error:
                return 0, str(error), monotonic() - begun
            finally:
                connection.close()

        until = monotonic() + YES_WITHIN
        while (first := ask("GET", "/ready"))[0] != 200 and monotonic() < until:
            sleep(0.1)
        if first[0] != 200:
            way.faults.append(f"not ready to begin with: {first[1]}")
        usual = ask("POST", "/predict", {"data": row})[1]
        said_no = slowest = 0.0
        asked = 0
        with way.away():
            begun = monotonic()
            while monotonic() - begun < seconds:
                asked += 1
                status, ready, _ = ask("GET", "/ready")
                if not said_no and status == 503:
                    said_no = monotonic() - begun
                    if ready["not_ready"] != ["database"]:
                        way.faults.append(f"readiness blames {ready['not_ready']}")
                elif said_no and status != 503:
                    way.faults.append(f"readiness said {status} while the database was away")
                alive, _, took = ask("GET", "/health")
                if alive != 200 or took > ALIVE_WITHIN:
                    way.faults.append(f"/health answered {alive} after {took:.1f} s")
                scored, verdict, took = ask("POST", "/predict", {"data": row})
                slowest = max(slowest, took)
                if scored != 200 or took > ALIVE_WITHIN or verdict["anomaly_score"] != usual["anomaly_score"]:
                    way.faults.append(f"a score came as {scored} after {took:.1f} s")
                sleep(0.2)
        back = monotonic()
        while ask("GET", "/ready")[0] != 200 and monotonic() - back < 2 * YES_WITHIN:
            sleep(0.1)
        recovered = monotonic() - back
    if not said_no or said_no > NO_WITHIN:
        way.faults.append(f"readiness said no after {said_no:.1f} s" if said_no else "readiness never said no")
    if recovered > YES_WITHIN:
        way.faults.append(f"readiness said yes again only after {recovered:.1f} s")
    way.figure = (
        f"away {seconds:.0f} s, no after {said_no:.1f} s, yes after {recovered:.1f} s, {asked} scores, the slowest "
        f"{1e3 * slowest:.0f} ms"
    )


def go_blind() -> None:
    """Break it: each request looks at the database, and readiness does not."""
    from detector.service import champion, watching

    watching.DatabaseWatch.answers = True  # type: ignore[assignment,method-assign]
    champion.ChampionWatch.follow = lambda *_: None  # type: ignore[method-assign]


@contextmanager
def _file_gone(home: Path) -> Iterator[None]:
    """Put another file in the place of the database."""
    place = home / "data" / "detector.db"
    kept = place.with_name("kept.db")
    place.rename(kept)
    place.write_bytes(b"this is no database, but it lies in its place" * 100)
    try:
        yield
    finally:
        place.unlink()
        kept.rename(place)


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Let another process hold all locks of the database."""
    spawning = multiprocessing.get_context("spawn")
    held, over = spawning.Event(), spawning.Event()
    holder = spawning.Process(target=_hold, args=(home / "data" / "detector.db-shm", held, over), daemon=True)
    holder.start()
    held.wait(60)
    try:
        yield
    finally:
        over.set()
        holder.join(60)


def _hold(index: Path, held: Event, over: Event) -> None:
    first, count = _LOCKS
    with index.open("r+b") as file:
        lock = struct.pack("hhqqi", fcntl.F_WRLCK, 0, first, count, 0)
        fcntl.fcntl(file, fcntl.F_SETLKW, lock)
        held.set()
        over.wait(600)


PROMISE = Promise(
    name="P10",
    says="Alive is not ready",
    asked="database away for 60 s: /health answers, readiness says no within 2 s, scoring goes on, yes within 5 s",
    breaks="readiness does not look, and requests look at the database themselves",
    check=check,
)
