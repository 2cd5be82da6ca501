"""Errors: their codes, what they tell people, and what they hold for programs."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from sklearn.exceptions import NotFittedError

from detector import errors
from detector.errors import (
    EXCERPT_LENGTH,
    NAMES_COMPARED,
    PROBLEMS_SHOWN,
    DetectorError,
    InputError,
    NotTrainedError,
    Problem,
    excerpt,
    nearest_name,
)

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, DetectorError)]


def test_every_error_has_a_code_of_its_own() -> None:
    assert len({kind.code for kind in KINDS}) == len(KINDS) == 11


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_tells_its_message_code_and_details(kind: type[DetectorError]) -> None:
    error = kind("It went wrong.", **({"problems": ()} if issubclass(kind, InputError) else {}), version=3)
    assert str(error) == error.message == "It went wrong."
    told = json.loads(json.dumps(error.to_dict(), allow_nan=False))
    assert (told["code"], told["message"], told["details"]) == (kind.code, "It went wrong.", {"version": 3})


def test_errors_can_be_caught_as_what_other_libraries_raise() -> None:
    error = NotTrainedError("No model.", version=3)
    assert isinstance(error, NotFittedError)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.message, again.details) == (type(error), "No model.", {"version": 3})
    assert issubclass(InputError, ValueError)
    assert issubclass(errors.NotFoundError, LookupError)


def test_an_input_error_lists_a_hundred_problems_and_counts_all() -> None:
    problems = [Problem("bad", "is bad", row=row) for row in range(250)]
    error = InputError("Bad.", iter(problems))
    assert (len(error.problems), error.total) == (PROBLEMS_SHOWN, 250)
    assert InputError("Bad.", problems[:3], total=9_000).total == 9_000
    told = error.to_dict()
    assert told["total"] == 250
    assert told["problems"][1] == {
        "code": "bad", "message": "is bad", "row": 1, "line": None, "column": None, "excerpt": None
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"), ("a\nb\t\x00", "a\\nb\\t\\x00"), ("\u202edrow", "\\u202edrow"), ("\ud800", "\\ud800"),
        (1.5, "1.5"), (None, "None"), ("x" * 64, "x" * 64), ("x" * 65, "x" * 63 + "…"),
        ("\x00" * 30, "\\x00" * 15 + "\\x0…"),
    ],
)  # fmt: skip
def test_an_excerpt_is_short_and_printable(value: Any, shown: str) -> None:
    assert excerpt(value) == shown
    assert len(shown) <= EXCERPT_LENGTH


def test_an_excerpt_of_a_number_without_end_is_its_beginning() -> None:
    assert excerpt(10**5000).startswith("0x")
    assert len(excerpt(-(10**5000))) == EXCERPT_LENGTH


@pytest.mark.parametrize(
    ("name", "known", "nearest"),
    [
        ("amount_usd", ["card", "amountUSD"], "amountUSD"), ("amount", ["amuont", "x"], "amuont"),
        ("amount", ["city"], None),
        ("amount", [], None), ("???", ["!!!", "amount"], None), ("Straße", ["STRASSE"], "STRASSE"),
        ("amount", ["Amount ", "amounts"], "Amount "),
    ],
)  # fmt: skip
def test_the_nearest_name_looks_past_case_and_punctuation(name: str, known: list[str], nearest: str | None) -> None:
    assert nearest_name(name, known) == nearest


def test_among_very_many_names_only_an_equal_one_is_near() -> None:
    many = [f"column {number}" for number in range(NAMES_COMPARED + 1)]
    assert nearest_name("Column_7", many) == "column 7"
    assert nearest_name("colum 7", many) is None
    assert nearest_name("colum 7", many[:50]) == "column 7"
