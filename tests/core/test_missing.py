"""What absence means, and which rows get a view of their own."""

from __future__ import annotations

import numpy as np
import pytest

from detector.core.missing import (
    ROWS_FOR_NO_COLUMN,
    ROWS_OF_ARRIVAL,
    Carried,
    absence_is_state,
    column_is_missing,
    find_holes,
)
from detector.core.schema import Feature, Layout, Schema
from detector.core.statistics import FeatureStatistics


def statistics(present: int, absent: int) -> FeatureStatistics:
    return FeatureStatistics.empty("numeric").updated_numeric(np.array([1.0] * present + [np.nan] * absent))


def layout(features: int) -> Layout:
    schema = Schema(())
    for number in range(features):
        parts = ("rarity", "identity") if number % 2 else ("value",)
        kind = "categorical" if number % 2 else "numeric"
        schema = schema.with_features([schema.placed(Feature(f"f{number}", kind, "input", "learned", "", parts=parts))])
    return schema.layout


def encoded(holes: np.ndarray) -> np.ndarray:
    """Rows of the layout above; a hole takes all parts of its feature."""
    widths = [2 if number % 2 else 1 for number in range(holes.shape[1])]
    return np.where(np.repeat(holes, widths, axis=1), np.nan, 1.0).astype(np.float32)


def found_in(holes: np.ndarray, carried: np.ndarray | None = None) -> Carried:
    came = np.ones(holes.shape[1], bool) if carried is None else carried
    return find_holes(encoded(holes), came, layout(holes.shape[1]))


def test_absence_is_a_state_once_half_a_percent_of_training_rows_had_it() -> None:
    assert not absence_is_state(statistics(1000, 0))
    assert not absence_is_state(statistics(998, 2))
    assert absence_is_state(statistics(995, 5))


def test_absence_in_a_column_that_came_later_is_no_state_before_it_has_arrived() -> None:
    assert not absence_is_state(statistics(ROWS_OF_ARRIVAL // 2, ROWS_OF_ARRIVAL // 2 - 1), came_later=True)
    assert absence_is_state(statistics(ROWS_OF_ARRIVAL // 2, ROWS_OF_ARRIVAL // 2), came_later=True)
    assert not absence_is_state(statistics(1000, 0), came_later=True)


def test_an_empty_column_has_not_come_unless_it_is_usually_empty_or_the_rows_are_few() -> None:
    nothing = np.ones(ROWS_FOR_NO_COLUMN, bool)
    assert column_is_missing(nothing, statistics(90, 10))
    assert not column_is_missing(nothing, statistics(10, 90))
    assert not column_is_missing(nothing[1:], statistics(90, 10))
    one_value = nothing.copy()
    one_value[3] = False
    assert not column_is_missing(one_value, statistics(90, 10))


def test_rows_without_holes_are_all_whole() -> None:
    found = found_in(np.zeros((5, 3), bool))
    assert (found.base, found.whole) == ((0, 1, 2), None)
    assert len(found.holed) == len(found.levels) == 0


def test_an_absence_that_is_a_state_is_no_hole() -> None:
    matrix = np.full((4, 4), -np.inf, np.float32)
    assert find_holes(matrix, np.ones(3, bool), layout(3)).whole is None


def test_a_column_that_did_not_come_is_no_hole_but_out_of_the_view() -> None:
    holes = np.zeros((4, 3), bool)
    holes[:, 1] = True
    found = found_in(holes, np.array([True, False, True]))
    assert (found.base, found.whole) == ((0, 2), None)


@pytest.mark.parametrize("features", [5, 12, 70])
def test_what_becomes_of_a_row_does_not_depend_on_the_other_rows(features: int) -> None:
    rng = np.random.default_rng(3)
    holes = rng.random((200, features)) < rng.random((200, 1)) * 0.5
    found = found_in(holes)
    assert found.whole is not None
    assert sorted([*found.whole.tolist(), *found.holed.tolist()]) == list(range(200))
    levels = dict(zip(found.holed.tolist(), found.levels.tolist(), strict=True))
    for row in range(200):
        alone = found_in(holes[row : row + 1])
        assert alone.base == found.base
        assert alone.levels.tolist() == ([levels[row]] if row in levels else [])


def test_rows_with_holes_are_told_by_tenths_of_what_they_lack() -> None:
    holes = np.zeros((22, 20), bool)
    for row in range(1, 21):
        holes[row, :row] = True
    found = found_in(holes)
    assert found.holed.tolist() == list(range(1, 21))
    # One of twenty is level 1, not 0; halves are rounded to even.
    assert found.levels.tolist() == [1, 1, 2, 2, 2, 3, 4, 4, 4, 5, 6, 6, 6, 7, 8, 8, 8, 9, 10, 10]
