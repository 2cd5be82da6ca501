"""The isolation forest: what its trees choose, how little they change, and how well they rank."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import stats
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from detector.core.forest import ROWS_A_THREAD, Choices, Forest, average_path_length, score_from_path
from detector.core.schema import hash_of


def keys_of(features: list[tuple[str, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the hashes of features with so many parts each."""
    feature_keys = [hash_of(name) for name, parts in features for _ in range(parts)]
    part_keys = [hash_of(f"{name}\0{part}") for name, parts in features for part in range(parts)]
    return np.array(feature_keys, np.uint32), np.array(part_keys, np.uint32)


def bags_of(n: int, trees: int, size: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([rng.choice(n, size, replace=False) for _ in range(trees)]).astype(np.int32)


def a_forest(
    rows: np.ndarray,
    bags: np.ndarray,
    names: list[tuple[str, int]] | None = None,
    columns: list[int] | None = None,
    weights: list[float] | None = None,
) -> Forest:
    d = rows.shape[1]
    feature_keys, part_keys = keys_of(names or [(f"column {j}", 1) for j in range(d)])
    chosen = np.array(range(d) if columns is None else columns, np.uint32)
    seeds = np.random.default_rng(99).integers(0, 2**32, len(bags), dtype=np.uint32)
    sizes = np.full(len(bags), bags.shape[1], np.int32)
    weight = np.array(weights or [1.0] * d)[chosen]
    return Forest.grow(rows, bags, sizes, Choices(chosen, feature_keys[chosen], part_keys[chosen], weight), seeds)


def normal(n: int, d: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


@pytest.mark.parametrize(("size", "depth"), [(2, 1), (3, 2), (4, 2), (5, 3), (256, 8), (257, 9)])
def test_trees_are_as_deep_as_scikit_learns(size: int, depth: int) -> None:
    assert a_forest(normal(300, 2), bags_of(300, 4, size)).depth == depth == max(1, int(np.ceil(np.log2(size))))


def test_two_rows_are_isolated_by_one_split() -> None:
    rows = np.array([[0.0], [1.0]], np.float32)
    forest = a_forest(rows, np.array([[0, 1]], np.int32))
    assert forest.paths(rows).tolist() == [1.0, 1.0]
    assert score_from_path(forest.paths(rows)).tolist() == [0.5, 0.5]


def test_thresholds_are_spread_evenly_over_the_range_found_at_the_node() -> None:
    rows = np.array([[0.0], [1.0]], np.float32)
    cuts = a_forest(rows, np.tile(np.array([[0, 1]], np.int32), (4_000, 1))).threshold[:, 0]
    assert stats.kstest(cuts, "uniform").pvalue > 0.01


def test_a_cut_lies_within_the_range_found_at_its_node() -> None:
    rows = normal(256, 3)
    forest = a_forest(rows, np.tile(np.arange(256, dtype=np.int32), (100, 1)))
    for node in range(7):
        for t in range(100):
            here = rows[at_node(forest, t, node, rows)]
            column, cut = forest.split_column[t, node], forest.threshold[t, node]
            if np.isfinite(cut):
                assert here[:, column].min() <= cut < here[:, column].max()


def test_cuts_fall_between_groups_of_rows_oftener_than_chance_would_have_it() -> None:
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(-5, 1, 500), rng.normal(5, 1, 500)]).astype(np.float32)[:, None]
    cuts = a_forest(rows, bags_of(1_000, 400, 256)).threshold[:, 0]
    assert (np.abs(cuts) < 2.5).mean() > 0.6  # of a range from -8 to 8 this is a third


def test_the_order_of_the_rows_in_a_bag_makes_no_difference() -> None:
    rows, bags = normal(500, 4), bags_of(500, 40, 128)
    turned = np.ascontiguousarray(bags[:, ::-1])
    assert a_forest(rows, bags).paths(rows).tobytes() == a_forest(rows, turned).paths(rows).tobytes()


def at_node(forest: Forest, t: int, node: int, rows: np.ndarray) -> np.ndarray:
    """Return (n,) bool, which rows come to a node."""
    if node == 0:
        return np.ones(len(rows), bool)
    parent = (node - 1) // 2
    left = rows[:, forest.split_column[t, parent]] <= forest.threshold[t, parent]
    return at_node(forest, t, parent, rows) & (left if node % 2 else ~left)


def splits_on(forest: Forest, columns: int) -> np.ndarray:
    """Return how many nodes split on each column."""
    return np.bincount(forest.split_column[np.isfinite(forest.threshold)], minlength=columns)


def upper_splits(forest: Forest, columns: int) -> np.ndarray:
    """Return how many of the first three nodes of the trees split on each column."""
    split = np.isfinite(forest.threshold[:, :3])
    return np.bincount(forest.split_column[:, :3][split], minlength=columns)


def test_features_are_chosen_about_equally_often() -> None:
    forest = a_forest(normal(2_000, 8), bags_of(2_000, 300, 64))
    first = upper_splits(forest, 8)
    assert stats.chisquare(first).pvalue > 0.01
    every = splits_on(forest, 8)
    assert every.min() > 0.9 * every.mean()
    assert every.max() < 1.1 * every.mean()


def test_a_feature_of_greater_weight_is_chosen_oftener() -> None:
    forest = a_forest(normal(2_000, 4), bags_of(2_000, 1_000, 16), weights=[1.0, 1.0, 1.0, 3.0])
    first = np.bincount(forest.split_column[:, 0], minlength=4)
    assert stats.chisquare(first[:3]).pvalue > 0.01
    assert 2.0 < first[3] / first[:3].mean() < 6.0


