"""Features, the columns they take, and what a damaged model file says of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from detector.core.schema import KEPT_PART, ROLES, Feature, Schema, hash_of
from detector.errors import ModelFileError

AMOUNT = Feature("amount", "numeric", "amount", "learned", "Its name says so.", first_column=0, parts=("value",),
                 center=3.5, spread=1.25)  # fmt: skip
CITY = Feature(
    "city",
    "categorical",
    "input",
    "learned",
    "Its values are texts.",
    since=7,
    first_column=1,
    parts=("rarity", KEPT_PART),
)
LATER = Feature("later", "datetime", "time", "observed", "Registered.", first_column=3, parts=("hour sin", "hour cos"))
CARD = Feature("card", "categorical", "entity", "left out", "It says whose a row is.")
SCHEMA = Schema((AMOUNT, CITY, LATER, CARD))


def test_features_are_found_by_name_and_counted_as_learned_and_encoded() -> None:
    assert len(SCHEMA) == 4
    assert SCHEMA.by_name["city"] is CITY
    assert SCHEMA.learned == (AMOUNT, CITY)
    assert SCHEMA.encoded == (AMOUNT, CITY, LATER)
    assert SCHEMA.width == 5
    assert Schema(()).width == 0
    assert list(CITY.columns) == [1, 2]
    assert list(CARD.columns) == []


def test_a_feature_is_replaced_in_its_place_and_a_new_one_comes_last() -> None:
    changed = SCHEMA.with_features(
        [replace(CITY, status="retired"), Feature("new", "numeric", "input", "observed", "")]
    )
    assert [feature.name for feature in changed] == ["amount", "city", "later", "card", "new"]
    assert changed.by_name["city"].status == "retired"
    assert SCHEMA.by_name["city"].status == "learned"


def test_new_columns_come_behind_all_others() -> None:
    placed = SCHEMA.placed(Feature("new", "numeric", "input", "observed", "", parts=("value",)))
    assert list(placed.columns) == [5]


def test_a_schema_that_was_made_feature_by_feature_is_the_one_that_was_made_at_once() -> None:
    grown = Schema(())
    for feature in (AMOUNT, CITY, replace(LATER, reason="?"), CARD, LATER):
        grown = grown.with_features([feature])
        assert grown.width == Schema(grown.features).width
    assert grown == SCHEMA
    assert [grown.feature_of(name, ()) for name in ("later", "card", "none")] == [LATER, CARD, None]
    narrower = grown.with_features([replace(LATER, first_column=-1, parts=())])
    assert (grown.width, narrower.width) == (5, 3)
    assert narrower.with_features([replace(LATER, parts=("hour sin",))]).width == 4


def test_the_layout_maps_signatures_to_the_columns_that_trees_split_on() -> None:
    layout = SCHEMA.layout
    assert layout.columns((0, 1)).tolist() == [0, 1]  # the code of a city is kept, not split on
    assert layout.columns((1,)).dtype == np.uint32
    assert layout.columns(()).tolist() == []
    assert layout.columns_of(1).tolist() == [1, 2]
    assert layout.feature_keys.tolist() == [hash_of("amount"), hash_of("city")]
    assert layout.splits.tolist() == [True, True, False, False, False]


def test_a_feature_is_chosen_by_its_name_wherever_its_columns_lie() -> None:
    moved = Schema((replace(CITY, first_column=0), replace(AMOUNT, first_column=2)))
    assert moved.layout.column_feature_keys[2] == SCHEMA.layout.column_feature_keys[0]
    assert moved.layout.part_keys[0] == SCHEMA.layout.part_keys[1]


def test_hashes_are_the_same_everywhere() -> None:
    assert hash_of("amount") == 2_392_944_706
    assert hash_of("\ud800") == hash_of("\ud800")


def test_what_is_read_back_equals_what_was_written() -> None:
    assert Schema.from_content(SCHEMA.to_content()) == SCHEMA


def test_a_column_is_the_feature_of_its_name_and_then_of_its_other_names() -> None:
    named = replace(AMOUNT, aliases=("amt", "AMOUNT"))
    beside = replace(CITY, name="amount (text)", status="retired", first_column=5, stands_by_for="amount")
    schema = SCHEMA.with_features([named, beside])
    assert Schema.from_content(schema.to_content()) == schema
    assert schema.feature_of("amt", ["amt", "AMOUNT"]) is named
    assert schema.feature_of("AMOUNT", ["amt", "AMOUNT"]) is None
    assert schema.feature_of("amt", ["amount", "amt"]) is None
    assert schema.feature_of("amount", ["amount", "amt"]) is named
    assert schema.feature_of("amount (text)", ["amount (text)"]) is None
    assert schema.feature_of("colour", ["colour"]) is None


def damaged(**changes: Any) -> list[dict[str, Any]]:
    first, *others = SCHEMA.to_content()
    return [first | changes, *others]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "the schema is not a list"),
        ([5], "must hold exactly the fields"),
        ([{"name": "a"}], "must hold exactly the fields"),
        (damaged(extra=1), "must hold exactly the fields"),
        (damaged(name=5), "wrong type"),
        (damaged(logarithmic=1), "wrong type"),
        (damaged(parts=("log value",)), "parts of a feature"),
        (damaged(parts=[1]), "parts of a feature"),
        (damaged(kind="colour"), "unknown kind, role or status"),
        (damaged(role="boss"), "unknown kind, role or status"),
        (damaged(status="asleep"), "unknown kind, role or status"),
        (damaged(first_column=-1), "no place for its columns"),
        (damaged(first_column=0.0), "no place for its columns"),
        (damaged(parts=[], first_column=-1), "a learned feature has no columns"),
        (damaged(since=-1), "since"),
        (damaged(center=float("nan")), "center"),
        (damaged(spread=0.0), "no usable scale"),
        (damaged(spread=float("inf")), "spread"),
        (damaged(name="city"), "occurs twice"),
        (damaged(flag=0), "wrong type"),
        (damaged(aliases=("a",)), "other names"),
        (damaged(aliases=[1]), "other names"),
        (damaged(aliases=["city"]), "same name"),
        (damaged(aliases=["a", "a"]), "same name"),
        (damaged(factor=0.0), "factor"),
        (damaged(factor=float("inf")), "factor"),
        (damaged(stands_by_for="nobody", status="retired"), "stands by for none"),
        (damaged(stands_by_for="city"), "is learned"),
        (damaged(first_column=1), "overlap or leave gaps"),
        (damaged(first_column=9), "overlap or leave gaps"),
    ],
)
def test_a_damaged_schema_is_refused_with_what_is_wrong(content: object, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        Schema.from_content(content)


def test_the_roles_are_those_that_the_estimator_promises() -> None:
    assert ROLES == ("input", "amount", "id", "time", "entity", "label", "ignored")
