from dataclasses import replace

import pytest

from detector.api.kinds import Fields, FieldsMemo, refuse_empty, refuse_wrong_kinds
from detector.core.model import DynamicAnomalyDetector
from detector.errors import InputError, NoKnownColumnsError
from tests.api.samples import transactions


def test_numbers_nothing_and_absent_fields_are_taken():
    refuse_wrong_kinds([{"a": 1}, {"a": 2.5}, {"a": None}, {}], ["a"])


def test_the_first_hundred_are_listed_in_the_order_of_rows_and_all_are_counted():
    rows = [{"a": True, "b": 1 if number % 2 else "x"} for number in range(150)] + [{"a": 1, "b": 1}] * 151
    with pytest.raises(InputError) as caught:
        refuse_wrong_kinds(rows, ["b", "a"])
    assert len(caught.value.problems) == 100
    assert caught.value.total == 225
    assert [problem.row for problem in caught.value.problems] == sorted(p.row for p in caught.value.problems)


def test_a_field_that_is_mostly_text_in_twenty_rows_is_left_to_the_alignment():
    refuse_wrong_kinds([{"a": "text"}] * 20, ["a"])
    with pytest.raises(InputError):
        refuse_wrong_kinds([{"a": "text"}] * 19, ["a"])


def test_the_fields_follow_the_schema():
    memo = FieldsMemo()
    rows = transactions(60)
    first = DynamicAnomalyDetector(n_estimators=5).fit(rows)
    second = DynamicAnomalyDetector(n_estimators=5, roles={"visits": "ignored"}).fit(rows)
    assert "visits" in memo.of(first.schema_).numeric
    assert memo.of(first.schema_) is memo.of(first.schema_)
    assert "visits" not in memo.of(second.schema_).numeric
    assert "country" in memo.of(second.schema_).learned


def test_a_row_without_any_value_is_refused_unless_its_absence_was_learned():
    rows = [{"a": 1}, {"a": None}]
    refuse_empty(rows, Fields(("a", "b"), (), frozenset({"a"})))
    with pytest.raises(NoKnownColumnsError, match=r"Row 2 .* It knows a, b\."):
        refuse_empty(rows, Fields(("a", "b"), (), frozenset({"b"})))


def test_flags_are_no_number_fields_and_other_names_are():
    rows = [row | {"flag": number % 2} for number, row in enumerate(transactions(60))]
    schema = DynamicAnomalyDetector(n_estimators=5).fit(rows).schema_
    named = schema.with_features([replace(schema.by_name["visits"], aliases=("calls",))])
    fields = FieldsMemo().of(named)
    assert "flag" in fields.learned
    assert "flag" not in fields.numeric
    assert {"visits", "calls"} <= set(fields.numeric)
    refuse_empty([{"calls": 3}], fields)
    with pytest.raises(NoKnownColumnsError):
        refuse_empty([{"calls": None}], fields)
