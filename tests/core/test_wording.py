"""How values, shares and times are put into words."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detector.core.statistics import FeatureStatistics
from detector.core.wording import default_text, share_text, time_text, value_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "no value"), (math.nan, "no value"), (True, "true"), (False, "false"), ("Zürich", "Zürich"), ("", ""),
        (0, "0"), (-0.0, "0"), (7, "7"), (7.0, "7"), (1234567, "1,234,567"), (1234.56, "1,235"), (999.99, "1,000"),
        (-1234.5, "-1,234"), (0.1939123, "0.1939"), (12.3456, "12.35"), (1e-7, "1e-07"), (1e20, "1e+20"),
        (10**20, "1e+20"), (math.inf, "a number beyond all bounds"), (10**400, "a number beyond all bounds"),
        (np.float64(2.5), "2.5"), ([1, 2], "[1, 2]"),
    ],
)  # fmt: skip
def test_values_are_told_as_people_read_them(value: object, text: str) -> None:
    assert value_text(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0%"), (1.0, "100%"), (0.5, "50%"), (0.1234, "12.3%"), (0.0004, "less than 0.1%"),
     (0.9996, "more than 99.9%")],
)  # fmt: skip
def test_shares_are_never_rounded_to_nothing_or_all(share: float, text: str) -> None:
    assert share_text(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "Thursday 1970-01-01"), (1.7e9, "Tuesday 2023-11-14 22:13 UTC"), (-62_135_596_800.0, "Monday 0001-01-01"),
     (1e20, "a time beyond the calendar")],
)  # fmt: skip
def test_times_are_told_with_their_weekday(seconds: float, text: str) -> None:
    assert time_text(seconds) == text


def test_the_default_is_the_middle_or_the_most_frequent_value() -> None:
    numbers = FeatureStatistics.empty("numeric").updated_numeric(np.array([1.0, 2.0, 30.0]))
    times = FeatureStatistics.empty("datetime").updated_numeric(np.array([0.0, 86_400.4, 1e12]))
    texts = FeatureStatistics.empty("categorical").updated_categorical(["a", "b"], np.array([1, 2]), 0)
    assert default_text(numbers) == 2.0
    assert default_text(times) == "1970-01-02T00:00:00+00:00"
    assert default_text(texts) == "b"
    assert default_text(FeatureStatistics.empty("datetime")) is None
    assert default_text(FeatureStatistics.empty("datetime").updated_numeric(np.array([1e20]))) is None
