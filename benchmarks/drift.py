"""Columns that go: ours beside imputation and beside a forest retrained on the columns that are left.

A fifth, a half and four fifths of the columns are taken away at scoring time.

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
SMALL_SET = 2_000


def measure(split: Split, seed: int, shares: list[float]) -> list[dict[str, Any]]:
    """Return AUROC and flagged shares of one split with each of ``shares`` of its columns gone."""
    d = split.train.shape[1]
    names = [f"c{i}" for i in range(d)]
    train, test = pd.DataFrame(split.train, columns=names), pd.DataFrame(split.test, columns=names)

    def auc(scores: Any) -> float:
        return float(roc_auc_score(split.truth, scores))

    ours = DynamicAnomalyDetector(
        contamination=CONTAMINATION, random_state=seed, roles=dict.fromkeys(names, "input")
    ).fit(train)
    whole = ours.score(test)
    peer = IsolationForest(contamination=CONTAMINATION, random_state=seed).fit(split.train)
    found = []
    for share in shares:
        gone = np.random.default_rng(1000 + seed).permutation(d)[: min(d - 1, max(1, round(share * d)))]
        left = np.setdiff1d(np.arange(d), gone)
        short = ours.score(test[[names[i] for i in left]])
        imputed = split.test.copy()
        imputed[:, gone] = np.median(split.train, axis=0)[gone]
        retrained = IsolationForest(contamination=CONTAMINATION, random_state=seed).fit(split.train[:, left])
        found.append({
            "set": split.name, "gone": share, "test rows": len(test), "seeds": seed,
            "ours, all columns": auc(whole.scores), "scikit-learn, all columns": auc(-peer.score_samples(split.test)),
            "ours": auc(short.scores), "median imputation": auc(-peer.score_samples(imputed)),
            "scikit-learn retrained": auc(-retrained.score_samples(split.test[:, left])),
            "flagged, ours": short.flagged_share, "flagged, imputed": float((peer.predict(imputed) == -1).mean()),
            "flagged, ours, all columns": whole.flagged_share,
        })  # fmt: skip
    return found


def main() -> None:
    """Measure every set, and print means over sets and seeds for each share."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--data", type=Path, help="folder of .npz files with X and y")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seeds-of-small-sets", type=int, default=12, help="for sets of fewer than 2,000 rows")
    parser.add_argument("--rows", type=int, default=30_000, help="rows of a set, at most")
    parser.add_argument("--gone", type=float, nargs="+", default=[0.2, 0.5, 0.8], help="shares of the columns that go")
    options = parser.parse_args()
    folder = need_folder(options.data, "ADBench sets as .npz files")
    # A flag that is set in all rows but two has no spread; scikit-learn says so for each of them.
    warnings.filterwarnings("ignore", category=UserWarning)
    rows = [
        row
        for seed, split in splits(folder, max(options.seeds, options.seeds_of_small_sets), options.rows)
        # A few dozen test rows tell a flagged share only over many splits.
        if seed < options.seeds or len(split.train) + len(split.test) < SMALL_SET
        for row in measure(split, seed, options.gone)
    ]
    by_set = (
        pd.DataFrame(rows)
        .groupby(["set", "gone"], sort=False)
        .agg({name: "count" if name == "seeds" else "mean" for name in rows[0] if name not in ("set", "gone")})
    )
    by_set["test rows"] = by_set["test rows"].round().astype(int)
    by_set = by_set.reset_index()
    means, notes = [], {"sets": by_set["set"].nunique()}
    for share, table in by_set.groupby("gone"):
        mean = table.drop(columns=["set", "gone", "test rows", "seeds"]).mean()
        means.append({"set": "mean", "gone": share, "test rows": "", "seeds": "", **mean.to_dict()})
        flagged = table["flagged, ours"]
        notes |= {
            f"{share:.0%} gone, AUROC behind the retrained forest": float(
                mean["scikit-learn retrained"] - mean["ours"]
            ),
            f"{share:.0%} gone, AUROC above median imputation": float(mean["ours"] - mean["median imputation"]),
            f"{share:.0%} gone, flagged by ours, mean, least and most of a set": (
                f"{flagged.mean():.2%}, {flagged.min():.2%}, {flagged.max():.2%}"
            ),
        }
    report("drift", [*by_set.to_dict("records"), *means], options.out, notes=notes)


if __name__ == "__main__":
    main()
