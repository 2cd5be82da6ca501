"""What versions in the registry and open cases in the queue cost.

Most of both are put into the database directly, as copies of a real one: making ten thousand models, or scoring the
files that a million cases come from, would take hours and tell nothing of what finding them costs.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import event, insert, select

from benchmarks.scaling.learning import numbers
from benchmarks.scaling.measuring import Meter
from detector.core.model import DynamicAnomalyDetector
from detector.service import scoring, uploads
from detector.service.review import deciding
from detector.service.review.case_ids import CaseId
from detector.service.review.filters import Filters
from detector.service.review.queue import queue_page, view_counts
from detector.service.review.queueing import MOST_CASES
from detector.service.versions import training, updating
from detector.service.versions.versioning import new_version
from detector.service.workspace import CHAMPION, Workspace
from detector.settings import Settings
from detector.store import queue_files, tables

ACTOR = "benchmark"
#: Cases of one decision about many.
MANY = 1_000


def versions(size: int, meter: Meter) -> None:
    """Have ``size`` versions, register, promote, look up, list and load; open the workspace anew."""
    frame = _payments(1_000 if meter.quick else 5_000)
    with _workspace() as ws:
        training.train_rows(ws, frame, actor=ACTOR)
        if size > 1:
            updating.update_rows(ws, frame.iloc[:500], actor=ACTOR)
            _copy_versions(ws, size - 2)
        detector = ws.detector(1)
        content = detector.to_bytes()
        meter.time("look the champion up", lambda: ws.registry.alias(CHAMPION), runs=20)
        meter.time("newest 50 listed", lambda: ws.registry.list(lane="main", limit=50), runs=10)
        meter.time("all listed", lambda: ws.registry.list(lane="main"))
        meter.time("one loaded", lambda: DynamicAnomalyDetector.from_bytes(ws.registry.get(1)), runs=5)
        new = new_version(detector, origin="trained", content=content)
        meter.time("one registered", lambda: ws.registry.register(new, actor=ACTOR), runs=5)
        models = [DynamicAnomalyDetector(random_state=seed).fit(frame) for seed in range(2)]
        in_turn = cycle([new_version(model, origin="trained", content=model.to_bytes()) for model in models])
        meter.time("one promoted", lambda: ws.promote(next(in_turn), actor=ACTOR), runs=5)
        meter.time("workspace opened", lambda: Workspace.open(ws.settings).close(), runs=5)


def cases(size: int, meter: Meter) -> None:
    """Have ``size`` open cases in queues of at most 200,000; open a page of them, search, decide on one and on many."""
    with _workspace() as ws:
        _fill_queue(ws, size)
        everything, found = Filters(view="all"), Filters(view="all", search="C17")
        meter.time("first look of a process", lambda: _page(ws, everything), runs=1)
        meter.time("a page of 50", lambda: _page(ws, everything), runs=5)
        meter.time("a page of what a search finds", lambda: _page(ws, found), runs=5)
        meter.time("cases of each view counted", lambda: view_counts(ws, actor=ACTOR), runs=5)
        run = ws.inbox.tables()[0].queue.run
        ids = iter([CaseId(run, int(row)) for row in ws.inbox.table(run).rows])

        def decide(many: int = 1) -> None:
            some = [next(ids) for _ in range(many)]
            deciding.decide(ws, some, "legitimate", "usual_for_customer", actor=ACTOR)

        decide()
        meter.time("the page after the first decision", lambda: _page(ws, everything), runs=1)
        for _ in ws.inbox.tables():
            ws.inbox.tables()  # at each look, one of the other queues learns from it
        meter.time("one decided", decide, runs=5)
        _page(ws, everything)

        def decide_and_look() -> None:
            decide()
            _page(ws, everything)

        meter.time("one decided, and the page after it", decide_and_look, runs=5)
        many = min(MANY, size // 4)
        before = _bytes_of(ws)
        meter.time("many decided at once, each", lambda: decide(many), runs=1, of=many)
        meter.size("database for a decision", (_bytes_of(ws) - before) / many)
        meter.time("the page after many decisions", lambda: _page(ws, everything), runs=1)
        meter.size("memory of a case", _held_by_cases(ws) / size)


def _page(ws: Workspace, filters: Filters) -> Any:
    return queue_page(ws, filters, actor=ACTOR, limit=50)


def statements_of_a_decision() -> dict[str, int]:
    """Return how many statements that write one decision takes, by what they do."""
    with _workspace() as ws:
        _fill_queue(ws, 100)
        run = ws.inbox.tables()[0].queue.run
        case = CaseId(run, int(ws.inbox.table(run).rows[0]))
        seen: dict[str, int] = {}

        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            words = statement.split()
            if words[0] in ("INSERT", "UPDATE", "DELETE"):
                table = words[1] if words[0] == "UPDATE" else words[2]
                seen[f"{words[0].lower()} {table}"] = seen.get(f"{words[0].lower()} {table}", 0) + 1

        event.listen(ws.database.engine, "before_cursor_execute", note)
        deciding.decide(ws, [case], "legitimate", "usual_for_customer", actor=ACTOR)
        event.remove(ws.database.engine, "before_cursor_execute", note)
    return seen


@contextmanager
def _workspace() -> Iterator[Workspace]:
    with TemporaryDirectory() as folder:
        # Nobody listens on port 9: the API is down and says so at once.
        ws = Workspace.open(Settings(home=Path(folder), api_port=9))
        try:
            yield ws
        finally:
            ws.close()


def _payments(count: int, seed: int = 0) -> pd.DataFrame:
    frame = pd.DataFrame(numbers(count, 10, seed), columns=[f"c{number}" for number in range(10)])
    random = np.random.default_rng(seed)
    return frame.assign(card=[f"C{number}" for number in random.integers(0, 5_000, count)], amount=frame["c0"].abs())


def _copy_versions(ws: Workspace, many: int) -> None:
    with ws.database.write() as connection:
        last = dict(connection.execute(select(tables.versions).where(tables.versions.c.number == 2)).mappings().one())
        copies = [last | {"number": 3 + i, "sha256": sha256(str(i).encode()).hexdigest()} for i in range(many)]
        if copies:
            connection.execute(insert(tables.versions), copies)


def _fill_queue(ws: Workspace, size: int) -> None:
    """Put ``size`` cases into the queue: as many copies of one run, and of its queue, as it takes."""
    each = min(size, MOST_CASES)
    frame = _payments(each)
    roles = {"card": "ignored", "amount": "amount"}
    training.train_rows(ws, frame.iloc[:20_000], roles=roles, actor=ACTOR)
    upload = uploads.receive(ws, "few.csv", frame.head(100).to_csv(index=False).encode(), actor=ACTOR)
    first = scoring.score_file(ws, upload.id, actor=ACTOR)
    kept = queue_files.write_queue(ws.inbox.folder, *_told(ws.detector(first.version), frame))
    with ws.database.write() as connection:
        run = dict(connection.execute(select(tables.runs)).mappings().one())
        for number in range(-(-size // each)):
            file = f"{number}-{kept}"
            for path in (queue_files.rows_path, lambda path: path):
                shutil.copyfile(path(ws.inbox.folder / kept), path(ws.inbox.folder / file))
            values = {"id": first.id + 1 + number, "sha256": sha256(file.encode()).hexdigest(), "rows": each}
            connection.execute(insert(tables.runs).values(**run | values))
            connection.execute(
                insert(tables.queues).values(
                    run=values["id"], rows=each, file=file, entity="card", time=None, amount="amount",
                    created_at=run["created_at"], created_by=ACTOR,
                )
            )  # fmt: skip


def _told(detector: DynamicAnomalyDetector, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the cases of a queue, most severe first, with reasons that are made up, and their rows."""
    result = detector.score(frame)
    order = np.argsort(-result.severities, kind="stable")
    frame = frame.iloc[order].reset_index(drop=True)
    random = np.random.default_rng(0)
    badges = np.array([f"odd c{number}" for number in range(10)], object)[random.integers(0, 10, (len(frame), 2))]
    lists = badges.tolist()
    pairs = [[0.2, 0.1]] * len(frame)
    cases = pd.DataFrame(
        {
            "row": order + 1, "severity": result.severities[order], "score": result.scores[order],
            "entity": frame["card"].astype("string"), "time": pd.Series(pd.NaT, frame.index, "datetime64[us, UTC]"),
            "amount": frame["amount"].astype(float), "group": badges[:, 0], "reasons": lists, "contributions": pairs,
            "badges": lists, "sentences": lists, "parts": lists, "values": pairs,
        }
    )  # fmt: skip
    return cases, frame


def _bytes_of(ws: Workspace) -> int:
    file = ws.database.file
    assert file is not None
    with ws.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return file.stat().st_size


def _held_by_cases(ws: Workspace) -> int:
    arrays = (
        "rows",
        "severities",
        "amounts",
        "times",
        "entities",
        "groups",
        "statuses",
        "outcomes",
        "snoozed",
        "places",
    )
    return sum(getattr(table, name).nbytes for table in ws.inbox.tables() for name in arrays)
