"""What absence means, and which rows get a view of their own."""

from __future__ import annotations

import numpy as np
import pytest

from detector.core.missing import (
    PATTERNS_WITH_VIEWS,
    ROWS_FOR_NO_COLUMN,
    Patterns,
    absence_is_state,
    column_is_missing,
    find_patterns,
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


def patterns_of(holes: np.ndarray, carried: np.ndarray | None = None) -> Patterns:
    found = np.ones(holes.shape[1], bool) if carried is None else carried
    return find_patterns(encoded(holes), found, layout(holes.shape[1]))


def test_absence_is_a_state_once_half_a_percent_of_training_rows_had_it() -> None:
    assert not absence_is_state(statistics(1000, 0))
    assert not absence_is_state(statistics(998, 2))
    assert absence_is_state(statistics(995, 5))


def test_an_empty_column_has_not_come_unless_it_is_usually_empty_or_the_rows_are_few() -> None:
    nothing = np.ones(ROWS_FOR_NO_COLUMN, bool)
    assert column_is_missing(nothing, statistics(90, 10))
    assert not column_is_missing(nothing, statistics(10, 90))
    assert not column_is_missing(nothing[1:], statistics(90, 10))
    one_value = nothing.copy()
    one_value[3] = False
    assert not column_is_missing(one_value, statistics(90, 10))


def test_rows_without_holes_are_one_pattern() -> None:
    found = patterns_of(np.zeros((5, 3), bool))
    (pattern,) = found.own
    assert (pattern.signature, pattern.rows, found.base) == ((0, 1, 2), None, (0, 1, 2))
    assert len(found.scattered) == len(found.levels) == 0


def test_an_absence_that_is_a_state_is_no_hole() -> None:
    matrix = np.full((4, 4), -np.inf, np.float32)
    assert find_patterns(matrix, np.ones(3, bool), layout(3)).own[0].rows is None


def test_a_column_that_did_not_come_is_in_no_signature() -> None:
    holes = np.zeros((4, 3), bool)
    holes[:, 1] = True
    found = patterns_of(holes, np.array([True, False, True]))
    assert [pattern.signature for pattern in found.own] == [(0, 2)]
    assert found.base == (0, 2)


def test_rows_with_the_same_holes_share_a_view() -> None:
    holes = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0], [0, 1, 0], [1, 0, 1]], bool)
    found = patterns_of(holes)
    grouped = {pattern.signature: pattern.rows.tolist() for pattern in found.own if pattern.rows is not None}
    assert grouped == {(0, 1, 2): [0, 2], (0, 2): [1, 3], (1,): [4]}


def test_the_order_of_rows_changes_nothing() -> None:
    rng = np.random.default_rng(5)
    holes = rng.random((200, 8)) < 0.3
    order = rng.permutation(200)
    one, other = patterns_of(holes), patterns_of(holes[order])
    first = {p.signature: sorted(p.rows.tolist()) for p in one.own if p.rows is not None}
    second = {p.signature: sorted(order[p.rows].tolist()) for p in other.own if p.rows is not None}
    assert first == second
    assert sorted(one.scattered.tolist()) == sorted(order[other.scattered].tolist())


@pytest.mark.parametrize("features", [5, 12])
def test_every_row_is_scored_once_and_the_most_frequent_patterns_get_the_views(features: int) -> None:
    holes = np.random.default_rng(3).random((500, features)) < 0.25
    found = patterns_of(holes)
    assert len(found.own) <= PATTERNS_WITH_VIEWS
    rows = np.concatenate([pattern.rows for pattern in found.own if pattern.rows is not None] + [found.scattered])
    assert sorted(rows.tolist()) == list(range(500))
    for pattern in found.own:
        assert pattern.rows is not None
        for row in pattern.rows.tolist():
            assert tuple(np.flatnonzero(~holes[row]).tolist()) == pattern.signature
    _, counts = np.unique(holes[found.scattered], axis=0, return_counts=True)
    assert counts.max(initial=0) <= min(len(pattern.rows) for pattern in found.own if pattern.rows is not None)


def test_scattered_rows_are_told_by_tenths_of_what_they_lack() -> None:
    holes = np.zeros((40, 20), bool)
    holes[:20] = np.arange(20)[:, None] == np.arange(20)[None, :]  # one of twenty, each another: level 1, not 0
    holes[20:, :10] = True
    holes[np.arange(20, 40), np.arange(20)] ^= True  # nine or eleven of twenty
    found = patterns_of(holes)
    share = holes[found.scattered].mean(axis=1)
    assert set(found.levels[share == 0.05].tolist()) == {1}
    assert set(found.levels[share > 0.5].tolist()) <= {5, 6}
    assert found.levels.min() >= 1
    assert found.levels.max() <= 10


def test_a_row_without_any_value_is_scattered_with_the_highest_level() -> None:
    holes = np.array([[0, 0, 0], [1, 1, 1]], bool)
    found = patterns_of(holes)
    assert found.scattered.tolist() == [1]
    assert found.levels.tolist() == [10]
