"""Batches whose columns changed: the same matrix where they did not, and a report that says what happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector import DynamicAnomalyDetector, NoKnownColumnsError
from detector.core.alignment import Aligned
from tests.core.aligning import MODEL, finding, payments


@pytest.fixture(scope="module")
def model() -> DynamicAnomalyDetector:
    return DynamicAnomalyDetector(n_estimators=20, random_state=1).fit(payments())


def aligned(model: DynamicAnomalyDetector, frame: pd.DataFrame) -> Aligned:
    return model._fitted().aligner.align(frame)


def as_objects(column: str, change: Callable[[pd.Series], Any]) -> pd.DataFrame:
    rows = payments(40, seed=8).astype({column: object})
    rows[column] = change(rows[column])
    return rows


def test_what_came_as_learned_matches(model: DynamicAnomalyDetector) -> None:
    report = model.alignment(payments(50, seed=4).fillna({"coupon": "a"}))
    assert report.matches
    assert report.rows == 50
    assert report.importance_carried == pytest.approx(1.0)
    assert {column.name: column.status for column in report.columns} == {
        "abroad": "matched", "amount_usd": "matched", "at": "matched", "coupon": "matched", "items": "matched",
        "merchant": "matched", "is_fraud": "left out",
    }  # fmt: skip


@given(st.permutations(list(payments(1).columns)), st.integers(0, 5))
@settings(max_examples=20, deadline=None)
def test_the_order_of_columns_changes_nothing(order: list[str], seed: int) -> None:
    rows = payments(12, seed=seed)
    one, other = aligned(MODEL, rows), aligned(MODEL, rows[order])
    np.testing.assert_array_equal(one.matrix, other.matrix)
    np.testing.assert_array_equal(one.carried, other.carried)


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_rows_align_alone_as_they_align_together(data: st.DataObject) -> None:
    cells = payments(6, seed=data.draw(st.integers(0, 9))).to_numpy(object)
    odd = st.sampled_from([None, "", "x", -5, 1e40, True, "2024-01-01", [1]])
    for _ in range(data.draw(st.integers(0, 6))):
        cells[data.draw(st.integers(0, 5)), data.draw(st.integers(0, 6))] = data.draw(odd)
    rows = pd.DataFrame(cells, columns=payments(1).columns, dtype=object)
    together = aligned(MODEL, rows)
    alone = [aligned(MODEL, rows.iloc[[row]]) for row in range(6)]
    np.testing.assert_array_equal(together.matrix, np.concatenate([one.matrix for one in alone]))


def test_aligning_leaves_the_frame_as_it_was(model: DynamicAnomalyDetector) -> None:
    rows = payments(30).astype({"items": object})
    rows.loc[0, "items"] = "x"
    before = rows.copy(deep=True)
    aligned(model, rows)
    pd.testing.assert_frame_equal(rows, before)


# ---------------------------------------------------------------- missing and new


def test_a_missing_column_is_told_with_its_default_and_the_name_it_may_have_now(model: DynamicAnomalyDetector) -> None:
    report = model.alignment(payments(30).rename(columns={"amount_usd": "amountUSD"}))
    assert (report.missing, report.new) == (("amount_usd",), ("amountUSD",))
    missing = finding(report, "amount_usd")
    assert missing.nearest == "amountUSD"
    assert missing.default == pytest.approx(float(np.median(payments()["amount_usd"])), rel=0.05)
    assert missing.action == (
        "It did not come: all rows are scored by trees grown without it, and no value is made up."
        " A column that the model does not know has nearly the same name, 'amountUSD': was it renamed?"
    )
    assert missing.rows_affected == 30
    assert not report.matches
    assert 0.0 < report.importance_carried < 1.0
    assert finding(report, "amountUSD").action == (
        "New to the model: rows are scored by the columns that it knows, and an update learns this one."
    )


def test_a_missing_column_without_a_lookalike_names_none(model: DynamicAnomalyDetector) -> None:
    missing = finding(model.alignment(payments(30).drop(columns="merchant").assign(colour="red")), "merchant")
    assert missing.nearest is None
    assert missing.default in ("books", "food", "fuel")
    assert missing.action.endswith("no value is made up.")


def test_a_column_that_came_empty_is_missing(model: DynamicAnomalyDetector) -> None:
    rows = payments(30).assign(items=None)
    result = aligned(model, rows)
    assert result.report.missing == ("items",)
    assert finding(result.report, "items").action.startswith("It came without a single value: ")
    assert np.isnan(result.matrix[:, model.schema_.by_name["items"].first_column]).all()


def test_a_default_of_a_time_is_told_as_a_time(model: DynamicAnomalyDetector) -> None:
    assert str(finding(model.alignment(payments(30).drop(columns="at")), "at").default).startswith("2024-03-1")


def test_the_importance_carried_falls_with_each_column_that_leaves(model: DynamicAnomalyDetector) -> None:
    rows, before = payments(5), 1.0
    for name in ("merchant", "at", "abroad", "amount_usd", "items"):
        rows = rows.drop(columns=name)
        carried = model.alignment(rows).importance_carried
        assert 0.0 <= carried <= before
        before = carried


def test_rows_of_which_nothing_is_known_align_to_nothing_and_are_not_scored(model: DynamicAnomalyDetector) -> None:
    report = model.alignment(pd.DataFrame({"colour": ["red"]}))
    assert report.importance_carried == 0.0
    with pytest.raises(
        NoKnownColumnsError, match=r"None of the columns .* It knows abroad, amount_usd, at, coupon, items …"
    ):
        model.score(pd.DataFrame({"colour": ["red"]}))


def test_no_rows_align_to_no_rows(model: DynamicAnomalyDetector) -> None:
    result = aligned(model, payments().head(0))
    assert result.matrix.shape == (0, model.schema_.width)
    assert result.report.rows == 0
    assert result.report.unreadable == ()


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([None, 1.5], "numeric"),
        (["red", "blue"], "categorical"),
        ([None, "2024-03-04 10:00"], "datetime"),
        ([True, False], "boolean"),
        ([["a"], {}], "categorical"),
        ([None, None], None),
    ],
)
def test_a_new_column_is_told_with_the_kind_that_it_came_as(
    model: DynamicAnomalyDetector, values: list[Any], kind: str | None
) -> None:
    found = finding(aligned(model, payments(40).assign(colour=pd.Series(values * 20, dtype=object))).report, "colour")
    assert (found.status, found.kind, found.kind_found, found.rows_affected) == ("new", None, kind, 40)


def test_a_registered_column_is_told_with_its_kind_and_the_one_that_it_came_as() -> None:
    observed = DynamicAnomalyDetector(n_estimators=5, random_state=1).fit(payments())
    observed.observe(payments(3).assign(colour=1.0))
    found = finding(aligned(observed, payments(5).assign(colour="red")).report, "colour")
    assert (found.status, found.kind, found.kind_found) == ("new", "numeric", "categorical")


# ---------------------------------------------------------------- other types


def test_a_column_that_became_text_is_set_aside(model: DynamicAnomalyDetector) -> None:
    result = aligned(model, as_objects("amount_usd", lambda column: ["much"] * len(column)))
    retyped = finding(result.report, "amount_usd")
    assert (retyped.status, retyped.kind, retyped.kind_found, retyped.rows_affected) == (
        "retyped",
        "numeric",
        "categorical",
        40,
    )
    assert retyped.action == (
        "It came as text instead of numbers, and most of it cannot be read:"
        " all rows are scored by trees grown without it, and an update learns it anew."
    )
    assert result.report.unreadable_total == 0
    assert np.isnan(result.matrix[:, model.schema_.by_name["amount_usd"].first_column]).all()
    assert result.report.importance_carried < 1.0


def test_numbers_sent_as_text_are_read_and_used(model: DynamicAnomalyDetector) -> None:
    rows = payments(40, seed=8)
    result = aligned(model, as_objects("amount_usd", lambda column: column.astype(str)))
    np.testing.assert_array_equal(result.matrix, aligned(model, rows).matrix)
    retyped = finding(result.report, "amount_usd")
    assert retyped.status == "retyped"
    assert retyped.action == "It came as text instead of numbers, but its values can be read and are used."
    partly = model.alignment(as_objects("amount_usd", lambda column: ["x", *column.astype(str)[1:]]))
    assert finding(partly, "amount_usd").action.endswith("but what can be read is used.")
    assert partly.unreadable_total == 1


def test_flags_sent_as_yes_and_no_are_read_and_used(model: DynamicAnomalyDetector) -> None:
    rows = payments(40, seed=8)
    result = aligned(model, as_objects("abroad", lambda column: column.map({True: "Yes", False: "no"})))
    np.testing.assert_array_equal(result.matrix, aligned(model, rows).matrix)
    assert finding(result.report, "abroad").action.startswith("It came as text instead of yes or no, but")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("abroad", lambda column: column.astype(int)),
        ("merchant", lambda column: column.astype("category")),
        ("at", lambda column: column.astype(str)),
        ("items", lambda column: column.astype("Int64")),
        ("items", lambda column: column.astype(float)),
    ],
)
def test_what_is_the_same_to_a_person_matches(
    model: DynamicAnomalyDetector, name: str, change: Callable[[pd.Series], Any]
) -> None:
    rows = payments(40, seed=8)
    result = aligned(model, rows.assign(**{name: change(rows[name])}))
    np.testing.assert_array_equal(result.matrix, aligned(model, rows).matrix)
    assert finding(result.report, name).status == "matched"


def test_numbers_where_words_are_known_are_set_aside(model: DynamicAnomalyDetector) -> None:
    for values in ([1, 2] * 15, ["1", "2.5"] * 15):
        report = model.alignment(payments(30).assign(merchant=values))
        assert finding(report, "merchant").status == "retyped"
        assert finding(report, "merchant").kind_found == "numeric"
        assert report.unseen == {}
    few = model.alignment(payments(10).assign(merchant=1))
    assert few.unseen == {"merchant": 10}


def test_few_values_that_cannot_be_read_are_bad_cells_and_not_another_type(model: DynamicAnomalyDetector) -> None:
    rows = payments(19, seed=8).assign(amount_usd="much")
    report = model.alignment(rows)
    assert report.retyped == ()
    assert report.unreadable_total == 19
    assert finding(report, "amount_usd").status == "partly missing"
    assert (
        finding(report, "amount_usd").action == "Rows without a number that can be read are scored without this column."
    )


# ---------------------------------------------------------------- cells


def test_cells_that_cannot_be_read_are_listed_by_row(model: DynamicAnomalyDetector) -> None:
    rows = payments(300, seed=8).astype(object)
    rows.loc[10:139, "amount_usd"] = "n/a"
    rows.loc[[0, 299], "items"] = "many\n"
    report = model.alignment(rows)
    assert report.unreadable_total == 132
    assert len(report.unreadable) == 100
    assert [(cell.row, cell.column, cell.value) for cell in report.unreadable[:2]] == [
        (0, "items", "many\\n"),
        (10, "amount_usd", "n/a"),
    ]
    assert [cell.row for cell in report.unreadable] == sorted(cell.row for cell in report.unreadable)
    assert finding(report, "amount_usd").rows_affected == 130


@pytest.mark.parametrize(
    "value",
    [10**400, 10**5000, "x" * 10_000, float("inf"), [1, 2], "\u202e", b"\x00"],
    ids=lambda value: type(value).__name__,
)
def test_a_cell_is_told_in_at_most_64_printable_characters(model: DynamicAnomalyDetector, value: Any) -> None:
    rows = payments(3).to_dict("records")
    rows[1]["amount_usd"] = value
    (cell,) = model.alignment(rows).unreadable
    assert (cell.row, cell.column) == (1, "amount_usd")
    assert 0 < len(cell.value) <= 64
    assert cell.value.isprintable()


def test_absence_is_told_apart_by_what_training_knew_of_it(model: DynamicAnomalyDetector) -> None:
    rows = payments(40, seed=8).astype(object)
    rows.loc[:4, "items"] = None
    report = model.alignment(rows)
    assert finding(report, "items").action == "Rows without a value are scored without this column."
    assert finding(report, "items").rows_affected == 5
    assert finding(report, "items").default in range(1, 9)
    assert finding(report, "coupon").action == (
        "Rows without a value are scored as having none: training had such rows, and showed what it means."
    )


def test_categories_never_seen_are_counted(model: DynamicAnomalyDetector) -> None:
    rows = payments(40, seed=8)
    rows.loc[:6, "merchant"] = ["casino", "casino", "lotto", "casino", "x", "y", "z"]
    assert model.alignment(rows).unseen == {"merchant": 7}
