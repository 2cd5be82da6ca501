"""What learning and scoring cost by rows, features, categories, signatures and entities."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import combinations, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from benchmarks.scaling.measuring import Meter, forget_peak, held, peak_held
from detector import DynamicAnomalyDetector
from detector.core.entity_keys import Events
from detector.core.kernels.behaviour import scrambled
from detector.store.run_files import RunWriter

#: Rows that are learned, and scored, at a time.
CHUNK = 100_000
#: Numbers of a row where the axis is another one.
NUMBERS = 10
#: The peer has to hold all rows at once and takes so much longer that more would tell nothing new.
MOST_OF_PEER = 1_000_000
SECONDS_A_DAY = 86_400


def rows(size: int, meter: Meter) -> None:
    """Learn from ``size`` rows of 10 numbers in chunks, score them in chunks; the peer learns from them at once."""
    model = DynamicAnomalyDetector(random_state=0)
    _by_chunks(meter, "fit", size, model.partial_fit)
    meter.size("model file", len(model.to_bytes()))
    model.score(_named(numbers(2, NUMBERS)))
    _by_chunks(meter, "score", size, model.score)
    meter.size("a scored row on disk", _bytes_of_scored(model))
    if size <= MOST_OF_PEER:
        _peer(meter, np.concatenate(list(_chunks(size))))


def features(size: int, meter: Meter) -> None:
    """Learn from, and score, 4,000 rows of ``size`` numbers."""
    X = numbers(200 if meter.quick else 4_000, size)
    frame = _named(X)
    model = meter.time("fit", lambda: DynamicAnomalyDetector(random_state=0).fit(frame))
    model.score(frame)
    meter.time("score", lambda: model.score(frame))
    record = dict.fromkeys(frame.columns, 0.1)
    model.score(record)
    meter.time("one record", lambda: [model.score(record) for _ in range(20)], of=20)
    few = _named(numbers(100, size, seed=2))
    meter.time("update with 100 rows", lambda: model.updated(few))
    gone = iter(frame.columns[:2])
    meter.time("first record of a signature", lambda: model.score(_without(record, (next(gone),))), runs=2)
    meter.size("model file", len(model.to_bytes()))
    _peer(meter, X)


def categories(size: int, meter: Meter) -> None:
    """Learn from a million rows of a text, of which each of ``size`` values occurs, and a number."""
    count = 1_000 if meter.quick else 1_000_000
    random = np.random.default_rng(0)
    names = np.array([f"shop {number}" for number in range(size)], object)
    places = np.concatenate([np.arange(min(size, count)), random.integers(0, size, max(0, count - size))])
    frame = pd.DataFrame({"shop": names[random.permutation(places)], "amount": random.lognormal(3.0, 1.0, count)})
    new = DynamicAnomalyDetector(random_state=0, roles={"shop": "input"})
    model = meter.time("fit", lambda: new.fit(frame))
    some = frame.iloc[:CHUNK]
    model.score(some)
    meter.time(f"score {len(some):,} rows", lambda: model.score(some))
    few = frame.iloc[:1_000]
    meter.time("update with 1,000 rows", lambda: model.updated(few))
    record: dict[str, Any] = {"shop": names[-1], "amount": 20.0}
    model.score(record)
    meter.time("one record", lambda: [model.score(record) for _ in range(200)], of=200)
    meter.size("model file", len(model.to_bytes()))


def signatures(size: int, meter: Meter) -> None:
    """Score requests of which ``size`` distinct sets of 14 columns are missing, one after the other, in turn."""
    frame = _named(numbers(500 if meter.quick else 20_000, 14))
    model = DynamicAnomalyDetector(random_state=0).fit(frame)
    record = dict.fromkeys(frame.columns, 0.1)
    model.score(record)
    sets = list(islice(_subsets(tuple(record)), size))
    requests = [_without(record, gone) for gone in sets]
    nulls = [record | dict.fromkeys(gone) for gone in sets]
    before = held()

    def score(asked: list[dict[str, Any]]) -> None:
        for request in asked:
            model.score(request)

    meter.time("first request of each", lambda: score(requests), runs=1, of=size)
    after = held()
    if before is not None and after is not None:
        meter.size("memory of what was grown", after - before)
    meter.time("each again, in turn", lambda: score(requests), of=size)
    score(nulls)
    meter.time("each again, as null", lambda: score(nulls), of=size)


def entities(size: int, meter: Meter) -> None:
    """Know ``size`` cards: learn from rows of 20,000 of them, then let one payment of each in."""
    random = np.random.default_rng(0)
    count = 500 if meter.quick else 50_000
    start = pd.Timestamp("2026-01-01", tz="UTC")
    seconds = np.sort(random.integers(0, 60 * SECONDS_A_DAY, count))
    frame = pd.DataFrame(
        {
            "card": random.integers(0, min(size, 20_000), count),
            "at": start + pd.to_timedelta(seconds, unit="s"),
            "amount": random.lognormal(3.0, 1.0, count).round(2),
            "merchant": random.integers(0, 500, count).astype(str),
        }
    )
    roles = {"card": "entity", "at": "time", "amount": "amount"}
    model = DynamicAnomalyDetector(random_state=0, roles=roles).fit(frame)
    behaviour = model.behaviour
    assert behaviour is not None
    histories = behaviour.histories[0]
    cards = np.arange(size, dtype=np.uint64)
    last = (start + pd.Timedelta(days=61)).timestamp()

    def payments(whose: NDArray[np.uint64], at: float) -> Events:
        n = len(whose)
        values = scrambled(np.repeat(whose[:, None], histories.columns, axis=1).ravel()).reshape(n, -1)
        marks = np.full(n, int(at) & 0xFFFF, np.uint32)
        return Events(scrambled(whose), np.full(n, at), np.full(n, 20.0), values, marks)

    every = payments(cards, last)
    before = held()
    meter.time("first payment of each", lambda: histories.advance(every), runs=1)
    after = held()
    if before is not None and after is not None:
        meter.size("memory of histories", after - before)
    again = payments(cards, last + 3_600.0)
    meter.time("another of each", lambda: histories.advance(again), runs=1)
    moment = (start + pd.Timedelta(days=62)).isoformat()
    requests = [
        {"card": int(card), "at": moment, "amount": float(amount), "merchant": "7"}
        for card, amount in zip(random.integers(0, size, 500), random.lognormal(3.0, 1.0, 500), strict=True)
    ]
    model.score(requests[0])
    meter.time("one request scored", lambda: [model.score(one) for one in requests], of=len(requests))
    meter.time("one request let in", lambda: [model.follow(one) for one in requests], of=len(requests))
    some = frame.iloc[:1_000].assign(at=start + pd.Timedelta(days=63))
    meter.time("score 1,000 rows", lambda: model.score(some))
    meter.time("update with 1,000 rows", lambda: model.updated(some))
    kept = meter.time("histories written", model.histories_to_bytes)
    meter.time("histories read", lambda: model.with_histories(kept))
    meter.size("histories file", len(kept))
    meter.size("model file", len(model.to_bytes(histories=False)))


def numbers(count: int, columns: int, seed: int = 0) -> NDArray[np.float64]:
    """Return rows of normal numbers of which one in a hundred is far out."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(count, columns))
    X[random.random(count) < 0.01] *= 4.0
    return X


