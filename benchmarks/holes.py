"""Rows with scattered holes: ours beside median imputation and beside isotree's divided branches.

A share of the cells is taken away at scoring time, at random, so that nearly each row is another pattern. Then the
time: the same rows without and with holes, as a frame in and a full result out, and through the bare kernels. Pin it to
one processor for the figures of one core:

    taskset -c 0 python -m benchmarks.holes --data FOLDER_OF_NPZ_FILES
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import isotree
import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from benchmarks.common import Split, arguments, best_of, need_folder, report, splits
from detector import DynamicAnomalyDetector
from detector.core.forest import Choices, Forest
from detector.core.sample import draw

CONTAMINATION = 0.1
TREES, SAMPLES = 100, 256
TIMED_COLUMNS = 10


def measure(split: Split, seed: int, share: float) -> dict[str, Any]:
    """Return AUROC and flagged shares of one split with ``share`` of the cells of its test rows gone."""
    names = [f"c{i}" for i in range(split.train.shape[1])]
    train, test = pd.DataFrame(split.train, columns=names), pd.DataFrame(split.test, columns=names)
    gone = np.random.default_rng(2000 + seed).random(split.test.shape) < share
    holed = np.where(gone, np.nan, split.test)
    imputed = np.where(gone, np.median(split.train, axis=0), split.test)

    def auc(scores: Any) -> float:
        return float(roc_auc_score(split.truth, scores))

    ours = DynamicAnomalyDetector(
        contamination=CONTAMINATION, n_estimators=TREES, random_state=seed, roles=dict.fromkeys(names, "input")
    ).fit(train)
    found = ours.score(pd.DataFrame(holed, columns=names))
    sklearn = IsolationForest(n_estimators=TREES, contamination=CONTAMINATION, random_state=seed).fit(split.train)
    iso = isotree.IsolationForest(
        ntrees=TREES,
        sample_size=min(SAMPLES, len(train)),
        ndim=1,
        missing_action="divide",
        nthreads=1,
        random_seed=seed,
    ).fit(split.train)
    cutoff = np.quantile(iso.predict(split.train), 1.0 - CONTAMINATION)
    divided = iso.predict(holed)
    return {
        "set": split.name, "seed": seed,
        "ours, no holes": auc(ours.score(test).scores), "ours": auc(found.scores),
        "ours, by severity": auc(found.severities),
        "median imputation": auc(-sklearn.score_samples(imputed)), "isotree, divided": auc(divided),
        "flagged, ours": found.flagged_share,
        "flagged, imputed": float((sklearn.predict(imputed) == -1).mean()),
        "flagged, isotree": float((divided > cutoff).mean()),
    }  # fmt: skip


def times(rows: int, share: float, runs: int) -> dict[str, float]:
    """Return how many times longer rows with holes take than the same rows without."""
    generator = np.random.default_rng(0)
    X = generator.normal(size=(rows, TIMED_COLUMNS))
    holed = np.where(generator.random(X.shape) < share, np.nan, X)
    names = [f"c{i}" for i in range(TIMED_COLUMNS)]
    frame, frame_holed = pd.DataFrame(X, columns=names), pd.DataFrame(holed, columns=names)
    ours = DynamicAnomalyDetector(n_estimators=TREES, random_state=0, roles=dict.fromkeys(names, "input")).fit(frame)
    X32, holed32 = X.astype(np.float32), holed.astype(np.float32)
    used, sample = draw(rows, TIMED_COLUMNS, TREES, SAMPLES, seed=0)
    columns = np.arange(TIMED_COLUMNS, dtype=np.uint32)
    keys = np.random.default_rng(1).integers(0, 2**32, TIMED_COLUMNS, dtype=np.uint32)
    sizes = np.full(TREES, sample.bags.shape[1], np.int32)
    forest = Forest.grow(
        X32[used], sample.bags, sizes, Choices(columns, keys, keys, np.ones(len(columns))), sample.seeds
    )
    iso = isotree.IsolationForest(
        ntrees=TREES, sample_size=SAMPLES, ndim=1, missing_action="divide", nthreads=1, random_seed=0
    ).fit(X)
    first = best_of(lambda: ours.score(frame_holed), 1) / best_of(lambda: ours.score(frame), 1)
    frames = best_of(lambda: ours.score(frame_holed), runs) / best_of(lambda: ours.score(frame), runs)
    kernels = best_of(lambda: forest.paths_through_holes(holed32), runs) / best_of(lambda: forest.paths(X32), runs)
    peer = best_of(lambda: iso.predict(holed), 2)
    return {
        "time with holes / without, frame in and result out": frames,
        "the same, the first batch (which also fills the calibration tables)": first,
        "the same, bare kernels": kernels,
        "the same, isotree": peer / best_of(lambda: iso.predict(X), 2),
        "time of ours, frame in and result out / isotree's, both with holes": best_of(
            lambda: ours.score(frame_holed), runs
        )
        / peer,
    }


def main() -> None:
    """Measure every set, and print means over sets and seeds."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--data", type=Path, help="folder of .npz files with X and y")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=30_000, help="rows of a set, at most")
    parser.add_argument("--share", type=float, default=0.3, help="share of the cells that go")
    parser.add_argument("--timed-rows", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=5, help="timed runs of each, of which the fastest counts")
    options = parser.parse_args()
    folder = need_folder(options.data, "ADBench sets as .npz files")
    # A flag that is set in all rows but two has no spread; scikit-learn says so for each of them.
    warnings.filterwarnings("ignore", category=UserWarning)
    rows = [measure(split, seed, options.share) for seed, split in splits(folder, options.seeds, options.rows)]
    by_set = pd.DataFrame(rows).drop(columns="seed").groupby("set", sort=False).mean().reset_index()
    means = by_set.drop(columns="set").mean()
    notes = {
        "sets": len(by_set), "seeds": options.seeds, "cells gone": options.share,
        "AUROC above median imputation": float(means["ours"] - means["median imputation"]),
        "AUROC above isotree": float(means["ours"] - means["isotree, divided"]),
        "flagged by ours, the least of a set": float(by_set["flagged, ours"].min()),
        "flagged by ours, the most of a set": float(by_set["flagged, ours"].max()),
        **times(options.timed_rows, options.share, options.runs),
    }  # fmt: skip
    table = [*by_set.to_dict("records"), {"set": "mean", **means.to_dict()}]
    report("holes", table, options.out, notes=notes, peers=("isotree",))


if __name__ == "__main__":
    main()
