"""Naming an entity: average precision with and without its habits, events a second, and one request among a million.

FOLDER holds ``handbook_raw_c.parquet``, transactions of the Fraud Detection Handbook's simulator, and, where a second
opinion is wanted, ``sparkov_generated_a.parquet`` of the Sparkov generator. The first part in time is learned from, and
the rest is scored: in one piece, and as a stream of single days that are learned from after each.

    OMP_NUM_THREADS=1 taskset -c 0 python -m benchmarks.behaviour --data FOLDER
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score

from benchmarks.common import arguments, best_of, need_folder, report
from detector import DynamicAnomalyDetector
from detector.core.behaviour import Behaviour
from detector.core.entity_keys import Events
from detector.core.entity_plans import Plan
from detector.core.kernels.behaviour import scrambled

ENTITIES = 1_000_000
EVENTS = 200_000


@dataclass(frozen=True)
class Cards:
    """A labelled file of transactions, and what its columns are."""

    file: str
    entity: str
    time: str
    amount: str
    label: str
    ids: tuple[str, ...]
    ignored: tuple[str, ...]


SETS = (
    Cards("handbook_raw_c", "CUSTOMER_ID", "TX_DATETIME", "TX_AMOUNT", "TX_FRAUD", ("TRANSACTION_ID",),
          ("TX_FRAUD_SCENARIO", "TX_TIME_SECONDS", "TX_TIME_DAYS")),
    Cards("sparkov_generated_a", "cc_num", "trans_date_trans_time", "amt", "is_fraud", (),
          ("city", "zip", "dob", "unix_time", "job")),
)  # fmt: skip


def main() -> None:
    """Measure what habits add, and what they cost."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--data", type=Path, help="folder with the transactions as Parquet files")
    parser.add_argument("--share", type=float, default=0.5, help="part of the rows, in time, that is learned from")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    folder = need_folder(options.data, "handbook_raw_c.parquet")
    rows: list[dict[str, Any]] = []
    for cards in SETS:
        if (folder / f"{cards.file}.parquet").is_file():
            rows += _precision(folder, cards, options.share, options.seeds)
    notes: dict[str, Any] = {
        "average precision": f"mean of {options.seeds} seeds; the first {options.share:.0%} of the rows in time train",
        "top 100": "share of frauds among the 100 highest scores",
        **_costs(folder),
    }
    report("behaviour", rows, options.out, notes=notes)


def _read(folder: Path, cards: Cards) -> pd.DataFrame:
    frame = pd.read_parquet(folder / f"{cards.file}.parquet").drop(columns=list(cards.ignored))
    return frame.sort_values(cards.time, kind="stable").reset_index(drop=True)


def _precision(folder: Path, cards: Cards, share: float, seeds: int) -> list[dict[str, Any]]:
    frame = _read(folder, cards)
    cut = int(share * len(frame))
    train, test = frame.iloc[:cut], frame.iloc[cut:]
    truth = test[cards.label].to_numpy()
    # Roles are named alike in all: only the entity's differs.
    named = {cards.time: "time", cards.amount: "amount", cards.label: "label"} | dict.fromkeys(cards.ids, "id")
    runs: dict[str, list[tuple[float, float, float]]] = {}
    for seed in range(seeds):
        for name, role in (("without", "ignored"), ("with", "entity")):
            model = DynamicAnomalyDetector(random_state=seed, roles=named | {cards.entity: role}).fit(train)
            result = model.score(test)
            runs.setdefault(name, []).append(_told(truth, result.scores, result.flagged_share))
            if role == "entity":
                runs.setdefault("with, updated daily", []).append(_stream(model, test, cards, truth))
        identifying = [cards.label, cards.entity, *cards.ids, "TERMINAL_ID"]
        numbers = frame.select_dtypes("number").drop(columns=identifying, errors="ignore")
        numbers["hour"] = frame[cards.time].dt.hour
        peer = IsolationForest(random_state=seed, contamination=0.1).fit(numbers.iloc[:cut].to_numpy())
        scores = -peer.score_samples(numbers.iloc[cut:].to_numpy())
        flagged = float((scores > -peer.offset_).mean())
        runs.setdefault("scikit-learn, numbers and hour", []).append(_told(truth, scores, flagged))
    base = float(np.mean([run[0] for run in runs["without"]]))
    return [
        {
            "set": cards.file, "model": name, "average precision": float(found[0]), "/ without": float(found[0]) / base,
            "top 100": float(found[1]), "flagged at 10 %": float(found[2]), "frauds": float(truth.mean()),
        }
        for name, found in ((name, np.mean(found, axis=0)) for name, found in runs.items())
    ]  # fmt: skip


