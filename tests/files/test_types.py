from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from detector.errors import InputError
from detector.files import ReadOptions, Table, open_table, times
from detector.files.cells import TextColumn
from detector.files.columns import Column
from detector.files.values import read_values

several = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(folder: Path, values: list[str], **options: Any) -> Table:
    path = folder / "stored"
    path.write_text("x,row\n" + "".join(f'"{value}",{n}\n' for n, value in enumerate(values)), newline="")
    return open_table(path, options=ReadOptions(**options))


@several
@given(numbers=st.lists(st.floats(-3e38, 3e38, allow_nan=False), min_size=1))
@example([0.1, -0.0, 5e-324, 2.5e-308, 3.4e38, 1e22, 123456789012345678.0])
def test_numbers_are_read_exactly(tmp_path: Path, numbers: list[float]) -> None:
    frame = read(tmp_path, [repr(number) for number in numbers]).frame()

    assert frame["x"].dtype == np.float64
    assert frame["x"].tolist() == numbers


@several
@given(numbers=st.lists(st.integers(-(10**15) + 1, 10**15 - 1), min_size=1))
def test_whole_numbers_of_up_to_fifteen_digits_are_integers(tmp_path: Path, numbers: list[int]) -> None:
    frame = read(tmp_path, [str(number) for number in numbers]).frame()

    assert frame["x"].dtype == np.int64
    assert frame["x"].tolist() == numbers


@several
@given(numbers=st.lists(st.decimals(-(10**11), 10**11, places=2), min_size=1))
def test_a_declared_decimal_comma_means_what_a_point_means(tmp_path: Path, numbers: list[object]) -> None:
    with_commas = [f"{number:,}".translate(str.maketrans(",.", ".,")) for number in numbers]

    frame = read(tmp_path, with_commas, decimal=",").frame()

    assert frame["x"].tolist() == [float(str(number)) for number in numbers]


@several
@given(
    times=st.lists(st.datetimes(), min_size=1),
    zone=st.sampled_from(["", "Z", "+00:00", "+05:30", "-1100"]),
    separator=st.sampled_from("T "),
)
def test_times_are_read_to_the_microsecond_and_turned_into_utc(
    tmp_path: Path, times: list[dt.datetime], zone: str, separator: str
) -> None:
    offset = {"+05:30": dt.timedelta(hours=5, minutes=30), "-1100": dt.timedelta(hours=-11)}.get(zone, dt.timedelta())

    frame = read(tmp_path, [time.isoformat(separator) + zone for time in times]).frame()

    assert frame["x"].dtype == pd.DatetimeTZDtype("us", "UTC")
    micros = [(time - dt.datetime(1970, 1, 1) - offset) // dt.timedelta(microseconds=1) for time in times]
    assert frame["x"].astype("int64").tolist() == micros


@settings(max_examples=300, deadline=None)
@given(
    when=st.datetimes().map(lambda when: when.isoformat(" ", "seconds") + "Z"),
    changes=st.lists(st.tuples(st.integers(0, 19), st.sampled_from("0139 -:TtzZ.+x")), max_size=2),
    length=st.sampled_from([20, 20, 19, 16, 10]),
)
def test_times_of_the_usual_form_are_read_as_any_other(when: str, changes: list[tuple[int, str]], length: int) -> None:
    text = list(when)
    for at, character in changes:
        text[at] = character
    cell = np.frombuffer("".join(text[:length]).encode(), np.uint8)

    usual = times._usual_instant(cell, 0, length)

    by_rules = times._instant(cell, 0, length, False)
    assert usual in (by_rules, (times.MISSING_TIME, 0))
    # What is left to the rules is no time, or of another form.
    assert usual == by_rules or by_rules[1] & times.UNREADABLE or length < 19 or changes


def test_a_cell_that_is_no_number_after_all_makes_every_cell_be_looked_at() -> None:
    column = Column("x", "number", nulls=1)
    for cells, wrong in (["1", "", "2.5"], None), (["1", "", "x"], [False, False, True]):
        for plain in (True, False):
            values, unfit = read_values(TextColumn.of(cells), column, None, False, plain=plain)
            assert values.to_pylist() == [1, None, None if wrong else 2.5]
            assert (None if unfit is None else unfit.tolist()) == wrong


def test_every_day_of_four_centuries_is_read_and_no_other(tmp_path: Path) -> None:
    first = dt.date(1800, 1, 1)
    days = [first + dt.timedelta(days=n) for n in range(0, 146_097, 29)]

    assert read(tmp_path, [day.strftime("%d.%m.%Y") for day in days]).frame()["x"].dt.date.tolist() == days
    for impossible in ("2025-02-29", "1900-02-29", "2025-04-31", "2025-13-01", "2025-00-01", "2025-01-00"):
        assert read(tmp_path, [impossible]).columns[0].type == "text"


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["1", "", "2"], "number"),
        ([" 1 ", "\t2.5", "3 "], "number"),
        (["+1.5", "-2", ".5", "5.", "1E3"], "number"),
        (["1", "nan", "NaN"], "number"),
        (["nan", "", "NaN"], "empty"),
        (["", "  "], "empty"),
        (["0", "0.5", "-0"], "number"),
        (["00", "1"], "text"),
        (["+4915112345678"], "text"),
        (["1_000"], "text"),
        (["0x10"], "text"),
        (["1e"], "text"),
        (["-"], "text"),
        (["1.2.3"], "text"),
        (["1", "NA"], "text"),
        (["TRUE", "false", ""], "boolean"),
        (["yes", "no"], "text"),
        (["true", "1"], "text"),
        (["2025-01-01", "", "2025-01-02 10:00"], "time"),
        (["2025/1/2", "2025/12/31"], "time"),
        (["1.2.2025", "31.12.2025 23:59:59,5"], "time"),
        (["2025-01-01", "01.01.2025"], "text"),
        (["12:30"], "text"),
        (["2025-01-01T24:00:00"], "text"),
        (["2025-01-01T10:00:00+99:00"], "text"),
        (["20250101"], "number"),
        (["1" * 15], "number"),
        (["1" * 16], "text"),
        (["1,2,3"], "text"),
        (["192.168.0.1"], "text"),
    ],
    ids=str,
)
def test_a_column_has_the_type_of_all_of_its_values(tmp_path: Path, values: list[str], found: str) -> None:
    assert read(tmp_path, values).columns[0].type == found


