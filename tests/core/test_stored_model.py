"""A model's content: what is read back is checked field by field, and nothing but ``ModelFileError`` comes of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

from detector.core import archive
from detector.core.model import DynamicAnomalyDetector
from detector.errors import ModelFileError
from tests import tables


@cache
def a_model() -> DynamicAnomalyDetector:
    """Return a model with every kind of feature, one of them young, one left out."""
    frame = tables.payments(60).assign(txn=[f"t{i}" for i in range(60)])
    model = DynamicAnomalyDetector(n_estimators=3, roles={"tries": "ignored"}).fit(frame)
    model.partial_fit(tables.payments(10, seed=2).assign(new=np.arange(10) % 3.0))
    model.observe({"amount": 1.0, "seen": 2.0})
    return model


@cache
def file() -> bytes:
    return a_model().to_bytes()


def content() -> dict[str, Any]:
    return archive.from_bytes(file())


def load(changed: dict[str, Any]) -> DynamicAnomalyDetector:
    return DynamicAnomalyDetector.from_bytes(archive.to_bytes(changed))


Place = tuple[Any, ...]


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Yield where the values in ``value`` lie: of a list, whose values are of one sort, the first."""
    if at:
        yield at
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*at, key))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*at, 0))


def changed_at(place: Place, change: Callable[[Any], Any]) -> dict[str, Any]:
    root = content()
    holder = root
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = change(holder[place[-1]])
    return root


ODD: list[Any] = [
    None, True, -1, 0, 3, 2**80, 0.5, -1.5, 1e308, float("nan"), float("inf"), "", "odd", b"odd", [], ["odd"], [1],
    {}, {"odd": 1}, np.zeros(0), np.zeros((2, 2), np.float32), np.full(3, 2**31 - 1, np.int32),
    np.array([-1, 0], np.int32),
]  # fmt: skip


def lives(model: DynamicAnomalyDetector) -> None:
    """A model that was let in must score, tell, observe, learn and be written again."""
    fresh = tables.payments(25, seed=5).assign(new=1.0, later=2.0)
    result = model.score(fresh)
    assert np.isfinite(result.scores).all()
    model.score({"amount": 3.5, "country": "NL"})
    model.predict(fresh)
    assert model.feature_stats
    model.updated(fresh)
    assert DynamicAnomalyDetector.from_bytes(model.to_bytes()).to_bytes() == model.to_bytes()


def let_in(changed: dict[str, Any]) -> bool:
    """Return whether a model with this content is let in; what is let in must live, and all else be refused alike."""
    try:
        model = load(changed)
    except ModelFileError:
        return False
    lives(model)
    return True


PLACES = [place for place in places(content()) if place[:1] != ("statistics",)]


def test_every_field_but_those_of_statistics_is_mutated() -> None:
    assert len(PLACES) > 35


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_an_odd_value_in_a_field_is_refused_or_does_no_harm(place: Place) -> None:
    found = [let_in(changed_at(place, lambda _, odd=odd: copy.deepcopy(odd))) for odd in ODD]
    assert not all(found)


def arrays_of(value: Any, at: Place = ()) -> Iterator[Place]:
    for key, item in value.items() if isinstance(value, dict) else ():
        if isinstance(item, np.ndarray):
            yield (*at, key)
        else:
            yield from arrays_of(item, (*at, key))


def shorter(values: np.ndarray) -> np.ndarray:
    return values[:-1].copy()


def of_other_type(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float64 if values.dtype != np.float64 else np.float32)


def of_more_dimensions(values: np.ndarray) -> np.ndarray:
    return values[None].copy()


def turned(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values.T) if values.ndim == 2 else values[::-1].copy()


ARRAYS = [place for place in arrays_of(content()) if place[0] == "sample" or place[1] in ("amount", "country")]
CHANGES = [shorter, of_other_type, of_more_dimensions]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("place", [("sample", name) for name in ("rows", "numbers", "bags", "seeds")])
def test_arrays_of_another_shape_or_type_are_refused(place: Place, change: Callable[[Any], Any]) -> None:
    assert not let_in(changed_at(place, change))


@pytest.mark.parametrize("change", [*CHANGES, turned])
@pytest.mark.parametrize("place", ARRAYS, ids=lambda place: ".".join(map(str, place)))
def test_a_changed_array_is_refused_or_does_no_harm(place: Place, change: Callable[[Any], Any]) -> None:
    let_in(changed_at(place, change))


