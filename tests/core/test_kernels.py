"""The kernels against their slow twins, bit for bit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble._iforest import _average_path_length

from detector.core import kernels
from detector.core.forest import ROWS_FOR_VECTORS, Choices, Forest
from detector.core.kernels.holes import ROWS_TOGETHER
from tests import naive

LEVELS = np.array([-np.inf, -1e30, -2.5, -0.0, 0.0, 1.0, 1.0000001, 3.0, 1e30], np.float32)


def a_table(seed: int, n: int, d: int, kind: str) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind == "ties":
        return rng.choice(LEVELS, (n, d))
    rows = rng.normal(size=(n, d)).astype(np.float32)
    if kind == "constant":
        rows[:, ::2] = 7.0
    if kind == "absent":
        rows[rng.random((n, d)) < 0.3] = -np.inf
    return rows


class Grown:
    """The same trees twice: compiled, and grown by the twin."""

    def __init__(self, seed: int, n: int, d: int, kind: str, trees: int = 3) -> None:
        rng = np.random.default_rng(seed + 1)
        self.rows = a_table(seed, n, d, kind)
        size = int(rng.integers(2, n + 1))
        self.bags = np.stack([rng.choice(n, size, replace=False) for _ in range(trees)]).astype(np.int32)
        self.sizes = rng.integers(2, size + 1, trees).astype(np.int32)
        columns = np.sort(rng.choice(d, int(rng.integers(1, d + 1)), replace=False)).astype(np.uint32)
        # Two columns may be parts of one feature.
        features = rng.integers(0, 2**32, d, dtype=np.uint32)[rng.integers(0, d, len(columns))]
        parts = rng.integers(0, 2**32, len(columns), dtype=np.uint32)
        seeds = rng.integers(0, 2**32, trees, dtype=np.uint32)
        drawn = {feature: rng.uniform(0.5, 5.0) for feature in features.tolist()}
        weights = np.array([drawn[feature] for feature in features.tolist()])
        self.forest = Forest.grow(self.rows, self.bags, self.sizes, Choices(columns, features, parts, weights), seeds)
        candidates = [
            naive.Candidate(*candidate)
            for candidate in zip(columns.tolist(), features.tolist(), parts.tolist(), weights.tolist(), strict=True)
        ]
        self.trees = [
            naive.grow(list(self.rows[bag[:size]]), candidates, int(seed), self.forest.depth)
            for bag, size, seed in zip(self.bags, self.sizes, seeds, strict=True)
        ]
        self.first = int(columns[0])

    def in_bag(self) -> np.ndarray:
        held = np.zeros((len(self.bags), len(self.rows)), np.uint8)
        for t, bag in enumerate(self.bags):
            held[t, bag[: self.sizes[t]]] = 1
        return held

    def with_holes(self) -> np.ndarray:
        rows = self.rows.copy()
        rows[np.random.default_rng(len(rows)).random(rows.shape) < 0.4] = np.nan
        return rows


grown = st.builds(
    Grown,
    seed=st.integers(0, 10_000),
    n=st.integers(2, 40),
    d=st.integers(1, 6),
    kind=st.sampled_from(["plain", "ties", "constant", "absent"]),
)
few = settings(max_examples=60, deadline=None)


@few
@given(grown)
def test_grown_trees_are_those_of_the_twin_bit_for_bit(both: Grown) -> None:
    for t, tree in enumerate(both.trees):
        columns, cuts, leaves, counts = naive.flat(tree, both.forest.depth, both.first)
        np.testing.assert_array_equal(both.forest.split_column[t], columns)
        np.testing.assert_array_equal(both.forest.threshold[t], cuts)
        np.testing.assert_array_equal(both.forest.leaf[t], leaves)
        np.testing.assert_array_equal(both.forest.count[t], counts)


@few
@given(grown)
def test_path_lengths_are_those_of_the_twin_bit_for_bit(both: Grown) -> None:
    wanted = [sum(naive.path(tree, row) for tree in both.trees) / len(both.trees) for row in both.rows]
    assert both.forest.paths(both.rows).tolist() == wanted


@pytest.mark.parametrize(("kind", "n", "d", "columns"), [
    ("plain", 1_000, 20, 20), ("ties", 1_000, 4, 3), ("absent", 400, 6, 6), ("constant", 90, 3, 3), ("plain", 3, 2, 1),
])  # fmt: skip
def test_many_rows_walk_together_as_a_few_do_bit_for_bit(kind: str, n: int, d: int, columns: int) -> None:
    rng = np.random.default_rng(n)
    bags = np.stack([rng.choice(n, min(n, 600), replace=False) for _ in range(30)]).astype(np.int32)
    chosen = np.sort(rng.choice(d, columns, replace=False)).astype(np.uint32)
    keys = rng.integers(0, 2**32, (2, columns), dtype=np.uint32)
    seeds = rng.integers(0, 2**32, len(bags), dtype=np.uint32)
    sizes = rng.integers(2, bags.shape[1] + 1, len(bags)).astype(np.int32)
    known = a_table(n, n, d, kind)
    forest = Forest.grow(known, bags, sizes, Choices(chosen, keys[0], keys[1], np.ones(columns)), seeds)
    rows = np.concatenate([known, -known, a_table(n + 1, ROWS_FOR_VECTORS + 77, d, kind)])
    rows[rng.random(rows.shape) < 0.01] = np.nan
    rows[rng.random(rows.shape) < 0.01] = np.inf
    wanted = np.empty(len(rows))
    trees = (forest.split_column, forest.threshold, forest.leaf)
    kernels.path_lengths(rows, *trees, forest.depth, 0, len(rows), wanted)
    np.testing.assert_array_equal(forest.paths(rows), wanted)


@pytest.mark.parametrize("k", [1, 2, 100, 5_000])
@pytest.mark.parametrize("kind", ["plain", "rounded", "equal", "far apart"])
def test_severities_count_what_is_more_ordinary_and_half_of_what_is_equal(k: int, kind: str) -> None:
    rng = np.random.default_rng(k)
    drawn = rng.normal(1.0, 0.1, 2 * k + 200)
    values = {"plain": drawn, "rounded": drawn.round(2), "equal": np.full(len(drawn), 0.5), "far apart": drawn**300}
    table = np.sort(values[kind][:k])
    paths = np.concatenate([values[kind], table, [-np.inf, -0.0, 0.0, 0.5, np.inf, np.nan]])
    below = np.array([sum(table < path) for path in paths]) if k <= 100 else np.searchsorted(table, paths)
    below[-1] = k  # beyond all there is
    equal = np.searchsorted(table, paths, side="right") - np.searchsorted(table, paths)
    wanted = 100.0 * (1.0 - (below + 0.5 * (equal + 1)) / (k + 1))
    for start in (0, len(paths) - 20):
        out = np.full(len(paths), -1.0)
        kernels.severities(table, paths, start, len(paths), out)
        assert out[start:].tolist() == wanted[start:].tolist()
        assert (out[:start] == -1.0).all()


def test_places_are_looked_up_and_counted_and_no_place_is_none() -> None:
    places, table = np.array([2.0, np.nan, 0.0, 2.0, 1.0]), np.array([0.5, 1.5, 2.5, np.nan])
    out, counts = np.zeros((5, 3), np.float32), np.array([0, 10, 0, 0])
    kernels.encode_places(places, table, out, 1)
    kernels.count_places(places, counts)
    np.testing.assert_array_equal(out[:, 1], np.array([2.5, np.nan, 0.5, 2.5, 1.5], np.float32))
    assert not out[:, [0, 2]].any()
    assert counts.tolist() == [1, 11, 2, 0]


@pytest.mark.parametrize("others", [[], [1.0, -1e30, np.nan], [np.inf], [-2e30], [np.nan, 3.0]])
def test_values_that_are_absent_are_found_and_whether_the_others_fit(others: list[float]) -> None:
    values, absent = np.array([0.0, np.nan, *others]), np.ones(2 + len(others), np.bool_)
    fit = kernels.find_absent(values, 1e30, absent)
    assert absent.tolist() == [math.isnan(value) for value in values]
    assert fit is all(math.isnan(value) or abs(value) <= 1e30 for value in values)


def test_holes_are_counted_in_the_columns_asked_for() -> None:
    rows = a_table(3, 50, 6, "absent")
    rows[np.random.default_rng(3).random(rows.shape) < 0.3] = np.nan
    columns, out = np.array([5, 0, 3]), np.empty(50, np.int64)
    kernels.count_holes(rows, columns, out)
    assert out.tolist() == np.isnan(rows[:, columns]).sum(axis=1).tolist()


def test_trees_that_do_not_fit_into_words_are_walked_as_they_are() -> None:
    rng = np.random.default_rng(0)
    columns, cuts = np.arange(300, dtype=np.uint32)[None, :], rng.normal(size=(1, 300)).astype(np.float32)
    assert kernels.ranked(columns, cuts) is None
    assert kernels.ranked(np.zeros((1, 1 << 17), np.uint32), np.arange(1 << 17, dtype=np.float32)[None, :]) is None


@pytest.mark.parametrize("kind", ["plain", "ties", "absent"])
def test_a_rows_path_does_not_depend_on_the_rows_beside_it(kind: str) -> None:
    forest = Grown(5, 300, 4, kind, trees=20).forest
    rows = a_table(6, 150, 4, kind)
    together = forest.paths(rows)
    assert [forest.paths(rows[i : i + 1])[0] for i in range(len(rows))] == together.tolist()
    assert forest.paths_out_of_bag(rows, np.zeros((20, len(rows)), np.uint8)).tolist() == together.tolist()
    assert forest.paths_out_of_bag(rows, np.ones((20, len(rows)), np.uint8)).tolist() == together.tolist()


@few
@given(grown)
def test_out_of_bag_paths_leave_out_the_trees_that_hold_the_row(both: Grown) -> None:
    held = both.in_bag()
    wanted = [
        naive.mean_outside([naive.path(tree, row) for tree in both.trees], held[:, i].astype(bool).tolist())
        for i, row in enumerate(both.rows)
    ]
    assert both.forest.paths_out_of_bag(both.rows, held).tolist() == wanted


@few
@given(grown)
def test_a_hole_goes_both_ways_weighted_by_the_rows_that_went_there(both: Grown) -> None:
    rows = both.with_holes()
    wanted = [sum(float(naive.through_holes(tree, row)) for tree in both.trees) / len(both.trees) for row in rows]
    assert both.forest.paths_through_holes(rows).tolist() == wanted


@few
@given(grown)
def test_holes_out_of_bag_do_both(both: Grown) -> None:
    rows, held = both.with_holes(), both.in_bag()
    wanted = [
        naive.mean_outside(
            [float(naive.through_holes(tree, row)) for tree in both.trees], held[:, i].astype(bool).tolist()
        )
        for i, row in enumerate(rows)
    ]
    assert both.forest.paths_out_of_bag(rows, held, holes=True).tolist() == wanted


@few
@given(grown)
def test_rows_without_holes_have_the_same_path_through_both_kernels(both: Grown) -> None:
    assert both.forest.paths_through_holes(both.rows).tolist() == both.forest.paths(both.rows).tolist()


def test_more_rows_than_go_through_a_tree_together_have_the_paths_that_they_have_alone() -> None:
    rows = a_table(4, ROWS_TOGETHER + 77, 6, "plain")
    rows[np.random.default_rng(4).random(rows.shape) < 0.3] = np.nan
    forest = Grown(4, 40, 6, "plain").forest
    alone = [forest.paths_through_holes(row[None, :])[0] for row in rows]
    assert forest.paths_through_holes(rows).tolist() == alone
    held = np.zeros((len(forest.leaf), len(rows)), np.uint8)
    assert forest.paths_out_of_bag(rows, held, holes=True).tolist() == alone


@few
@given(grown)
def test_attribution_is_that_of_the_twin_and_adds_up_to_the_path(both: Grown) -> None:
    found = both.forest.attribution(both.rows)
    wanted = np.zeros(both.rows.shape)
    for i, row in enumerate(both.rows):
        for tree in both.trees:
            for column, share in naive.attribution(tree, row).items():
                wanted[i, column] += share / len(both.trees)
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
    base = np.mean([naive.expected(tree) for tree in both.trees])
    np.testing.assert_allclose(base - found.sum(axis=1), both.forest.paths(both.rows), rtol=1e-9)


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 40))
@settings(max_examples=40, deadline=None)
def test_a_block_writes_its_own_rows_and_no_others(n: int, one: int, other: int) -> None:
    both = Grown(n, max(2, n), 3, "plain")
    start, stop = sorted((min(one, n), min(other, n)))
    forest, whole = both.forest, both.forest.paths(both.rows)
    arguments: tuple[Any, ...] = (both.rows, forest.split_column, forest.threshold, forest.leaf)
    out = np.full(len(both.rows), -1.0)
    kernels.path_lengths(*arguments, forest.depth, start, stop, out)
    assert out[start:stop].tolist() == whole[start:stop].tolist()
    assert (np.delete(out, np.arange(start, stop)) == -1.0).all()


def test_the_average_path_length_is_that_of_scikit_learn() -> None:
    sizes = np.concatenate([np.arange(0, 2_000), [4_096, 16_384, 1_000_000]])
    ours = [kernels.average_path_length(int(n)) for n in sizes]
    np.testing.assert_allclose(ours, _average_path_length(sizes), rtol=1e-14)
    assert ours == [naive.average_path_length(int(n)) for n in sizes]


@given(st.lists(st.integers(0, 2**32 - 1), max_size=30))
def test_mixing_is_that_of_the_twin(values: list[int]) -> None:
    assert kernels.mixed(np.array(values, np.uint32)).tolist() == [naive.mix(value) for value in values]


def test_membership_marks_the_rows_of_each_bag_and_only_those() -> None:
    bags = np.array([[3, 1, 0], [4, 2, 0]], np.int32)
    places = np.array([-1, 0, 1, 2, -1], np.int32)  # rows 1, 2 and 3 are asked about
    out = np.zeros((2, 3), np.uint8)
    kernels.membership(bags, np.array([2, 2], np.int32), places, out)
    assert out.tolist() == [[1, 0, 1], [0, 1, 0]]


typed = st.floats(-1e30, 1e30) | st.sampled_from([0.0, -0.0, 86_399.999, 86_400.0, -1.0, 1.7e9]) | st.just(np.nan)


@given(st.lists(typed, min_size=1, max_size=12), st.integers(0, 6), st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_a_row_is_encoded_as_the_same_value_in_a_column(
    values: list[float], mode: int, center: float, spread: float
) -> None:
    column = np.empty((len(values), 1), np.float32)
    kernels.encode_column(np.array(values), mode, center, spread, column, 0)
    row = np.empty(len(values), np.float32)
    n = len(values)
    kernels.encode_row(np.array(values), np.full(n, mode), np.full(n, center), np.full(n, spread), row)
    assert row.tobytes() == column[:, 0].tobytes()
    assert (np.isnan(row) == np.isnan(values)).all()
    assert (np.abs(row[~np.isnan(row)]) <= np.float32(1e30)).all()


def test_absence_stays_absence_in_every_encoding() -> None:
    row = np.empty(7, np.float32)
    kernels.encode_row(np.full(7, -np.inf), np.arange(7), np.zeros(7), np.ones(7), row)
    assert np.isneginf(row).all()


def test_times_lie_on_circles_and_begin_with_a_thursday() -> None:
    noon_on_monday = (4.0 + 0.5) * 86_400.0
    row = np.empty(4, np.float32)
    modes = np.array([kernels.HOUR_SIN, kernels.HOUR_COS, kernels.WEEKDAY_SIN, kernels.WEEKDAY_COS])
    kernels.encode_row(np.full(4, noon_on_monday), modes, np.zeros(4), np.ones(4), row)
    assert row[:2] == pytest.approx([0.0, -1.0], abs=1e-6)
    angle = 2.0 * np.pi * (8 % 7) / 7.0  # Thursday is the fourth day, counted from Sunday
    assert row[2:] == pytest.approx([np.sin(angle), np.cos(angle)], abs=1e-6)
