"""Streams: each row is scored before it is learned, in chunks of 100, beside Half-Space Trees and Online-iForest.

Three tables. The first: AUROC after the first rows, and rows a second of processor time, from nothing (the first
chunk is all the training there is). The second: how fast the fixed costs wear off over a longer stream. The third: the
normal class changes abruptly in the middle, and one half-life of rows later the detector is held against fresh forests
that were trained on nothing but the rows since the change.

    taskset -c 0 python -m benchmarks.streams --data FOLDER_OF_NPZ_FILES [--online-iforest CHECKOUT]

Online-iForest (Leveni, Cassales, Pfahringer, Bifet and Boracchi, ICML 2024) is on no package index; CHECKOUT is a
folder that holds its published code, the package ``OnlineIForest``. Without it that column is left out.
"""

from __future__ import annotations

import importlib
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from river.anomaly import HalfSpaceTrees
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from benchmarks.common import arguments, need_folder, report
from detector import DynamicAnomalyDetector

CHUNK = 100
#: Rows at the beginning of each stream that are scored but not judged.
FIRST = 1_000
FEWEST_ROWS = 1_400
#: Sets wider than this would only be waited for: Half-Space Trees look at every column of every row.
MOST_COLUMNS = 400

Matrix = NDArray[np.float64]


