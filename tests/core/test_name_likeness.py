"""Which names are the same to a person."""

from __future__ import annotations

import pytest

from detector.core.name_likeness import NEAR_NAME, SAME_NAME, likeness


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("amount_usd", "AmountUSD"),
        ("amount", "amt"),
        ("transaction_amount", "TX_AMT"),
        ("customer_id", "CustId"),
        ("amount_usd", "usd amount"),
        ("V1", "v_1"),
        ("item", "items"),
    ],
)
def test_case_punctuation_order_and_abbreviations_do_not_count(one: str, other: str) -> None:
    assert likeness(one, other) == likeness(other, one) == SAME_NAME


@pytest.mark.parametrize(
    ("one", "other"), [("amount", "tx_amount"), ("country", "country_code"), ("merchant", "merchnat")]
)
def test_a_word_that_says_little_or_a_slip_is_near(one: str, other: str) -> None:
    assert likeness(one, other) == likeness(other, one) == NEAR_NAME


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("max_temp", "min_temp"),
        ("sender_country", "receiver_country"),
        ("country", "ip_country"),
        ("count", "country"),
        ("lat", "merch_lat"),
        ("amount", "balance"),
        ("Größe", "價格"),
        ("", "amount"),
    ],
)
def test_names_of_other_things_are_not_alike(one: str, other: str) -> None:
    assert likeness(one, other) == likeness(other, one) == 0


@pytest.mark.parametrize(("one", "other"), [("V1", "V2"), ("x10", "x11"), ("amount", "amount_2")])
def test_names_that_differ_in_a_number_name_different_things(one: str, other: str) -> None:
    assert likeness(one, other) is None
