from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from detector.core.model import DynamicAnomalyDetector
from detector.service.review.badges import badges_of, group_of
from tests.service.conftest import transactions


@pytest.fixture(scope="module")
def detector() -> DynamicAnomalyDetector:
    return DynamicAnomalyDetector(n_estimators=10).fit(transactions())


def badges(detector: DynamicAnomalyDetector, row: dict[str, object], *names: str | None) -> list[str]:
    asked: np.ndarray = np.array([list(names)], object)
    return badges_of(detector, pd.DataFrame([row]), asked, {})[0]


def test_numbers_are_high_or_low_beside_the_middle(detector: DynamicAnomalyDetector) -> None:
    assert badges(detector, {"amount": 5_000.0}, "amount") == ["amount high"]
    assert badges(detector, {"amount": 0.5}, "amount") == ["amount low"]


def test_categories_are_named_and_times_told_by_their_hour(detector: DynamicAnomalyDetector) -> None:
    row = {"country": "NG", "at": "2026-03-04T03:15:00"}
    assert badges(detector, row, "country", "at") == ["country NG", "at 03h"]


def test_what_is_missing_says_so(detector: DynamicAnomalyDetector) -> None:
    assert badges(detector, {"country": None, "amount": 1.0}, "country") == ["country missing"]
    assert badges(detector, {"amount": 1.0}, "country") == ["country"]


def test_a_row_with_fewer_reasons_has_fewer_badges(detector: DynamicAnomalyDetector) -> None:
    assert badges(detector, {"amount": 5_000.0}, "amount", None, None) == ["amount high"]
    assert badges(detector, {"amount": 5_000.0}, None) == []


def test_a_column_under_another_name_is_read_there(detector: DynamicAnomalyDetector) -> None:
    asked: np.ndarray = np.array([["amount"]], object)
    found = badges_of(detector, pd.DataFrame([{"Betrag": 9_000.0}]), asked, {"amount": "Betrag"})
    assert found == [["amount high"]]


def test_a_long_value_is_cut(detector: DynamicAnomalyDetector) -> None:
    (told,) = badges(detector, {"country": "x" * 500}, "country")
    assert len(told) < 150


def test_a_pattern_is_what_contributes_most_in_the_order_of_the_alphabet() -> None:
    assert group_of(["z", "a", "m", "b"], [1.0, 0.5, 0.4, 0.35]) == "a · m · z"
    assert group_of(["z", "a"], [1.0, 0.29]) == "z"
    assert group_of([], []) == "no single reason"
