"""Columns that go and columns that come: ours beside imputation and beside a forest retrained on the columns at hand.

Half of the columns are taken away at scoring time. Then the other way round: a model that knows half of the columns
learns the rest from 256 rows, beside a full retrain on all training rows.

    python -m benchmarks.drift --data FOLDER_OF_NPZ_FILES
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from benchmarks.common import Split, arguments, need_folder, report, splits
from detector import DynamicAnomalyDetector

CONTAMINATION = 0.1


def measure(split: Split, seed: int, share: float, rows: int) -> dict[str, Any]:
    """Return AUROC and flagged shares of one split with ``share`` of its columns gone, then learned from ``rows``
    rows."""
    d = split.train.shape[1]
    gone = np.random.default_rng(1000 + seed).permutation(d)[: min(d - 1, max(1, round(share * d)))]
    left = np.setdiff1d(np.arange(d), gone)
    names = [f"c{i}" for i in range(d)]
    roles = dict.fromkeys(names, "input")
    train, test = pd.DataFrame(split.train, columns=names), pd.DataFrame(split.test, columns=names)
    known = [names[i] for i in left]

    def auc(scores: Any) -> float:
        return float(roc_auc_score(split.truth, scores))

    ours = DynamicAnomalyDetector(contamination=CONTAMINATION, random_state=seed, roles=roles).fit(train)
    whole = ours.score(test)
    short = ours.score(test[known])
    peer = IsolationForest(contamination=CONTAMINATION, random_state=seed).fit(split.train)
    imputed = split.test.copy()
    imputed[:, gone] = np.median(split.train, axis=0)[gone]
    retrained = IsolationForest(contamination=CONTAMINATION, random_state=seed).fit(split.train[:, left])

    narrow_roles = dict.fromkeys(known, "input")
    narrow = DynamicAnomalyDetector(contamination=CONTAMINATION, random_state=seed, roles=narrow_roles).fit(
        train[known]
    )
    fresh = train.sample(min(rows, len(train)), random_state=seed)
    narrow.roles = roles
    grown = narrow.updated(fresh).score(test)
    return {
        "set": split.name, "seed": seed,
        "ours, all columns": auc(whole.scores), "scikit-learn, all columns": auc(-peer.score_samples(split.test)),
        "ours, columns gone": auc(short.scores), "median imputation": auc(-peer.score_samples(imputed)),
        "scikit-learn retrained": auc(-retrained.score_samples(split.test[:, left])),
        "flagged, ours": short.flagged_share, "flagged, imputed": float((peer.predict(imputed) == -1).mean()),
        "flagged, ours, all columns": whole.flagged_share,
        "before new columns": auc(narrow.score(test[known]).scores), "after new columns": auc(grown.scores),
    }  # fmt: skip


def main() -> None:
    """Measure every set, and print means over sets and seeds."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--data", type=Path, help="folder of .npz files with X and y")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=30_000, help="rows of a set, at most")
    parser.add_argument("--gone", type=float, default=0.5, help="share of the columns that go")
    parser.add_argument("--new-rows", type=int, default=256, help="rows that bring new columns")
    options = parser.parse_args()
    folder = need_folder(options.data, "ADBench sets as .npz files")
    # A flag that is set in all rows but two has no spread; scikit-learn says so for each of them.
    warnings.filterwarnings("ignore", category=UserWarning)
    rows = [
        measure(split, seed, options.gone, options.new_rows)
        for seed, split in splits(folder, options.seeds, options.rows)
    ]
    table = pd.DataFrame(rows)
    by_set = table.drop(columns="seed").groupby("set", sort=False).mean().reset_index()
    means = by_set.drop(columns="set").mean()
    gain = means["ours, all columns"] - means["before new columns"]
    notes = {
        "sets": len(by_set), "columns gone": options.gone, "rows with new columns": options.new_rows,
        "AUROC behind the retrained forest": float(means["scikit-learn retrained"] - means["ours, columns gone"]),
        "flagged by ours, the least of a set": float(by_set["flagged, ours"].min()),
        "flagged by ours, the most of a set": float(by_set["flagged, ours"].max()),
        "share of a full retrain's gain": float((means["after new columns"] - means["before new columns"]) / gain),
    }  # fmt: skip
    report("drift", [*by_set.to_dict("records"), {"set": "mean", **means.to_dict()}], options.out, notes=notes)


if __name__ == "__main__":
    main()
