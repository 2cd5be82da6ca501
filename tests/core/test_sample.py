"""What a model keeps of its rows: bounded, decayed, repeatable."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.core import sample as sampling
from detector.core.sample import CALIBRATION_ROWS, NEWCOMERS, Sample, bag_size, decay, draw, updated

FOREVER = 1e12


def a_batch(n: int, first: int, d: int = 2) -> np.ndarray:
    """Return rows that carry their own number, so that one can see where they came to lie."""
    rows = np.empty((n, d), np.float32)
    rows[:] = np.arange(first, first + n)[:, None]
    return rows


def a_sample(n: int, trees: int = 10, max_samples: int = 256, seed: int = 0, d: int = 2) -> Sample:
    used, sample = draw(n, d, trees, max_samples, seed)
    return replace(sample, rows=a_batch(n, 0, d)[used])


def plain(sample: Sample) -> dict[str, Any]:
    values = {field.name: getattr(sample, field.name) for field in fields(sample)}
    return {name: value.tobytes() if isinstance(value, np.ndarray) else value for name, value in values.items()}


def sound(sample: Sample) -> None:
    for bag in (*sample.bags, sample.calibration, sample.newcomers):
        assert len(np.unique(bag)) == len(bag)
        assert not len(bag) or (bag.min() >= 0 and bag.max() < len(sample.rows))
    assert len(np.unique(sample.numbers)) == len(sample.numbers) == len(sample.rows)
    assert (sample.rows[:, 0] == sample.numbers.astype(np.float32)).all()
    used = np.unique(np.concatenate([sample.bags.ravel(), sample.calibration, sample.newcomers]))
    assert used.tolist() == list(range(len(sample.rows)))  # nothing is kept that nobody uses


@given(
    n=st.integers(2, 700), trees=st.integers(1, 6), most=st.sampled_from([2, 16, 256]), seed=st.integers(0, 99),
    batches=st.lists(st.integers(1, 900), max_size=5), half_life=st.sampled_from([0.5, 50.0, 1e5, FOREVER]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_bags_hold_distinct_rows_within_bounds_whatever_comes(
    n: int, trees: int, most: int, seed: int, batches: list[int], half_life: float
) -> None:
    sample = a_sample(n, trees, most, seed)
    sound(sample)
    assert sample.bags.shape == (trees, bag_size(most, n))
    for size in batches:
        before, seen = plain(sample), sample.seen
        following = updated(sample, a_batch(size, seen), most, half_life, seed)
        assert plain(sample) == before
        sound(following)
        assert following.bags.shape[0] == trees
        assert sample.bags.shape[1] <= following.bags.shape[1] <= most
        assert len(following.calibration) <= CALIBRATION_ROWS
        assert (following.seen, following.updates) == (seen + size, sample.updates + 1)
        assert following.weight == pytest.approx(sample.weight * decay(size, half_life) + size)
        sample = following


def test_every_row_stays_out_of_some_bags() -> None:
    for n in (4, 10, 100, 300):
        sample = a_sample(n, trees=50)
        held = np.bincount(sample.bags.ravel(), minlength=n)
        assert held.max() < 50
        assert sample.bags.shape[1] == min(256, int(np.ceil(0.632 * n)))


def test_the_same_seed_gives_the_same_sample_and_another_seed_another() -> None:
    assert plain(a_sample(1_000, seed=3)) == plain(a_sample(1_000, seed=3))
    assert plain(a_sample(1_000, seed=3)) != plain(a_sample(1_000, seed=4))


def test_replaying_the_same_updates_gives_the_same_sample() -> None:
    def run() -> Sample:
        sample = a_sample(500, seed=1)
        for step in range(5):
            sample = updated(sample, a_batch(100 + step, sample.seen), 256, 1_000.0, 1)
        return sample

    assert plain(run()) == plain(run())


@pytest.mark.parametrize(("rows", "new"), [(10_000, 100), (10_000, 2_000), (10_000, 10_000)])
def test_new_rows_take_their_share_of_the_slots(rows: int, new: int) -> None:
    sample = updated(a_sample(rows, trees=100), a_batch(new, rows), 256, FOREVER, 0)
    share = (sample.numbers[sample.bags] >= rows).mean()
    fair = new / (rows + new)
    assert share == pytest.approx(fair, abs=4.0 * np.sqrt(fair * (1.0 - fair) / 25_600))


def test_slots_that_take_no_new_row_keep_theirs() -> None:
    before = a_sample(10_000, trees=100)
    after = updated(before, a_batch(100, 10_000), 256, FOREVER, 0)
    for old, new in zip(before.bags, after.bags, strict=True):
        kept = set(before.numbers[old]) & set(after.numbers[new])
        assert len(kept) == 256 - (after.numbers[new] >= 10_000).sum()


def test_an_old_row_counts_half_after_a_half_life() -> None:
    sample = a_sample(4_000, trees=100)
    for _ in range(10):
        sample = updated(sample, a_batch(100, sample.seen), 256, 1_000.0, 0)
    first = (sample.numbers[sample.bags] < 4_000).mean()
    fair = 4_000 * 0.5 / sample.weight
    assert sample.weight == pytest.approx(2_000 + sum(100 * 0.5 ** (i / 10) for i in range(10)))
    assert first == pytest.approx(fair, abs=0.02)


def test_the_calibration_forgets_as_the_trees_do() -> None:
    sample = a_sample(9_000, trees=50)
    for _ in range(30):
        sample = updated(sample, a_batch(200, sample.seen), 256, 1_000.0, 0)
    in_bags = (sample.numbers[sample.bags] < 9_000).mean()
    calibrated = (sample.numbers[sample.calibration] < 9_000).mean()
    fair = 9_000 * 0.5**6 / sample.weight
    assert in_bags == pytest.approx(fair, abs=0.03)
    assert calibrated == pytest.approx(fair, abs=0.03)
    assert len(sample.calibration) >= sampling.FEWEST_CALIBRATION_ROWS


def test_the_calibration_grows_to_its_cap_and_no_further() -> None:
    sample = a_sample(1_000)
    lengths = [len(sample.calibration)]
    for _ in range(12):
        sample = updated(sample, a_batch(1_000, sample.seen), 256, FOREVER, 0)
        lengths.append(len(sample.calibration))
    assert lengths[:9] == [1_000 * (i + 1) for i in range(8)] + [CALIBRATION_ROWS]
    assert set(lengths[8:]) == {CALIBRATION_ROWS}
    parts = np.histogram(sample.numbers[sample.calibration], bins=13, range=(0, 13_000))[0]
    assert parts.min() > 0.8 * parts.mean()
    assert parts.max() < 1.2 * parts.mean()


def test_single_rows_find_their_way_in() -> None:
    sample = a_sample(300, trees=20)
    for _ in range(300):
        sample = updated(sample, a_batch(1, sample.seen), 256, FOREVER, 7)
    sound(sample)
    assert len(sample.calibration) == 600
    assert (sample.numbers[sample.bags] >= 300).mean() == pytest.approx(0.5, abs=0.06)


def test_what_an_update_touches_does_not_grow_with_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    touched: list[int] = []
    compact = sampling._compact

    def counting(groups: tuple[np.ndarray, ...]) -> Any:
        touched.append(sum(group.size for group in groups))
        return compact(groups)

    sample = a_sample(20_000, trees=20)
    monkeypatch.setattr(sampling, "_compact", counting)
    rows = []
    for _ in range(40):
        sample = updated(sample, a_batch(1_000, sample.seen), 256, 1e5, 0)
        rows.append(len(sample.rows))
    assert sample.seen == 60_000
    assert len(set(touched[5:])) == 1  # from when the calibration is full
    assert max(rows) <= 20 * 256 + CALIBRATION_ROWS


def test_a_very_wide_table_is_kept_within_bounds() -> None:
    used, sample = draw(50_000, 20_000, 100, 256, 0)
    assert len(np.unique(sample.bags)) <= 2_048
    assert len(used) <= 2_048


def test_rows_with_a_young_column_are_kept() -> None:
    sample = a_sample(50_000, trees=20)
    batch = a_batch(300, 50_000, d=3)
    batch[200:, 2] = np.nan
    sample = updated(sample, batch, 256, FOREVER, 0)
    carriers = ~np.isnan(sample.rows[:, 2])
    assert sorted(sample.numbers[carriers]) == list(range(50_000, 50_200))
    # They stay through updates that lack the column, and are no newcomers to bags.
    for _ in range(5):
        lacking = a_batch(300, sample.seen, d=3)
        lacking[:, 2] = np.nan
        sample = updated(sample, lacking, 256, FOREVER, 0)
    assert (~np.isnan(sample.rows[:, 2])).sum() >= 190


def test_of_many_young_rows_the_latest_are_kept() -> None:
    sample = a_sample(100_000, trees=40)
    for _ in range(4):
        sample = updated(sample, a_batch(300, sample.seen, d=3), 256, FOREVER, 0)
    newcomers = sample.numbers[sample.newcomers]
    assert (~np.isnan(sample.rows[:, 2])).sum() == NEWCOMERS
    assert newcomers.min() > 100_000 + 500


def test_newcomers_go_when_their_column_does_not_come_again() -> None:
    sample = updated(a_sample(1_000, trees=5), a_batch(50, 1_000, d=3), 256, 100.0, 0)
    for _ in range(60):
        lacking = a_batch(100, sample.seen, d=3)
        lacking[:, 2] = np.nan
        sample = updated(sample, lacking, 256, 100.0, 0)
    assert np.isnan(sample.rows[:, 2]).all()


def test_old_rows_lack_columns_that_came_later() -> None:
    sample = a_sample(100)
    wide = sample.widened(4)
    assert wide.rows.shape[1] == 4
    assert np.isnan(wide.rows[:, 2:]).all()
    assert (wide.rows[:, :2] == sample.rows).all()
    assert sample.widened(2) is sample


def test_membership_says_which_bags_hold_a_row() -> None:
    sample = a_sample(60, trees=5)
    sizes = np.full(5, sample.bags.shape[1], np.int32)
    held = sample.membership(sample.bags, sizes, sample.calibration)
    for t, bag in enumerate(sample.bags):
        assert held[t].tolist() == [int(row in set(bag)) for row in sample.calibration]


def test_a_small_update_takes_its_share_of_the_slots_in_few_bags() -> None:
    before = a_sample(10_000, trees=100)
    after = updated(before, a_batch(200, 10_000), 256, 1e9, 0)
    new = (after.numbers[after.bags] >= before.seen).sum(axis=1)
    assert set(new.tolist()) == {0, 128}
    assert new.sum() == pytest.approx(100 * 256 * 200 / 10_200, abs=128)
    assert all(len(set(bag.tolist())) == 256 for bag in after.bags)


def test_many_small_updates_replace_as_much_as_one_large_one() -> None:
    large = updated(a_sample(4_000, trees=50), a_batch(4_000, 4_000), 256, 1e9, 0)
    small = a_sample(4_000, trees=50)
    for start in range(4_000, 8_000, 40):
        small = updated(small, a_batch(40, start), 256, 1e9, 0)
    shares = [(sample.numbers[sample.bags] >= 4_000).mean() for sample in (large, small)]
    assert shares == pytest.approx([0.5, 0.5], abs=0.04)
