"""P6: updates are sane: the same rows and seeds give the same bytes, in whatever order the columns come."""

from __future__ import annotations

import multiprocessing
import random
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from detector.core.frames import as_frame
from detector.core.model import DynamicAnomalyDetector
from detector.service.versions.training import TrainParameters, train_rows
from detector.service.versions.updating import update_rows
from detector.service.workspace import Workspace
from detector.synthetic import generate_week
from trust.digests import ROLES, digests, drawn_by_order, send_digests
from trust.promise import Outcome, Promise, Size
from trust.workspaces import opened, transactions


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Train and update again and again: here, in fresh processes, from the log, and with columns in another order."""
    processes, seeds, weeks, replays, orders = size.choose((4, 4, 5, 6, 10), (1, 1, 2, 2, 3))
    rows = size.choose(1_000, 120)
    with ExitStack() as stack:
        if broken:
            stack.enter_context(drawn_by_order())
        faults = _other_processes(processes, seeds, weeks, rows, broken)
        versions = _replayed(folder, replays, faults)
        _other_orders(orders, weeks, rows, faults)
    figure = (
        f"{seeds} seeds x {weeks} weeks in {processes} fresh processes, {versions} versions replayed from the log, "
        f"{orders} orders of columns: {len(faults)} differences"
    )
    return Outcome(figure, tuple(faults))


def _other_processes(processes: int, seeds: int, weeks: int, rows: int, broken: bool) -> list[str]:
    """Return where fresh processes come to other bytes than this one."""
    context = multiprocessing.get_context("spawn")
    tasks = [(seed, weeks, rows) for seed in range(seeds)]
    running = []
    for _ in range(processes):
        ours, theirs = context.Pipe()
        process = context.Process(target=send_digests, args=(theirs, tasks, broken), daemon=True)
        process.start()
        theirs.close()
        running.append((process, ours))
    here = [digests(*task) for task in tasks]
    faults = []
    for place, (process, ours) in enumerate(running):
        there = ours.recv()
        process.join()
        faults += [
            f"seed {task[0]}, process {place}: step {step} differs"
            for task, one, other in zip(tasks, here, there, strict=True)
            for step, (a, b) in enumerate(zip(one, other, strict=True))
            if a != b
        ]
    if len({tuple(one) for one in here}) != seeds:
        faults.append("two seeds gave the same model")
    return faults


def _replayed(folder: Path, updates: int, faults: list[str]) -> int:
    """Make a workspace by updates, replay its log of updates in another one, and compare the registered hashes."""
    batches = {number: transactions(60 + 20 * number, number) for number in range(1, updates + 2)}
    first = _workspace(folder / "first")
    train_rows(first, batches[1], TrainParameters(n_estimators=20), actor="check")
    for number in range(2, updates + 2):
        # What was observed in between must not show in what an update makes.
        first.require_champion().detector.observe([{**batches[1][0], "seen_once": 1.0}])
        update_rows(first, batches[number], actor="check")
    log = first.registry.list()[::-1]
    second = _workspace(folder / "second")
    for info in log:
        rows: list[dict[str, Any]] = batches[info.number]
        if info.parent is None:
            train_rows(second, rows, TrainParameters(n_estimators=20), actor="check")
        else:
            update_rows(second, _shuffled(rows, info.number), actor="check")
    again = {info.number: info.sha256 for info in second.registry.list()}
    differing = [info.number for info in log if again.get(info.number) != info.sha256]
    faults += [f"version {number} is another one when replayed" for number in differing]
    for workspace in (first, second):
        workspace.close()
    return len(log)


def _workspace(folder: Path) -> Workspace:
    # What is promised here holds for every update, also for one that the gate would hold back.
    open_gate = {"update_max_flagged": 1.0, "update_min_correlation": -1.0, "update_max_shift": 1.0}
    return opened(folder, **open_gate)


def _shuffled(rows: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """Return the rows with their fields in another order."""
    order = list(rows[0])
    random.Random(seed).shuffle(order)  # noqa: S311 - no secret
    return [{name: row[name] for name in order} for row in rows]


def _other_orders(orders: int, weeks: int, rows: int, faults: list[str]) -> None:
    """Train, update and score with the columns in many orders."""
    frames = [generate_week(week, rows=rows) for week in range(1, weeks + 1)]
    known: tuple[str, bytes, bytes] | None = None
    for turn in range(orders):
        columns = np.random.default_rng(turn)
        mixed = [frame[columns.permutation(frame.columns)] if turn else frame for frame in frames]
        model = DynamicAnomalyDetector(n_estimators=40, roles=ROLES).fit(mixed[0])
        for frame in mixed[1:]:
            model = model.updated(frame)
        # The order of the first table is kept on purpose, as scikit-learn does; everything else must be the same.
        model.feature_names_in_ = np.asarray(sorted(map(str, mixed[0].columns)), object)
        record = as_frame(mixed[-1]).iloc[0].to_dict()
        found = (
            sha256(model.to_bytes()).hexdigest(),
            model.score(mixed[-1]).scores.tobytes(),
            model.score(record).scores.tobytes(),
        )
        if known is not None and found != known:
            faults.append(f"order {turn} of the columns gives another model or other scores")
        known = known or found


PROMISE = Promise(
    "P6",
    "Updates are sane",
    "the same seeds give the same bytes; replaying the log of updates gives the same hash; column order never matters",
    "an update draws by the order of the columns, and by what a process makes of their names",
    check,
)
