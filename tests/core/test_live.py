"""A forest that learns while it scores: trees take turns, and the calibration asks only those that changed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.core import kernels
from detector.core.forest import Forest
from detector.core.live import LiveForest
from detector.core.live_calibration import LIVE_CALIBRATION_ROWS
from detector.core.sample import CALIBRATION_ROWS, Sample, bag_size, decay, drawn_by_weight
from tests import tables
from tests.naive import mean_outside


def state(seed: int = 0) -> np.ndarray:
    return np.array([seed], np.uint64)


def matrix(n: int, seed: int) -> np.ndarray:
    return np.array(tables.numbers(n, d=4, seed=seed), np.float32, order="C")


def a_live_forest(
    rows: int = 1_000, more: int = 1_600, trees: int = 20, most: int = 256
) -> tuple[LiveForest, Sample, np.ndarray]:
    known = tables.learned(tables.numbers(rows, d=4), n_estimators=trees)
    batch = matrix(more, 1)
    choices = known.schema.layout.choices(known.everything, known.sample.weights)
    return LiveForest(known.sample, batch, choices, most, 1), known.sample, batch


def through(live: LiveForest, batch: np.ndarray, half_life: float, chunk: int = 100) -> None:
    for begin in range(0, len(batch), chunk):
        part = batch[begin : begin + chunk]
        live.learn(live.said(part), decay(len(part), half_life), float(len(part)))


# What single steps do


@given(slots=st.integers(1, 300), new=st.integers(0, 500), old=st.integers(0, 10**6), seed=st.integers(0, 99))
@settings(max_examples=200, deadline=None)
def test_no_more_new_rows_are_drawn_than_there_are(slots: int, new: int, old: int, seed: int) -> None:
    drawn = kernels.new_among(slots, new, old, state(seed))
    assert max(0, slots - old) <= drawn <= min(slots, new) or (new + old <= slots and drawn == new)


@pytest.mark.parametrize(("slots", "new", "old"), [(256, 1_000, 9_000), (256, 100, 300), (20, 5, 100_000)])
def test_new_rows_are_drawn_as_without_replacement(slots: int, new: int, old: int) -> None:
    bits = state(7)
    drawn = [kernels.new_among(slots, new, old, bits) for _ in range(4_000)]
    twin = np.random.default_rng(0).hypergeometric(new, old, slots, 4_000)
    assert np.mean(drawn) == pytest.approx(twin.mean(), abs=4.0 * twin.std() / np.sqrt(2_000))
    assert np.std(drawn) == pytest.approx(twin.std(), rel=0.1, abs=0.02)


@given(held=st.integers(2, 40), size=st.integers(0, 40), begin=st.integers(80, 200), pending=st.integers(0, 100))
@settings(max_examples=100, deadline=None)
def test_a_bag_holds_distinct_rows_new_ones_among_the_pending_and_old_ones_of_its_own(
    held: int, size: int, begin: int, pending: int
) -> None:
    size = max(held, size)
    bags = np.stack([np.random.default_rng(t).permutation(begin)[:held] for t in range(3)]).astype(np.int32)
    out = np.empty((2, size), np.int32)
    mark = np.full(begin + pending, -1, np.int32)
    kernels.refill_bags(
        bags, np.array([2, 0]), np.full(2, begin), np.full(2, begin), begin + pending, out, mark, 0, state()
    )
    for t, bag in zip((2, 0), out, strict=True):
        new = bag[bag >= begin]
        assert len(set(bag.tolist())) == size
        assert not len(new) or new.max() < begin + pending
        own = set(bags[t].tolist()) & set(bag.tolist())
        assert len(own) == min(held, size - len(new))


def test_what_trees_say_is_what_paths_are_the_mean_of_bit_for_bit() -> None:
    rows = matrix(301, 0)
    known = tables.learned(tables.numbers(400, d=4))
    forest: Forest = known.views.get(known.everything).forest
    said = forest.said(rows)
    assert said.shape == (20, 301)
    assert said.mean(axis=0, dtype=np.float64).tobytes() == forest.paths(rows).tobytes()


def test_rows_are_drawn_by_their_weight() -> None:
    weights = np.repeat([1.0, 4.0], 3_000)
    chosen = drawn_by_weight(weights, 1_000, np.random.default_rng(0))
    assert len(np.unique(chosen)) == 1_000
    assert (chosen >= 3_000).mean() == pytest.approx(0.8, abs=0.05)
    assert drawn_by_weight(weights, 6_000, np.random.default_rng(0)).tolist() == list(range(6_000))


# Through a stream


@pytest.mark.parametrize("half_life", [60.0, 700.0, 1e9])
@pytest.mark.parametrize("rows", [150, 3_000])
def test_calibration_rows_are_scored_by_the_trees_that_do_not_hold_them(rows: int, half_life: float) -> None:
    live, _, batch = a_live_forest(rows)
    for begin in range(0, len(batch), 400):
        through(live, batch[begin : begin + 400], half_life)
        kept = live._calibration
        numbers = kept._numbers[: kept._count]
        assert len(np.unique(numbers)) == kept._count <= LIVE_CALIBRATION_ROWS
        said = live.said(live._rows[numbers])
        held = [[int(number in set(bag)) for number in numbers] for bag in live._bags.tolist()]
        twin = [
            mean_outside(values, [bool(inside) for inside in inside_of])
            for values, inside_of in zip(said.T.tolist(), np.array(held).T.tolist(), strict=True)
        ]
        used = kept._used[: kept._count]
        outside = kept._outside[: kept._count] / np.maximum(used, 1)
        assert (outside[used > 0] == np.array(twin)[used > 0]).all()


@pytest.mark.parametrize("half_life", [500.0, 2_000.0, 1e9])
def test_bags_hold_as_much_of_the_past_as_its_weight(half_life: float) -> None:
    live, before, batch = a_live_forest(2_000, 2_000, trees=100)
    through(live, batch, half_life)
    after = live.sample(before, batch, half_life)
    left = before.weight * 0.5 ** (2_000 / half_life)
    weight = sum(100 * 0.5 ** (age * 100 / half_life) for age in range(20)) + left
    assert after.weight == pytest.approx(weight)
    assert (after.numbers[after.bags] < 2_000).mean() == pytest.approx(left / weight, abs=0.025)
    assert (after.numbers[after.calibration] < 2_000).mean() == pytest.approx(left / weight, abs=0.05)
    recent = (after.numbers[after.bags] >= 3_500).mean()
    fair = sum(100 * 0.5 ** (age * 100 / half_life) for age in range(5)) / weight
    assert recent == pytest.approx(fair, abs=0.03)


def test_bags_grow_to_their_size_as_rows_come() -> None:
    live, before, batch = a_live_forest(50, 3_000, most=512)
    through(live, batch, 1e9)
    after = live.sample(before, batch, 1e9)
    assert after.bags.shape == (20, bag_size(512, 3_050))
    assert all(len(np.unique(bag)) == len(bag) for bag in after.bags)
    assert len(after.calibration) == min(CALIBRATION_ROWS, 3_050)


def test_only_trees_whose_turn_it_is_are_grown_again() -> None:
    live, _, batch = a_live_forest(20_000, 4_000, trees=100)
    through(live, batch, 1e9)
    # Each tree once for every half of a bag that is new: 4,000 rows are a sixth of all.
    assert 100 + 30 <= live.grown <= 100 + 40


def test_few_rows_flag_their_share_of_fresh_ones_too() -> None:
    # Each calibration row is scored by 37 of 100 trees, which scatters more than what all of them say of a fresh row.
    above = []
    for seed in range(12):
        known = tables.learned(tables.numbers(150, d=8, seed=seed), n_estimators=100)
        fresh = np.array(tables.numbers(1_000, d=8, seed=100 + seed), np.float32, order="C")
        choices = known.schema.layout.choices(known.everything, known.sample.weights)
        live = LiveForest(known.sample, fresh, choices, 256, seed)
        aligned = known.aligner.align(tables.numbers(1_000, d=8, seed=100 + seed)).matrix
        above.append((live.severities(live.said(aligned).mean(axis=0, dtype=np.float64)) > 90.0).mean())
    assert np.mean(above) == pytest.approx(0.1, abs=0.012)
