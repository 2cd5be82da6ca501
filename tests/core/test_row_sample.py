"""A sample of rows that merges: the same rows whoever met them, each as likely as any other."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.core.row_sample import RowSample, contents_of, priorities_by_key, priorities_by_place
from detector.errors import ModelFileError

ROWS = pa.table({"id": list(range(300)), "amount": np.arange(300) / 7.0, "kind": ["a", "b", None] * 100})


def sampled(table: pa.Table, most: int = 20, batch: int = 50, carriers: bool = False) -> RowSample:
    sample = RowSample(most, carriers=carriers)
    for each in table.to_batches(max_chunksize=batch):
        part = pa.Table.from_batches([each])
        sample = sample.with_rows(part, priorities_by_key(part, ("id",), 5))
    return sample.bounded()


@given(st.permutations(range(30)), st.lists(st.integers(1, 29), max_size=6, unique=True), st.integers(1, 40))
def test_a_sample_by_key_is_the_same_in_any_order_cut_anyhow(order: list[int], cuts: list[int], batch: int) -> None:
    moved = ROWS.take(pa.array([row for block in order for row in range(10 * block, 10 * block + 10)]))
    edges = [0, *(10 * cut for cut in sorted(cuts)), 300]
    parts = [sampled(moved.slice(a, b - a), batch=batch) for a, b in pairwise(edges) if b > a]
    found = reduce(RowSample.merged, parts)
    assert found.seen == 300
    assert found.table().equals(sampled(ROWS).table())


def test_each_row_is_as_likely_as_any_other() -> None:
    times = np.zeros(300)
    for seed in range(400):
        sample = RowSample(30).with_rows(ROWS, priorities_by_place(0, 0, 300, seed))
        times[sample.table()["id"].to_numpy()] += 1
    # 400 draws of one row in ten: 40 expected, with a deviation of 6.
    assert abs(times - 40).max() < 5 * 6
    assert times.sum() == 400 * 30


def test_rows_named_by_their_place_differ_from_part_to_part() -> None:
    assert not np.intersect1d(priorities_by_place(0, 0, 100, 1), priorities_by_place(1, 0, 100, 1)).size
    np.testing.assert_array_equal(priorities_by_place(3, 40, 10, 1), priorities_by_place(3, 0, 50, 1)[40:])


def test_a_column_that_few_rows_carry_has_a_row_in_the_sample() -> None:
    rare = [None] * 300
    rare[7], rare[211] = "x", "y"
    table = ROWS.append_column("rare", pa.array(rare, pa.string()))
    first = np.lexsort((np.arange(300), priorities_by_key(table, ("id",), 5)))
    carrier = next(row for row in first if rare[row] is not None)
    whole = sampled(table, carriers=True)
    parts = sampled(table.slice(0, 100), carriers=True).merged(sampled(table.slice(100), carriers=True))
    for found in (whole, parts):
        assert len(found) == 21
        assert found.table()["id"].to_pylist()[-1] == carrier


def test_rows_that_share_a_key_are_told_apart_by_what_they_hold() -> None:
    table = pa.table({"id": [1, 1, 1, 1], "amount": [4.0, 3.0, 2.0, 1.0]})
    assert len(set(contents_of(table).tolist())) == 4
    one, other = sampled(table, most=2), sampled(table.take(pa.array([2, 0, 3, 1])), most=2)
    assert one.table().equals(other.table())


def test_a_sample_comes_back_from_what_describes_it() -> None:
    found = RowSample.from_content(sampled(ROWS).to_content())
    assert found.table().equals(sampled(ROWS).table())
    empty = RowSample.from_content(RowSample(5).to_content())
    assert len(empty) == 0
    assert empty.table().num_rows == 0
    assert empty.merged(sampled(ROWS, most=5)).table().num_rows == 5


def test_samples_of_different_sizes_are_not_merged() -> None:
    with pytest.raises(ValueError, match="different sizes"):
        RowSample(5).merged(RowSample(6))


@pytest.mark.parametrize("short", [["priorities"], ["ties"], ["priorities", "ties"]])
def test_a_sample_whose_parts_differ_in_length_is_refused(short: list[str]) -> None:
    content = sampled(ROWS).to_content()
    damaged = content | {name: content[name][1:] for name in short}
    with pytest.raises(ModelFileError, match="differ in length"):
        RowSample.from_content(damaged)
