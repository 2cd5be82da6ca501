"""Typed values as the numbers that trees split on."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from detector.core.encoding import CategoryCodes, encode, identity_of, parts_for, refresh_rarities
from detector.core.reading import Reading, read_column
from detector.core.schema import Feature, Schema
from detector.core.statistics import FeatureStatistics, Kind


def learned(values: Any, kind: Kind, scaler: Any = "robust") -> tuple[Feature, FeatureStatistics, Reading]:
    reading = read_column(pd.Series(values), kind)
    statistics = reading.tracked_by(FeatureStatistics.empty(kind), 1.0)
    parts, center, spread = parts_for(reading, statistics, scaler)
    feature = Feature("f", kind, "input", "learned", "", parts=parts, center=center, spread=spread)
    return Schema(()).placed(replace(feature, logarithmic="log value" in parts)), statistics, reading


def encoded(feature: Feature, statistics: FeatureStatistics, values: Any) -> tuple[np.ndarray, int]:
    codes = CategoryCodes(statistics) if feature.kind == "categorical" else None
    out = np.full((len(values), len(feature.parts)), np.nan, np.float32)
    unseen = encode(feature, read_column(pd.Series(values), feature.kind), codes, out)
    return out, unseen


SKEWED = np.random.default_rng(1).lognormal(4.0, 1.5, 500)


def test_a_skewed_amount_is_seen_as_it_is_and_as_its_logarithm_and_one_with_a_sign_is_not() -> None:
    feature, statistics, _ = learned(SKEWED, "numeric")
    assert (feature.parts, feature.logarithmic) == (("value", "log value"), True)
    values = np.array([0.0, float(np.median(SKEWED)), 1e6])
    out, _ = encoded(feature, statistics, values)
    np.testing.assert_allclose(out[:, 0], (values - feature.center) / feature.spread, rtol=1e-5, atol=1e-6)
    assert out[1, 0] == pytest.approx(0.0, abs=0.05)
    np.testing.assert_allclose(out[:, 1], np.log1p(values), rtol=1e-5)
    assert learned(SKEWED - 500.0, "numeric")[0].parts == ("value",)


def test_a_negative_value_of_a_skewed_amount_stays_below_all_others() -> None:
    feature, statistics, _ = learned(SKEWED, "numeric")
    out, _ = encoded(feature, statistics, [-1e6, -1.0, 0.0, 1.0])
    assert (np.diff(out, axis=0) > 0.0).all()


@pytest.mark.parametrize(
    ("scaler", "center", "spread"),
    [("robust", 50.0, 50.0), ("standard", 50.0, np.arange(101).std()), ("minmax", 0.0, 100.0), (None, 0.0, 1.0)],
)
def test_numbers_are_centred_and_scaled(scaler: Any, center: float, spread: float) -> None:
    feature, statistics, _ = learned(np.arange(101.0), "numeric", scaler)
    assert (feature.center, feature.spread) == (pytest.approx(center), pytest.approx(spread))
    out, _ = encoded(feature, statistics, [center, center + spread])
    np.testing.assert_allclose(out[:, 0], [0.0, 1.0], atol=1e-6)


def test_great_numbers_stay_finite_and_in_order() -> None:
    feature, statistics, _ = learned([0.0, 1e-30] * 30, "numeric")
    out, _ = encoded(feature, statistics, [-1e30, -1.0, 0.0, 1.0, 1e30])
    assert np.isfinite(out).all()
    assert (np.diff(out[:, 0]) >= 0.0).all()


def test_numbers_far_from_zero_keep_their_differences() -> None:
    values = 1.7e9 + np.arange(100.0)
    feature, statistics, _ = learned(values, "numeric")
    out, _ = encoded(feature, statistics, values)
    assert len(np.unique(out)) == 100


def test_flags_are_one_and_nought() -> None:
    feature, statistics, _ = learned([True, False] * 10, "boolean")
    out, _ = encoded(feature, statistics, pd.Series([True, False, None], dtype="boolean"))
    np.testing.assert_array_equal(out[:, 0], np.array([1.0, 0.0, np.nan], np.float32))


def at(*times: str) -> pd.Series:
    return pd.Series(pd.to_datetime(list(times)))


def test_a_minute_before_midnight_is_close_to_a_minute_after() -> None:
    feature, statistics, _ = learned(at("2024-01-01 03:00", "2024-01-09 12:00"), "datetime")
    assert feature.parts == ("hour sin", "hour cos", "weekday sin", "weekday cos")
    out, _ = encoded(feature, statistics, at("2024-01-07 23:59", "2024-01-08 00:01", "2024-01-08 12:00"))
    assert np.linalg.norm(out[0, :2] - out[1, :2]) < 0.01
    assert np.linalg.norm(out[0, :2] - out[2, :2]) > 1.9
    # A Sunday lies as near to the Monday after it as a Monday to its Tuesday.
    week, _ = encoded(feature, statistics, pd.Series(pd.date_range("2024-01-01", periods=8)))
    steps = np.linalg.norm(np.diff(week[:, 2:], axis=0), axis=1)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-4)


def test_dates_have_no_hour_and_times_of_one_week_no_weekday() -> None:
    assert learned(at("2024-01-01", "2024-02-05"), "datetime")[0].parts == ("weekday sin", "weekday cos")
    assert learned(at("2024-01-01 01:00", "2024-01-02 02:00"), "datetime")[0].parts == ("hour sin", "hour cos")
    assert learned(at("2024-01-01", "2024-01-02"), "datetime")[0].parts == ("weekday sin", "weekday cos")


def test_times_before_1970_have_their_own_hour_and_weekday() -> None:
    feature, statistics, _ = learned(at("2024-01-01 03:00", "2024-01-09 12:00"), "datetime")
    out, _ = encoded(feature, statistics, at("1969-12-29 03:00", "2024-01-01 03:00"))  # both are Mondays
    np.testing.assert_allclose(out[0], out[1], atol=1e-6)


def test_the_rarer_a_category_the_greater_its_rarity_and_one_never_seen_is_the_rarest() -> None:
    feature, statistics, _ = learned(["a"] * 90 + ["b"] * 9 + ["c"], "categorical")
    out, unseen = encoded(feature, statistics, ["a", "b", "c", "never", "never", "other"])
    rarity = out[:, 0]
    assert (np.diff(rarity[:4]) > 0.0).all()
    assert rarity[3] == rarity[4] == rarity[5]
    assert unseen == 3
    np.testing.assert_allclose(rarity[:2], -np.log2([90.5 / 101, 9.5 / 101]), rtol=1e-6)


def test_few_categories_are_told_apart_and_two_or_many_are_not() -> None:
    assert learned(["a", "b", "c"] * 5, "categorical")[0].parts == ("rarity", "identity")
    assert learned(["a", "b"] * 5, "categorical")[0].parts == ("rarity", "code")
    assert learned([f"c{i}" for i in range(51)], "categorical")[0].parts == ("rarity", "code")


def test_rarity_fades_with_the_counts() -> None:
    feature, before, _ = learned(["a"] * 50 + ["b"] * 50 + ["c"], "categorical")
    batch = read_column(pd.Series(["b"] * 50), "categorical")
    after = batch.tracked_by(before, 0.1)
    was, _ = encoded(feature, before, ["a", "b"])
    now, _ = encoded(feature, after, ["a", "b"])
    assert was[0, 0] == was[1, 0]
    assert now[0, 0] > was[0, 0]
    assert now[1, 0] < was[1, 0]


def test_the_identity_of_a_category_is_the_same_in_every_process() -> None:
    names = ["a", "Zürich", "", "x" * 1000]
    code = f"from detector.core.encoding import identity_of; print([identity_of(n) for n in {names!r}])"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8")
    here = [identity_of(name) for name in names]
    assert other.stdout.strip() == str(here)
    assert all(0.0 <= value < 1.0 and float(np.float32(value)) == value for value in here)


def test_refreshing_rarities_equals_encoding_anew() -> None:
    rng = np.random.default_rng(4)
    values = rng.choice([f"m{i}" for i in range(40)], 300).astype(object)
    values[::11] = None
    feature, before, _ = learned(values, "categorical")
    feature = replace(feature, absence_is_state=True)
    rows, _ = encoded(feature, before, values)
    newer = np.append(rng.choice([f"m{i}" for i in range(20, 60)], 200), ["brand new"])
    after = read_column(pd.Series(newer), "categorical").tracked_by(before, 0.5)
    refresh_rarities(feature, CategoryCodes(after), rows)
    np.testing.assert_array_equal(rows, encoded(feature, after, values)[0])


def test_rows_from_before_a_column_came_stay_unknown_when_rarities_move() -> None:
    feature, statistics, _ = learned(["a", "b", "c"] * 9, "categorical")
    rows = np.full((2, 2), np.nan, np.float32)
    refresh_rarities(feature, CategoryCodes(statistics), rows)
    assert np.isnan(rows).all()


@pytest.mark.parametrize("kind", ["numeric", "categorical", "boolean", "datetime"])
def test_absence_is_minus_infinity_only_where_it_is_a_state_and_unreadable_is_always_unknown(kind: Kind) -> None:
    values: dict[str, Any] = {
        "numeric": [1.0, 2.0], "categorical": ["a", "b"], "boolean": ["yes", "no"],
        "datetime": ["2024-01-01", "2024-01-09 03:00"]
    }  # fmt: skip
    feature, statistics, _ = learned(values[kind], kind)
    cells = pd.Series([None, "", "soon", values[kind][0]], dtype=object)
    hole, _ = encoded(feature, statistics, cells)
    state, _ = encoded(replace(feature, absence_is_state=True), statistics, cells)
    assert np.isnan(hole[:2]).all()
    assert np.isneginf(state[:2]).all()
    assert np.isnan(hole[2]).all() == np.isnan(state[2]).all() == (kind != "categorical")
    np.testing.assert_array_equal(hole[3], state[3])
    assert np.isfinite(hole[3]).all()
