"""Columns that change their type, spelling, unit or name: what is detected, and what becomes of the flagged share.

Each change is applied to one random suitable column of the test rows of each set. The peer gets what a pipeline
without a report would give it: the changed column as it comes, or the median where it cannot be read or has gone. Then
half of the changed rows are learned, and the other half is scored.

    python -m benchmarks.evolving --data FOLDER [FOLDER ...]
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from benchmarks.common import arguments, need_folder, report
from detector import DynamicAnomalyDetector

CONTAMINATION = 0.1
#: Rows of which an update gets the half.
FEWEST_TEST_ROWS = 400


@dataclass(frozen=True)
class Rows:
    """A table in two parts; ``truth`` is 1 for anomalies of the test part, where that is known."""

    name: str
    train: pd.DataFrame
    test: pd.DataFrame
    truth: Any


@dataclass(frozen=True)
class Change:
    """A change of one column.

    ``fits`` says which columns it can befall, ``apply`` returns the test rows after it, ``found`` whether the report
    names it rightly.
    """

    name: str
    fits: Callable[[pd.Series], bool]
    apply: Callable[[pd.DataFrame, str, np.random.Generator], pd.DataFrame]
    found: Callable[[Any, str], bool]


def tables(folders: list[Path], most: int, seeds: int, in_order: bool) -> Iterator[tuple[int, Rows]]:
    """Yield each table under each seed, 70 % of its rows to train: at random, or the first ones."""
    for file in sorted(path for folder in folders for path in folder.iterdir()):
        if file.suffix not in (".npz", ".parquet"):
            continue
        truth = None
        if file.suffix == ".npz":
            with np.load(file) as data:
                frame = pd.DataFrame(np.asarray(data["X"], np.float64)).rename(columns=lambda i: f"measure {_word(i)}")
                truth = np.asarray(data["y"], np.int64)
        else:
            frame = pd.read_parquet(file)
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            order = rng.permutation(len(frame))[:most]
            if in_order:
                order = np.sort(order)
            cut = int(0.7 * len(order))
            if len(order) - cut >= FEWEST_TEST_ROWS:
                parts = [frame.iloc[rows].reset_index(drop=True) for rows in (order[:cut], order[cut:])]
                yield seed, Rows(file.stem, *parts, None if truth is None else truth[order[cut:]])


def _word(number: int) -> str:
    """Return a name without figures, so that no two columns have names that differ in a number only."""
    return "".join("bcdfghjklmnpqrstvwxz"[int(digit)] + "aeiou"[int(digit) % 5] for digit in f"{number:03d}")


def _numbers(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _many_numbers(column: pd.Series) -> bool:
    return _numbers(column) and column.nunique() > 20


def _amounts(column: pd.Series) -> bool:
    values = column.dropna().to_numpy()[:20_000] if _many_numbers(column) else np.empty(0)
    return len(values) > 0 and bool(values.min() >= 0.0) and bool((values > 0.0).mean() > 0.2)


def _flags(column: pd.Series) -> bool:
    values = set(column.dropna().unique()) if column.nunique() == 2 else set()
    return values in ({0, 1}, {False, True})


def _words(frame: pd.DataFrame, name: str, _rng: np.random.Generator) -> pd.DataFrame:
    edges = np.unique(frame[name].quantile([0.2, 0.5, 0.9]))
    words = np.array(["little", "usual", "more", "much"])[np.searchsorted(edges, frame[name])]
    return frame.assign(**{name: pd.Series(words, dtype=object)})


def _written(frame: pd.DataFrame, name: str, rng: np.random.Generator) -> pd.DataFrame:
    form = [_comma, lambda value: f"{value} EUR", lambda value: f"${value:,.4f}"][rng.integers(3)]
    return frame.assign(**{name: frame[name].map(form, na_action="ignore").astype(object)})


def _comma(value: float) -> str:
    return f"{value:,.4f}".replace(",", "\0").replace(".", ",").replace("\0", ".")


def _respelled(frame: pd.DataFrame, name: str, rng: np.random.Generator) -> pd.DataFrame:
    yes, no = [("yes", "no"), ("Y", "N"), ("t", "f"), ("TRUE", "FALSE")][rng.integers(4)]
    return frame.assign(**{name: frame[name].map({1: yes, 0: no}, na_action="ignore").astype(object)})


def _other_words(frame: pd.DataFrame, name: str, _rng: np.random.Generator) -> pd.DataFrame:
    return frame.assign(**{name: frame[name].map({1: "chip", 0: "stripe"}, na_action="ignore").astype(object)})


def _rescaled(frame: pd.DataFrame, name: str, rng: np.random.Generator) -> pd.DataFrame:
    return frame.assign(**{name: frame[name] * [100.0, 0.01, 1_000.0, 0.001][rng.integers(4)]})


def _near_name(frame: pd.DataFrame, name: str, rng: np.random.Generator) -> pd.DataFrame:
    changed = [name.upper().replace(" ", "_"), name.title().replace("_", "").replace(" ", ""), f"tx_{name}"]
    return frame.rename(columns={name: next(new for new in [changed[rng.integers(3)], *changed] if new != name)})


def _new_name(frame: pd.DataFrame, name: str, _rng: np.random.Generator) -> pd.DataFrame:
    return frame.rename(columns={name: "quite another name"})


def _any(column: pd.Series) -> bool:
    return bool((column != column.iloc[0]).any())


CHANGES = (
    Change("numbers become words", _many_numbers, _words, lambda found, name: name in found.retyped),
    Change("numbers written as text", _many_numbers, _written, lambda found, name: name in found.retyped),
    Change("a flag spelled otherwise", _flags, _respelled, lambda found, name: name in found.retyped),
    Change("a flag becomes a category", _flags, _other_words, lambda found, name: name in found.retyped),
    Change("another unit", _amounts, _rescaled, lambda found, name: name in found.rescaled),
    Change("a name like the old", _any, _near_name, lambda found, name: name in found.renamed),
    Change("a name unlike the old", _any, _new_name, lambda found, name: name in found.renamed),
)


class Peer:
    """scikit-learn's forest on what can be read as numbers; categories by frequency, gaps by the median."""

    def __init__(self, rows: pd.DataFrame, names: list[str], seed: int) -> None:
        self._names = names
        self._shares = {name: rows[name].value_counts(normalize=True) for name in names if not _is_number(rows[name])}
        self._medians: dict[str, float] = {}
        matrix = self._matrix(rows)
        self._medians = {name: float(np.nanmedian(matrix[:, place])) for place, name in enumerate(names)}
        self._forest = IsolationForest(contamination=CONTAMINATION, random_state=seed).fit(self._filled(matrix))

    def _matrix(self, rows: pd.DataFrame) -> Any:
        columns = []
        for name in self._names:
            if name not in rows:
                columns.append(np.full(len(rows), np.nan))
            elif name in self._shares:
                columns.append(rows[name].map(self._shares[name]).astype(float).fillna(0.0).to_numpy())
            else:
                columns.append(pd.to_numeric(rows[name], errors="coerce").to_numpy(float, na_value=np.nan))
        return np.column_stack(columns)

    def _filled(self, matrix: Any) -> Any:
        medians = [self._medians.get(name, 0.0) for name in self._names]
        return np.clip(np.where(np.isfinite(matrix), matrix, medians), -1e30, 1e30)

    def scores(self, rows: pd.DataFrame) -> tuple[Any, float]:
        """Return scores, higher for more anomalous, and the share that is flagged."""
        matrix = self._filled(self._matrix(rows))
        scores = -self._forest.score_samples(matrix)
        return scores, float((scores > -self._forest.offset_).mean())


