"""The feature statistics tracker against numpy, against itself in parts, and against damaged files."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.core.statistics import FeatureStatistics, Kind, ScalerType
from detector.errors import ModelFileError

FINITE = st.floats(allow_nan=False, allow_infinity=False)
TAME = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3))
NUMBERS = st.lists(TAME | st.just(math.nan) | st.sampled_from([0.0, -0.0, 1.0]), max_size=80)
TEXTS = st.dictionaries(st.text(max_size=4), st.integers(1, 50), max_size=20)
QS = np.linspace(0.0, 1.0, 21)


def numeric(values: Any, kind: Kind = "numeric") -> FeatureStatistics:
    return FeatureStatistics.empty(kind).updated_numeric(np.asarray(values, dtype=np.float64))


def categorical(counts: dict[str, int], absent: int = 0, kind: Kind = "categorical") -> FeatureStatistics:
    return FeatureStatistics.empty(kind).updated_categorical(list(counts), np.array(list(counts.values())), absent)


def lognormal(n: int, seed: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(3.0, 2.0, n)


def as_bytes(statistics: FeatureStatistics) -> bytes:
    return pickle.dumps(statistics.to_content())


def rank_error(statistics: FeatureStatistics, values: np.ndarray) -> float:
    ordered, q = np.sort(values), np.linspace(0.001, 0.999, 999)
    found = statistics.quantile(q)
    lowest = np.searchsorted(ordered, found, "left") / len(values)
    highest = np.searchsorted(ordered, found, "right") / len(values)
    return float(np.maximum(0.0, np.maximum(lowest - q, q - highest)).max())


# ---------------------------------------------------------------- numbers


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
    statistics, names = numeric([1.0, 2.0, 9.0]), categorical({"a": 3, "b": 1})
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


# ---------------------------------------------------------------- categories


@given(TEXTS, st.integers(0, 9))
def test_categories_are_counted_exactly(counts: dict[str, int], absent: int) -> None:
    statistics = categorical(counts, absent)
    total = sum(counts.values())
    assert (statistics.rows, statistics.absent, statistics.distinct) == (total + absent, absent, len(counts))
    assert dict(statistics.weights) == counts
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    assert [name for name, _ in statistics.top(5)] == ranked[:5]
    assert statistics.default == (ranked[0] if ranked else None)
    for name, count in counts.items():
        assert statistics.share(name) == pytest.approx(count / total)


@given(TEXTS, TEXTS)
def test_categories_merge_into_the_whole_in_any_order(a: dict[str, int], b: dict[str, int]) -> None:
    one, two = categorical(a), categorical(b)
    whole = {name: a.get(name, 0) + b.get(name, 0) for name in a | b}
    for merged in (one.merged(two), two.merged(one)):
        assert dict(merged.weights) == whole
        np.testing.assert_array_equal(merged.different.hashes, categorical(whole).different.hashes)


def test_categories_fade_by_the_decay() -> None:
    statistics = categorical({"a": 8, "b": 2}, absent=4)
    statistics = statistics.updated_categorical(["b", "c"], np.array([1, 5]), 1, decay=0.5)
    assert dict(statistics.weights) == {"a": 4.0, "b": 2.0, "c": 5.0}
    assert (statistics.absent, statistics.count, statistics.rows) == (3.0, 14.0, 21)
    assert statistics.default == "c"


def test_the_lightest_categories_beyond_ten_thousand_are_dropped_and_their_weight_kept() -> None:
    heavy = {f"h{i:05}": 3 for i in range(9_990)}
    statistics = categorical(heavy | {f"l{i:05}": 1 for i in range(60)})
    assert len(statistics.weights) == 10_000
    assert statistics.other == 50.0
    assert statistics.present == 3 * 9_990 + 60
    assert "l00009" in statistics.weights
    assert "l00010" not in statistics.weights
    assert statistics.distinct == pytest.approx(10_050, rel=0.07)
    parts = categorical(heavy).merged(categorical({f"l{i:05}": 1 for i in range(60)}))
    assert dict(parts.weights) == dict(statistics.weights)


def test_updating_categories_leaves_the_statistics_as_they_were() -> None:
    statistics = categorical({"a": 1, "b": 2})
    before = as_bytes(statistics)
    statistics.updated_categorical(["a"], np.array([5]), 0)
    statistics.updated_categorical(["a", "z"], np.array([5, 1]), 0, decay=0.5)
    assert as_bytes(statistics) == before
    with pytest.raises(TypeError):
        statistics.weights["a"] = 9.0


def test_a_category_that_occurred_no_times_is_not_known() -> None:
    assert dict(categorical({"a": 0, "b": 1}).weights) == {"b": 1.0}


@pytest.mark.parametrize(
    ("categories", "counts", "absent", "message"),
    [
        (["a", "a"], [1, 1], 0, "differ from each other"),
        (["a"], [1, 2], 0, "one count each"),
        (["a"], [-1], 0, "at least 0"),
        (["a"], [math.inf], 0, "finite"),
        (["a"], [1], -1, "at least 0"),
    ],
)
def test_counts_that_do_not_fit_are_refused(
    categories: list[str], counts: list[float], absent: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        FeatureStatistics.empty("categorical").updated_categorical(categories, np.array(counts), absent)


def test_a_boolean_feature_takes_true_and_false_only() -> None:
    statistics = categorical({"true": 1, "false": 3}, kind="boolean")
    assert statistics.default == "false"
    with pytest.raises(ValueError, match='"true" and "false"'):
        statistics.updated_categorical(["yes"], np.array([1]), 0)


# ---------------------------------------------------------------- kinds, summaries, files


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
            call(categorical({"a": 1}))


SAMPLES: dict[str, FeatureStatistics] = {
    "nothing": FeatureStatistics.empty("numeric"),
    "few numbers": numeric([1.0, 2.5, math.nan, -3.0]),
    "many numbers": numeric(lognormal(5_000)).updated_numeric(lognormal(10), decay=0.5),
    "times": numeric([1.7e9, 1.7e9 + 60.0], kind="datetime"),
    "categories": categorical({"a": 3, "b\ud800": 1, "": 2}, absent=2),
    "booleans": categorical({"true": 3}, kind="boolean"),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_summary_is_json_ready(name: str) -> None:
    summary = SAMPLES[name].summary()
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert list(summary) == [
        *("kind", "rows", "missing", "mean", "std", "min", "max"),
        *("q01", "q05", "q25", "median", "q75", "q95", "q99", "distinct", "top"),
    ]


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_read_back_goes_on_exactly_like_what_was_written(name: str) -> None:
    statistics = SAMPLES[name]
    content = statistics.to_content()
    read = FeatureStatistics.from_content(content)
    assert as_bytes(read) == as_bytes(statistics)

    def onward(one: FeatureStatistics) -> FeatureStatistics:
        if one.kind in {"numeric", "datetime"}:
            return one.updated_numeric(lognormal(900), decay=0.9)
        return one.updated_categorical(["true"], np.array([2]), 1, decay=0.9)

    assert as_bytes(onward(read)) == as_bytes(onward(statistics))


NUMBERS_CONTENT = SAMPLES["few numbers"].to_content()
DIGEST, MOMENTS = NUMBERS_CONTENT["digest"], NUMBERS_CONTENT["moments"]
CATEGORIES_CONTENT = SAMPLES["categories"].to_content()
NAMES = CATEGORIES_CONTENT["categories"]
BOOLEANS = SAMPLES["booleans"].to_content()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "exactly the fields"),
        ([1, 2], "exactly the fields"),
        ({k: v for k, v in NUMBERS_CONTENT.items() if k != "rows"}, "exactly the fields"),
        (NUMBERS_CONTENT | {"extra": 1}, "exactly the fields"),
        (NUMBERS_CONTENT | {"kind": "text"}, "kind of a feature is unknown"),
        (NUMBERS_CONTENT | {"kind": ["numeric"]}, "kind of a feature is unknown"),
        (NUMBERS_CONTENT | {"kind": "categorical"}, "values of another kind"),
        (NUMBERS_CONTENT | {"rows": -1}, "rows is not a whole number"),
        (NUMBERS_CONTENT | {"rows": True}, "rows is not a whole number"),
        (NUMBERS_CONTENT | {"rows": 4.0}, "rows is not a whole number"),
        (NUMBERS_CONTENT | {"absent": math.nan}, "absent is not a finite number"),
        (NUMBERS_CONTENT | {"absent": -1.0}, "absent is not a finite number"),
        (NUMBERS_CONTENT | {"absent": "1"}, "absent is not a finite number"),
        (NUMBERS_CONTENT | {"moments": None}, "do not add up"),
        (NUMBERS_CONTENT | {"moments": MOMENTS | {"weight": 7.0}}, "do not add up"),
        (NUMBERS_CONTENT | {"moments": MOMENTS | {"weight": 0.0}}, "weight is not a finite number"),
        (NUMBERS_CONTENT | {"moments": MOMENTS | {"m2": -1.0}}, "m2 is not a finite number"),
        (NUMBERS_CONTENT | {"moments": MOMENTS | {"mean": 99.0}}, "outside of its range"),
        (NUMBERS_CONTENT | {"moments": MOMENTS | {"maximum": 2.0}}, "outside of its range"),
        (NUMBERS_CONTENT | {"digest": DIGEST | {"values": [1.0]}}, "values is not a list"),
        (NUMBERS_CONTENT | {"digest": DIGEST | {"values": np.zeros((3, 1))}}, "values is not a list"),
        (NUMBERS_CONTENT | {"digest": DIGEST | {"values": np.zeros(3, np.float32)}}, "values is not a list"),
        (NUMBERS_CONTENT | {"digest": DIGEST | {"values": np.zeros(1025)}}, "values is not a list"),
        (NUMBERS_CONTENT | {"digest": DIGEST | {"values": np.array([1.0, math.inf, 2.0])}}, "not finite"),
        (NUMBERS_CONTENT | {"digest": DIGEST | {"values": np.zeros(2)}}, "differ in length"),
        (NUMBERS_CONTENT | {"digest": DIGEST | {"weights": np.array([0.0, 1.0, 2.0])}}, "not above 0"),
        (NUMBERS_CONTENT | {"hashes": np.array([2, 1], np.uint64)}, "do not rise"),
        (NUMBERS_CONTENT | {"hashes": np.zeros(2, np.int64)}, "hashes is not a list"),
        (CATEGORIES_CONTENT | {"categories": NAMES | {"names": ("a", "b", "c")}}, "not a list of texts"),
        (CATEGORIES_CONTENT | {"categories": NAMES | {"names": ["a", "b", 3]}}, "not a list of texts"),
        (CATEGORIES_CONTENT | {"categories": NAMES | {"names": ["a", "b", "a"]}}, "do not match"),
        (CATEGORIES_CONTENT | {"categories": NAMES | {"names": ["a"]}}, "do not match"),
        (CATEGORIES_CONTENT | {"categories": NAMES | {"weights": np.array([1.0, 0.0, 1.0])}}, "not above 0"),
        (CATEGORIES_CONTENT | {"categories": NAMES | {"other": -1.0}}, "other is not a finite number"),
        (CATEGORIES_CONTENT | {"kind": "numeric"}, "values of another kind"),
        (CATEGORIES_CONTENT | {"kind": "boolean"}, "other categories than true and false"),
        (BOOLEANS | {"digest": DIGEST}, "values of another kind"),
    ],
)
def test_damaged_content_is_refused_with_what_is_wrong(content: object, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        FeatureStatistics.from_content(content)
