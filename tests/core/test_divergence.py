"""How far two distributions over the same bins lie apart: the figures themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detector.core.divergence import jensen_shannon, population_stability


def test_psi_of_certain_shares_is_the_textbook_sum() -> None:
    was, found = np.array([0.2, 0.3, 0.5]), np.array([0.3, 0.3, 0.4])
    expected = 0.1 * math.log(0.3 / 0.2) - 0.1 * math.log(0.4 / 0.5)
    assert population_stability(was, found, math.inf, math.inf).psi == pytest.approx(expected)


def test_psi_stays_finite_when_a_bin_empties() -> None:
    psi = population_stability(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 1e9, 1e9).psi
    assert psi == pytest.approx(2 * math.log(1e4), rel=1e-3)


def test_psi_of_one_bin_is_nought_and_has_no_freedom() -> None:
    stability = population_stability(np.array([1.0, 0.0]), np.array([1.0, 0.0]), 10.0, 10.0)
    assert (stability.psi, stability.statistic, stability.freedom) == (0.0, 0.0, 0)


def test_jensen_shannon_lies_between_equal_and_apart() -> None:
    assert jensen_shannon(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 0.0
    assert jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(1.0)
    assert jensen_shannon(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == pytest.approx(0.311278, abs=1e-6)
