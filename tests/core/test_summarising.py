"""The kernels that summarise numbers, held against slow and obvious twins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from detector.core import kernels
from detector.core.distinct_sketch import MOST_HASHES, DistinctSketch
from detector.core.quantile_digest import _EDGES as EDGES

few_numbers = arrays(np.float64, st.integers(0, 40), elements=st.integers(-5, 5).map(float))


@given(few_numbers)
def test_runs_are_the_different_values_and_how_often_each_occurs(values):
    values.sort()
    points, counts = np.empty(len(values)), np.empty(len(values))
    different = kernels.count_runs(values, points, counts)
    expected = np.unique(values, return_counts=True)
    np.testing.assert_array_equal(points[:different], expected[0])
    np.testing.assert_array_equal(counts[:different], expected[1])


def test_hashes_are_those_of_splitmix64_up_to_the_most_that_is_asked_for():
    values = np.random.default_rng(0).normal(size=500)
    everything = [splitmix64(word) for word in values.view(np.uint64).tolist()]
    hashes = np.empty(len(values), np.uint64)
    most = sorted(everything)[100]
    for asked, expected in ((2**64 - 1, everything), (most, [one for one in everything if one <= most]), (0, [])):
        assert hashes[: kernels.least_hashes(values, asked, hashes)].tolist() == expected


def splitmix64(word: int) -> int:
    """Return the finalizer of SplitMix64 of a word, in whole numbers without end."""
    word = (word + 0x9E3779B97F4A7C15) % 2**64
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    word = (word ^ word >> 27) * 0x94D049BB133111EB % 2**64
    return word ^ word >> 31


@pytest.mark.parametrize("sizes", [(100_000,), (3_000, 100_000), (2_000, 40_000), (100_000, 600), (600, 600, 50_000)])
def test_a_sketch_keeps_the_least_of_all_hashes_in_whatever_parts_the_numbers_come(sizes):
    rng = np.random.default_rng(1)
    sketch, every = DistinctSketch(), []
    for size in sizes:
        values = rng.normal(size=size)
        sketch = sketch.with_numbers(values)
        every.append(values)
    expected = sorted(splitmix64(word) for word in np.concatenate(every).view(np.uint64).tolist())[:MOST_HASHES]
    assert sketch.hashes.tolist() == expected


def test_many_numbers_of_which_few_differ_are_counted_exactly():
    values = np.random.default_rng(2).integers(0, 1_500, 60_000).astype(np.float64)
    assert DistinctSketch().with_numbers(values).estimate == 1_500


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("weigh", ["ones", "counts", "heavy", "faded"])
def test_points_are_joined_as_the_bins_say(seed, weigh):
    rng = np.random.default_rng(seed)
    values = np.unique(rng.normal(size=rng.integers(1, 1_500)).round(rng.integers(0, 9)))
    size = len(values)
    weights = {
        "ones": np.ones(size),
        "counts": rng.integers(1, 100, size).astype(np.float64),
        "heavy": rng.pareto(0.5, size) + 1e-9,
        "faded": np.exp(rng.normal(0.0, 15.0, size)),
    }[weigh]
    tied = rng.random(size) < rng.choice([0.0, 0.5, 1.0])
    expected = joined_slowly(values, weights, tied)
    left = kernels.join_points(values, weights, tied, weights.sum(), EDGES)
    np.testing.assert_allclose(values[:left], [mean for mean, _, _ in expected], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(weights[:left], [weight for _, weight, _ in expected], rtol=1e-12)
    assert tied[:left].tolist() == [kept for _, _, kept in expected]


def joined_slowly(values, weights, tied):
    """Return (mean, weight, tied) of each point that is left: first the bin of each point, then the groups."""
    total, size = weights.sum(), len(values)
    middles = np.cumsum(weights) - weights / 2.0
    bins = [int(np.sum(EDGES[1:-1] * total <= middle)) for middle in middles]
    alone = [
        at in (0, size - 1) or bool(tied[at] and weights[at] >= (EDGES[bins[at] + 1] - EDGES[bins[at]]) * total)
        for at in range(size)
    ]
    groups: list[list[int]] = []
    for at in range(size):
        if at and not alone[at] and not alone[at - 1] and bins[at] == bins[at - 1]:
            groups[-1].append(at)
        else:
            groups.append([at])
    return [
        (
            min(max(np.average(values[group], weights=weights[group]), values[group[0]]), values[group[-1]]),
            weights[group].sum(),
            len(group) == 1 and bool(tied[group[0]]),
        )
        for group in groups
    ]