@pytest.mark.parametrize("name", ["bags", "calibration", "newcomers"])
@pytest.mark.parametrize("row", [-1, 10**6])
def test_rows_that_are_not_there_are_refused(name: str, row: int) -> None:
    def change(values: np.ndarray) -> np.ndarray:
        values = np.zeros(1, np.int32) if not values.size else values
        values.flat[0] = row
        return values

    with pytest.raises(ModelFileError, match="points at rows that are not there"):
        load(changed_at(("sample", name), change))


@pytest.mark.parametrize("value", [np.inf, 1e31, -1e31])
def test_encoded_values_out_of_range_are_refused(value: float) -> None:
    def change(rows: np.ndarray) -> np.ndarray:
        rows[0, 0] = value
        return rows

    with pytest.raises(ModelFileError, match="a number that is out of range"):
        load(changed_at(("sample", "rows"), change))


def test_a_row_that_a_bag_holds_twice_is_refused() -> None:
    def change(bags: np.ndarray) -> np.ndarray:
        bags[1, 1] = bags[1, 0]
        return bags

    with pytest.raises(ModelFileError, match="counts a row twice"):
        load(changed_at(("sample", "bags"), change))


@pytest.mark.parametrize("part", ["parameters", "training", "schema", "statistics", "sample"])
def test_every_part_must_be_there_and_nothing_else(part: str) -> None:
    lacking = content()
    del lacking[part]
    with pytest.raises(ModelFileError, match="a model must hold exactly the fields"):
        load(lacking)
    with pytest.raises(ModelFileError, match="a model must hold exactly the fields"):
        load(content() | {"more": 1})


def test_a_schema_without_a_learned_feature_is_refused() -> None:
    changed = content()
    for feature in changed["schema"]:
        feature["status"] = "observed"
    with pytest.raises(ModelFileError, match="no feature of the schema is learned"):
        load(changed)


def test_parts_that_a_kind_does_not_have_are_refused() -> None:
    changed = content()
    country = next(feature for feature in changed["schema"] if feature["name"] == "country")
    country["parts"] = ["value", "log value"]
    with pytest.raises(ModelFileError, match="parts that its kind does not have"):
        load(changed)


def test_a_parameter_out_of_range_is_refused() -> None:
    changed = content()
    changed["parameters"]["contamination"] = 0.7
    with pytest.raises(ModelFileError, match="a parameter that is out of range"):
        load(changed)


def test_the_content_comes_back_as_it_was() -> None:
    read = DynamicAnomalyDetector.from_bytes(file())
    assert read.to_bytes() == file()
    assert read.schema_ == a_model().schema_
    assert read.feature_stats == a_model().feature_stats
    assert read.get_params() == a_model().get_params()


def with_decisions() -> dict[str, Any]:
    """Return the content of a model with three decisions."""
    rows = tables.payments(3, seed=4)
    return archive.from_bytes(a_model().taught(rows, [1, 0, 1], keys=["a", "b", "c"]).to_bytes())


def test_decisions_are_read_back() -> None:
    assert load(with_decisions()).decided.keys == ("a", "b", "c")
    assert load(content()).decided.keys == ()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"keys": ["b", "a", "c"]}, "not in order"),
        ({"keys": ["a", "a", "c"]}, "not in order"),
        ({"keys": []}, "not in order"),
        ({"keys": ["a", "b", ""]}, "no keys"),
        ({"keys": ["a", "b", "c" * 300]}, "no keys"),
        ({"keys": ["a", "b", 3]}, "no keys"),
        ({"keys": "abc"}, "no keys"),
        ({"keys": ["a", "b"]}, "labels is not a list of at most 2"),
        ({"labels": np.array([1, 0], np.uint8)}, "not one for each key"),
        ({"labels": np.array([1, 0, 2], np.uint8)}, "not one for each key"),
        ({"labels": np.array([1.0, 0.0, 1.0])}, "labels is not a list"),
        ({"rows": np.zeros((3, 1), np.float32)}, "do not fit the schema"),
        ({"rows": [[1.0]]}, "do not fit the schema"),
        ({"more": 1}, "must hold exactly the fields"),
    ],
)
def test_damaged_decisions_are_refused(changed: dict[str, Any], said: str) -> None:
    whole = with_decisions()
    whole["decisions"] |= changed
    with pytest.raises(ModelFileError, match=said):
        load(whole)


@pytest.mark.parametrize("value", [np.inf, 1e35, -1e35])
def test_decided_rows_out_of_range_are_refused(value: float) -> None:
    whole = with_decisions()
    rows = whole["decisions"]["rows"].copy()
    rows[0, 0] = value
    whole["decisions"]["rows"] = rows
    with pytest.raises(ModelFileError, match="the decisions hold a number that is out of range"):
        load(whole)
