"""Decisions that teach: frauds found in the first hundred reviews, one review at a time.

The protocol is that of an analyst. A detector learns a table without labels. The row that it ranks highest and nobody
has looked at is reviewed, its label is told, the table is ranked again, and so on. Ours is asked through
:class:`detector.core.ranking.Ranking`. The peer that learns is coniferest's AADForest (S. Das et al., "Active Anomaly
Discovery", 2017), with its own defaults, on the same encoded columns as ours; what is recorded as absent is put below
the lowest value. Beside them stand forests that learn nothing: ours without decisions, and scikit-learn's on the same
columns.

FOLDER_OF_NPZ_FILES holds (X, y); the other folder holds tables and a ``manifest.csv``, see
:mod:`benchmarks.transactions`:

    python -m benchmarks.feedback --data FOLDER_OF_NPZ_FILES --tables FOLDER

What the analyst's screen waits for is measured first, on made-up rows: ranking 100,000 of them again after a decision.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from coniferest.aadforest import AADForest
from coniferest.label import Label
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from benchmarks.common import arguments, best_of, need_folder, report
from benchmarks.transactions import tables
from detector import DynamicAnomalyDetector

TREES, SAMPLES = 100, 256
#: What is looked at on the way.
EARLY = 25
CUTOFF = 90.0
OURS, UNDECIDED, PLAIN, PEER = "ours", "ours, no decisions", "scikit-learn, no decisions", "AADForest"


@dataclass(frozen=True)
class Table:
    """A labelled table."""

    kind: str
    name: str
    columns: pd.DataFrame
    truth: NDArray[np.int64]
    roles: dict[str, str] | None


def sets(data: Path | None, folder: Path | None, most: int, seed: int) -> Iterator[Table]:
    """Yield every labelled set, at most ``most`` rows of it."""
    for file in sorted(data.glob("*.npz")) if data is not None else []:
        with np.load(file) as held:
            X, y = np.asarray(held["X"], np.float64), np.asarray(held["y"], np.int64)
        chosen = np.random.default_rng(seed).permutation(len(X))[:most]
        names = [f"c{i}" for i in range(X.shape[1])]
        columns = pd.DataFrame(X[chosen], columns=names)
        yield Table("numbers", file.stem, columns, y[chosen], dict.fromkeys(names, "input"))
    for table in tables(folder, most) if folder is not None else []:
        yield Table(table.kind, table.name, table.columns, table.truth, None)


def encoded(model: DynamicAnomalyDetector, columns: pd.DataFrame) -> NDArray[np.float64]:
    """Return the columns that our trees split on; what is absent lies below the lowest value."""
    known = model._state
    aligned = known.align(columns)
    view = known.views.get(tuple(np.flatnonzero(aligned.carried).tolist()))
    X = aligned.matrix[:, view.forest.columns].astype(np.float64)
    lowest = np.where(np.isfinite(X), X, np.inf).min(axis=0)
    return np.where(np.isfinite(X), X, np.where(np.isfinite(lowest), lowest, 0.0) - 1.0)


def reviewed(best: Callable[[dict[int, int]], int], truth: NDArray[np.int64], reviews: int) -> list[int]:
    """Return the rows in the order of their review; ``best`` says which is next after some decisions."""
    decisions: dict[int, int] = {}
    while len(decisions) < min(reviews, len(truth)):
        row = best(decisions)
        decisions[row] = int(truth[row])
    return list(decisions)


def by_ours(model: DynamicAnomalyDetector, table: Table, reviews: int) -> list[int]:
    """Return the rows that an analyst reviews with ours."""
    ranking = model.ranking(table.columns)

    def best(decisions: dict[int, int]) -> int:
        return next(int(row) for row in ranking.after(decisions).positions if int(row) not in decisions)

    return reviewed(best, table.truth, reviews)


def by_peer(X: NDArray[np.float64], truth: NDArray[np.int64], reviews: int, seed: int) -> list[int]:
    """Return the rows that an analyst reviews with coniferest's AADForest."""
    forest = AADForest(n_trees=TREES, n_subsamples=min(SAMPLES, len(X)), random_seed=seed, n_jobs=1).fit(X)

    def best(decisions: dict[int, int]) -> int:
        rows = list(decisions)
        if rows:
            labels = np.where(np.array([decisions[row] for row in rows]) == 1, Label.ANOMALY, Label.REGULAR)
            forest.fit_known(X, X[rows], labels)
        scores = forest.score_samples(X)
        scores[rows] = np.inf
        return int(scores.argmin())

    return reviewed(best, truth, reviews)


def measure(table: Table, seed: int, reviews: int) -> dict[str, Any]:
    """Return what each way finds in one table."""
    model = DynamicAnomalyDetector(n_estimators=TREES, random_state=seed, roles=table.roles).fit(table.columns)
    X = encoded(model, table.columns)
    unaided = model.ranking(table.columns).after({}).positions[:reviews]
    plain = IsolationForest(n_estimators=TREES, random_state=seed).fit(X).score_samples(X).argsort(kind="stable")
    ours, peer = by_ours(model, table, reviews), by_peer(X, table.truth, reviews, seed)
    found = {OURS: ours, PEER: peer, UNDECIDED: unaided, PLAIN: plain[:reviews]}
    counted = {name: int(table.truth[rows].sum()) for name, rows in found.items()}
    early = {f"{name}, first {EARLY}": int(table.truth[found[name][:EARLY]].sum()) for name in (OURS, PEER)}
    could = min(int(table.truth.sum()), reviews)
    return {"kind": table.kind, "set": table.name, "seed": seed, "could be found": could, **counted, **early}


