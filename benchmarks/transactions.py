"""Raw tables of transactions, sensors, logs and connections: ours beside forests that need columns prepared for them.

FOLDER holds Parquet tables and a ``manifest.csv`` that says of each where it lies (``path``), which column is the label
and which value of it is positive (``!x``: every value but x), by which column time passes, and which columns are not to
be scored with. Ours gets the columns as they come and finds out what they are. The peers get what is usual: missing
numbers as the median of the training rows (isotree takes holes as they are), times as hour and weekday, texts as
ordinal codes, as one column for each category, or, in isotree, as categories of its own. Tables are split at random,
and those with a time once more so that the first part in time trains:

    python -m benchmarks.transactions --data FOLDER

With ``--ablation`` ours is measured with one choice taken away at a time instead, at random splits only.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import isotree
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from benchmarks.common import arguments, need_folder, report
from benchmarks.detection import WITHOUT
from detector import DynamicAnomalyDetector

TREES, SAMPLES = 100, 256
TRAINED = 0.7
#: A table with fewer rows than this is split four times as often, since each split says less.
FEW_ROWS = 2_000
#: A later part with fewer positive rows than this tells nothing of a ranking; random splits are several.
FEWEST_POSITIVE = 10
#: With one column for each category, the rarest beyond so many share one.
MOST_CATEGORIES = 200
#: Built from labels that come days later, or telling what kind of fraud it is; no detector may see them.
LEAKS = ("TERMINAL_ID_RISK", "TX_FRAUD_SCENARIO")
#: What a table is about, by its folder or by a part of its name; the name decides.
KINDS = {"skab": "sensors", "oil_spill": "sensors", "loghub": "logs", "kdd": "connections", "flare": "observations",
         "transactions/": "cards and shops"}  # fmt: skip
OURS = "ours"

Scores = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Table:
    """A labelled table in the order of time where it has one: what may be scored with, and the truth."""

    name: str
    kind: str
    columns: pd.DataFrame
    truth: NDArray[np.int64]
    timed: bool


def tables(folder: Path, most: int) -> Iterator[Table]:
    """Yield every labelled table of the manifest; of a long one every k-th row, so that time passes as in the whole."""
    manifest = pd.read_csv(folder / "manifest.csv", dtype={"positive": str})
    entry: Any
    for entry in manifest[manifest["label"].notna()].itertuples():
        frame = pd.read_parquet(folder / entry.path)
        frame = frame[frame[entry.label].notna()]
        timed = isinstance(entry.time_col, str)
        if timed:
            frame = frame.sort_values(entry.time_col, kind="stable")
        frame = frame.iloc[:: max(1, -(-len(frame) // most))].reset_index(drop=True)
        unseen = [entry.label, *(entry.drop_for_scoring.split(",") if isinstance(entry.drop_for_scoring, str) else [])]
        unseen += [name for name in frame.columns if name.startswith(LEAKS)]
        kind = next((kind for part, kind in KINDS.items() if part in entry.path), "others")
        truth = _positive(frame[entry.label], entry.positive)
        yield Table(Path(entry.path).stem, kind, frame.drop(columns=unseen, errors="ignore"), truth, timed)


def _positive(label: pd.Series, positive: str) -> NDArray[np.int64]:
    # A flag with gaps in it was read as 0.0 and 1.0.
    told = label.astype(str).str.removesuffix(".0")
    found = told != positive[1:] if positive.startswith("!") else told == positive
    return np.asarray(found, np.int64)


@dataclass(frozen=True)
class Prepared:
    """The columns of a table as peers want them."""

    numbers: pd.DataFrame
    texts: pd.DataFrame

    @classmethod
    def of(cls, columns: pd.DataFrame) -> Prepared:
        """Return numbers (times as hour and weekday) and texts (an absent one is a text of its own)."""
        numbers, texts = {}, {}
        for name, column in columns.items():
            if pd.api.types.is_datetime64_any_dtype(column):
                numbers[f"{name}, hour"] = column.dt.hour.astype(float)
                numbers[f"{name}, weekday"] = column.dt.dayofweek.astype(float)
            elif pd.api.types.is_numeric_dtype(column):
                numbers[str(name)] = column.astype(float)
            else:
                texts[str(name)] = column.astype(object).where(column.notna(), "").astype(str)
        return cls(pd.DataFrame(numbers, index=columns.index), pd.DataFrame(texts, index=columns.index))

    def filled(self, train: Rows) -> NDArray[np.float64]:
        """Return the numbers, with the medians of the training rows where there is none."""
        return self.numbers.fillna(self.numbers.iloc[train].median()).fillna(0.0).to_numpy()


def ours(table: Table, _prepared: Prepared, train: Rows, test: Rows, seed: int) -> Scores:
    """Return the scores of ours on the raw columns."""
    model = DynamicAnomalyDetector(n_estimators=TREES, random_state=seed).fit(table.columns.iloc[train])
    return model.score(table.columns.iloc[test]).scores


def updated(table: Table, _prepared: Prepared, train: Rows, test: Rows, seed: int) -> Scores:
    """Return the scores of ours where each tenth of the test rows is learned from once it is scored, without labels."""
    model = DynamicAnomalyDetector(n_estimators=TREES, random_state=seed).fit(table.columns.iloc[train])
    scores = []
    for part in np.array_split(test, 10):
        scores.append(model.score(table.columns.iloc[part]).scores)
        model = model.updated(table.columns.iloc[part])
    return np.concatenate(scores)


def ordinal(_table: Table, prepared: Prepared, train: Rows, test: Rows, seed: int) -> Scores:
    """Return the scores of scikit-learn's forest on numbers and ordinal codes."""
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return _sklearn(prepared, codes, train, test, seed)


