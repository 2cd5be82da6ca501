"""What is drawn adds up, can be read, and names nobody."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.core.drift_bins import OTHERS, UNSEEN, may_be_named, overlay
from detector.core.numerals import LARGEST
from detector.core.statistics import FeatureStatistics
from tests.core.test_drift import categorical, normal, numeric


@settings(max_examples=80)
@given(
    st.lists(st.floats(-LARGEST, LARGEST), min_size=5, max_size=50),
    st.lists(st.floats(-LARGEST, LARGEST), min_size=5, max_size=50),
)
def test_the_shares_of_numbers_add_up_over_few_bins(a: list[float], b: list[float]) -> None:
    found = overlay(numeric(np.array(a)), numeric(np.array(b)))
    assert sum(found.before) == pytest.approx(1.0)
    assert sum(found.now) == pytest.approx(1.0)
    assert 1 <= len(found.labels) <= 60


def test_spans_end_at_round_numbers_and_hold_what_lies_in_them() -> None:
    found = overlay(numeric(np.arange(1.0, 1_001.0)), numeric(np.arange(501.0, 1_001.0)))
    assert found.labels[:3] == ("up to 0", "to 50", "to 100")
    assert found.before[1] == pytest.approx(0.05, abs=0.002)
    assert sum(found.now[: found.labels.index("to 500") + 1]) == pytest.approx(0.0, abs=0.004)


def test_a_few_whole_numbers_have_a_bin_each() -> None:
    found = overlay(numeric(np.repeat(np.arange(5.0), 40)), numeric(np.repeat(np.arange(5.0), 20)))
    assert found.labels == ("up to 0", "1", "2", "3", "4")
    assert found.before == pytest.approx([0.2] * 5)


def test_skewed_numbers_are_drawn_over_spans_that_grow() -> None:
    values = np.random.default_rng(0).lognormal(5.0, 2.5, 5_000)
    found = overlay(numeric(values), numeric(values))
    assert {"to 100", "to 1,000", "to 10,000"} <= set(found.labels)
    assert max(found.before) < 0.2


def test_only_frequent_categories_are_named() -> None:
    before = categorical(np.repeat(["web", "shop", "Ann Doe"], [3_000, 2_000, 1]))
    now = categorical(np.repeat(["web", "shop", "app", "Bob Roe"], [300, 200, 50, 2]))
    found = overlay(before, now)
    assert found.labels == ("web", "shop", "app", OTHERS, UNSEEN)
    assert found.before[-1] == 0.0
    assert found.now[-1] == pytest.approx(2 / 552)
    assert not may_be_named("Ann Doe", before, now)


def test_one_in_a_thousand_is_asked_of_a_name_too() -> None:
    many = categorical(np.repeat(["a", "b"], [100_000, 50]))
    assert may_be_named("a", many)
    assert not may_be_named("b", many)


def test_a_column_that_left_is_drawn_as_it_was() -> None:
    found = overlay(numeric(normal(500, 1)), None)
    assert sum(found.before) == pytest.approx(1.0)
    assert set(found.now) == {0.0}


def test_times_and_a_handful_of_values_are_not_drawn() -> None:
    assert overlay(numeric(np.arange(50.0), "datetime"), numeric(np.arange(50.0), "datetime")).labels == ()
    assert overlay(numeric(np.arange(50.0)), numeric(np.arange(4.0))).labels == ()
    assert overlay(numeric(np.arange(50.0)), categorical(np.arange(50))).labels == ()


def test_nothing_on_either_side_is_no_bin() -> None:
    empty = FeatureStatistics.empty("numeric")
    assert overlay(empty, empty).labels == ()
