"""One value reads the same alone, in a column of one row, and in any company; nothing is ever raised."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.core.numerals import LARGEST
from detector.core.reading import Reading, read_column, read_value
from detector.core.statistics import FeatureStatistics, Kind

KINDS: tuple[Kind, ...] = get_args(Kind)
ZONES = st.sampled_from([None, dt.UTC, dt.timezone(dt.timedelta(hours=14)), dt.timezone(-dt.timedelta(hours=11))])
TIMES = st.builds(lambda time, zone: time.replace(tzinfo=zone), st.datetimes(), ZONES)
ODD = [
    "", " ", "\t", "nan", "NaN", " NAN ", "NA", "None", "null", "inf", "-Infinity", "1e400", "1_000", " 12 ",
    "1,000", "0x10",
    "007", "٣", "１２", "1e5", ".5", "5.", "+3", "true", " Yes", "N", "0", "1", "2", "2024", "20240102", "2024-W01-1",
    "2024-01-02", " 2024-01-02 ", "2024-01-02T24:00", "2024-02-30", "0000-01-01", "2024-01-02 03",
    "2024-01-02 03:04:60",
    "2024-01-02T03:04:05.123456789Z", "2024-01-02 03:04:05 +02:00", "9999-12-31", "10:30", "1" * 60, "=1+1",
    0, 1, -1, 2**53 + 1, 2**63, 2**64, 10**30, 10**31, 10**400, 10**5000, -(10**5000), True, False, None,
    0.0, -0.0, 1.5, 1e30, 1e31, math.nan, math.inf, -math.inf,
    np.float16(1.5), np.float32("nan"), np.float64(2.0), np.int8(1), np.uint64(2**63), np.bool_(True), np.str_("abc"),
    np.datetime64("2024-01-02"), np.datetime64("NaT"), np.datetime64("20000-01-02"), np.timedelta64(5, "s"),
    pd.NaT, pd.NA, pd.Timestamp("2024-01-02 03:04:05.123456789"), pd.Timestamp("2024-01-02", tz="Europe/Berlin"),
    pd.Timedelta("1D"), pd.Period("2024-01"), pd.Interval(0, 1), dt.date(2024, 1, 2), dt.date(1, 1, 1), dt.time(1, 2),
    dt.datetime(9999, 12, 31, 23, tzinfo=dt.timezone(-dt.timedelta(hours=14))), dt.timedelta(days=1),
    decimal.Decimal("1.5"), decimal.Decimal("NaN"), decimal.Decimal("sNaN"), decimal.Decimal("1e400"),
    [], [1, 2], {}, {"a": {"b": 1}}, (1, "a"), {1}, b"abc", 1 + 2j, complex("nan"), np.array([1, 2]), object, ...,
]  # fmt: skip
VALUES = (
    st.sampled_from(ODD) | st.integers() | st.floats() | st.text(max_size=6) | st.booleans() | TIMES | st.dates()
    | st.decimals(places=3, allow_nan=False, allow_infinity=False)
    | st.floats(width=32).map(np.float32) | st.integers(-(2**31), 2**31 - 1).map(np.int32)
    | TIMES.map(lambda time: time.isoformat()) | st.decimals(places=20, min_value=-1e6, max_value=1e6).map(str)
)  # fmt: skip
Read = tuple[float | str | None, bool]


def column_of(values: Sequence[Any]) -> pd.Series:
    cells = np.empty(len(values), object)
    for place, value in enumerate(values):
        cells[place] = value
    return pd.Series(cells, dtype=object)


def at(reading: Reading, row: int) -> Read:
    if row in reading.unreadable:
        assert math.isnan(reading.values[row])
        assert not reading.absent[row]
        return None, False
    if reading.absent[row]:
        assert math.isnan(reading.values[row])
        return None, True
    value = float(reading.values[row])
    return (reading.categories[int(value)] if reading.kind == "categorical" else value), True


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:20] if not isinstance(value, int) else "int")
def test_a_value_reads_alone_as_in_a_column_of_one_row(value: Any, kind: Kind) -> None:
    assert read_value(value, kind) == at(read_column(column_of([value]), kind), 0)


@given(st.lists(VALUES, min_size=1, max_size=8), st.sampled_from(KINDS))
@settings(max_examples=200, deadline=None)
def test_a_value_reads_the_same_in_any_company(values: list[Any], kind: Kind) -> None:
    reading = read_column(column_of(values), kind)
    assert len(reading.values) == len(reading.absent) == len(values)
    assert [at(reading, row) for row in range(len(values))] == [read_value(value, kind) for value in values]


@given(st.lists(st.none() | st.text(max_size=5) | st.sampled_from([odd for odd in ODD if type(odd) is str]),
max_size=8),
       st.sampled_from(KINDS))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_text_columns_read_like_their_values(values: list[str | None], kind: Kind) -> None:
    values = [None if value is None else value.encode("utf-8", "ignore").decode() for value in values]
    for dtype in ("str", "string", "category", pd.ArrowDtype(pa.string())):
        reading = read_column(pd.Series(values, dtype=dtype), kind)
        assert [at(reading, row) for row in range(len(values))] == [read_value(value, kind) for value in values], dtype


TYPED: list[tuple[list[Any], Any]] = [
    ([1, None, 3], "Int64"), ([1, 0, 1], "int8"), ([1.5, None, 0.0], "Float64"), ([True, None, False], "boolean"),
    ([True, False], "bool"), ([0.5, math.nan, math.inf, 1e31], "float64"), ([1, None], pd.ArrowDtype(pa.int64())),
    ([True, None], pd.ArrowDtype(pa.bool_())), ([decimal.Decimal("1.50"), None], pd.ArrowDtype(pa.decimal128(5, 2))),
    ([dt.date(2024, 1, 2), None], pd.ArrowDtype(pa.date32())),
    ([pd.Timestamp("2024-01-02 03:04"), None], pd.ArrowDtype(pa.timestamp("us"))),
    ([pd.Timestamp("2024-01-02 03:04", tz="Europe/Berlin"), pd.NaT], "datetime64[ns, Europe/Berlin]"),
    ([pd.Timestamp("2024-01-02"), pd.NaT], "datetime64[s]"), ([pd.Timedelta("1h"), pd.NaT], "timedelta64[ns]"),
    ([pd.Timedelta("1h"), None], pd.ArrowDtype(pa.duration("us"))), ([3, 4, None], "category"),
    ([0.0, 1.0, 2.0], "Sparse[float64]"), ([1 + 2j, complex("nan")], "complex128"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "dtype"), TYPED, ids=lambda given: None if isinstance(given, list) else str(given))
@pytest.mark.parametrize("kind", KINDS)
def test_typed_columns_read_like_their_values(values: list[Any], dtype: Any, kind: Kind) -> None:
    column = pd.Series(values, dtype=dtype)
    reading = read_column(column, kind)
    assert [at(reading, row) for row in range(len(column))] == [read_value(value, kind) for value in column]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (" 12 ", (12.0, True)), ("1e5", (1e5, True)), (True, (1.0, True)), (np.float32(1.5), (1.5, True)),
        (decimal.Decimal("1.5"), (1.5, True)), (dt.timedelta(minutes=1), (60.0, True)),
        ("", (None, True)), ("NaN", (None, True)), (math.nan, (None, True)), (pd.NaT, (None, True)),
        ("NA", (None, False)), ("1_000", (None, False)), ("1,5", (None, False)), ("1e400", (None, False)),
        (math.inf, (None, False)), ("-inf", (None, False)), (10**400, (None, False)), ([1], (None, False)),
        (dt.date(2024, 1, 1), (None, False)), (1e31, (None, False)), (LARGEST, (LARGEST, True)),
    ],
    ids=repr,
)  # fmt: skip
def test_only_what_is_surely_a_number_is_read_as_one(value: Any, read: Read) -> None:
    assert read_value(value, "numeric") == read


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1970-01-02", 86_400.0),
        ("1970-01-01T00:00:01Z", 1.0),
        ("1970-01-01 02:00:00+02:00", 0.0),
        ("1970-01-01 00:00:00.25", 0.25),
        (pd.Timestamp("1970-01-01 01:00", tz="Europe/Berlin"), 0.0),
        (dt.date(1970, 1, 2), 86_400.0),
        ("0001-01-01", -62_135_596_800.0),
        ("9999-12-31", 253_402_214_400.0),
    ],
)
def test_times_are_seconds_since_1970_utc_and_never_wrap_around(value: Any, seconds: float) -> None:
    assert read_value(value, "datetime") == (seconds, True)


@pytest.mark.parametrize("value", [5, 1.7e9, "1700000000", "20240102", "03/04/2025", "2024-02-30", "soon", True])
def test_numbers_and_ambiguous_texts_are_no_times(value: Any) -> None:
    assert read_value(value, "datetime") == (None, False)


@pytest.mark.parametrize(
    ("value", "category"),
    [("NA", "NA"), (" x ", " x "), (1, "1"), (1.0, "1"), (1.5, "1.5"), (True, "true"), (np.int64(7), "7"),
     ("1.0", "1.0"),
     (np.datetime64("2024-01-02"), "2024-01-02 00:00:00"), ([1, 2], "[1, 2]"), (math.inf, "inf")],
)  # fmt: skip
def test_a_category_is_the_text_of_its_value(value: Any, category: str) -> None:
    assert read_value(value, "categorical") == (category, True)


def test_true_and_one_stay_different_categories_side_by_side() -> None:
    reading = read_column(column_of([True, 1, 1.0, "1", None, " "]), "categorical")
    assert [at(reading, row)[0] for row in range(6)] == ["true", "1", "1", "1", None, None]
    assert reading.categories == ("true", "1")


def test_flags_are_understood_as_people_write_them() -> None:
    reading = read_column(column_of(["Yes", "n", " TRUE", "0", 1, False, "maybe", 2, ""]), "boolean")
    expected = [1, 0, 1, 0, 1, 0, math.nan, math.nan, math.nan]
    np.testing.assert_array_equal(reading.values, expected)
    assert reading.unreadable.tolist() == [6, 7]


def test_unreadable_rows_are_listed_and_absent_ones_are_not() -> None:
    reading = read_column(pd.Series(["1", "x", "", None, "2", "inf"]), "numeric")
    assert reading.unreadable.tolist() == [1, 5]
    assert reading.absent.tolist() == [False, False, True, True, False, False]
    assert reading.present == 4
    assert reading.kind_found == "categorical"


def test_taking_rows_keeps_what_was_found_about_them() -> None:
    reading = read_column(column_of(["a", None, "b", "a", "c"]), "categorical")
    taken = reading.take(np.array([3, 1]))
    assert [at(taken, row) for row in range(2)] == [("a", True), (None, True)]
    bad = read_column(column_of([1, "x", 2]), "numeric").take(np.array([2, 1, 1]))
    assert bad.unreadable.tolist() == [1, 2]


def test_reading_leaves_the_column_as_it_was() -> None:
    column = pd.Series(["1", "x", None, "inf"])
    before = column.copy()
    for kind in KINDS:
        read_column(column, kind)
    pd.testing.assert_series_equal(column, before)


def test_statistics_count_what_was_read() -> None:
    numbers = read_column(column_of([1, "2", None, "x"]), "numeric").tracked_by(FeatureStatistics.empty("numeric"), 1.0)
    assert (numbers.rows, numbers.present, numbers.absent) == (4, 2, 2)
    flags = read_column(column_of(["yes", "no", "no", ""]), "boolean").tracked_by(
        FeatureStatistics.empty("boolean"), 1.0
    )
    assert dict(flags.weights) == {"true": 1.0, "false": 2.0}
    texts = read_column(column_of(["a", "b", "a", " "]), "categorical").tracked_by(
        FeatureStatistics.empty("categorical"), 1.0
    )
    assert dict(texts.weights) == {"a": 2.0, "b": 1.0}
    assert texts.absent == 1.0
