"""How often trees ask a column, by its tails."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from detector.core.tails import COLUMNS_AT_ONCE, MOST_KURTOSIS, tail_weights


def test_weights_follow_the_kurtosis() -> None:
    rng = np.random.default_rng(0)
    rows = np.stack([rng.uniform(size=4_000), rng.normal(size=4_000), rng.laplace(size=4_000)], axis=1)
    wanted = np.log1p(stats.kurtosis(rows.astype(np.float32), fisher=False))
    assert tail_weights(rows.astype(np.float32)) == pytest.approx(wanted, rel=1e-5)
    assert (np.diff(wanted) > 0).all()


def test_one_outlier_does_not_make_a_column_the_only_one_that_counts() -> None:
    rows = np.random.default_rng(0).normal(size=(4_000, 1)).astype(np.float32)
    rows[7] = 1e30
    assert tail_weights(rows).tolist() == [np.log1p(MOST_KURTOSIS)]


def test_values_that_are_absent_or_unknown_are_left_out() -> None:
    rows = np.random.default_rng(0).normal(size=(300, 1)).astype(np.float32)
    holed = np.concatenate([rows, np.full((50, 1), np.nan, np.float32), np.full((50, 1), -np.inf, np.float32)])
    assert tail_weights(holed) == pytest.approx(tail_weights(rows))


@pytest.mark.parametrize("values", [[], [3.0], [2.0, 2.0], [np.nan], [-np.inf, np.nan]])
def test_a_column_that_says_nothing_has_the_least_weight(values: list[float]) -> None:
    assert tail_weights(np.array(values, np.float32)[:, None]) == pytest.approx([np.log(2)])


def test_wide_tables_are_weighed_column_by_column() -> None:
    rows = np.random.default_rng(1).normal(size=(200, 2 * COLUMNS_AT_ONCE + 3)).astype(np.float32)
    alone = [tail_weights(np.ascontiguousarray(rows[:, [j]]))[0] for j in range(rows.shape[1])]
    assert tail_weights(rows) == pytest.approx(alone)
