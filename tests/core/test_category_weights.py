"""Categories are counted exactly, merged, faded and bounded, and what does not fit is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.core.statistics import FeatureStatistics
from tests.summaries import as_bytes, counted

TEXTS = st.dictionaries(st.text(max_size=4), st.integers(1, 50), max_size=20)


@given(TEXTS, st.integers(0, 9))
def test_categories_are_counted_exactly(counts: dict[str, int], absent: int) -> None:
    statistics = counted(counts, absent)
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
    one, two = counted(a), counted(b)
    whole = {name: a.get(name, 0) + b.get(name, 0) for name in a | b}
    for merged in (one.merged(two), two.merged(one)):
        assert dict(merged.weights) == whole
        np.testing.assert_array_equal(merged.different.hashes, counted(whole).different.hashes)


def test_categories_fade_by_the_decay() -> None:
    statistics = counted({"a": 8, "b": 2}, absent=4)
    statistics = statistics.updated_categorical(["b", "c"], np.array([1, 5]), 1, decay=0.5)
    assert dict(statistics.weights) == {"a": 4.0, "b": 2.0, "c": 5.0}
    assert (statistics.absent, statistics.count, statistics.rows) == (3.0, 14.0, 21)
    assert statistics.default == "c"


def test_the_lightest_categories_beyond_ten_thousand_are_dropped_and_their_weight_kept() -> None:
    heavy = {f"h{i:05}": 3 for i in range(9_990)}
    statistics = counted(heavy | {f"l{i:05}": 1 for i in range(60)})
    assert len(statistics.weights) == 10_000
    assert statistics.other == 50.0
    assert statistics.present == 3 * 9_990 + 60
    assert "l00009" in statistics.weights
    assert "l00010" not in statistics.weights
    assert statistics.distinct == pytest.approx(10_050, rel=0.07)
    parts = counted(heavy).merged(counted({f"l{i:05}": 1 for i in range(60)}))
    assert dict(parts.weights) == dict(statistics.weights)


def test_updating_categories_leaves_the_statistics_as_they_were() -> None:
    statistics = counted({"a": 1, "b": 2})
    before = as_bytes(statistics)
    statistics.updated_categorical(["a"], np.array([5]), 0)
    statistics.updated_categorical(["a", "z"], np.array([5, 1]), 0, decay=0.5)
    assert as_bytes(statistics) == before
    with pytest.raises(TypeError):
        statistics.weights["a"] = 9.0


def test_a_category_that_occurred_no_times_is_not_known() -> None:
    assert dict(counted({"a": 0, "b": 1}).weights) == {"b": 1.0}


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
    statistics = counted({"true": 1, "false": 3}, kind="boolean")
    assert statistics.default == "false"
    with pytest.raises(ValueError, match='"true" and "false"'):
        statistics.updated_categorical(["yes"], np.array([1]), 0)
