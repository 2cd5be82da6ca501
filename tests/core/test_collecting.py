"""Rows that are scored are counted as the model reads them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from detector import DynamicAnomalyDetector
from detector.core.collecting import Collector
from detector.core.drift import drift_report


def table(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "amount": rng.gamma(3.0, 20.0, rows).round(2),
            "items": rng.integers(1, 9, rows),
            "country": rng.choice(["DE", "FR", "IT"], rows),
            "present": rng.random(rows) < 0.5,
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 10**6, rows), unit="s"),
        }
    )


@pytest.fixture(scope="module")
def model() -> DynamicAnomalyDetector:
    return DynamicAnomalyDetector(n_estimators=20, random_state=1).fit(table(1_000, 1))


def collected(model: DynamicAnomalyDetector, frame: pd.DataFrame, pieces: int = 1) -> Collector:
    collector, report = Collector(model.schema_, model.statistics_), None
    for piece in np.array_split(np.arange(len(frame)), pieces):
        part = frame.iloc[piece].reset_index(drop=True)
        found = model.alignment(part, report)
        collector.add(part, found)
        report = found if report is None else report.merged(found)
    return collector


def states(model: DynamicAnomalyDetector, collector: Collector) -> dict[str, str]:
    before = {feature.name: model.statistics_[feature.name] for feature in model.schema_.learned}
    return {drift.name: drift.state for drift in drift_report(before, collector.statistics, {}).features}


def test_the_rows_of_training_are_calm(model) -> None:
    found = collected(model, table(1_000, 1))
    assert set(states(model, found).values()) == {"calm"}
    assert {name: one.rows for name, one in found.statistics.items()} == dict.fromkeys(table(1, 1), 1_000)


def test_pieces_add_up_to_the_whole(model) -> None:
    frame = table(900, 2)
    whole, parts = collected(model, frame).statistics, collected(model, frame, 7).statistics
    assert whole["country"].weights == parts["country"].weights
    assert whole["amount"].quantile(0.5) == pytest.approx(parts["amount"].quantile(0.5))
    assert whole["amount"].rows == parts["amount"].rows == 900


def test_another_name_and_another_unit_are_no_drift(model) -> None:
    frame = table(600, 3)
    frame["amount"] *= 100.0
    frame = frame.rename(columns={"country": "Country"})
    found = collected(model, frame)
    assert set(states(model, found).values()) == {"calm"}
    assert found.statistics["amount"].median == pytest.approx(table(600, 3)["amount"].median())


def test_a_column_that_came_empty_lacks_its_values(model) -> None:
    frame = table(600, 4)
    frame["country"] = None
    found = collected(model, frame)
    assert found.statistics["country"].share_absent == 1.0
    assert states(model, found)["country"] == "drifting"


def test_a_column_of_another_type_counts_as_what_it_is(model) -> None:
    frame = table(600, 5)
    frame["items"] = frame["items"].map("box {}".format)
    found = collected(model, frame)
    assert found.statistics["items"].kind == "categorical"
    assert states(model, found)["items"] == "drifting"


def test_unfamiliar_categories_are_counted_though_they_are_not_scored(model) -> None:
    frame = table(600, 6)
    frame["country"] = np.random.default_rng(0).choice(["US", "CA", "MX"], 600)
    found = collected(model, frame)
    assert model.alignment(frame).unfamiliar == ("country",)
    assert found.statistics["country"].share("US") == pytest.approx(1 / 3, abs=0.06)


def test_a_new_column_is_counted_unless_it_is_an_id(model) -> None:
    frame = table(600, 7)
    frame["risk"] = np.random.default_rng(0).normal(size=600)
    frame["token"] = [f"{n:032x}" for n in np.random.default_rng(0).integers(0, 2**62, 600)]
    found = collected(model, frame).statistics
    assert found["risk"].rows == 600
    assert "token" not in found