def _told(truth: Any, scores: Any, flagged: float) -> tuple[float, float, float]:
    top = truth[np.argsort(-scores, kind="stable")[:100]]
    return float(average_precision_score(truth, scores)), float(top.mean()), flagged


def _stream(model: DynamicAnomalyDetector, test: pd.DataFrame, cards: Cards, truth: Any) -> tuple[float, float, float]:
    scores, flags = [], []
    for _, day in test.groupby(test[cards.time].dt.normalize(), sort=True):
        result = model.score(day)
        scores.append(result.scores)
        flags.append(result.labels == -1)
        model = model.updated(day)
    return _told(truth, np.concatenate(scores), float(np.concatenate(flags).mean()))


def _costs(folder: Path) -> dict[str, Any]:
    cards = SETS[0]
    frame = _read(folder, cards).iloc[:EVENTS]
    plan = Plan(cards.entity, cards.time, cards.amount, cards.ids[0], ("TERMINAL_ID",))
    empty = Behaviour.begun((plan,))
    compared = best_of(lambda: empty.learned(frame), 5)
    named = {cards.time: "time", cards.label: "label", cards.entity: "entity", cards.ids[0]: "id"}
    model = DynamicAnomalyDetector(random_state=0, roles=named).fit(frame)
    behaviour = model.behaviour
    assert behaviour is not None
    histories = behaviour.histories[0]
    keys = scrambled(np.arange(ENTITIES, dtype=np.uint64))
    begin = float(frame[cards.time].max().timestamp())
    known = Events(keys, np.full(ENTITIES, begin), np.full(ENTITIES, 20.0), keys[:, None].copy(),
                   np.ones(ENTITIES, np.uint32))  # fmt: skip
    histories.advance(known)
    size = len(model.histories_to_bytes() or b"")
    random = np.random.default_rng(0)
    moment = (frame[cards.time].max() + pd.Timedelta(hours=5)).isoformat()
    records = [
        {cards.entity: int(random.integers(ENTITIES)), cards.time: moment, cards.ids[0]: number,
         cards.amount: float(random.lognormal(3.0)), "TERMINAL_ID": int(random.integers(10_000))}
        for number in range(5_000)
    ]  # fmt: skip
    bare = DynamicAnomalyDetector(random_state=0, roles=named | {cards.entity: "ignored"}).fit(frame)
    return {
        f"{len(frame):,} events compared and let in": f"{compared:.2f} s, {len(frame) / compared:,.0f} a second",
        "entities known at the single requests": f"{len(histories):,}, {size / len(histories):.0f} bytes each on disk",
        "one request scored, median of 5,000": _microseconds(model.score, records),
        "the same without an entity": _microseconds(bare.score, records),
        "one request let in": _microseconds(model.follow, records),
    }


def _microseconds(work: Any, records: list[dict[str, Any]]) -> str:
    for record in records[:100]:
        work(record)
    took = []
    for record in records:
        began = time.perf_counter()
        work(record)
        took.append(time.perf_counter() - began)
    return f"{1e6 * float(np.median(took)):.0f} microseconds"


if __name__ == "__main__":
    main()