def test_a_feature_of_four_parts_is_no_likelier_than_one_of_one_part() -> None:
    forest = a_forest(normal(2_000, 7), bags_of(2_000, 600, 64), [("when", 4), ("amount", 1), ("age", 1), ("sum", 1)])
    chosen = upper_splits(forest, 7)
    by_feature = [chosen[:4].sum(), *chosen[4:]]
    assert stats.chisquare(by_feature).pvalue > 0.01
    assert stats.chisquare(chosen[:4]).pvalue > 0.01


def test_absent_rows_are_parted_from_all_others_first() -> None:
    rows = normal(200, 1)
    rows[:50] = -np.inf
    forest = a_forest(rows, np.tile(np.arange(200, dtype=np.int32), (20, 1)))
    assert (forest.count[:, 1] == 50).all()
    assert (forest.count[:, 2] == 150).all()


def test_the_order_of_columns_makes_no_difference() -> None:
    rows, bags = normal(500, 5), bags_of(500, 50, 64)
    names = [("a", 1), ("b", 1), ("c", 1), ("d", 1), ("e", 1)]
    order = [3, 0, 4, 2, 1]
    forest = a_forest(rows, bags, names)
    turned = a_forest(np.ascontiguousarray(rows[:, order]), bags, [names[j] for j in order])
    assert forest.paths(rows).tobytes() == turned.paths(np.ascontiguousarray(rows[:, order])).tobytes()


def test_a_column_that_leaves_changes_trees_only_a_little() -> None:
    rows, fresh, bags = normal(2_000, 10), normal(2_000, 10, seed=5), bags_of(2_000, 100, 256)
    whole = a_forest(rows, bags).paths(fresh)
    for gone in range(10):
        left = a_forest(rows, bags, columns=[j for j in range(10) if j != gone]).paths(fresh)
        assert np.corrcoef(whole, left)[0, 1] > 0.85


def test_a_bag_row_that_changes_changes_trees_only_a_little() -> None:
    rows, fresh, bags = normal(2_000, 10), normal(2_000, 10, seed=5), bags_of(2_000, 100, 256)
    other = bags.copy()
    for t, bag in enumerate(bags):
        other[t, 0] = np.setdiff1d(np.arange(2_000), bag)[t]
    before, after = a_forest(rows, bags), a_forest(rows, other)
    assert np.corrcoef(before.paths(fresh), after.paths(fresh))[0, 1] > 0.97
    same = (before.split_column == after.split_column) & (before.threshold == after.threshold)
    assert same.mean() > 0.6


def test_it_ranks_at_least_as_well_as_scikit_learns_forest() -> None:
    rng = np.random.default_rng(3)
    ordinary = rng.normal(size=(4_000, 8)) @ rng.normal(size=(8, 8))
    odd = rng.normal(size=(200, 8)) * 4.0 + rng.choice([-3.0, 3.0], (200, 8))
    rows = np.concatenate([ordinary, odd]).astype(np.float32)
    truth = np.repeat([0, 1], [4_000, 200])
    peers = [
        roc_auc_score(truth, -IsolationForest(random_state=seed).fit(rows).score_samples(rows)) for seed in range(2)
    ]
    ours = [roc_auc_score(truth, -a_forest(rows, bags_of(4_200, 100, 256, seed)).paths(rows)) for seed in range(2)]
    assert np.mean(ours) > np.mean(peers) - 0.03
    assert np.mean(ours) > 0.8


def test_scores_are_those_of_scikit_learns_formula() -> None:
    assert score_from_path(np.array([0.0, 1.0, 2.0])).tolist() == [1.0, 0.5, 0.25]
    assert average_path_length(256) == pytest.approx(10.244770920116851)


def test_many_rows_on_several_threads_give_the_same_bytes_as_few_at_a_time() -> None:
    rows = normal(2 * ROWS_A_THREAD + 13, 3)
    forest = a_forest(rows, bags_of(len(rows), 10, 64))
    together = forest.paths(rows)
    apart = np.concatenate([forest.paths(part) for part in np.array_split(rows, 7)])
    assert together.tobytes() == apart.tobytes()


def test_threads_that_score_at_once_get_the_same_bytes() -> None:
    rows = normal(3_000, 4)
    forest = a_forest(rows, bags_of(3_000, 30, 64))
    wanted = forest.paths(rows).tobytes()
    with ThreadPoolExecutor(4) as pool:
        assert {found.tobytes() for found in pool.map(lambda _: forest.paths(rows), range(12))} == {wanted}


def test_trees_may_have_bags_of_different_sizes() -> None:
    rows, bags = normal(300, 3), bags_of(300, 5, 64)
    choices = Choices(np.arange(3, dtype=np.uint32), *keys_of([("a", 1), ("b", 1), ("c", 1)]), np.ones(3))
    sizes = np.array([2, 3, 10, 63, 64], np.int32)
    forest = Forest.grow(rows, bags, sizes, choices, np.arange(5, dtype=np.uint32))
    assert forest.count[:, 0].tolist() == [2, 3, 10, 63, 64]
    assert forest.leaf[0].tolist() == [1.0] * 64  # one split, normalised by c(2) = 1


def test_rows_that_are_all_alike_get_the_path_of_a_tree_that_cannot_split() -> None:
    rows = np.ones((50, 2), np.float32)
    forest = a_forest(rows, bags_of(50, 5, 32))
    assert not np.isfinite(forest.threshold).any()
    assert forest.paths(rows) == pytest.approx(np.ones(50))
