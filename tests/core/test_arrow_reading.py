"""Columns as Arrow holds them are read as the same columns of a frame are, value by value and bit by bit."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.core.arrow_reading import keys_of_array, read_array, read_written
from detector.core.entity_keys import keys_of_column
from detector.core.intake import SERIES
from detector.core.number_texts import Form
from detector.core.reading import Reading, read_column
from detector.core.statistics import KINDS

NOON = dt.datetime(2025, 3, 1, 12, 0, 0, 250_000, tzinfo=dt.UTC)
COLUMNS = {
    "whole": pa.array([1, 2, None, 2**40]),
    "small": pa.array([1, 0, 1, 1], pa.int8()),
    "fractions": pa.array([1.5, None, float("nan"), float("inf"), 1e31, -0.0]),
    "short fractions": pa.array([0.1, 2.0, None], pa.float32()),
    "decimals": pa.array([Decimal("1.10"), None, Decimal("12345678901234567.89")]),
    "flags": pa.array([True, None, False]),
    "times": pa.array([NOON, None], pa.timestamp("us", "UTC")),
    "times elsewhere": pa.array([NOON, None], pa.timestamp("us", "Europe/Amsterdam")),
    "times of no zone": pa.array([NOON.replace(tzinfo=None), None], pa.timestamp("us")),
    "days": pa.array([dt.date(2025, 3, 1), None]),
    "spans": pa.array([dt.timedelta(seconds=90), None], pa.duration("us")),
    "texts": pa.array(["a", " ", "", None, "b", "a", "NaN"]),
    "numbers as texts": pa.array(["1", " 2.50 ", "x", None, "", "1e400", "-3"]),
    "flags as texts": pa.array(["Yes", "no", "TRUE", "0", None, "maybe"]),
    "times as texts": pa.array(["2025-03-01", "2025-03-01T12:00:00.123456789Z", " 2025-02-30 ", "soon", None]),
    "coded": pa.array(["a", "b", None, "a"]).dictionary_encode(),
    "nothing": pa.nulls(3),
}


def same(mine: Reading, theirs: Reading) -> None:
    names = [[*reading.categories, None] for reading in (mine, theirs)]
    if mine.kind == "categorical":
        told = [
            [name[len(name) - 1 if np.isnan(value) else int(value)] for value in reading.values]
            for name, reading in zip(names, (mine, theirs), strict=True)
        ]
        assert told[0] == told[1]
    else:
        np.testing.assert_array_equal(mine.values, theirs.values)
    np.testing.assert_array_equal(mine.absent, theirs.absent)
    np.testing.assert_array_equal(mine.unreadable, theirs.unreadable)


def as_series(column: pa.Array) -> pd.Series:
    return column.to_pandas()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_is_read_as_the_same_column_of_a_frame(name: str, kind: Any) -> None:
    column = COLUMNS[name]
    if kind == "categorical" and name in ("whole", "times elsewhere", "short fractions", "times", "decimals"):
        # A frame turns whole numbers with gaps into fractions, and knows times by its own texts.
        same(read_array(column, kind), read_column(as_series(column).astype(object), kind))
    else:
        same(read_array(column, kind), read_column(as_series(column), kind))


@given(st.lists(st.one_of(st.none(), st.text(max_size=6), st.sampled_from(["1", "2025-01-01", "true", "1,5"]))))
def test_any_texts_are_read_as_those_of_a_frame(values: list[str | None]) -> None:
    column = pa.array(values, pa.string())
    for kind in KINDS:
        same(read_array(column, kind), read_column(pd.Series(values, dtype=object), kind))  # type: ignore[arg-type]


@given(st.lists(st.one_of(st.none(), st.floats(width=32))))
def test_any_numbers_are_read_as_those_of_a_frame(values: list[float | None]) -> None:
    column = pa.array(values, pa.float64())
    for kind in KINDS:
        same(read_array(column, kind), read_column(column.to_pandas(), kind))  # type: ignore[arg-type]


def test_numbers_that_were_written_for_people_are_read_by_the_form_of_the_column() -> None:
    values = ["1.234,50", "12 EUR", None, " ", "many", "3"]
    form = Form(",", "eur")
    same(read_written(pa.array(values), form), SERIES.written(pd.Series(values, dtype=object), form))


def test_a_column_in_pieces_is_read_whole() -> None:
    column = pa.chunked_array([pa.array([1.0, None]), pa.array([3.0])])
    same(read_array(column, "numeric"), read_column(column.to_pandas(), "numeric"))


@pytest.mark.parametrize("values", [[1, 2, 3], [1, None, 2], [-1, 5], ["7", "a", None], [10**18, 4]])
def test_an_entity_has_one_hash_in_a_frame_and_in_arrow(values: list[Any]) -> None:
    np.testing.assert_array_equal(keys_of_array(pa.array(values)), keys_of_column(pd.Series(values, dtype=object)))


def test_nested_values_and_bytes_are_categories_by_what_they_look_like() -> None:
    reading = read_array(pa.array([[1, 2], None, [1, 2]]), "categorical")
    assert reading.categories == ("[1, 2]",)
    assert len(read_array(pa.array([b"\x00"]), "numeric").unreadable) == 1
