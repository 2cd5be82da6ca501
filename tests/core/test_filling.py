"""Rows from before a column came borrow it from rows that are like them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.core import kernels
from detector.core.filling import CANDIDATES, filled
from detector.core.fitted import Fitted
from tests import naive, tables


def with_gaps(gaps: float, rows: int = 300, seed: int = 0) -> Fitted:
    """Return a model of six columns; c3, c4 and c5 are unknown in the first rows, and now and then in the others."""
    model = tables.learned(tables.numbers(rows, d=6, seed=seed))
    known = model.sample.rows.copy()
    known[: rows // 2, 3:] = np.nan
    late = known[rows // 2 :, 3:]
    late[np.random.default_rng(seed).random(late.shape) < gaps] = np.nan
    return Fitted(model.schema, model.statistics, replace(model.sample, rows=known))


def fill(model: Fitted) -> np.ndarray:
    return filled(model.sample, model.schema.layout, model.everything)


@pytest.mark.parametrize("gaps", [0.0, 0.5])
def test_what_rows_lack_is_filled_with_recorded_values_and_nothing_else_changes(gaps: float) -> None:
    model = with_gaps(gaps)
    before = model.sample.rows.copy()
    found = fill(model)
    assert not np.isnan(found).any()
    np.testing.assert_array_equal(found[~np.isnan(before)], before[~np.isnan(before)])
    for column in range(3, 6):
        assert np.isin(found[:, column], before[:, column]).all()
    np.testing.assert_array_equal(model.sample.rows, before)


def test_columns_that_came_together_are_borrowed_together() -> None:
    model = with_gaps(0.0)
    late = {tuple(row) for row in model.sample.rows[150:, 3:].tolist()}
    assert all(tuple(row) in late for row in fill(model)[:150, 3:].tolist())


def test_a_borrowed_value_goes_with_the_rest_of_the_row() -> None:
    rng = np.random.default_rng(2)
    known = rng.normal(size=400)
    model = with_gaps(0.0, 400)
    rows = np.stack([known, known, known, known, known, known], axis=1).astype(np.float32)
    rows[:200, 3:] = np.nan
    found = filled(replace(model.sample, rows=rows), model.schema.layout, model.everything)
    assert np.corrcoef(found[:200, 3], known[:200])[0, 1] > 0.9


def test_a_column_that_no_row_recorded_is_taken_as_absent() -> None:
    model = with_gaps(0.0)
    rows = model.sample.rows.copy()
    rows[:, 4] = np.nan
    found = filled(replace(model.sample, rows=rows), model.schema.layout, model.everything)
    assert np.isneginf(found[:, 4]).all()


def test_rows_that_lack_nothing_are_left_as_they_are() -> None:
    model = tables.learned(tables.numbers(50, d=6))
    np.testing.assert_array_equal(fill(model), model.sample.rows)


@given(st.integers(0, 1_000), st.integers(2, 30), st.integers(1, 4), st.floats(0.0, 0.9))
@settings(max_examples=60, deadline=None)
def test_filling_is_that_of_the_twin(seed: int, n: int, features: int, gaps: float) -> None:
    rng = np.random.default_rng(seed)
    widths = rng.integers(1, 3, features)
    starts = np.concatenate([[0], np.cumsum(widths)[:-1]]).astype(np.int64)
    stops = starts + widths
    rows = rng.normal(size=(n, int(widths.sum()))).astype(np.float32)
    rows[np.repeat(rng.random((n, features)) < gaps, widths, axis=1)] = np.nan
    compared = rng.choice(np.array([-4.0, 0.0, 0.5, 4.0], np.float32), (n, 2))
    needy = np.flatnonzero(np.isnan(rows).any(axis=1))
    candidates = rng.integers(0, n, (len(needy), CANDIDATES)).astype(np.int32)
    spare = rng.integers(0, n, (len(needy), features)).astype(np.int32)
    out = rows.copy()
    kernels.fill_from_nearest(compared, needy, candidates, spare, starts, stops, rows, out)
    wanted = rows.copy()
    for i, row in enumerate(needy.tolist()):
        for f in range(features):
            donor = naive.donor(compared, row, candidates[i].tolist(), int(spare[i, f]), rows[:, starts[f]])
            if np.isnan(rows[row, starts[f]]):
                wanted[row, starts[f] : stops[f]] = rows[donor, starts[f] : stops[f]]
    np.testing.assert_array_equal(out, wanted)
