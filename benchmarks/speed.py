"""Learning, updating, first views, threads, files and starts, each beside its peer in this process or its limit.

    python -m benchmarks.speed

Wants two processors. The table of a million rows has eight columns of numbers and two of texts; scikit-learn gets ten
columns of numbers. Beside each time stands the processor time, which does not count what other work takes away from it:
on a busy machine that is the figure to hold against a limit.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest

from benchmarks.common import arguments, report
from detector import DynamicAnomalyDetector
from detector.service.versions.versioning import new_version
from detector.service.workspace import Workspace
from detector.settings import Settings

COUNTRIES = np.array(["DE", "FR", "US", "GB", "IT", "ES", "PL", "NL"])
MERCHANTS = np.array([f"merchant {i}" for i in range(500)])
VERSIONS = 50

#: What a fresh process does until it has its first prediction.
FIRST_OURS = """
from detector import DynamicAnomalyDetector
model = DynamicAnomalyDetector().load({path!r})
model.predict({record!r})
"""
FIRST_SKLEARN = """
import joblib, numpy
joblib.load({path!r}).predict(numpy.zeros((1, 10)))
"""
OPEN = """
import time
from detector.service.workspace import Workspace
from detector.settings import Settings
begin, used = time.perf_counter(), time.process_time()
workspace = Workspace.open(Settings(home={home!r}))
versions = len(workspace.registry.list())
print(time.perf_counter() - begin, time.process_time() - used)
workspace.close()
assert versions == {versions}
"""


def main() -> None:
    """Measure, and print each figure beside its peer's or its limit."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=20, help="runs of short works; long ones run a quarter as often")
    options = parser.parse_args()
    few = max(2, options.runs // 4)
    frame, X = mixed(options.rows), np.random.default_rng(1).normal(size=(options.rows, 10))
    history = DynamicAnomalyDetector(random_state=0).fit(frame.iloc[:100_000])
    rows: list[dict[str, Any]] = []

    fit = least(lambda: DynamicAnomalyDetector(random_state=0).fit(frame), few)
    peer = least(lambda: IsolationForest(contamination=0.1, random_state=0).fit(X), 2)
    rows.append(line(f"fit {options.rows:,} rows: 8 numbers, 2 texts", fit, "scikit-learn's, 10 numbers", peer))
    for size in (100, 1_000, 10_000):
        batch = mixed(size, seed=2)
        update = least(lambda b=batch: history.updated(b), options.runs)
        rows.append(line(f"partial_fit of {size:,} rows", update, "limit", Took(0.02)))
    first, again = views(DynamicAnomalyDetector(random_state=0).fit(X[:100_000]))
    rows.append(line("first record of a new signature, 8 of 10 columns", first, "limit", Took(0.01)))
    rows.append(line("the next record of that signature", again, "the first", first))
    if len(os.sched_getaffinity(0)) > 1:
        model = DynamicAnomalyDetector(random_state=0).fit(X[:100_000])
        known, table = model._fitted(), pd.DataFrame(X[:200_000], columns=model.known_features)
        forest, matrix = known.views.get(known.everything).forest, X[:200_000].astype(np.float32)
        one, two = threads(lambda: forest.paths(matrix), options.runs)
        rows.append(line("200,000 x 10: path lengths on two threads", two, "on one", one))
        one, two = threads(lambda: model.score(table), options.runs)
        rows.append(line("200,000 x 10: frame in, result out, on two threads", two, "on one", one))
    with TemporaryDirectory() as folder:
        rows += starts(Path(folder), X[:20_000], few)
    sizes = {"10 numbers": DynamicAnomalyDetector(random_state=0).fit(X), "8 numbers, 2 texts": history}
    megabytes = {f"model file, {name} (MB; limit 5)": len(model.to_bytes()) / 1e6 for name, model in sizes.items()}
    notes = {
        "fastest of": f"{options.runs} runs, {few} where they are long; scikit-learn's fit of 2",
        "partial_fit": "of a model of 100,000 rows: statistics and sample; forests are grown once rows are scored",
        "fresh processes": "from their start to their end, with compiled code in numba's cache on disk",
    } | megabytes
    report("speed", rows, options.out, notes=notes)


@dataclass(frozen=True)
class Took:
    """Seconds by the clock, and of processor time where that was measured (all threads and child processes)."""

    wall: float
    processor: float | None = None

    def least(self, other: Took) -> Took:
        return other if other.wall < self.wall else self


def timed(work: Callable[[], Any]) -> Took:
    begin, used = time.perf_counter(), processor_time()
    work()
    return Took(time.perf_counter() - begin, processor_time() - used)


def least(work: Callable[[], Any], runs: int) -> Took:
    """Return the least wall time and the least processor time of ``runs``, after one run that warms up."""
    work()
    took = [timed(work) for _ in range(runs)]
    return Took(min(one.wall for one in took), min(one.processor or 0.0 for one in took))


def processor_time() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def line(work: str, ours: Took, beside: str, theirs: Took) -> dict[str, Any]:
    """Return a row of the table, in milliseconds."""
    return {
        "work (ms)": work,
        "ours": 1e3 * ours.wall,
        "ours, processor": "" if ours.processor is None else 1e3 * ours.processor,
        "beside": beside,
        "theirs": 1e3 * theirs.wall,
        "theirs, processor": "" if theirs.processor is None else 1e3 * theirs.processor,
        "ours / theirs": ours.wall / theirs.wall,
    }


def mixed(rows: int, seed: int = 0) -> pd.DataFrame:
    """Return a table of eight columns of numbers and two of texts."""
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {f"n{i}": rng.normal(size=rows) for i in range(6)}
    columns["amount"] = np.round(rng.lognormal(3.0, 1.0, rows), 2)
    columns["tries"] = rng.poisson(3.0, rows)
    columns["country"] = COUNTRIES[rng.integers(0, len(COUNTRIES), rows)]
    columns["merchant"] = MERCHANTS[(5.0 * rng.pareto(1.0, rows)).astype(np.int64) % len(MERCHANTS)]
    return pd.DataFrame(columns)


def views(model: DynamicAnomalyDetector) -> tuple[Took, Took]:
    """Return the least time that the first, and the second, record takes of 45 signatures, each of 8 columns."""
    record = dict.fromkeys(model.known_features, 0.1)
    model.score(record)
    first = again = Took(float("inf"), float("inf"))
    for gone in combinations(record, 2):
        lacking = {name: value for name, value in record.items() if name not in gone}
        for _ in range(2):
            took = timed(lambda r=lacking: model.score(r))
            first, again = (first.least(took), again) if _ == 0 else (first, again.least(took))
    return first, again


def threads(work: Callable[[], Any], runs: int) -> tuple[Took, Took]:
    """Return the least time that ``work`` takes on one processor and on two, in turns."""
    every = sorted(os.sched_getaffinity(0))
    found = [Took(float("inf")), Took(float("inf"))]
    for _ in range(runs):
        for place in range(2):
            os.sched_setaffinity(0, every[: place + 1])
            found[place] = found[place].least(timed(work))
    os.sched_setaffinity(0, every)
    return found[0], found[1]


def starts(folder: Path, X: np.ndarray, runs: int) -> list[dict[str, Any]]:
    """Measure what fresh processes take: to a first prediction, and to open a workspace of many versions."""
    ours = DynamicAnomalyDetector(random_state=0).fit(X)
    ours.save(folder / "ours.joblib")
    joblib.dump(IsolationForest(random_state=0).fit(X), folder / "theirs.joblib")
    record = dict.fromkeys(ours.known_features, 0.1)
    code = FIRST_OURS.format(path=str(folder / "ours.joblib"), record=record)
    first = least(lambda: run(code), runs)
    code = FIRST_SKLEARN.format(path=str(folder / "theirs.joblib"))
    theirs = least(lambda: run(code), runs)
    settings = Settings(home=folder / "home")
    workspace = Workspace.open(settings)
    content = ours.to_bytes()
    for _ in range(VERSIONS):
        workspace.promote(new_version(ours, origin="trained", content=content), actor="benchmark")
    workspace.close()
    code = OPEN.format(home=str(settings.home), versions=VERSIONS)
    opened = [Took(*map(float, run(code).split())) for _ in range(runs)]
    fewest = Took(min(one.wall for one in opened), min(one.processor or 0.0 for one in opened))
    start = "fresh process: import, load, first prediction"
    return [
        line(start, first, "limit", Took(1.5)),
        line(start, first, "scikit-learn's, by joblib", theirs),
        line(f"fresh process: open a workspace of {VERSIONS} versions and list them", fewest, "limit", Took(0.1)),
    ]


def run(code: str) -> str:
    """Return what a fresh process prints."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