def sets(folder: Path, seed: int, most: int) -> Iterator[tuple[str, Matrix, NDArray[np.int64]]]:
    """Yield the sets that are long enough, their rows in an order drawn from the seed."""
    for file in sorted(folder.glob("*.npz")):
        with np.load(file) as data:
            X, y = np.asarray(data["X"], np.float64), np.asarray(data["y"], np.int64)
        order = np.random.default_rng(seed).permutation(len(X))[:most]
        X, y = X[order], y[order]
        if len(X) >= FEWEST_ROWS and X.shape[1] <= MOST_COLUMNS and y[-len(y) // 4 :].any():
            yield file.stem, X, y


def as_frame(X: Matrix) -> pd.DataFrame:
    return pd.DataFrame(X, columns=[f"c{i}" for i in range(X.shape[1])])


def a_detector(frame: pd.DataFrame, seed: int, **changed: Any) -> DynamicAnomalyDetector:
    roles = dict.fromkeys(frame.columns, "input")
    return DynamicAnomalyDetector(random_state=seed, roles=roles, **changed)


def stream(frame: pd.DataFrame, seed: int, **changed: Any) -> NDArray[np.float64]:
    return a_detector(frame, seed, **changed).stream(frame, chunk=CHUNK).scores


def timed(work: Callable[[], NDArray[np.float64]]) -> tuple[NDArray[np.float64], float]:
    # Processor time: everybody works on one thread here, and other work on the machine does not count.
    begin = time.process_time()
    scores = work()
    return scores, time.process_time() - begin


def half_space_trees(X: Matrix, seed: int) -> NDArray[np.float64]:
    """Score and learn row by row; the limits of each column are told in advance, which is more than ours is told."""
    lows, highs = X.min(axis=0), X.max(axis=0)
    limits = {
        i: (low, high if high > low else low + 1.0) for i, (low, high) in enumerate(zip(lows, highs, strict=True))
    }
    trees = HalfSpaceTrees(n_trees=25, height=8, window_size=250, limits=limits, seed=seed)
    scores = np.empty(len(X))
    for place, values in enumerate(X.tolist()):
        row = dict(enumerate(values))
        scores[place] = trees.score_one(row)
        trees.learn_one(row)
    return scores


def online_iforest(create: Callable[..., Any], X: Matrix, seed: int) -> NDArray[np.float64]:
    """Score and learn chunk by chunk, with the parameters of the paper's experiments."""
    np.random.seed(seed)  # noqa: NPY002  # it draws from numpy's global state
    forest = create(
        num_trees=32,
        max_leaf_samples=32,
        window_size=2048,
        type="adaptive",
        subsample=1.0,
        branching_factor=2,
        n_jobs=1,
    )
    scores = np.zeros(len(X))
    for begin in range(0, len(X), CHUNK):
        rows = X[begin : begin + CHUNK]
        if begin:
            scores[begin : begin + CHUNK] = forest.score_batch(rows)
        forest.learn_batch(rows)
    return scores


def measure(name: str, X: Matrix, y: NDArray[np.int64], seed: int, create: Callable[..., Any] | None) -> dict[str, Any]:
    """Return AUROC and rows a second of everybody on one stream."""
    frame = as_frame(X)
    first = min(FIRST, len(X) // 4)
    works: dict[str, Callable[[], NDArray[np.float64]]] = {
        "ours": partial(stream, frame, seed),
        "ours, 32 trees": partial(stream, frame, seed, n_estimators=32),
        "HalfSpaceTrees": partial(half_space_trees, X, seed),
    }
    if create is not None:
        works["Online-iForest"] = partial(online_iforest, create, X, seed)
    found: dict[str, Any] = {"set": name, "rows": len(X)}
    speeds = {}
    for who, work in works.items():
        scores, seconds = timed(work)
        found[who] = float(roc_auc_score(y[first:], scores[first:]))
        speeds[f"rows/s, {who}"] = len(X) / seconds
    return found | speeds


def longer(create: Callable[..., Any] | None, columns: int = 10) -> list[dict[str, Any]]:
    """Return rows a second on streams of normal numbers, the best of three."""
    found = []
    for rows in (10_000, 100_000, 1_000_000):
        X = np.random.default_rng(0).normal(size=(rows, columns))
        frame = as_frame(X)
        row: dict[str, Any] = {"rows": rows}
        for trees in (100, 32):
            seconds = [timed(partial(stream, frame, 0, n_estimators=trees))[1] for _ in range(3)]
            row[f"ours, {trees} trees"] = rows / min(seconds)
        part = X[:10_000]
        row["HalfSpaceTrees, 25 trees"] = len(part) / timed(partial(half_space_trees, part, 0))[1]
        if create is not None:
            row["Online-iForest, 32 trees"] = len(part) / timed(partial(online_iforest, create, part, 0))[1]
            row["ours (100) / Online-iForest"] = row["ours, 100 trees"] / row["Online-iForest, 32 trees"]
        found.append(row)
    return found


def mirrored(X: Matrix, _: np.random.Generator) -> Matrix:
    return np.asarray(X.max(axis=0) + X.min(axis=0) - X)


def shifted(X: Matrix, generator: np.random.Generator) -> Matrix:
    moved = generator.random(X.shape[1]) < 0.5
    moved[generator.integers(X.shape[1])] = True
    return np.asarray(X + np.where(moved, 3.0 * X.std(axis=0), 0.0))


def rotated(X: Matrix, _: np.random.Generator) -> Matrix:
    """Return each column with the values of its neighbour, in its own scale."""
    center, spread = X.mean(axis=0), X.std(axis=0)
    spread = np.where(spread > 0.0, spread, 1.0)
    return np.asarray(np.roll((X - center) / spread, 1, axis=1) * spread + center)


CHANGES: dict[str, Callable[[Matrix, np.random.Generator], Matrix]] = {
    "mirrored": mirrored, "shifted": shifted, "rotated": rotated,
}  # fmt: skip


def change(name: str, X: Matrix, y: NDArray[np.int64], seed: int) -> Iterator[dict[str, Any]]:
    """Yield AUROC on the last quarter of a stream: the change is in the middle, and the half-life is a quarter."""
    half, end = len(X) // 2, 3 * len(X) // 4
    for kind, work in CHANGES.items():
        Z = X.copy()
        Z[half:] = work(X, np.random.default_rng(seed))[half:]
        frame = as_frame(Z)
        late, truth = frame.iloc[end:], y[end:]

        def auc(scores: NDArray[np.float64], truth: NDArray[np.int64] = truth) -> float:
            return float(roc_auc_score(truth, scores))

        ours = a_detector(frame, seed, half_life=end - half)
        ours.stream(frame.iloc[:half], chunk=CHUNK)
        before = auc(ours.score(late).scores)
        ours.stream(frame.iloc[half:end], chunk=CHUNK)
        fresh = a_detector(frame, seed).fit(frame.iloc[half:end])
        peer = IsolationForest(random_state=seed).fit(Z[half:end])
        result = ours.score(late)
        yield {
            "set": name, "change": kind, "seed": seed, "not updated": before, "after one half-life": auc(result.scores),
            "fresh, ours": auc(fresh.score(late).scores), "fresh, scikit-learn": auc(-peer.score_samples(Z[end:])),
            "flagged": result.flagged_share,
        }  # fmt: skip


def averaged(rows: list[dict[str, Any]], by: str) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    keys = [key for key in table.columns if key == by or pd.api.types.is_numeric_dtype(table[key])]
    return table[keys].groupby(by, sort=False).mean().reset_index().drop(columns="seed", errors="ignore")


def main() -> None:
    """Measure streams from nothing, longer ones, and abrupt changes."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--data", type=Path, help="folder of .npz files with X and y")
    parser.add_argument("--online-iforest", type=Path, help="folder that holds the published package OnlineIForest")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=10_000, help="rows of a set, at most")
    parser.add_argument("--only", choices=("sets", "longer", "change"), help="one of the tables")
    options = parser.parse_args()
    folder = need_folder(options.data, "ADBench sets as .npz files")
    warnings.filterwarnings("ignore", category=UserWarning)
    create = None
    if options.online_iforest is not None:
        sys.path.insert(0, str(options.online_iforest))
        create = importlib.import_module("OnlineIForest").OnlineIForest.create
    a_detector(as_frame(np.eye(4)), 0).stream(as_frame(np.random.default_rng(0).normal(size=(300, 4))))  # compiled
    if options.only in (None, "sets"):
        rows = [
            measure(name, X, y, seed, create)
            for seed in range(options.seeds)
            for name, X, y in sets(folder, seed, options.rows)
        ]
        by_set = averaged(rows, "set")
        peers = [who for who in ("HalfSpaceTrees", "Online-iForest") if who in by_set]
        notes: dict[str, Any] = {"chunk": CHUNK, "seeds": options.seeds, "not judged": f"the first {FIRST:,} rows"}
        for who in peers:
            lost = by_set[by_set["ours"] < by_set[who]]
            notes[f"sets on which {who} is ahead"] = ", ".join(lost["set"]) or "none"
            ratio = by_set["rows/s, ours"] / by_set[f"rows/s, {who}"]
            notes[f"rows/s of ours over {who}, geometric mean"] = float(np.exp(np.log(ratio).mean()))
        means = {"set": "mean", **by_set.drop(columns="set").mean().to_dict()}
        report("streams", [*by_set.to_dict("records"), means], options.out, notes=notes, peers=("river",))
    if options.only in (None, "longer"):
        notes = {"peers": "on the first 10,000 rows; rows a second, and theirs do not depend on how many there are"}
        report("streams-longer", longer(create), options.out, notes=notes, peers=("river",))
    if options.only in (None, "change"):
        rows = [
            row
            for seed in range(options.seeds)
            for name, X, y in sets(folder, seed, options.rows)
            for row in change(name, X, y, seed)
        ]
        by_change = averaged(rows, "change")
        means = {"change": "mean", **by_change.drop(columns="change").mean().to_dict()}
        gap = means["fresh, ours"] - means["after one half-life"]
        notes = {"seeds": options.seeds, "AUROC behind a fresh forest of ours": gap,
                 "AUROC behind scikit-learn": means["fresh, scikit-learn"] - means["after one half-life"]}  # fmt: skip
        by_set = averaged(rows, "set")
        worst = by_set["fresh, ours"] - by_set["after one half-life"]
        notes["the set farthest behind"] = f"{by_set['set'][worst.idxmax()]}, {worst.max():.3f}"
        report("streams-change", [*by_change.to_dict("records"), means], options.out, notes=notes)


if __name__ == "__main__":
    main()
