"""Drift is seen where it is, and said in words; what chance makes is looked at in ``test_false_alarms``."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.core.drift import compare, drift_report
from detector.core.numerals import LARGEST
from detector.core.statistics import FeatureStatistics
from tests.summaries import categorical, normal, numeric

# ---------------------------------------------------------------- one feature


@pytest.mark.parametrize(("shift", "state"), [(0.0, "calm"), (0.1, "calm"), (0.45, "watch"), (1.0, "drifting")])
def test_a_shift_is_told_by_its_size(shift: float, state: str) -> None:
    drift = compare(numeric(normal(5_000, 1)), numeric(normal(5_000, 2, shift)), name="amount")
    assert drift.state == state
    assert drift.wasserstein == pytest.approx(shift / 1.349, abs=0.04)


def test_a_moved_median_is_said() -> None:
    drift = compare(numeric(np.arange(1_000.0)), numeric(np.arange(1_000.0) + 700.0), name="amount")
    assert drift.sentence.startswith("amount has moved: the median was 499.5 and is 1200 (PSI ")


def test_growing_absence_is_drift_and_is_said() -> None:
    values = normal(4_000, 2)
    values[:800] = math.nan
    drift = compare(numeric(normal(4_000, 1)), numeric(values), name="device")
    assert (drift.state, drift.absent_before, drift.absent_now) == ("drifting", 0.0, 0.2)
    assert drift.sentence == "device lacks a value in 20.0% of the rows, before in 0.0%."
    assert drift.psi < 0.01
    assert drift.strength == pytest.approx(4.0)


def test_values_that_vanish_altogether_are_drift() -> None:
    drift = compare(numeric(normal(500, 1)), numeric(np.full(500, math.nan)), name="x")
    assert (drift.state, drift.absent_now, drift.wasserstein) == ("drifting", 1.0, None)


def test_unseen_categories_are_drift_and_are_said() -> None:
    before = categorical(np.repeat(["web", "shop"], 1_000))
    now = categorical(np.repeat(["web", "shop", "app"], [800, 800, 400]))
    drift = compare(before, now, name="channel")
    assert (drift.state, drift.unseen_share) == ("drifting", 0.2)
    assert drift.sentence.startswith("channel holds categories not known before in 20.0% of its values")


def test_the_category_that_moved_most_is_said() -> None:
    before = categorical(np.repeat(["web", "shop", "post"], [500, 400, 100]))
    now = categorical(np.repeat(["web", "shop", "post"], [100, 800, 100]))
    drift = compare(before, now, name="channel")
    assert drift.state == "drifting"
    assert drift.sentence.startswith('channel has moved: "web" was 50.0% of its values and is 10.0% (PSI ')


def test_time_moves_on_without_alarm_but_its_absence_counts() -> None:
    clock = np.arange(1_000.0)
    assert compare(numeric(clock, "datetime"), numeric(clock + 1e6, "datetime"), name="when").state == "calm"
    gone = np.where(clock < 300.0, math.nan, clock)
    assert compare(numeric(clock, "datetime"), numeric(gone, "datetime"), name="when").state == "drifting"


def test_a_spike_that_moves_within_a_constant_feature_is_seen() -> None:
    drift = compare(numeric(np.full(1_000, 5.0)), numeric(np.full(1_000, 6.0)), name="fee")
    assert drift.state == "drifting"
    assert compare(numeric(np.full(1_000, 5.0)), numeric(np.full(1_000, 4.0)), name="fee").state == "drifting"
    assert compare(numeric(np.full(1_000, 5.0)), numeric(np.full(1_000, 5.0)), name="fee").state == "calm"


def test_a_constant_at_the_end_of_the_number_range_is_compared_like_any_other() -> None:
    least = np.finfo(np.float64).min
    drift = compare(numeric(np.full(50, least)), numeric(np.full(50, -least)), name="x")
    assert drift.state == "drifting"
    json.dumps(drift.to_dict(), allow_nan=False)


def test_nothing_to_compare_is_calm_and_is_said() -> None:
    drift = compare(numeric(normal(10, 1)), FeatureStatistics.empty("numeric"), name="x")
    assert (drift.state, drift.psi) == ("calm", 0.0)
    assert drift.sentence == "x: there are no rows to compare with now."


def test_kinds_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="x was numeric and is categorical"):
        compare(numeric(normal(10, 1)), categorical(normal(10, 1)), name="x")


def test_rows_that_lose_their_value_have_a_limit_of_their_own() -> None:
    values = normal(20_000, 1)
    tenth, more = values.copy(), values.copy()
    tenth[:2_000], more[:2_500] = math.nan, math.nan
    few = compare(numeric(tenth), numeric(more), name="device")
    assert (few.state, few.psi) == ("watch", 0.0)
    more[:3_100] = math.nan
    assert compare(numeric(tenth), numeric(more), name="device").state == "drifting"


def test_values_that_come_back_are_told_as_well() -> None:
    gone = np.where(np.arange(4_000) < 2_000, math.nan, normal(4_000, 1))
    drift = compare(numeric(gone), numeric(normal(4_000, 2)), name="device")
    assert drift.sentence == "device lacks a value in 0.0% of the rows, before in 50.0%."


def test_histories_that_fill_are_no_drift_but_ones_that_are_lost_are() -> None:
    half = numeric(np.where(np.arange(4_000) < 2_000, math.nan, normal(4_000, 1)))
    full = numeric(normal(4_000, 2))
    assert drift_report({"pace": half}, {"pace": full}, {}).state == "drifting"
    assert drift_report({"pace": half}, {"pace": full}, {}, filling={"pace"}).state == "calm"
    assert drift_report({"pace": full}, {"pace": half}, {}, filling={"pace"}).state == "drifting"


def test_two_changes_of_one_column_are_both_told() -> None:
    before = categorical(np.repeat(["web", "shop"], 1_000))
    now = categorical(np.repeat(["web", "shop", "app"], [300, 900, 100]), absent=400)
    sentence = compare(before, now, name="channel").sentence
    assert sentence.startswith("channel lacks a value in 23.5% of the rows, before in 0.0%, and holds categories not")
    assert ', and has moved: "web" was 50.0% of its values and is 23.1% (PSI ' in sentence


def test_a_spread_around_the_same_median_is_told_by_its_range() -> None:
    wide = np.arange(-500.0, 501.0)
    drift = compare(numeric(wide / 100.0), numeric(wide), name="gap")
    assert drift.sentence.startswith(
        "gap has spread otherwise around a median of 0: nine in ten values were -4.5 to 4.5"
    )


def test_a_name_that_few_rows_have_is_not_said() -> None:
    before = categorical(np.array([f"person {i}" for i in range(3_000)]))
    now = categorical(np.array([f"person {i}" for i in range(2_000, 5_000)] * 2))
    assert "person" not in compare(before, now, name="holder").sentence


# Greater numbers never reach the statistics: reading lists them as unreadable.
READABLE = st.floats(-LARGEST, LARGEST) | st.just(float("nan"))


@settings(max_examples=60)
@given(
    st.lists(READABLE, max_size=40),
    st.lists(READABLE, max_size=40),
)
def test_any_numbers_give_finite_figures(a: list[float], b: list[float]) -> None:
    drift = compare(numeric(np.array(a)), numeric(np.array(b)), name="x")
    json.dumps(drift.to_dict(), allow_nan=False)
    assert 0.0 <= drift.jensen_shannon <= 1.0
    assert drift.psi >= 0.0
    assert drift.wasserstein is None or drift.wasserstein >= 0.0


@settings(max_examples=60)
@given(st.lists(st.sampled_from("abcdefghij"), max_size=40), st.lists(st.sampled_from("abcdefghijk"), max_size=40))
def test_any_categories_give_finite_figures(a: list[str], b: list[str]) -> None:
    drift = compare(categorical(np.array(a)), categorical(np.array(b), absent=3), name="x")
    json.dumps(drift.to_dict(), allow_nan=False)
    assert 0.0 <= drift.unseen_share <= 1.0


# ---------------------------------------------------------------- all features

CALM = numeric(normal(2_000, 1))
MOVED = numeric(normal(2_000, 2, 2.0))


def test_the_report_lists_first_what_weighs_most() -> None:
    before = {"a": CALM, "b": CALM, "c": CALM}
    now = {"a": numeric(normal(2_000, 3)), "b": MOVED, "c": numeric(normal(2_000, 4, 1.0))}
    report = drift_report(before, now, {"a": 6.0, "b": 0.1, "c": 3.9})
    assert [drift.name for drift in report.features] == ["c", "b", "a"]
    assert report.importance == pytest.approx({"a": 0.6, "b": 0.01, "c": 0.39})
    assert report.state == "drifting"
    assert report.sentence == "2 of 3 columns drifting, 0 to watch, 0 new."


def test_drift_of_what_hardly_matters_is_to_be_watched_only() -> None:
    report = drift_report({"a": CALM, "b": CALM}, {"a": CALM, "b": MOVED}, {"a": 0.9, "b": 0.1})
    assert report.state == "watch"


def test_without_importance_all_features_count_alike() -> None:
    report = drift_report({"a": CALM, "b": CALM}, {"a": CALM, "b": MOVED}, {})
    assert report.importance == {"a": 0.5, "b": 0.5}
    assert report.state == "drifting"


def test_features_that_left_changed_kind_or_are_new_are_reported() -> None:
    report = drift_report(
        {"left": CALM, "retyped": CALM}, {"retyped": categorical(normal(50, 1)), "new": CALM}, {"left": 1.0}
    )
    left, retyped = report.features
    assert (left.sentence, left.state, left.absent_now) == ("left is no longer there.", "drifting", 1.0)
    assert (retyped.sentence, retyped.state) == ("retyped held numbers and now holds text.", "drifting")
    assert report.new == ("new",)


def test_a_report_is_json_ready() -> None:
    found = drift_report({"a": CALM, "gone": CALM}, {"a": MOVED}, {"a": 1.0}).to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["features"][0]["importance"] == 1.0


def test_no_features_at_all_are_calm() -> None:
    report = drift_report({}, {}, {})
    assert (report.state, report.features) == ("calm", ())
