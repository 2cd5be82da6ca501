"""Which parameters the estimator takes, and what it says of others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detector.core.model import DynamicAnomalyDetector
from detector.core.parameters import AUTO_SAMPLES, check_parameters, plain_parameters, seed_from, settings_for

FINE: dict[str, Any] = DynamicAnomalyDetector().get_params()

BAD = [
    ("contamination", (0, 0.0, -0.1, 0.51, 1, None, "0.1", True, float("nan")), "a number in (0, 0.5]"),
    ("n_estimators", (0, -1, 1.5, None, "100", True), "a whole number of at least 1"),
    (
        "max_samples",
        (0, 1, 1.5, 0.0, -0.5, 16_385, None, "all", True, [256]),
        "'auto', a whole number from 2 to 16,384",
    ),
    ("scaler_type", ("none", 1, True, ["robust"]), "one of ('robust', 'standard', 'minmax', None)"),
    (
        "half_life",
        (0, -1.0, float("inf"), float("nan"), None, "1000", True, "soon", "-1d"),
        "a number of rows above 0, or a time above 0",
    ),
    ("roles", ("amount", ["amount"], 7), "a dictionary from columns to roles, or None"),
    ("roles", ({"a": "money"}, {"a": None}, {"a": ["input"]}), "a dictionary from columns to input, amount, id, time"),
]


@pytest.mark.parametrize(
    ("name", "value", "wanted"), [(name, value, wanted) for name, bad, wanted in BAD for value in bad]
)
def test_a_parameter_out_of_range_is_refused_by_name(name: str, value: Any, wanted: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be ") as error:
        check_parameters(FINE | {name: value})
    assert wanted in str(error.value)


GOOD = [
    {"contamination": 0.5}, {"contamination": np.float32(0.01)}, {"n_estimators": np.int64(3)}, {"max_samples": 2},
    {"max_samples": 1.0}, {"max_samples": np.int32(16_384)}, {"scaler_type": None}, {"half_life": 0.5},
    {"half_life": np.float64(10)}, {"half_life": "7d"}, {"roles": {}}, {"roles": {"a": "label", 7: "ignored"}},
]  # fmt: skip


@pytest.mark.parametrize("given", GOOD, ids=str)
def test_a_parameter_at_the_ends_of_its_range_is_taken(given: dict[str, Any]) -> None:
    check_parameters(FINE | given)


@pytest.mark.parametrize(
    ("max_samples", "rows", "wanted"),
    [("auto", 10, AUTO_SAMPLES), (7, 10, 7), (0.5, 100, 50), (0.001, 100, 2), (1.0, 10**6, 16_384), (np.int8(9), 1, 9)],
)
def test_samples_are_counted_from_what_was_asked_for(max_samples: Any, rows: int, wanted: int) -> None:
    assert settings_for(FINE | {"max_samples": max_samples}, rows, 1).max_samples == wanted


def test_the_same_random_state_gives_the_same_seed() -> None:
    assert seed_from(7) == seed_from(np.random.RandomState(7)) != seed_from(8)
    state = np.random.RandomState(7)
    assert seed_from(state) != seed_from(state)


def test_plain_parameters_hold_builtins_only() -> None:
    given = FINE | {"contamination": np.float64(0.2), "n_estimators": np.int64(3), "roles": {np.str_("a"): "id"}}
    plain = plain_parameters(given | {"random_state": np.random.RandomState(1)}, seed=5)
    assert plain["random_state"] == 5
    assert [type(plain[name]) for name in ("contamination", "n_estimators")] == [float, int]
    assert [type(name) for name in plain["roles"]] == [str]