def flagged(table: Table, seed: int, reviews: int) -> dict[str, Any]:
    """Return the share of fresh rows that is flagged, where one half trains and is reviewed and the other is fresh."""
    order = np.random.default_rng(seed).permutation(len(table.truth))
    half = len(order) // 2
    mine = Table(table.kind, table.name, table.columns.iloc[order[:half]], table.truth[order[:half]], table.roles)
    fresh = table.columns.iloc[order[half:]]
    model = DynamicAnomalyDetector(n_estimators=TREES, random_state=seed, roles=table.roles).fit(mine.columns)
    rows = by_ours(model, mine, reviews)
    taught = model.taught(mine.columns.iloc[rows], mine.truth[rows], keys=[str(row) for row in rows])
    shares = {
        name: float((detector.score(fresh).severities > CUTOFF).mean())
        for name, detector in (("before", model), ("after", taught))
    }
    return {"set": table.name, "fresh rows": len(fresh), **shares}


def waiting() -> list[dict[str, Any]]:
    """Return how long 100,000 made-up rows of 30 columns take to be ranked again after a decision."""
    generator = np.random.default_rng(0)
    columns = pd.DataFrame(generator.normal(size=(100_000, 30)), columns=[f"c{i}" for i in range(30)])
    model = DynamicAnomalyDetector(n_estimators=TREES, random_state=0).fit(columns)
    holed = columns.mask(generator.random(columns.shape) < 0.002)
    rows = []
    for name, table in (("whole rows", columns), ("6 % of the rows lack a value", holed)):
        begin = time.perf_counter()
        ranking = model.ranking(table)
        order = ranking.after({}).positions
        built = time.perf_counter() - begin
        for many in (1, 100, 2_000, 10_000):
            decisions = {int(row): int(row) % 3 == 0 for row in order[:many]}
            ranking.after(decisions)
            seconds = best_of(partial(ranking.after, decisions), 3)
            rows.append({
                "100,000 rows": name, "decisions": many, "ranked again, ms": round(1000 * seconds),
                "first ranking, ms": round(1000 * built),
            })  # fmt: skip
    return rows


def summary(found: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a row for each kind of sets and one for all, in frauds, means over the seeds."""
    names = ["could be found", OURS, PEER, UNDECIDED, PLAIN, f"{OURS}, first {EARLY}", f"{PEER}, first {EARLY}"]
    by_set = found.groupby(["kind", "set"], sort=False)[names].mean()
    rows = []
    for kind, own in [*by_set.groupby(level="kind", sort=False), ("all", by_set)]:
        total = own.sum()
        rows.append({
            "sets": f"{kind} ({len(own)})", **{name: round(float(total[name]), 1) for name in names},
            "times AADForest": round(float(total[OURS] / total[PEER]), 3),
            "times ours without": round(float(total[OURS] / max(total[UNDECIDED], 1.0)), 2),
            "times scikit-learn": round(float(total[OURS] / max(total[PLAIN], 1.0)), 2),
            "sets with fewer than without": int((own[OURS] < own[UNDECIDED]).sum()),
            "AADForest's": int((own[PEER] < own[UNDECIDED]).sum()),
        })  # fmt: skip
    return rows


def main() -> None:
    """Measure every set, and print sums over the sets."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--data", type=Path, help="folder of .npz files with X and y")
    parser.add_argument("--tables", type=Path, help="folder with tables and a manifest.csv")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=20_000, help="rows of a set, at most")
    parser.add_argument("--reviews", type=int, default=100)
    options = parser.parse_args()
    data = need_folder(options.data, "ADBench sets as .npz files")
    folder = None if options.tables is None else need_folder(options.tables, "tables and a manifest.csv")
    warnings.filterwarnings("ignore")  # what the peer says of its solver
    report("feedback-waiting", waiting(), options.out, notes={}, peers=("coniferest",))
    found, shares = [], []
    for seed in range(options.seeds):
        for table in sets(data, folder, options.rows, seed):
            found.append(measure(table, seed, options.reviews))
            shares.append(flagged(table, seed, options.reviews))
    frame, fresh = pd.DataFrame(found), pd.DataFrame(shares)
    notes = {
        "reviews": options.reviews, "seeds": options.seeds, "rows of a set, at most": options.rows,
        "fresh rows above severity 90 without decisions, mean over sets": float(fresh["before"].mean()),
        "the same after the reviews": float(fresh["after"].mean()),
    }  # fmt: skip
    report("feedback", summary(frame), options.out, notes=notes, peers=("coniferest",))
    each = frame.drop(columns="seed").groupby(["kind", "set"], sort=False).mean().round(1).reset_index()
    beside = fresh.groupby("set", sort=False)[["before", "after"]].mean().round(3)
    each["fresh rows flagged, before"] = each["set"].map(beside["before"])
    each["after"] = each["set"].map(beside["after"])
    by_set = [{str(key): value for key, value in row.items()} for row in each.to_dict("records")]
    report("feedback-sets", by_set, options.out, notes={}, peers=("coniferest",))


if __name__ == "__main__":
    main()
