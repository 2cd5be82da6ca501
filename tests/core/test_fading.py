"""How old rows fade: by rows, or by time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from detector.core.fading import (
    HalfLife,
    elapsed_between,
    half_life_of,
    later_of,
    latest_of,
    plain_half_life,
    time_feature,
)
from detector.core.model import DynamicAnomalyDetector
from detector.errors import InputError
from tests import tables

DAY = 86_400.0


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (100, HalfLife(rows=100.0)),
        (np.float32(0.5), HalfLife(rows=0.5)),
        ("7d", HalfLife(seconds=7 * DAY)),
        ("12h", HalfLife(seconds=DAY / 2)),
        ("1.5 Days", HalfLife(seconds=1.5 * DAY)),
        ("30 min", HalfLife(seconds=1_800.0)),
        ("2w", HalfLife(seconds=14 * DAY)),
        (pd.Timedelta(days=2), HalfLife(seconds=2 * DAY)),
        (np.timedelta64(90, "s"), HalfLife(seconds=90.0)),
        (timedelta(minutes=5), HalfLife(seconds=300.0)),
    ],
)
def test_a_half_life_is_a_number_of_rows_or_a_time(value: Any, wanted: HalfLife) -> None:
    assert half_life_of(value) == wanted
    assert half_life_of(plain_half_life(value)) == wanted
    assert type(plain_half_life(value)) in (int, float, str, np.float32)
    assert wanted.is_time == (wanted.rows == float("inf"))


@pytest.mark.parametrize(
    "value",
    ["1000", "soon", "", "-3d", "0s", "NaT", pd.NaT, timedelta(0), True, None, [], -1, float("inf"), float("nan")],
)
def test_what_is_no_half_life_is_known_as_such(value: Any) -> None:
    assert half_life_of(value) is None


def test_a_weight_halves_in_a_half_life() -> None:
    assert HalfLife(rows=50.0).fade(50, elapsed=1e9) == 0.5
    assert HalfLife(seconds=60.0).fade(10**9, elapsed=120.0) == 0.25
    assert HalfLife(rows=0.5).fade(10_000, 0.0) > 0.0  # nothing is ever divided by zero


def test_the_rows_of_a_batch_fade_among_each_other() -> None:
    no_times = np.full(1_000, np.nan)
    one_by_one = sum(0.5 ** (age / 300.0) for age in range(1_000))
    assert HalfLife(rows=300.0).counts(no_times, None) == pytest.approx(one_by_one)
    assert HalfLife(rows=300.0).counts(np.full(10**6, np.nan), None) == pytest.approx(300.0 / np.log(2.0), rel=0.01)
    assert HalfLife(rows=1e9).counts(no_times, None) == pytest.approx(1_000.0)
    assert HalfLife(rows=1e300).counts(no_times, None) == pytest.approx(1_000.0)
    assert HalfLife(rows=1e-300).counts(no_times, None) == 1.0
    in_time = HalfLife(seconds=60.0)
    assert in_time.counts(np.array([0.0, 60.0, 120.0, np.nan]), 120.0) == pytest.approx(0.25 + 0.5 + 1.0 + 1.0)
    assert in_time.counts(no_times, None) == 1_000.0


def test_a_long_first_table_does_not_keep_a_model_from_following() -> None:
    model = DynamicAnomalyDetector(half_life=1_000.0, n_estimators=20).fit(tables.numbers(20_000))
    model.partial_fit(tables.numbers(1_000, seed=1))
    sample = model._state.sample
    assert (sample.numbers[sample.bags] >= 20_000).mean() == pytest.approx(0.5, abs=0.03)


def test_a_batch_is_as_late_as_its_latest_rows_and_no_single_year_decides() -> None:
    assert latest_of(np.array([3.0, np.nan, 1.0])) == 3.0
    assert latest_of(np.full(3, np.nan)) is None
    assert latest_of(np.append(np.arange(199.0), 1e12)) == 197.0
    assert elapsed_between(10.0, 25.0) == 15.0
    assert elapsed_between(25.0, 10.0) == elapsed_between(None, 3.0) == elapsed_between(3.0, None) == 0.0
    assert (later_of(3.0, None), later_of(None, None), later_of(3.0, 4.0)) == (3.0, None, 4.0)


def test_rows_are_dated_by_the_column_that_a_person_chose() -> None:
    frame = tables.payments(100).assign(booked=pd.Timestamp("2025-01-01") + pd.to_timedelta(np.arange(100), unit="h"))
    schema = tables.learned(frame).schema
    assert time_feature(schema, {}) == "booked"
    assert time_feature(schema, {"when": "time"}) == "when"
    assert time_feature(tables.learned(tables.numbers(50)).schema, {}) is None


def on_day(day: int, n: int = 500, seed: int = 0) -> pd.DataFrame:
    when = pd.Timestamp("2025-03-03") + pd.to_timedelta(day * 24.0 + np.linspace(0.0, 1.0, n), unit="h")
    return tables.numbers(n, seed=seed).assign(when=when)


def weight(model: DynamicAnomalyDetector) -> float:
    return model._state.sample.weight


def test_old_rows_fade_by_the_time_that_has_passed_whatever_came_in_it() -> None:
    model = DynamicAnomalyDetector(half_life="7d", n_estimators=10).fit(on_day(0))
    model.partial_fit(on_day(7, 20))
    assert weight(model) == pytest.approx(250.0 + 20.0, rel=0.01)
    model.partial_fit(on_day(7, 30, seed=1))
    assert weight(model) == pytest.approx(300.0, rel=0.01)
    assert model.statistics_["c0"].present == pytest.approx(300.0, rel=0.01)
    before = weight(model)
    model.partial_fit(on_day(0, 10))  # late arrivals make nothing fade, and count as what they would have faded to
    model.partial_fit(on_day(2, 10).drop(columns="when"))
    assert weight(model) == pytest.approx(before + 5.0 + 10.0, rel=0.01)
    model.partial_fit(on_day(14, 10))
    assert weight(model) == pytest.approx((before + 15.0) / 2.0 + 10.0, rel=0.01)


def test_a_stream_fades_with_time_as_updates_do() -> None:
    rows = pd.concat([on_day(day, 100, seed=day) for day in range(1, 9)], ignore_index=True)
    streamed = DynamicAnomalyDetector(half_life="2d", n_estimators=10).fit(on_day(0))
    updated = DynamicAnomalyDetector(half_life="2d", n_estimators=10).fit(on_day(0))
    streamed.stream(rows, chunk=100)
    for begin in range(0, 800, 100):
        updated.partial_fit(rows.iloc[begin : begin + 100])
    assert weight(streamed) == pytest.approx(weight(updated))
    assert streamed._state.sample.latest == updated._state.sample.latest


def test_a_half_life_in_time_needs_a_column_with_times() -> None:
    with pytest.raises(InputError, match="The half-life is a time, but no column of these rows holds times"):
        DynamicAnomalyDetector(half_life="7d").fit(tables.numbers(50))


def test_a_half_life_in_time_and_the_clock_are_kept_in_the_model_file() -> None:
    model = DynamicAnomalyDetector(half_life=pd.Timedelta(days=7), n_estimators=10).fit(on_day(0))
    again = DynamicAnomalyDetector.from_bytes(model.to_bytes())
    assert again.half_life == "604800.0s"
    assert again.to_bytes() == model.to_bytes()
    model.partial_fit(on_day(7, 20))
    again.partial_fit(on_day(7, 20))
    assert weight(again) == weight(model)
    assert again.to_bytes() == model.to_bytes()
