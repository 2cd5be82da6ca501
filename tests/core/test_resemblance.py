"""Units: a factor between two of them is recognised, and nothing else is taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.core.resemblance import (
    ROWS_LOOKED_AT,
    Magnitudes,
    distance,
    evenly,
    in_known_unit,
    unit_of,
)
from detector.core.statistics import FeatureStatistics


def prices(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(3.0, 1.0, n).round(2)


def known_of(values: np.ndarray) -> FeatureStatistics:
    return FeatureStatistics.empty("numeric").updated_numeric(values)


KNOWN = Magnitudes(known_of(prices(3_000, 1)))


def naive_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the largest gap between two empirical distribution functions, point by point."""
    return max(abs(float((one <= point).mean()) - float((other <= point).mean())) for point in [*one, *other])


@given(st.lists(st.integers(0, 30), min_size=1, max_size=40), st.lists(st.integers(0, 30), min_size=1, max_size=40))
@settings(max_examples=80, deadline=None)
def test_the_distance_is_the_largest_gap_of_the_distributions(one: list[int], other: list[int]) -> None:
    mine, theirs = np.array(one, float), np.array(other, float)
    assert distance(mine, known_of(theirs)) == pytest.approx(naive_distance(mine, theirs))


@given(st.integers(0, 100_000), st.integers(1, 3_000))
@settings(max_examples=60, deadline=None)
def test_rows_are_taken_evenly_and_once(rows: int, most: int) -> None:
    taken = evenly(rows, most)
    assert len(taken) == min(rows, most)
    assert len(np.unique(taken)) == len(taken)
    assert not len(taken) or (taken[0] >= 0 and taken[-1] < rows)
    if rows > most:
        assert np.diff(taken).max(initial=0) <= 2 * rows / most + 1


def test_a_period_of_the_file_is_not_followed() -> None:
    taken = evenly(24 * ROWS_LOOKED_AT) % 24
    assert np.bincount(taken, minlength=24).min() > ROWS_LOOKED_AT / 24 / 2


@pytest.mark.parametrize("factor", [10.0, 100.0, 1_000.0, 1e6, 0.1, 0.01, 0.001, 60.0, 3_600.0])
def test_another_unit_is_recognised_and_undone_exactly(factor: float) -> None:
    fresh = prices(500, 2)
    # What a file in another unit holds is the nearest number to the value there.
    came = np.array([float(f"{value * factor:.12g}") for value in fresh])
    assert unit_of(came, KNOWN) == pytest.approx(factor)
    np.testing.assert_allclose(in_known_unit(came, factor), fresh, rtol=1e-11)


def test_cents_become_the_very_numbers_of_training() -> None:
    fresh = prices(2_000, 3)
    np.testing.assert_array_equal(in_known_unit(np.rint(fresh * 100.0), 100.0), fresh)
    whole = np.arange(1.0, 20_000.0)
    np.testing.assert_array_equal(in_known_unit(whole / 100.0, 0.01), whole)


@pytest.mark.parametrize("change", [0.5, 0.77, 1.0, 1.3, 2.0, 4.0])
def test_prices_that_rise_or_fall_are_no_other_unit(change: float) -> None:
    assert unit_of(prices(2_000, 4) * change, KNOWN) == 1.0


def test_a_wave_of_large_amounts_is_no_other_unit() -> None:
    rng = np.random.default_rng(5)
    wave = np.where(rng.random(1_000) < 0.6, rng.normal(2_000.0, 50.0, 1_000), prices(1_000, 6))
    assert unit_of(wave, KNOWN) == 1.0
    assert unit_of(np.full(500, 2_000.0), KNOWN) == 1.0


def test_a_batch_of_two_units_is_left_as_it_is() -> None:
    mixed = prices(1_000, 7)
    mixed[::2] *= 100.0
    assert unit_of(mixed, KNOWN) == 1.0


def test_fewer_than_fifty_rows_are_no_evidence() -> None:
    assert unit_of(prices(49, 8) * 100.0, KNOWN) == 1.0
    assert unit_of(prices(49, 8), KNOWN, 100.0) == 100.0
    assert unit_of(np.full(500, np.nan), KNOWN, 100.0) == 100.0


def test_the_factor_that_held_until_now_stays_and_the_old_unit_is_recognised() -> None:
    fresh = prices(300, 9)
    assert unit_of(fresh * 100.0, KNOWN, 100.0) == 100.0
    assert unit_of(fresh, KNOWN, 100.0) == 1.0
    assert unit_of(fresh * 1_000.0, KNOWN, 100.0) == 1_000.0


def test_zeros_do_not_hide_another_unit() -> None:
    def sparse(seed: int) -> np.ndarray:
        values = prices(3_000, seed)
        values[np.random.default_rng(seed).random(3_000) < 0.8] = 0.0
        return values

    assert unit_of(sparse(11) * 100.0, Magnitudes(known_of(sparse(10)))) == 100.0


@pytest.mark.parametrize(
    "values", [np.tile([0.0, 1.0], 200), np.random.default_rng(0).normal(size=400), np.full(400, 3.0)]
)
def test_flags_signed_numbers_and_constants_have_no_unit(values: np.ndarray) -> None:
    known = Magnitudes(known_of(values))
    assert not known.usable
    assert unit_of(values * 100.0, known) == 1.0
