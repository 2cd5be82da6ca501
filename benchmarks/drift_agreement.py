"""Which columns have drifted: ours beside Evidently's DataDriftPreset, on the same pairs of files.

Three kinds of pairs. *Later*: tables in the order of their time, cut into equal parts, each beside the one before it.
*Shuffled*: the same tables cut at random, so that nothing has changed. *Made*: columns with a change of known size.
Compared are the columns that ours takes part in scores with, but for times, which Evidently's preset leaves out too.

Evidently 0.7 needs an older pandas and plotly than ours, so it is run by an interpreter of its own:

    python -m venv .evidently && .evidently/bin/pip install "evidently==0.7.23" "pandas<3"
    python -m benchmarks.drift_agreement --evidently .evidently/bin/python --data FOLDER

FOLDER holds Parquet tables and a ``manifest.csv`` as for benchmarks.transactions; without it only made pairs are
compared.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common import arguments, report
from detector import DynamicAnomalyDetector
from detector.core.collecting import Collector
from detector.core.drift import FeatureDrift, drift_report

#: Parts of a table in the order of time, and rows of a part at most.
PARTS, MOST_ROWS = 5, 10_000
#: A part with fewer rows than this is not a file that anybody would score.
FEWEST_ROWS = 200
#: Built from labels that come days later.
LEAKS = ("TERMINAL_ID_RISK", "TX_FRAUD_SCENARIO")


@dataclass(frozen=True)
class Pair:
    """Two files: ``kind`` is later, shuffled or made."""

    kind: str
    name: str
    before: pd.DataFrame
    now: pd.DataFrame


def pairs_of_tables(folder: Path) -> Iterator[Pair]:
    """Yield each table in time beside its earlier part, and cut at random."""
    manifest = pd.read_csv(folder / "manifest.csv")
    for line in manifest[manifest["time_col"].notna()].itertuples():
        frame = pd.read_parquet(folder / str(line.path))
        time = str(line.time_col)
        frame = frame.sort_values(time, kind="stable").reset_index(drop=True)
        dropped = {str(line.label), time, *str(line.drop_for_scoring).split(",")}
        dropped |= {name for name in frame if str(name).startswith(LEAKS)}
        frame = frame[[name for name in frame if name not in dropped]]
        name = Path(str(line.path)).stem
        parts = [evenly(frame.iloc[part]) for part in np.array_split(np.arange(len(frame)), PARTS)]
        if len(parts[0]) < FEWEST_ROWS:
            continue
        # The first step in time and the last one: Evidently draws each column, and takes its time for it.
        for before, now in list(pairwise(parts))[:: PARTS - 2]:
            yield Pair("later", name, before, now)
        order = np.random.default_rng(0).permutation(len(frame))
        shuffled = [evenly(frame.iloc[part]) for part in np.array_split(order, PARTS)]
        yield Pair("shuffled", name, shuffled[0], shuffled[1])


def evenly(frame: pd.DataFrame) -> pd.DataFrame:
    """Return at most so many rows, taken evenly."""
    if len(frame) > MOST_ROWS:
        frame = frame.iloc[np.linspace(0, len(frame) - 1, MOST_ROWS).astype(int)]
    return frame.reset_index(drop=True)


def made_pairs(seeds: int) -> Iterator[Pair]:
    """Yield pairs whose columns are named after what was done to them."""
    for rows in (500, 5_000, 20_000):
        for seed in range(seeds):
            rng = np.random.default_rng([rows, seed])
            before, now = made(rng, rows, changed=False), made(rng, rows, changed=True)
            yield Pair("made", f"{rows:,} rows", before, now)


def made(rng: np.random.Generator, rows: int, *, changed: bool) -> pd.DataFrame:
    """Return a table; with ``changed`` each column but the first of a kind has its change."""
    on = float(changed)
    columns: dict[str, Any] = {}
    for shift in (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0):
        columns[f"normal, mean + {shift} sd"] = rng.normal(shift * on, 1.0, rows)
    for factor in (1.0, 1.1, 1.2, 1.5, 2.0):
        columns[f"log-normal, times {factor}"] = rng.lognormal(3.0, 1.0, rows) * (factor if changed else 1.0)
    for spread in (1.2, 1.5, 2.0):
        columns[f"normal, sd times {spread}"] = rng.normal(0.0, spread if changed else 1.0, rows)
    for moved in (0.0, 0.02, 0.05, 0.1, 0.2):
        shares = np.array([0.5 - moved * on, 0.3, 0.15 + moved * on, 0.05])
        columns[f"category, {moved:.0%} moved"] = rng.choice(list("abcd"), rows, p=shares)
    for unseen in (0.01, 0.03, 0.05, 0.1):
        shares = np.array([0.6, 0.3, 0.1, 0.0]) * (1.0 - unseen * on)
        shares[3] = unseen * on
        columns[f"category, {unseen:.0%} not known"] = rng.choice(list("abcz"), rows, p=shares)
    for gone in (0.01, 0.03, 0.05, 0.2):
        values = rng.normal(0.0, 1.0, rows)
        columns[f"normal, {gone:.0%} lost"] = np.where(rng.random(rows) < gone * on, np.nan, values)
    return pd.DataFrame(columns)


def ours(pair: Pair) -> dict[str, FeatureDrift]:
    """Return what ours says of the columns of a pair, times aside."""
    roles = dict.fromkeys(pair.before, "input") if pair.kind == "made" else None
    model = DynamicAnomalyDetector(n_estimators=10, random_state=0, roles=roles).fit(pair.before)
    collector = Collector(model.schema_, model.statistics_)
    collector.add(pair.now, model.alignment(pair.now))
    before = {feature.name: model.statistics_[feature.name] for feature in model.schema_.learned}
    found = drift_report(before, collector.statistics, model.get_feature_importance())
    return {drift.name: drift for drift in found.features if drift.kind != "datetime"}


def evidently(python: Path, pairs: list[Pair], told: list[dict[str, FeatureDrift]]) -> list[dict[str, Any]]:
    """Return what Evidently says of the same columns."""
    script = Path(__file__).with_name("evidently_preset.py")
    with tempfile.TemporaryDirectory() as folder:
        asked = []
        for place, (pair, drifts) in enumerate(zip(pairs, told, strict=True)):
            # A column that has lost all its values ends Evidently's whole report.
            full = [name for name in drifts if pair.before[name].notna().any() and pair.now[name].notna().any()]
            numbers = [name for name in full if drifts[name].kind == "numeric"]
            categories = [name for name in full if name not in numbers]
            files = {}
            for side, frame in (("before", pair.before), ("now", pair.now)):
                files[side] = str(Path(folder) / f"{place}_{side}.parquet")
                kept = frame[full].copy()
                for name in numbers:
                    kept[name] = pd.to_numeric(kept[name], errors="coerce").astype(float)
                for name in categories:
                    kept[name] = kept[name].astype(object).where(kept[name].notna(), None)
                    kept[name] = kept[name].map(lambda value: None if value is None else str(value))
                kept.to_parquet(files[side])
            asked.append(files | {"numbers": numbers, "categories": categories})
        questions, answers = Path(folder) / "pairs.json", Path(folder) / "answers.json"
        questions.write_text(json.dumps(asked))
        subprocess.run([str(python), str(script), str(questions), str(answers)], check=True)
        found: list[dict[str, Any]] = json.loads(answers.read_text())
    return found


def main() -> None:
    """Compare all pairs and print where both agree, and each column on which they do not."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--data", type=Path, help="folder of Parquet tables with a manifest.csv")
    parser.add_argument("--evidently", type=Path, required=True, help="a Python with Evidently 0.7.23")
    parser.add_argument("--seeds", type=int, default=5, help="of made pairs")
    options = parser.parse_args()
    pairs = list(made_pairs(options.seeds)) + (list(pairs_of_tables(options.data)) if options.data else [])
    told = [ours(pair) for pair in pairs]
    peers = evidently(options.evidently, pairs, told)
    lines = [
        {
            "kind": pair.kind,
            "table": pair.name,
            "column": name,
            "rows": min(len(pair.before), len(pair.now)),
            "state": drift.state,
            "ours": drift.state == "drifting",
            "peer": peer[name]["drifted"],
            "psi": drift.psi,
            "distance": drift.statistic if drift.test == "Kolmogorov-Smirnov" else None,
            "lost": drift.absent_now - drift.absent_before,
            "unseen": drift.unseen_share,
            "method": peer[name]["method"],
            "value": peer[name]["value"],
        }
        for pair, drifts, peer in zip(pairs, told, peers, strict=True)
        for name, drift in drifts.items()
        if name in peer
    ]
    table = pd.DataFrame(lines)
    rows = []
    for (kind, name), group in table.groupby(["kind", "table"], sort=False):
        both, neither = (group["ours"] & group["peer"]).sum(), (~group["ours"] & ~group["peer"]).sum()
        rows.append({
            "pairs": kind, "table": name, "columns": len(group), "both drifting": int(both), "neither": int(neither),
            "ours only": int((group["ours"] & ~group["peer"]).sum()),
            "Evidently only": int((~group["ours"] & group["peer"]).sum()),
            "of these to watch": int((~group["ours"] & group["peer"] & (group["state"] == "watch")).sum()),
            "agreement": float((both + neither) / len(group)),
        })  # fmt: skip
    asked = sum(len(drifts) for drifts in told)
    notes: dict[str, Any] = {"columns that Evidently refuses, since they have lost every value": asked - len(table)}
    for kind, group in table.groupby("kind", sort=False):
        notes[f"{kind}: agreement"] = float((group["ours"] == group["peer"]).mean())
        notes[f"{kind}: called drifting, ours and Evidently"] = (
            f"{group['ours'].mean():.3f}, {group['peer'].mean():.3f}"
        )
    report("drift_agreement", rows, options.out, notes=notes)
    made_ones = table[table["kind"] == "made"]
    shown = made_ones.pivot_table(index="column", columns="table", values=["ours", "peer"], aggfunc="mean", sort=False)
    print("\n## made changes: share of the pairs called drifting\n")
    print(shown.to_string(float_format="{:.1f}".format))
    apart = table[(table["kind"] != "made") & (table["ours"] != table["peer"])]
    print("\n## columns of tables on which they differ\n")
    print(apart.drop(columns=["ours"]).to_string(index=False, float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
