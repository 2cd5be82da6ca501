from datetime import UTC, date, datetime, timedelta

import pytest

from detector.ui.numbers import (
    NBSP,
    NONE,
    age,
    count,
    day_label,
    exact,
    listed,
    milliseconds,
    moment,
    number,
    percent,
    plural,
    severity,
    size,
)

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.72134567, "0.7213"),
        (12345.678, "12,350"),
        (1_234_567.0, "1,235,000"),
        (4.0, "4"),
        (0.1, "0.1"),
        (-0.00123456, "-0.001235"),
        (99999.9, "100,000"),
        (1e-9, "1.000e-09"),
        (0.0, "0"),
        (float("inf"), "∞"),
        (float("nan"), NONE),
        (None, NONE),
    ],
)
def test_measured_numbers_show_four_significant_digits(value, text):
    assert number(value) == text


def test_counts_have_thousands_separators_and_keep_every_digit():
    assert count(1234567) == "1,234,567"
    assert count(None) == NONE


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.1034, "10.3%"),
        (0.0, "0.0%"),
        (0.0001, f"<{NBSP}0.1%"),
        (1.0, "100.0%"),
        (None, NONE),
    ],
)
def test_shares_are_percentages_with_one_decimal_and_never_round_to_nothing(share, text):
    assert percent(share) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1060.45, "1060.45"), (38.9188, "38.9188"), (120.0, "120"), (-0.5, "-0.5"), (1e22, "1e+22")]
)
def test_an_exact_number_keeps_every_digit_and_adds_none(value, text):
    assert exact(value) == text


def test_severities_have_one_decimal():
    assert severity(90) == "90.0"
    assert severity(None) == NONE


@pytest.mark.parametrize(
    ("before", "text"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(minutes=7), f"7{NBSP}min ago"),
        (timedelta(hours=47), f"47{NBSP}h ago"),
        (timedelta(days=3), f"3{NBSP}days ago"),
    ],
)
def test_ages_use_the_largest_unit_that_says_enough(before, text):
    assert age(NOW - before, NOW) == text


def test_a_time_without_a_zone_is_taken_as_utc():
    assert age((NOW - timedelta(hours=2)).replace(tzinfo=None), NOW) == f"2{NBSP}h ago"
    assert moment(NOW.replace(tzinfo=None)) == "2026-03-04 12:00 UTC"
    assert age(None) == NONE
    assert moment(None) == NONE


@pytest.mark.parametrize(
    ("bytes_", "text"), [(0, "0 B"), (999, "999 B"), (12_345, "12.3 KB"), (200_000_000, "200 MB"), (5e15, "5000 TB")]
)
def test_sizes_have_three_significant_digits(bytes_, text):
    assert size(bytes_) == text.replace(" ", NBSP)


def test_short_durations_keep_a_decimal_below_ten_milliseconds():
    assert milliseconds(0.0031) == f"3.1{NBSP}ms"
    assert milliseconds(1.2345) == f"1,234{NBSP}ms"


def test_nouns_follow_their_number():
    assert plural(1, "row") == "1 row"
    assert plural(2000, "row") == "2,000 rows"
    assert plural(2, "entity", "entities") == "2 entities"


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ((), ""),
        (("a",), "a"),
        (("a", "b"), "a and b"),
        (("a", "b", "c", "d"), "a, b, c and d"),
        (tuple("abcdefg"), "a, b, c and 4 more"),
    ],
)
def test_lists_read_as_part_of_a_sentence(names, text):
    assert listed(names) == text


def test_a_day_names_its_year_only_when_it_is_not_this_one():
    this_year = datetime.now(UTC).year
    assert day_label(date(this_year, 3, 4)) == f"4{NBSP}Mar"
    assert day_label(date(2019, 3, 4)) == f"4{NBSP}Mar{NBSP}2019"