def one_hot(_table: Table, prepared: Prepared, train: Rows, test: Rows, seed: int) -> Scores:
    """Return the scores of scikit-learn's forest on numbers and a column for each category."""
    codes = OneHotEncoder(handle_unknown="ignore", max_categories=MOST_CATEGORIES, sparse_output=False)
    return _sklearn(prepared, codes, train, test, seed)


def _sklearn(prepared: Prepared, codes: Any, train: Rows, test: Rows, seed: int) -> Scores:
    X = prepared.filled(train)
    if prepared.texts.shape[1]:
        X = np.hstack([X, codes.fit(prepared.texts.iloc[train]).transform(prepared.texts)])
    forest = IsolationForest(n_estimators=TREES, random_state=seed).fit(X[train])
    return np.asarray(-forest.score_samples(X[test]))


def native(_table: Table, prepared: Prepared, train: Rows, test: Rows, seed: int) -> Scores:
    """Return the scores of isotree with its own categories and holes; an unseen category is a hole."""
    frame = prepared.numbers.copy()
    for name, column in prepared.texts.items():
        frame[name] = pd.Categorical(column, categories=sorted(set(column.iloc[train])))
    forest = isotree.IsolationForest(
        ntrees=TREES, sample_size=min(SAMPLES, len(train)), ndim=1, nthreads=1, random_seed=seed
    )
    return np.asarray(forest.fit(frame.iloc[train]).predict(frame.iloc[test]))


Detector = Callable[[Table, Prepared, Rows, Rows, int], Scores]
PEERS: dict[str, Detector] = {
    "scikit-learn, ordinal": ordinal,
    "scikit-learn, one-hot": one_hot,
    "isotree, native": native,
}
AT_RANDOM: dict[str, Detector] = {OURS: ours, **PEERS}
IN_TIME: dict[str, Detector] = {OURS: ours, "ours, updated": updated, **PEERS}


def seeds_for(table: Table, seeds: int) -> int:
    """Return how often a table is split."""
    return seeds * (4 if len(table.truth) < FEW_ROWS else 1)


def measure(table: Table, seed: int, detectors: dict[str, Detector], *, in_time: bool) -> list[dict[str, Any]]:
    """Return average precision and AUROC of each detector on one split of a table."""
    order = np.arange(len(table.truth)) if in_time else np.random.default_rng(seed).permutation(len(table.truth))
    train, test = np.split(order, [int(TRAINED * len(order))])
    truth = table.truth[test]
    if not (FEWEST_POSITIVE if in_time else 1) <= truth.sum() < len(truth):
        return []
    prepared = Prepared.of(table.columns)
    found = []
    for name, detect in detectors.items():
        scores = detect(table, prepared, train, test, seed)
        found.append({
            "kind": table.kind, "set": table.name, "positive": float(truth.mean()), "seed": seed, "model": name,
            "AP": float(average_precision_score(truth, scores)), "AUROC": float(roc_auc_score(truth, scores)),
        })  # fmt: skip
    return found


