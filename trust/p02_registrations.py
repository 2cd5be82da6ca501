"""P2: versions are immutable, and numbered without gaps."""

from __future__ import annotations

import multiprocessing
from contextlib import ExitStack, nullcontext
from hashlib import sha256
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from detector.store import database
from detector.store.database import Database
from detector.store.model_folder import FolderStore
from detector.store.registry import Registry
from detector.store.versions import NewVersion
from trust.promise import Outcome, Promise, Size

ANSWER = 240.0


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Register from many processes at once; count numbers, read every file back, and try to change what is there."""
    processes, each = size.choose((50, 20), (4, 5))
    registry = _registry(folder)
    registry.database.migrate()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["trust.p02_registrations"])
    told, failures = _race(context, folder, processes, each, broken)
    faults = list(failures)
    numbers = sorted(number for number, _ in told)
    wanted = processes * each
    if numbers != list(range(1, wanted + 1)):
        last, different = max(numbers, default=0), len(set(numbers))
        faults.append(f"{len(numbers)} numbers were told, {different} of them different, up to {last}")
    faults += _differences(registry, dict(told))
    faults += _changes(registry.database)
    files = len(registry.models.names("versions/"))
    if files != len(set(numbers)):
        faults.append(f"there are {files} files for {len(set(numbers))} versions")
    registry.database.close()
    figure = f"{len(set(numbers)):,} versions by {processes} processes, {len(failures)} failures seen by a client"
    return Outcome(figure, tuple(faults))


def _registry(folder: Path) -> Registry:
    return Registry(FolderStore(folder / "models", "models"), Database(f"sqlite:///{folder / 'data' / 'detector.db'}"))


def _race(
    context: ForkServerContext, folder: Path, processes: int, each: int, broken: bool
) -> tuple[list[tuple[int, str]], list[str]]:
    told: Any = context.Queue()
    start = context.Barrier(processes)
    running = [
        context.Process(target=_register, args=(folder, place, each, start, told, broken), daemon=True)
        for place in range(processes)
    ]
    for process in running:
        process.start()
    found: list[tuple[int, str]] = []
    failures: list[str] = []
    for _ in running:
        registered, failed = told.get(timeout=ANSWER)
        found += registered
        failures += failed
    for process in running:
        process.join()
    return found, failures


def _register(folder: Path, place: int, each: int, start: Barrier, told: Any, broken: bool) -> None:
    """Register ``each`` versions from one process, and tell their numbers and digests."""
    registered, failed = [], []
    with ExitStack() as stack:
        if broken:
            # A transaction that only begins to write when it writes: it reads a number that others read as well.
            stack.enter_context(patch.object(database, "_begin_sqlite", _begin_without_lock))
            stack.enter_context(patch.object(Database, "_turn", nullcontext))
        registry = _registry(folder)
        start.wait()
        for turn in range(each):
            content = f"process {place}, version {turn}".encode()
            try:
                info = registry.register(NewVersion(content, "trained", 1, ("a",), 0.1, 90.0), actor=f"process {place}")
            except (SQLAlchemyError, OSError) as error:
                failed.append(f"process {place} could not register: {type(error).__name__}: {str(error)[:120]}")
                continue
            registered.append((info.number, sha256(content).hexdigest()))
        registry.database.close()
    told.put((registered, failed))


def _begin_without_lock(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN")


def _differences(registry: Registry, told: dict[int, str]) -> list[str]:
    """Return what is read back otherwise than it was told when it was registered."""
    faults = []
    for info in registry.list():
        if told.get(info.number) != info.sha256:
            faults.append(f"version {info.number} is not the one that was registered under this number")
        if sha256(registry.get(info.number)).hexdigest() != info.sha256:
            faults.append(f"version {info.number} reads back otherwise")
    return faults


def _changes(database_: Database) -> list[str]:
    """Return the changes of a registered version that the database allows."""
    allowed = []
    for statement in ("UPDATE versions SET sha256 = 'x' WHERE number = 1", "DELETE FROM versions WHERE number = 1"):
        try:
            with database_.write() as connection:
                connection.execute(text(statement))
        except SQLAlchemyError:
            continue
        allowed.append(f"the database allowed: {statement}")
    return allowed


PROMISE = Promise(
    "P2",
    "Versions are immutable, numbered without gaps",
    "50 processes x 20 registrations: 1,000 versions, no duplicate, no failure that a client sees",
    "writers do not wait for each other before they read the last number",
    check,
)