def _by_chunks(meter: Meter, work: str, size: int, do: Callable[[pd.DataFrame], Any]) -> None:
    """Time the work over ``size`` rows that come in chunks, without the making of them."""
    spent = 0.0
    forget_peak()
    before = held()
    for chunk in _chunks(size):
        frame = _named(chunk)
        begin = time.perf_counter()
        do(frame)
        spent += time.perf_counter() - begin
    peak = peak_held()
    meter.add(work, spent, None if before is None or peak is None else max(0, peak - before))


def _chunks(size: int) -> Iterator[NDArray[np.float64]]:
    for number, begin in enumerate(range(0, size, CHUNK)):
        yield numbers(min(CHUNK, size - begin), NUMBERS, seed=number)


def _named(X: NDArray[np.float64]) -> pd.DataFrame:
    return pd.DataFrame(X, columns=[f"c{number}" for number in range(X.shape[1])])


def _peer(meter: Meter, X: NDArray[np.float64]) -> None:
    forest = meter.time("fit, scikit-learn", lambda: IsolationForest(random_state=0).fit(X))

    def score() -> None:
        for begin in range(0, len(X), CHUNK):
            forest.score_samples(X[begin : begin + CHUNK])

    meter.time("score, scikit-learn", score, runs=2)


def _bytes_of_scored(model: DynamicAnomalyDetector) -> float:
    """Return the bytes a row that a run takes: 10 random numbers, which nothing makes smaller, and what is said."""
    frame = _named(numbers(10_000, NUMBERS))
    result = model.score(frame)
    told = {"score": result.scores, "severity": result.severities, "flagged": result.labels == -1}
    with TemporaryDirectory() as folder, RunWriter(Path(folder)) as writer:
        writer.write(frame, pd.DataFrame(told | {"version": 1, "cutoff": result.cutoff}))
        return writer.finish().stat().st_size / len(frame)


def _without(record: dict[str, Any], gone: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in gone}


def _subsets(names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield sets of names, small ones first."""
    for many in range(1, len(names)):
        yield from combinations(names, many)