def summary(found: pd.DataFrame, measured: str) -> list[dict[str, Any]]:
    """Return a row for each set, for each kind of several and for all, the last with geometric means."""
    by_set = found.pivot_table(index=["kind", "set"], columns="model", values=measured, sort=False)
    by_set = by_set[list(found["model"].unique())]
    positive = found.groupby(["kind", "set"], sort=False)["positive"].mean()
    rows = [
        {"kind": kind, "set": name, "positive": f"{positive[kind, name]:.1%}", **_figures(by_set.loc[(kind, name)])}
        for kind, name in by_set.index
    ]
    for kind, part in [*by_set.groupby(level="kind", sort=False), ("all", by_set)]:
        if len(part) > 1:
            mean = np.exp(np.log(part).mean())
            rows.append({"kind": kind, "set": f"geometric mean of {len(part)}", "positive": "", **_figures(mean)})
    return rows


def _figures(told: pd.Series) -> dict[str, Any]:
    shown = {str(name): f"{value:.3f}" for name, value in told.items()}
    peers = told[told.index.isin(list(PEERS))]
    return shown | ({"ours / best peer": f"{told[OURS] / peers.max():.2f}"} if len(peers) else {})


def ratios(found: pd.DataFrame, first: str) -> dict[str, str]:
    """Return the geometric mean over the sets of the first one's average precision, in parts of each other's."""
    logs = np.log(found.pivot_table(index="set", columns="model", values="AP", sort=False)).mean()
    return {f"{first} / {name}": f"{np.exp(logs[first] - logs[name]):.2f}" for name in logs.index if name != first}


def ablation(found: list[Table], seeds: int) -> pd.DataFrame:
    """Return what :func:`measure` finds for ours with each choice taken away."""
    rows: list[dict[str, Any]] = []
    for name, replaced in WITHOUT.items():
        with ExitStack() as stack:
            for replacement in replaced:
                stack.enter_context(replacement())
            for table in found:
                for seed in range(seeds_for(table, seeds)):
                    rows += measure(table, seed, {name: ours}, in_time=False)
    return pd.DataFrame(rows)


def main() -> None:
    """Measure every labelled table, split at random and in time."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--data", type=Path, help="folder with manifest.csv and the Parquet tables that it names")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=40_000, help="rows of a table, at most")
    parser.add_argument("--only", default="", help="only tables with this in their name")
    parser.add_argument("--ablation", action="store_true", help="ours without one choice at a time, and no peers")
    options = parser.parse_args()
    folder = need_folder(options.data, "manifest.csv and Parquet tables")
    if not (folder / "manifest.csv").is_file():
        sys.exit(f"There is no manifest.csv in {folder.name!r}.")
    warnings.filterwarnings("ignore")  # what peers say of unseen categories and of pandas' types
    found = [table for table in tables(folder, options.rows) if options.only in table.name]
    seeds = f"{options.seeds}, four times as many for tables of fewer than {FEW_ROWS:,} rows"
    notes = {"seeds": seeds, "rows of a table, at most": options.rows}
    if options.ablation:
        measured = ablation(found, options.seeds)
        first = next(iter(WITHOUT))
        report("transactions-ablation", summary(measured, "AP"), options.out, notes=notes | ratios(measured, first))
        return
    for name, detectors, in_time in (("transactions", AT_RANDOM, False), ("transactions-in-time", IN_TIME, True)):
        measured = pd.DataFrame([
            row for table in found if table.timed or not in_time
            for seed in range(seeds_for(table, options.seeds))
            for row in measure(table, seed, detectors, in_time=in_time)
        ])  # fmt: skip
        if not len(measured):
            continue
        notes_now = notes | ratios(measured, OURS)
        report(name, summary(measured, "AP"), options.out, notes=notes_now, peers=("isotree",))
        report(f"{name}-AUROC", summary(measured, "AUROC"), options.out, notes=notes, peers=("isotree",))


if __name__ == "__main__":
    main()
