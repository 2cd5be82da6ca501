"""Honest severity: of fresh rows drawn like the training rows, the share above severity s is 1 - s / 100.

Half of each set trains, half is scored, at random. Once with the anomalies as they come, once with the normal rows
alone on both sides: what is flagged then is a false alarm. In every view: all columns; half of the columns gone; half
of the columns learned just now from 512 rows; all columns after ten updates with new rows; the rows of a stream.

    python -m benchmarks.severity --data FOLDER_OF_NPZ_FILES
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.common import arguments, need_folder, report
from detector import DynamicAnomalyDetector

LIMITS = (50.0, 80.0, 90.0, 95.0, 99.0)
NEW_ROWS = 512
#: The two-sided 95 % point of the normal distribution.
Z = 1.959964


def wilson(hits: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (E. B. Wilson, 1927)."""
    share = hits / n
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    reach = Z * np.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
    return float(middle - reach), float(middle + reach)


def views(X: NDArray[np.float64], seed: int) -> Iterator[tuple[str, int, NDArray[np.float64]]]:
    """Yield each view's name, on how many rows it is calibrated, and the severities of rows that no model has seen."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(X.shape[1])])
    roles = dict.fromkeys(frame.columns, "input")
    half = len(frame) // 2
    train, test = frame.iloc[:half], frame.iloc[half:]
    some = [frame.columns[i] for i in sorted(generator.permutation(X.shape[1])[: max(1, X.shape[1] // 2)])]

    def calibrated(model: DynamicAnomalyDetector, columns: int) -> int:
        names = [feature.name for feature in model.schema_.learned]
        kept = [place for place, name in enumerate(names) if columns == X.shape[1] or name in some]
        return len(model._state.views.get(tuple(kept)).calibration_rows())

    model = DynamicAnomalyDetector(random_state=seed, roles=roles).fit(train)
    yield "all columns", calibrated(model, X.shape[1]), model.score(test).severities
    yield "half of the columns gone", calibrated(model, len(some)), model.score(test[some]).severities
    few = min(NEW_ROWS, half // 2)
    narrow = DynamicAnomalyDetector(random_state=seed, roles=dict.fromkeys(some, "input")).fit(train[some].iloc[few:])
    narrow.roles = roles
    narrow.partial_fit(train.iloc[:few])
    yield "half of the columns just learned", calibrated(narrow, X.shape[1]), narrow.score(test).severities
    first = max(2, half // 3)
    updated = DynamicAnomalyDetector(random_state=seed, roles=roles).fit(train.iloc[:first])
    for part in np.array_split(np.arange(first, half), 10):
        updated.partial_fit(train.iloc[part])
    yield "after ten updates", calibrated(updated, X.shape[1]), updated.score(test).severities
    streamed = DynamicAnomalyDetector(random_state=seed, roles=roles).fit(train)
    yield "a stream", min(2_048, half), streamed.stream(test).severities


def measure(folder: Path, seeds: int, most: int, *, normal: bool) -> list[dict[str, Any]]:
    """Return the shares above each severity of every set, view and seed."""
    found: list[dict[str, Any]] = []
    for file in sorted(folder.glob("*.npz")):
        with np.load(file) as data:
            X, y = np.asarray(data["X"], np.float64), np.asarray(data["y"], np.int64)
        if normal:
            X = X[y == 0]
        for seed in range(seeds):
            rows = X[np.random.default_rng(seed).permutation(len(X))[:most]]
            for name, calibrated, severities in views(rows, seed):
                above = {f"above {limit:g}": float((severities > limit).mean()) for limit in LIMITS}
                found.append({"set": file.stem, "view": name, "n": len(severities), "k": calibrated} | above)
    return found


def summed_up(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return for each view the mean share above each severity, its 95 % interval, and how many sets are far off.

    A set is far off when its share differs from the nominal one by more than 1.96 standard errors: those of the fresh
    rows and of the calibration rows together. By chance 5 % of the sets are.
    """
    table = pd.DataFrame(rows)
    found: list[dict[str, Any]] = []
    for name, part in table.groupby("view", sort=False):
        row: dict[str, Any] = {"view": name, "sets x seeds": len(part)}
        for limit in LIMITS:
            fair = 1.0 - limit / 100.0
            shares = part[f"above {limit:g}"]
            error = np.sqrt(fair * (1.0 - fair) * (1.0 / part["n"] + 1.0 / part["k"]))
            reach = Z * float(np.sqrt((error**2).sum())) / len(part)
            far = float((np.abs(shares - fair) > Z * error).mean())
            row[f"above {limit:g}"] = f"{100 * shares.mean():.2f} ± {100 * reach:.2f} %"
            row[f"far off {limit:g}"] = f"{100 * far:.0f} %"
        found.append(row)
    return found


def main() -> None:
    """Measure the shares above each severity, and the rate of false alarms."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--data", type=Path, help="folder of .npz files with X and y")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=20_000, help="rows of a set, at most; half of them train")
    options = parser.parse_args()
    folder = need_folder(options.data, "ADBench sets as .npz files")
    rows = measure(folder, options.seeds, options.rows, normal=False)
    explained = {"interval": "95 %, of fresh rows and calibration rows together", "seeds": options.seeds}
    report("severity", summed_up(rows), options.out, notes=explained)
    alarms = measure(folder, options.seeds, options.rows, normal=True)
    table = pd.DataFrame(alarms)
    notes: dict[str, Any] = dict(explained)
    for limit in (90.0, 95.0, 99.0):
        part = table[table["view"] == "all columns"]
        hits, n = float((part[f"above {limit:g}"] * part["n"]).sum()), int(part["n"].sum())
        low, high = wilson(hits, n)
        notes[f"false alarms at cutoff {limit:g}"] = (
            f"{100 * hits / n:.2f} % of {n:,} normal rows, {100 * low:.2f}-{100 * high:.2f} % (Wilson, 95 %)"
        )
    report("severity-normal", summed_up(alarms), options.out, notes=notes)


if __name__ == "__main__":
    main()
