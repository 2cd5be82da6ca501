"""The forest beside its peers: growing, scoring arrays, one record in, and a frame in with a full result out.

Every figure is taken in this process, on the processors that it may use; pin it to one for the figures of one core:

    taskset -c 0 python -m benchmarks.forest
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import coniferest.isoforest
import isotree
import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest

from benchmarks.common import arguments, best_of, report
from detector import DynamicAnomalyDetector
from detector.core.forest import Choices, Forest
from detector.core.sample import draw

TREES, SAMPLES = 100, 256


def main() -> None:
    """Measure growing and scoring, and print each figure beside the fastest peer's."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--runs", type=int, default=7, help="runs of each, of which the fastest counts")
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    X = generator.normal(size=(options.rows, options.columns))
    X32 = X.astype(np.float32)
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(options.columns)])
    record = frame.iloc[0].to_dict()

    ours = DynamicAnomalyDetector(n_estimators=TREES, max_samples=SAMPLES, random_state=0).fit(frame)
    forest, grow = _bare_forest(X32)
    sklearn = IsolationForest(n_estimators=TREES, max_samples=SAMPLES, contamination=0.1, random_state=0).fit(X)
    iso = isotree.IsolationForest(
        ntrees=TREES, sample_size=SAMPLES, ndim=1, missing_action="fail", nthreads=1, random_seed=0
    )
    iso.fit(X)

    def conifer() -> Any:
        return coniferest.isoforest.IsolationForest(n_trees=TREES, n_subsamples=SAMPLES, random_seed=0, n_jobs=1)

    conifers = conifer().fit(X)
    runs = options.runs
    works: dict[str, dict[str, Callable[[], Any]]] = {
        f"score {options.rows:,} x {options.columns}": {
            "ours": lambda: forest.paths(X32),
            "scikit-learn": lambda: sklearn.score_samples(X),
            "isotree": lambda: iso.predict(X),
            "coniferest": lambda: conifers.score_samples(X),
        },
        f"grow {TREES} trees of {SAMPLES} rows": {
            "ours": grow,
            "scikit-learn": lambda: IsolationForest(n_estimators=TREES, max_samples=SAMPLES, random_state=0).fit(X),
            "isotree": lambda: iso.fit(X),
            "coniferest": lambda: conifer().fit(X),
        },
        "one record, a dictionary in": {
            "ours": lambda: ours.predict(record),
            "scikit-learn": lambda: sklearn.score_samples(X[:1]),
            "isotree": lambda: iso.predict(X[:1]),
            "coniferest": lambda: conifers.score_samples(X[:1]),
        },
        "a frame in, labels and scores out": {
            "ours": lambda: ours.score(frame),
            "scikit-learn": lambda: sklearn.score_samples(X),
            "isotree": lambda: iso.predict(X),
            "coniferest": lambda: conifers.score_samples(X),
        },
    }
    rows = []
    for name, peers in works.items():
        many = runs * (200 if "record" in name else 5 if "grow" in name else 1)
        # Warm once, then one after the other within the same minute: the machine's speed drifts.
        seconds = {peer: best_of(work, 1) and best_of(work, many) for peer, work in peers.items()}
        fastest = min(value for peer, value in seconds.items() if peer != "ours")
        row: dict[str, Any] = {"work (ms)": name, **{peer: 1e3 * value for peer, value in seconds.items()}}
        row["ours / fastest peer"] = seconds["ours"] / fastest
        row["ours / scikit-learn"] = seconds["ours"] / seconds["scikit-learn"]
        rows.append(row)
    notes = {
        "peers": "get bare arrays of 64-bit numbers, ours in the first row one of 32-bit numbers (its own encoding)",
        "one record": "ours takes a dictionary and answers with label, score, severity and report; peers take an array",
    }
    report("forest", rows, options.out, notes=notes, peers=("isotree", "coniferest"))


def _bare_forest(rows: np.ndarray) -> tuple[Forest, Callable[[], Forest]]:
    columns = np.arange(rows.shape[1], dtype=np.uint32)
    used, sample = draw(len(rows), rows.shape[1], TREES, SAMPLES, seed=0)
    keys = np.random.default_rng(1).integers(0, 2**32, rows.shape[1], dtype=np.uint32)
    choices = Choices(columns, keys, keys, np.ones(len(columns)))
    sizes = np.full(TREES, sample.bags.shape[1], np.int32)
    kept = rows[used]

    def grow() -> Forest:
        return Forest.grow(kept, sample.bags, sizes, choices, sample.seeds)

    return grow(), grow


if __name__ == "__main__":
    main()
