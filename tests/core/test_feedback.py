"""Decisions folded back into leaves, against ridge regression done the long way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.core import kernels
from detector.core.decisions import Decisions
from detector.core.feedback import FOLDS, PRIOR, SHORTEST_PATH, Likeness, folds_of, teach
from tests import naive
from tests.core.test_kernels import Grown

tables = st.builds(
    Grown,
    st.integers(0, 10_000),
    st.integers(4, 40),
    st.integers(1, 4),
    st.sampled_from(["normal", "ties", "constant", "absent"]),
)


def some_decisions(both: Grown, many: int = 6) -> Decisions:
    rng = np.random.default_rng(len(both.rows))
    rows = both.rows[rng.choice(len(both.rows), min(many, len(both.rows)), replace=False)]
    keys = tuple(f"k{place:03d}" for place in range(len(rows)))
    return Decisions(keys, rng.integers(0, 2, len(rows)).astype(np.int8), np.ascontiguousarray(rows))


@given(tables)
@settings(max_examples=40, deadline=None)
def test_rows_end_in_the_leaves_that_the_twin_says(both: Grown) -> None:
    depth = both.forest.depth
    wanted = [[naive.leaf_number(tree, row, depth) for tree in both.trees] for row in both.rows]
    np.testing.assert_array_equal(both.forest.places(both.rows), wanted)
    salts = np.arange(len(both.rows), dtype=np.uint32)
    np.testing.assert_array_equal(both.forest.places(both.rows, salts), wanted)


@given(tables)
@settings(max_examples=30, deadline=None)
def test_the_mean_at_the_leaves_is_the_path_bit_for_bit(both: Grown) -> None:
    places = both.forest.places(both.rows)
    np.testing.assert_array_equal(both.forest.paths_at(places), both.forest.paths(both.rows))


@given(tables)
@settings(max_examples=30, deadline=None)
def test_likeness_is_that_of_the_twin_and_greatest_with_a_row_itself(both: Grown) -> None:
    likeness, places = Likeness.of(both.forest), both.forest.places(both.rows)
    found = np.array([likeness.between(place, places) for place in places])
    wanted = [[naive.likeness(both.trees, one, other) for other in both.rows] for one in both.rows]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    np.testing.assert_allclose(likeness.of_itself(places), np.diag(found), rtol=1e-12)
    assert (likeness.rises >= 0.0).all()
    # A kernel: no mixture of rows is unlike itself.
    assert np.linalg.eigvalsh(found).min() > -1e-9


@given(tables)
@settings(max_examples=30, deadline=None)
def test_what_reaches_a_leaf_is_the_sum_over_rows_of_amount_times_likeness(both: Grown) -> None:
    likeness, places = Likeness.of(both.forest), both.forest.places(both.rows)
    amounts = np.random.default_rng(3).normal(size=len(places))
    sums = likeness.summed(places, amounts)
    found = np.empty(len(places))
    kernels.gathered(places, sums, found)
    wanted = [
        sum(amount * naive.likeness(both.trees, one, other) for amount, other in zip(amounts, both.rows, strict=True))
        for one in both.rows
    ]
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


@given(tables)
@settings(max_examples=30, deadline=None)
def test_a_taught_forest_ranks_as_ridge_regression_on_the_kernel_does(both: Grown) -> None:
    decisions = some_decisions(both)
    paths = both.forest.paths(both.rows)
    nobody = np.zeros(len(decisions), bool)
    likeness = Likeness.of(both.forest)
    taught = teach(both.forest, len(both.trees), likeness, paths, decisions, nobody)
    spread = max(paths.std(), 1e-3)
    scores = {i: (paths.mean() - path) / spread for i, path in enumerate(both.forest.paths(decisions.rows))}
    wanted = [2 * label - 1 - PRIOR * scores[i] for i, label in enumerate(decisions.labels.tolist())]
    pulls = naive.pulls(both.trees, list(decisions.rows), wanted)
    np.testing.assert_allclose(taught.lesson.pulls, pulls, rtol=1e-5, atol=1e-5)
    moved = [
        sum(pull * naive.likeness(both.trees, row, other) for pull, other in zip(pulls, decisions.rows, strict=True))
        for row in both.rows
    ]
    long_way = paths - spread / PRIOR * np.array(moved)
    found = taught.calibrating.paths(both.rows)
    # The same up to a squeeze of all paths alike, which keeps every score below 1.
    width = np.ptp(long_way)
    if width > 1e-6:
        squeeze = np.ptp(found) / width
        assert 0.0 < squeeze <= 1.0 + 1e-4
        np.testing.assert_allclose(found - found.mean(), squeeze * (long_way - long_way.mean()), atol=1e-4 * width)
    assert found.min() >= SHORTEST_PATH - 1e-6


@given(tables, st.sampled_from([1, 12]))
@settings(max_examples=30, deadline=None)
def test_a_fold_is_taught_as_if_its_rows_had_not_been_decided_on(both: Grown, many: int) -> None:
    decisions = some_decisions(both, many=many)
    paths, likeness, trees = both.forest.paths(both.rows), Likeness.of(both.forest), len(both.trees)
    taught = teach(both.forest, trees, likeness, paths, decisions, np.ones(len(decisions), bool))
    folds = folds_of(decisions)
    for fold in range(FOLDS):
        others = np.flatnonzero(folds != fold)
        if len(others) == len(decisions):
            assert taught.without[fold].size == 0
            continue
        leaf = taught.without[fold]
        kept = Decisions(
            tuple(decisions.keys[i] for i in others),
            decisions.labels[others],
            np.ascontiguousarray(decisions.rows[others]),
        )
        if not len(kept):
            differences = np.ptp(leaf, axis=1) - np.ptp(both.forest.leaf, axis=1)
            assert (differences <= 1e-6).all()
            continue
        alone = teach(both.forest, trees, likeness, paths, kept, np.zeros(len(kept), bool)).calibrating.leaf
        # Up to the squeeze, which is that of all decisions.
        a, b = leaf.astype(float).ravel(), alone.astype(float).ravel()
        slope, start = np.polyfit(b, a, 1) if np.ptp(b) > 1e-6 else (1.0, a[0] - b[0])
        np.testing.assert_allclose(a, slope * b + start, atol=1e-3 * max(1.0, np.ptp(a)))


def test_an_unknown_value_takes_each_branch_as_often_as_bag_rows_did() -> None:
    both = Grown(5, 40, 2, "normal", trees=1)
    row = np.full((4_000, 2), np.nan, np.float32)
    places = both.forest.places(row, np.arange(4_000, dtype=np.uint32))[:, 0]
    half = both.forest.leaf.shape[1] // 2
    share = both.forest.count[0, 2] / both.forest.count[0, 0]
    assert (places >= half).mean() == pytest.approx(share, abs=0.03)


def test_the_same_salt_takes_the_same_way_again() -> None:
    both = Grown(6, 40, 3, "normal")
    rows = both.with_holes()
    salts = np.arange(len(rows), dtype=np.uint32)
    np.testing.assert_array_equal(both.forest.places(rows, salts), both.forest.places(rows, salts))


@pytest.mark.parametrize("many", [1, 17, 400])
def test_leaves_of_deep_trees_are_found_as_well(many: int) -> None:
    both = Grown(8, 700, 3, "normal")
    assert both.forest.places(both.rows).dtype == (np.uint8 if both.forest.depth <= 8 else np.uint16)
    rows = np.ascontiguousarray(both.rows[:many])
    np.testing.assert_array_equal(both.forest.paths_at(both.forest.places(rows)), both.forest.paths(rows))
