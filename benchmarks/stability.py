"""Stability: what one percent of new rows does to a ranking, and what an update touches after how long a history.

The first table: a model is trained, updated with 1 % new rows of the same kind, and ranks a fixed file before and
after; beside it scikit-learn, trained once without and once with these rows. The second counts, and times nothing.

    python -m benchmarks.stability --data FOLDER_OF_NPZ_FILES
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from benchmarks.common import arguments, need_folder, report, splits
from detector import DynamicAnomalyDetector

TOP = 100


def top(scores: NDArray[np.float64]) -> set[int]:
    """Return the rows with the highest scores; of equal ones those that come first."""
    return set(np.argsort(-scores, kind="stable")[:TOP].tolist())


def changed(train: NDArray[np.float64], test: NDArray[np.float64], seed: int) -> dict[str, Any] | None:
    """Return how many of the top 100 of ``test`` an update with one percent new rows replaces."""
    new = max(1, round(len(train) / 101))
    if len(test) < 3 * TOP:
        return None
    old_rows, new_rows = train[:-new], train[-new:]
    names = [f"c{i}" for i in range(train.shape[1])]
    roles = dict.fromkeys(names, "input")
    frame = pd.DataFrame(test, columns=names)
    before = DynamicAnomalyDetector(random_state=seed, roles=roles).fit(pd.DataFrame(old_rows, columns=names))
    after = before.updated(pd.DataFrame(new_rows, columns=names))
    streamed = before.updated(pd.DataFrame(new_rows[:1], columns=names))
    if len(new_rows) > 1:
        streamed.stream(pd.DataFrame(new_rows[1:], columns=names))
    first = IsolationForest(random_state=seed).fit(old_rows)
    second = IsolationForest(random_state=seed).fit(train)
    ranked = top(before.score(frame).scores)
    return {
        "rows": len(old_rows), "new rows": new,
        "replaced, ours": TOP - len(ranked & top(after.score(frame).scores)),
        "replaced, ours as a stream": TOP - len(ranked & top(streamed.score(frame).scores)),
        "replaced, scikit-learn": TOP - len(top(-first.score_samples(test)) & top(-second.score_samples(test))),
    }  # fmt: skip


def counts(history: int, batch: int, columns: int, half_life: float) -> dict[str, Any]:
    """Return what an update with ``batch`` rows touches after ``history`` rows."""
    generator = np.random.default_rng(0)

    def rows(n: int) -> pd.DataFrame:
        return pd.DataFrame(generator.normal(size=(n, columns)), columns=[f"c{i}" for i in range(columns)])

    model = DynamicAnomalyDetector(random_state=0, half_life=half_life).fit(rows(min(history, 10_000)))
    while model.rows_seen < history:
        model.partial_fit(rows(min(100_000, history - model.rows_seen)))
    before = model._state.sample
    after_model = model.updated(rows(batch))
    after = after_model._state.sample
    old, new = before.numbers[before.bags], after.numbers[after.bags]
    view = after_model._state.views.get(after_model._state.everything)
    statistics = sum(len(item.digest.values) for item in after_model.statistics_.values())
    return {
        "rows of history": history,
        "rows encoded": batch,
        "bag slots that took a new row": int((new >= history).sum()),
        "trees grown again": int(sum(set(one) != set(other) for one, other in zip(old, new, strict=True))),
        "sample rows kept": len(after.rows),
        "calibration rows walked": len(view.calibration_rows()),
        "numbers in the sketches": statistics,
        "bytes of the model file": len(after_model.to_bytes()),
    }


def main() -> None:
    """Measure how stable rankings are, and count what updates touch."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--data", type=Path, help="folder of .npz files with X and y")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=30_000, help="rows of a set, at most")
    parser.add_argument("--longest", type=int, default=10_000_000, help="rows of the longest history that is counted")
    options = parser.parse_args()
    folder = need_folder(options.data, "ADBench sets as .npz files")
    rows = [
        {"set": split.name, "seed": seed, **found}
        for seed, split in splits(folder, options.seeds, options.rows)
        if (found := changed(split.train, split.test, seed)) is not None
    ]
    by_set = pd.DataFrame(rows).drop(columns="seed").groupby("set", sort=False).mean().reset_index()
    means = {"set": "mean", **by_set.drop(columns="set").mean().to_dict()}
    notes: dict[str, Any] = {"sets": len(by_set), "seeds": options.seeds, "left out": f"fewer than {3 * TOP} test rows"}
    report("stability", [*by_set.to_dict("records"), means], options.out, notes=notes)
    histories = [n for n in (10_000, 100_000, 1_000_000, 10_000_000) if n <= options.longest]
    table = [counts(history, 1_000, 4, 100_000.0) for history in histories]
    report("stability-counts", table, options.out, notes={"update": "1,000 rows of 4 columns; half-life 100,000 rows"})


if __name__ == "__main__":
    main()