def _is_number(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column))


def measure(rows: Rows, seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return a line for each change of a random column, and one on what was wrongly detected."""
    rng = np.random.default_rng(1_000 + seed)
    ours = DynamicAnomalyDetector(contamination=CONTAMINATION, random_state=seed).fit(rows.train)
    names = [feature.name for feature in ours.schema_.learned]
    if len(names) < 3:
        return [], []
    times = [feature.name for feature in ours.schema_.learned if feature.kind == "datetime"]
    peer = Peer(rows.train, [name for name in names if name not in times], seed)
    before, (peer_before, peer_flagged) = ours.score(rows.test), peer.scores(rows.test)

    def auc(scores: Any) -> float:
        known = rows.truth is not None and 0 < rows.truth.sum() < len(rows.truth)
        return float(roc_auc_score(rows.truth, scores)) if known else np.nan

    lines = []
    half = np.arange(len(rows.test)) % 2 == 0
    for change in CHANGES:
        suitable = [name for name in names if change.fits(rows.test[name]) and change.fits(rows.train[name])]
        if not suitable:
            continue
        name = suitable[rng.integers(len(suitable))]
        changed = change.apply(rows.test, name, rng)
        now, (peer_now, peer_flagged_now) = ours.score(changed), peer.scores(changed)
        after = ours.updated(changed[half]).score(changed[~half])
        lines.append({
            "change": change.name, "set": rows.name, "detected": float(change.found(now.report, name)),
            "flagged before": before.flagged_share, "flagged": now.flagged_share,
            "flagged after an update": after.flagged_share, "peer flagged before": peer_flagged,
            "peer flagged": peer_flagged_now, "correlation": _correlation(before.scores, now.scores),
            "peer's correlation": _correlation(peer_before, peer_now), "AUROC before": auc(before.scores),
            "AUROC": auc(now.scores), "peer's AUROC before": auc(peer_before), "peer's AUROC": auc(peer_now),
        })  # fmt: skip
    unchanged = before.report
    wrong = {"columns": len(names), "retyped": len(unchanged.retyped), "rescaled": len(unchanged.rescaled)}
    wrong |= {"swapped": 0, "renamed": 0}
    # A column goes and one that was never seen comes: it must not be taken for the one that went.
    for _ in range(5):
        gone, strange = rng.choice(names, 2, replace=False).tolist()
        narrow = DynamicAnomalyDetector(n_estimators=2, random_state=seed, roles=dict.fromkeys(names, "input"))
        narrow.roles = {name: "input" for name in names if name != strange}
        narrow.fit(rows.train[[name for name in names if name != strange]])
        wrong["swapped"] += 1
        wrong["renamed"] += len(narrow.alignment(rows.test[[name for name in names if name != gone]]).renamed)
    return lines, [{"set": rows.name, **wrong}]


def _correlation(one: Any, other: Any) -> float:
    if np.ptp(one) == 0.0 or np.ptp(other) == 0.0:
        return 0.0
    return float(pd.Series(one).corr(pd.Series(other), method="spearman"))


def main() -> None:
    """Measure every set, and print means over all changed columns."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--data", type=Path, nargs="+", help="folders of .npz files with X and y, or of Parquet tables")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--in-order", action="store_true", help="train on the first rows, test on the rest")
    parser.add_argument("--rows", type=int, default=20_000, help="rows of a table, at most")
    options = parser.parse_args()
    folders = [need_folder(folder, "labelled .npz sets or Parquet tables") for folder in options.data or [None]]
    warnings.filterwarnings("ignore", category=UserWarning)
    lines: list[dict[str, Any]] = []
    wrong: list[dict[str, Any]] = []
    for seed, rows in tables(folders, options.rows, options.seeds, options.in_order):
        found = measure(rows, seed)
        lines += found[0]
        wrong += found[1]
    table, errors = pd.DataFrame(lines), pd.DataFrame(wrong)
    means = []
    for change in CHANGES:
        of_change = table[table["change"] == change.name]
        if len(of_change):
            means.append({"change": change.name, "columns": len(of_change), "sets": of_change["set"].nunique(),
                          **of_change.drop(columns=["change", "set"]).mean().to_dict()})  # fmt: skip
    total = errors.drop(columns="set").sum()
    notes = {
        "sets": errors["set"].nunique(), "unchanged columns looked at": int(total["columns"]),
        "of these wrongly retyped": int(total["retyped"]), "of these wrongly rescaled": int(total["rescaled"]),
        "columns replaced by one never seen": int(total["swapped"]), "of these wrongly matched": int(total["renamed"]),
    }  # fmt: skip
    report("evolving", means, options.out, notes=notes)
    if options.out is not None:
        table.to_json(options.out / "evolving_columns.json", orient="records", indent=1)


if __name__ == "__main__":
    main()
