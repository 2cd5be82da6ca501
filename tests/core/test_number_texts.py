"""Numbers that were written for people."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.core.number_texts import Form, form_of


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["1.234,50", "12,00", "3"], [1234.5, 12.0, 3.0]),
        (["1,234.50", "-12.5"], [1234.5, -12.5]),
        (["1 234,5", "1\u00a0000"], [1234.5, 1000.0]),
        (["1'234.50", "7"], [1234.5, 7.0]),
        (["12 EUR", "1.5 EUR"], [12.0, 1.5]),
        (["€12.50", "-€3.10"], [12.5, -3.1]),
        (["(5.00)", "6.10"], [-5.0, 6.1]),
        (["12 %", "3.5 %"], [12.0, 3.5]),
        (["1,234", "1,234,567"], [1234.0, 1234567.0]),
        (["1.234", "12,5"], [1234.0, 12.5]),
    ],
)
def test_a_column_decides_what_its_marks_mean(texts: list[str], numbers: list[float]) -> None:
    form = form_of(texts)
    assert form is not None
    assert [form.number(text) for text in texts] == numbers


@pytest.mark.parametrize(
    "texts",
    [
        ["1,234", "2,345"],  # thousands or fractions
        ["1,5", "1.5"],  # one mark cannot be both
        ["12 EUR", "12 USD"],  # two currencies must not be mixed
        ["M0412", "M0413"],
        ["m-12", "m-13"],
        ["lot 12", "lot 4"],
        ["much", "little"],
        ["12", "x", "y"],
        [],
    ],
)
def test_what_may_mean_two_things_or_is_no_number_has_no_form(texts: list[str]) -> None:
    assert form_of(texts) is None


@given(st.decimals(-(10**9), 10**9, places=2))
def test_what_is_written_with_either_mark_is_read_back(value: object) -> None:
    english = f"{value:,}"
    german = english.translate(str.maketrans(",.", ".,"))
    assert Form(".").number(english) == float(str(value))
    assert Form(",").number(german) == float(str(value))


def test_what_does_not_follow_the_form_is_no_number() -> None:
    form = Form(",", "eur")
    found = form.numbers(
        pd.Series(["1,5 EUR", "1,5", "1,5 USD", "x", None, 2.5, "1.2.3", "12.34,5", True], dtype=object)
    )
    assert found[:2].tolist() == [1.5, 1.5]
    assert [math.isnan(value) for value in found[2:5]] == [True, True, True]
    assert found[5] == 2.5
    assert [math.isnan(value) for value in found[6:8]] == [True, True]
