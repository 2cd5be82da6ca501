"""Columns that come: how much of a full retrain's gain a model reaches that learns new columns from few rows.

A model knows half of the columns. The others come in three ways, in 64 and in 256 rows: all at once; in three waves, a
third of them with each, every wave so many rows, in which what came before stays; and piecemeal, each row with a random
half of them. The gain is that in AUROC of a model trained on all rows with all columns.

    python -m benchmarks.adapting --data FOLDER_OF_NPZ_FILES
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from benchmarks.common import Split, arguments, need_folder, report, splits
from detector import DynamicAnomalyDetector

WAVES = 3
ROWS = (64, 256)


def measure(split: Split, seed: int, share: float) -> dict[str, Any]:
    """Return AUROC before ``share`` of the columns came, after they came in each way, and of a full retrain."""
    d = split.train.shape[1]
    generator = np.random.default_rng(1000 + seed)
    new = [f"c{i}" for i in generator.permutation(d)[: min(d - 1, max(1, round(share * d)))]]
    names = [f"c{i}" for i in range(d)]
    known = [name for name in names if name not in new]
    train, test = pd.DataFrame(split.train, columns=names), pd.DataFrame(split.test, columns=names)
    order = generator.permutation(len(train))

    def auc(model: DynamicAnomalyDetector, rows: pd.DataFrame = test) -> float:
        return float(roc_auc_score(split.truth, model.score(rows).scores))

    def fitted(columns: list[str]) -> DynamicAnomalyDetector:
        model = DynamicAnomalyDetector(random_state=seed, roles=dict.fromkeys(columns, "input"))
        return model.fit(train[columns])

    before = fitted(known)
    before.roles = dict.fromkeys(names, "input")
    found = {"before": auc(before, test[known]), "full retrain": auc(fitted(names))}
    for n in ROWS:
        rows = train.iloc[order[:n]]
        found[f"at once, {n}"] = auc(before.updated(rows))
        model = before
        for wave in range(WAVES):
            here = train.iloc[np.take(order, range(wave * n, (wave + 1) * n), mode="wrap")]
            model = model.updated(here[[*known, *new[: -(-len(new) * (wave + 1) // WAVES)]]])
        found[f"in waves, {n}"] = auc(model)
        piecemeal = rows.copy()
        piecemeal[new] = piecemeal[new].mask(generator.random((len(rows), len(new))) < 0.5)
        found[f"piecemeal, {n}"] = auc(before.updated(piecemeal))
    return {"set": split.name, "seed": seed, **found}


def main() -> None:
    """Measure every set, and print means over sets and seeds."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--data", type=Path, help="folder of .npz files with X and y")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=30_000, help="rows of a set, at most")
    parser.add_argument("--new", type=float, default=0.5, help="share of the columns that come")
    options = parser.parse_args()
    folder = need_folder(options.data, "ADBench sets as .npz files")
    rows = [measure(split, seed, options.new) for seed, split in splits(folder, options.seeds, options.rows)]
    by_set = pd.DataFrame(rows).drop(columns="seed").groupby("set", sort=False).mean().reset_index()
    means = by_set.drop(columns="set").mean()
    gain = means["full retrain"] - means["before"]
    notes = {"sets": len(by_set), "seeds": options.seeds, "columns that come": options.new} | {
        f"share of a full retrain's gain, {way}": float((means[way] - means["before"]) / gain)
        for way in means.index
        if way not in ("before", "full retrain")
    }
    report("adapting", [*by_set.to_dict("records"), {"set": "mean", **means.to_dict()}], options.out, notes=notes)


if __name__ == "__main__":
    main()
