"""The feature statistics tracker against numpy, and against itself in parts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.core.statistics import FeatureStatistics, ScalerType
from tests.summaries import as_bytes, counted, lognormal, numeric

FINITE = st.floats(allow_nan=False, allow_infinity=False)
TAME = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3))
NUMBERS = st.lists(TAME | st.just(math.nan) | st.sampled_from([0.0, -0.0, 1.0]), max_size=80)
QS = np.linspace(0.0, 1.0, 21)


def rank_error(statistics: FeatureStatistics, values: np.ndarray) -> float:
    ordered, q = np.sort(values), np.linspace(0.001, 0.999, 999)
    found = statistics.quantile(q)
    lowest = np.searchsorted(ordered, found, "left") / len(values)
    highest = np.searchsorted(ordered, found, "right") / len(values)
    return float(np.maximum(0.0, np.maximum(lowest - q, q - highest)).max())


@given(NUMBERS)
def test_few_numbers_are_summarised_exactly(values: list[float]) -> None:
    statistics = numeric(values)
    seen = np.array([value for value in values if not math.isnan(value)])
    assert (statistics.rows, statistics.count, statistics.absent) == (len(values), len(values), len(values) - len(seen))
    assert statistics.distinct == len(np.unique(seen))
    if len(seen):
        assert statistics.mean == pytest.approx(seen.mean(), rel=1e-9, abs=1e-6)
        assert statistics.std == pytest.approx(seen.std(), rel=1e-6, abs=1e-6)
        assert (statistics.minimum, statistics.maximum) == (seen.min(), seen.max())
        assert statistics.quantile(QS) == pytest.approx(np.quantile(seen, QS), rel=1e-9, abs=1e-9)
        points = np.unique(seen)
        shares = [(seen <= point).mean() for point in points]
        assert statistics.cdf(points) == pytest.approx(shares, abs=1e-12)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_parts_merge_into_the_whole_in_any_order(a: list[float], b: list[float], c: list[float]) -> None:
    whole = numeric(a + b + c)
    one, two, three = numeric(a), numeric(b), numeric(c)
    for merged in (one.merged(two).merged(three), three.merged(one.merged(two)), two.merged(three).merged(one)):
        assert (merged.rows, merged.absent, merged.present) == (whole.rows, whole.absent, whole.present)
        assert merged.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-6)
        assert merged.std == pytest.approx(whole.std, rel=1e-6, abs=1e-3)
        assert merged.distinct == whole.distinct
        np.testing.assert_array_equal(merged.different.hashes, whole.different.hashes)
        np.testing.assert_allclose(merged.quantile(QS), whole.quantile(QS), rtol=1e-9, atol=1e-9)


@given(NUMBERS, NUMBERS)
def test_merging_gives_the_same_quantiles_from_either_side(a: list[float], b: list[float]) -> None:
    one, two = numeric(a), numeric(b)
    np.testing.assert_array_equal(one.merged(two).quantile(QS), two.merged(one).quantile(QS))


@given(st.lists(st.lists(TAME, max_size=12), max_size=12), st.sampled_from([0.25, 0.5, 0.75]))
def test_what_was_known_fades_by_the_decay(batches: list[list[float]], decay: float) -> None:
    statistics = FeatureStatistics.empty("numeric")
    for batch in batches:
        statistics = statistics.updated_numeric(np.array(batch, dtype=np.float64), decay=decay)
    last = len(batches) - 1
    values = np.array([value for batch in batches for value in batch])
    weights = np.array([decay ** (last - i) for i, batch in enumerate(batches) for _ in batch])
    assert statistics.rows == len(values)
    assert statistics.count == pytest.approx(weights.sum())
    if len(values):
        mean = np.average(values, weights=weights)
        assert statistics.mean == pytest.approx(mean, rel=1e-6, abs=1e-5)
        assert statistics.std == pytest.approx(
            math.sqrt(np.average((values - mean) ** 2, weights=weights)), rel=1e-4, abs=1e-3
        )
        points = np.unique(values)
        shares = [weights[values <= point].sum() / weights.sum() for point in points]
        assert statistics.cdf(points) == pytest.approx(shares, abs=1e-9)


@settings(max_examples=50)
@given(st.lists(FINITE, min_size=1, max_size=60), st.lists(FINITE, max_size=60))
def test_any_finite_number_gives_finite_ordered_figures(a: list[float], b: list[float]) -> None:
    for statistics in (
        numeric(a + b),
        numeric(a).merged(numeric(b)),
        numeric(a).updated_numeric(np.array(b), decay=0.5),
    ):
        figures = statistics.summary()
        assert all(math.isfinite(figures[key]) for key in ("mean", "std", "min", "max", "median"))
        quantiles = statistics.quantile(QS)
        assert (np.diff(quantiles) >= 0.0).all()
        assert statistics.minimum <= statistics.mean <= statistics.maximum
        assert (np.diff(statistics.cdf(np.unique(a + b))) >= 0.0).all()
        for scaler in ("robust", "standard", "minmax"):
            center, spread = statistics.scale(scaler)
            assert math.isfinite(center)
            assert 0.0 < spread < math.inf


@pytest.mark.parametrize("batch", [100_000, 1_000, 10])
def test_many_numbers_are_ranked_within_half_a_percent(batch: int) -> None:
    values = lognormal(100_000)
    statistics = FeatureStatistics.empty("numeric")
    for start in range(0, len(values), batch):
        statistics = statistics.updated_numeric(values[start : start + batch])
    assert rank_error(statistics, values) < 0.005
    assert statistics.mean == pytest.approx(values.mean(), rel=1e-9)
    assert statistics.std == pytest.approx(values.std(), rel=1e-9)
    assert statistics.distinct == pytest.approx(100_000, rel=0.07)
    assert (statistics.quantile(0.0), statistics.quantile(1.0)) == (values.min(), values.max())


def test_fifty_parts_merge_within_half_a_percent() -> None:
    values = lognormal(100_000)
    merged = FeatureStatistics.empty("numeric")
    for part in range(50):
        merged = merged.merged(numeric(values[part::50]))
    assert rank_error(merged, values) < 0.005
    np.testing.assert_array_equal(merged.different.hashes, numeric(values).different.hashes)


def test_a_value_that_most_rows_have_is_never_blurred() -> None:
    values = np.round(lognormal(60_000), 2)
    values[::2] = 0.0
    statistics = FeatureStatistics.empty("numeric")
    for start in range(0, len(values), 500):
        statistics = statistics.updated_numeric(values[start : start + 500])
    assert statistics.cdf([-1e-9, 0.0]).tolist() == [0.0, (values == 0.0).mean()]
    assert statistics.quantile([0.1, 0.25, 0.4999]).tolist() == [0.0, 0.0, 0.0]


def test_memory_stays_bounded_however_rows_arrive() -> None:
    statistics = FeatureStatistics.empty("numeric")
    for value in lognormal(3_000).tolist():
        statistics = statistics.updated_numeric(np.array([value]), decay=0.999)
        assert len(statistics.digest.values) <= 1024
    assert len(statistics.different.hashes) == 2048
    assert len(as_bytes(statistics)) < 50_000


def test_what_has_faded_away_gives_way_to_what_is_new() -> None:
    old, new = lognormal(5_000), lognormal(5_000) + 1e6
    statistics = numeric(old)
    for _ in range(60):
        statistics = statistics.updated_numeric(new, decay=0.5)
    assert statistics.quantile(0.0) == new.min()
    assert statistics.mean == pytest.approx(new.mean())
    assert statistics.minimum == old.min()


def test_fading_for_ever_leaves_figures_that_can_be_read() -> None:
    statistics, names = numeric([1.0, 2.0, 9.0]), counted({"a": 3, "b": 1})
    for _ in range(30):
        statistics = statistics.updated_numeric(np.array([math.nan]), decay=1e-30)
        names = names.updated_categorical([], np.array([]), 1, decay=1e-30)
    assert statistics.median == 2.0
    assert statistics.std == pytest.approx(np.std([1.0, 2.0, 9.0]))
    assert FeatureStatistics.from_content(statistics.to_content()).summary() == statistics.summary()
    assert FeatureStatistics.from_content(names.to_content()).summary() == names.summary()


def test_updating_leaves_the_statistics_and_the_values_as_they_were() -> None:
    values = lognormal(2_000)
    values[3] = math.nan
    copy, statistics = values.copy(), numeric(values)
    before = as_bytes(statistics)
    statistics.updated_numeric(values, decay=0.5)
    statistics.updated_numeric(values[:1])
    statistics.merged(statistics)
    assert as_bytes(statistics) == before
    np.testing.assert_array_equal(values, copy)
    with pytest.raises(ValueError, match="read-only"):
        statistics.digest.values[0] = 0.0


def test_the_same_updates_give_the_same_bytes() -> None:
    def run() -> bytes:
        statistics = numeric(lognormal(5_000))
        for start in range(0, 5_000, 7):
            statistics = statistics.updated_numeric(lognormal(5_000, seed=8)[start : start + 7], decay=0.99)
        return as_bytes(statistics)

    assert run() == run()


def test_negative_zero_counts_as_zero() -> None:
    assert numeric([0.0, -0.0]).distinct == 1


def test_infinite_values_are_refused() -> None:
    with pytest.raises(ValueError, match="infinite"):
        numeric([1.0, math.nan, -math.inf])


@pytest.mark.parametrize("decay", [0.0, -0.1, 1.1, math.nan])
def test_a_decay_out_of_range_is_refused(decay: float) -> None:
    with pytest.raises(ValueError, match="decay must lie above 0"):
        numeric([1.0]).updated_numeric(np.array([1.0]), decay=decay)


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan])
def test_a_quantile_out_of_range_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match="q must lie between 0 and 1"):
        numeric([1.0]).quantile(q)


def test_a_table_of_values_is_refused() -> None:
    with pytest.raises(ValueError, match="one dimension"):
        numeric([[1.0]])


@pytest.mark.parametrize(
    ("scaler", "expected"),
    [("robust", (2.0, 2.0)), ("standard", (21.2, 39.4126)), ("minmax", (0.0, 100.0)), (None, (0.0, 1.0))],
)
def test_each_scaler_has_its_center_and_spread(scaler: ScalerType | None, expected: tuple[float, float]) -> None:
    assert numeric([0.0, 1.0, 2.0, 3.0, 100.0, math.nan]).scale(scaler) == pytest.approx(expected, abs=1e-3)


def test_the_robust_spread_falls_back_to_the_standard_deviation_and_then_to_one() -> None:
    assert numeric([0.0] * 9 + [10.0]).scale("robust") == (0.0, pytest.approx(3.0))
    assert numeric([5.0] * 9).scale("robust") == (5.0, 1.0)
    assert numeric([5.0] * 9).scale("minmax") == (5.0, 1.0)
    assert FeatureStatistics.empty("numeric").scale("standard") == (0.0, 1.0)


def test_an_unknown_scaler_is_refused() -> None:
    with pytest.raises(ValueError, match="scaler_type must be robust"):
        numeric([1.0]).scale("quantile")


def test_nothing_seen_has_no_figures() -> None:
    empty = FeatureStatistics.empty("numeric").updated_numeric(np.array([math.nan, math.nan]))
    assert (empty.rows, empty.share_absent, empty.default, empty.distinct) == (2, 1.0, None, 0)
    assert math.isnan(empty.median)
    assert np.isnan(empty.cdf([1.0])).all()
    assert empty.summary()["median"] is None
    assert FeatureStatistics.empty("categorical").default is None
    assert FeatureStatistics.empty("boolean").share("true") == 0.0


def test_kinds_do_not_mix() -> None:
    with pytest.raises(ValueError, match="kind must be one of"):
        FeatureStatistics.empty("text")
    with pytest.raises(ValueError, match="a numeric and a datetime feature cannot be merged"):
        numeric([1.0]).merged(numeric([1.0], kind="datetime"))
    for call in (lambda s: s.share("a"), lambda s: s.top(1), lambda s: s.updated_categorical([], np.array([]), 0)):
        with pytest.raises(ValueError, match="a numeric feature holds numbers"):
            call(numeric([1.0]))
    calls: list[Callable[[FeatureStatistics], Any]] = [
        lambda s: s.quantile(0.5),
        lambda s: s.cdf([1.0]),
        lambda s: s.scale("robust"),
        lambda s: s.updated_numeric(np.array([1.0])),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="a categorical feature holds categories"):
            call(counted({"a": 1}))
