"""Where chance alone is at work, or where a difference is certain but tiny, no column alarms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.core.drift import compare, drift_report
from detector.core.statistics import FeatureStatistics
from tests.summaries import categorical, normal, numeric


@pytest.mark.parametrize(("n", "m"), [(30, 30), (200, 200), (2_000, 50), (5_000, 5_000)])
@pytest.mark.parametrize(
    "shape", ["smooth", "mostly zero", "sometimes absent", "few categories", "many categories", "all new"]
)
def test_chance_alone_rarely_alarms(shape: str, n: int, m: int) -> None:
    rng = np.random.default_rng(11)
    zipf = 1.0 / np.arange(1, 2_001) ** 1.1

    def draw(rows: int) -> FeatureStatistics:
        if shape == "few categories":
            return categorical(rng.choice(8, rows))
        if shape == "many categories":
            return categorical(rng.choice(2_000, rows, p=zipf / zipf.sum()))
        if shape == "all new":
            return categorical(rng.integers(0, 2**40, rows))
        values = rng.lognormal(3.0, 2.0, rows)
        if shape == "mostly zero":
            values[rng.random(rows) < 0.7] = 0.0
        if shape == "sometimes absent":
            values[rng.random(rows) < 0.1] = math.nan
        return numeric(values)

    alarms = sum(compare(draw(n), draw(m), name="x").state != "calm" for _ in range(40))
    assert alarms <= 1


def test_more_categories_than_are_kept_do_not_alarm() -> None:
    rng = np.random.default_rng(5)
    before, now = (categorical(rng.integers(0, 2**40, 12_000)) for _ in range(2))
    assert before.other > 0.0
    drift = compare(before, now, name="id")
    assert drift.state == "calm"
    assert 0.5 < drift.unseen_share < 1.0


def test_a_certain_but_tiny_difference_among_many_rows_is_no_alarm() -> None:
    drift = compare(numeric(normal(1_000_000, 1)), numeric(normal(1_000_000, 2, 0.06)), name="amount")
    assert drift.p_value is not None
    assert drift.p_value < 1e-10
    assert drift.psi < 0.01
    assert drift.state == "calm"


def test_a_large_effect_that_chance_may_have_made_is_no_alarm() -> None:
    before, now = categorical(np.repeat(["web", "shop"], 1_000)), categorical(np.repeat(["web", "shop"], [1, 7]))
    drift = compare(before, now, name="channel")
    assert drift.psi > 0.25
    assert drift.strength == 0.0
    assert drift.state == "calm"


def test_among_many_columns_one_that_is_rare_by_chance_is_allowed_for() -> None:
    rng = np.random.default_rng(0)
    before, now = (
        {f"c{i}": numeric(rng.normal(0.45 * (side and i == 0), 1.0, 120)) for i in range(200)} for side in (0, 1)
    )
    alone, among = compare(before["c0"], now["c0"], name="c0"), drift_report(before, now, {})
    found = next(drift for drift in among.features if drift.name == "c0")
    assert alone.p_value == found.p_value
    assert alone.p_adjusted == alone.p_value
    assert found.p_adjusted is not None
    assert found.p_value is not None
    assert found.p_adjusted > 10 * found.p_value


def test_unknown_categories_that_were_to_be_expected_are_no_alarm() -> None:
    rng = np.random.default_rng(4)
    drift = compare(categorical(rng.integers(0, 20_000, 9_000)), categorical(rng.integers(0, 20_000, 9_000)), name="x")
    assert drift.unseen_share > 0.5
    assert drift.unseen_expected == pytest.approx(drift.unseen_share, abs=0.03)
    assert drift.state == "calm"


@settings(max_examples=40)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200), st.integers(1, 6))
def test_a_file_is_calm_beside_itself_however_it_was_cut(values: list[float], pieces: int) -> None:
    whole = numeric(np.array(values))
    merged = FeatureStatistics.empty("numeric")
    for piece in np.array_split(np.array(values), pieces):
        merged = merged.merged(numeric(piece))
    drift = compare(whole, merged, name="x")
    assert (drift.state, drift.psi, drift.jensen_shannon) == ("calm", 0.0, pytest.approx(0.0, abs=1e-12))
    assert drift.p_value is None or drift.p_value == pytest.approx(1.0)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 400).map(str), min_size=1, max_size=300), st.integers(1, 6))
def test_categories_are_calm_beside_themselves_however_they_were_cut(values: list[str], pieces: int) -> None:
    merged = FeatureStatistics.empty("categorical")
    for piece in np.array_split(np.array(values), pieces):
        merged = merged.merged(categorical(piece))
    drift = compare(categorical(np.array(values)), merged, name="x")
    assert (drift.state, drift.psi, drift.strength) == ("calm", 0.0, 0.0)
    assert drift.p_value == pytest.approx(1.0)


def test_a_long_file_is_calm_beside_itself_in_pieces() -> None:
    values = np.random.default_rng(1).lognormal(3.0, 2.0, 200_000)
    merged = FeatureStatistics.empty("numeric")
    for piece in np.array_split(values, 40):
        merged = merged.merged(numeric(piece))
    drift = compare(numeric(values), merged, name="x")
    assert drift.state == "calm"
    assert drift.p_value == 1.0
    assert drift.strength == 0.0
