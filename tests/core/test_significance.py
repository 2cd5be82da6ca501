"""P-values from sketches are those of the textbook where sketches are exact, and cautious where they are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from detector.core.significance import adjusted, chi_square, chi_squared_p, kolmogorov_smirnov, shares_p
from tests.core.test_drift import categorical, normal, numeric


@settings(max_examples=80)
@given(
    st.lists(st.integers(-20, 20).map(float), min_size=1, max_size=60),
    st.lists(st.integers(-20, 20).map(float), min_size=1, max_size=60),
)
def test_the_largest_distance_is_that_of_the_rows(a: list[float], b: list[float]) -> None:
    found = kolmogorov_smirnov(numeric(np.array(a)), numeric(np.array(b)))
    slow = max(abs(sum(x <= at for x in a) / len(a) - sum(x <= at for x in b) / len(b)) for at in a + b)
    assert found.statistic == pytest.approx(slow)


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.3])
def test_p_values_of_numbers_are_near_those_of_the_rows(shift: float) -> None:
    a, b = normal(300, 1), normal(200, 2, shift)
    ours = kolmogorov_smirnov(numeric(a), numeric(b)).p_value
    assert ours == pytest.approx(stats.ks_2samp(a, b, method="exact").pvalue, rel=0.1)


def test_p_values_of_many_rows_are_larger_than_those_of_the_rows_and_never_smaller() -> None:
    for seed in range(20):
        a, b = normal(20_000, seed), normal(20_000, 100 + seed, 0.02)
        ours = kolmogorov_smirnov(numeric(a), numeric(b)).p_value
        assert ours >= stats.ks_2samp(a, b, method="asymp").pvalue - 1e-9


def test_p_values_of_categories_are_those_of_the_table() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.choice(6, 400), rng.choice(6, 250, p=[0.3, 0.2, 0.2, 0.1, 0.1, 0.1])
    table = np.array([np.bincount(a, minlength=6), np.bincount(b, minlength=6)])
    expected = stats.chi2_contingency(table, correction=False)
    found = chi_square(categorical(a), categorical(b))
    assert (found.statistic, found.p_value) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue))


@pytest.mark.parametrize("test", [kolmogorov_smirnov, chi_square])
def test_p_values_are_even_where_nothing_has_changed(test) -> None:
    rng = np.random.default_rng(7)
    if test is kolmogorov_smirnov:
        pairs = ((numeric(rng.normal(size=400)), numeric(rng.normal(size=300))) for _ in range(600))
    else:
        pairs = ((categorical(rng.choice(9, 400)), categorical(rng.choice(9, 300))) for _ in range(600))
    values = np.array([test(*pair).p_value for pair in pairs])
    assert stats.kstest(values, "uniform").pvalue > 0.01
    assert 0.02 < (values <= 0.05).mean() < 0.08


def test_repeated_values_and_rare_categories_make_a_test_cautious_and_not_rash() -> None:
    rng = np.random.default_rng(8)
    zipf = 1.0 / np.arange(1, 3_001) ** 1.1
    ties = [kolmogorov_smirnov(*(numeric(rng.poisson(2, n)) for n in (300, 200))).p_value for _ in range(400)]
    rare = [
        chi_square(*(categorical(rng.choice(3_000, n, p=zipf / zipf.sum())) for n in (600, 400))).p_value
        for _ in range(400)
    ]
    assert np.mean(np.array(ties) <= 0.05) <= 0.05
    assert np.mean(np.array(rare) <= 0.05) <= 0.08


def test_one_category_alone_tells_nothing() -> None:
    found = chi_square(categorical(np.repeat("a", 50)), categorical(np.repeat("a", 70)))
    assert (found.statistic, found.p_value) == (0.0, 1.0)
    assert chi_squared_p(0.0, 0) == 1.0


def test_two_shares_are_compared_as_in_the_table_of_two_by_two() -> None:
    table = np.array([[30, 970], [60, 940]])
    expected = stats.chi2_contingency(table, correction=True).pvalue
    assert shares_p(0.03, 1_000, 0.06, 1_000) == pytest.approx(expected, rel=1e-6)
    assert shares_p(0.0, 10, 0.0, 10) == 1.0


@given(st.lists(st.floats(0.0, 1.0), max_size=30))
def test_adjusting_for_many_columns_is_benjamini_and_hochbergs(p_values: list[float]) -> None:
    expected = stats.false_discovery_control(p_values).tolist() if p_values else []
    assert adjusted(p_values) == pytest.approx(expected)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30))
def test_adjusting_makes_no_p_value_smaller_and_keeps_their_order(p_values: list[float]) -> None:
    found = adjusted(p_values)
    assert all(after >= before - 1e-12 for before, after in zip(p_values, found, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(found)[order]) >= -1e-12).all()