def test_missing_values_are_counted_and_told_apart_from_text(tmp_path: Path) -> None:
    path = tmp_path / "stored"
    path.write_bytes(b"n,t,b,d\n1,x,true,2025-01-01\n,,,\nNaN,NaN,false,2025-01-02\n")

    table = open_table(path)

    assert [(column.type, column.nulls) for column in table.columns] == [
        ("number", 2),
        ("text", 1),
        ("boolean", 1),
        ("time", 1),
    ]
    frame = table.frame()
    assert [str(kind) for kind in frame.dtypes] == ["float64", "str", "boolean", "datetime64[us, UTC]"]
    assert frame.isna().sum().tolist() == [2, 1, 1, 1]
    assert frame["t"].tolist()[2] == "NaN"


def test_columns_declared_as_text_keep_every_character(tmp_path: Path) -> None:
    values = ["007", "1.50", "2025-01-01", "true", "inf", " x "]

    assert read(tmp_path, values, text_columns=("x",)).frame()["x"].tolist() == values


def test_a_column_known_as_numeric_may_hold_leading_zeros_but_no_identifiers(tmp_path: Path) -> None:
    assert read(tmp_path, ["007", "8", "9.5"], numeric_columns=("x",)).frame()["x"].tolist() == [7, 8, 9.5]
    with pytest.raises(InputError, match="more digits than can be kept exactly"):
        read(tmp_path, ["1234567890123456789", "8", "9"], numeric_columns=("x",))


def test_a_decimal_mark_that_contradicts_the_file_is_told_by_cell(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'Row 3 \(line 4\), column "x": "1.5" is not a number'):
        read(tmp_path, ["1,5", "2,5", "1.5", "3"], decimal=",", numeric_columns=("x",))


def test_the_order_of_day_and_month_is_refused_when_the_file_contradicts_itself(tmp_path: Path) -> None:
    table = read(tmp_path, ["25/12/2025", "12/25/2025"])

    assert table.columns[0].type == "text"
    assert read(tmp_path, ["25/12/2025", "01/02/2025"], day_first=False).columns[0].type == "text"
