import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.api.payloads import read_transaction, read_transactions
from detector.errors import InputError

VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
RECORDS = st.dictionaries(st.text(min_size=1, max_size=8), VALUES, max_size=6)


def refused(read, *arguments):
    with pytest.raises(InputError) as caught:
        read(*arguments)
    orjson.dumps(caught.value.to_dict())
    return caught.value


@given(RECORDS, st.booleans())
def test_every_flat_record_is_taken_as_it_is(record, ascii_only):
    body = json.dumps({"data": record}, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert read_transaction(body) == record


@given(st.lists(RECORDS, max_size=5), st.booleans())
def test_every_list_of_flat_records_is_taken_as_it_is(records, wrapped):
    body = orjson.dumps({"transactions": records} if wrapped else records)
    assert read_transactions(body, 10).rows == records


@given(RECORDS, st.data())
def test_a_name_given_twice_never_passes(record, data):
    pairs = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in record.items()]
    name = data.draw(st.sampled_from([*record, "one"]))
    pairs += [f"{json.dumps(name)}: {json.dumps(data.draw(VALUES))}"] * (1 if name in record else 2)
    body = f'{{"data": {{{", ".join(pairs)}}}}}'.encode()
    assert refused(read_transaction, body).problems[0].code == "duplicate_field"


def test_an_escaped_colon_does_not_hide_a_name_given_twice():
    body = rb'{"data": {"a": 1, "a": "x\u003ay"}}'
    assert refused(read_transaction, body).problems[0].code == "duplicate_field"


def test_data_given_twice_is_refused():
    assert "more than once" in str(refused(read_transaction, b'{"data": {"a": 1}, "data": {"a": 2}}'))


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ('{"b": 1}', "nested_value"),
        ("[1]", "nested_value"),
        ("[" * 30 + "]" * 30, "too_deep"),
        ("NaN", "not_finite"),
        ("Infinity", "not_finite"),
        ("1e400", "number_out_of_range"),
        ("123456789012345678901", "number_out_of_range"),
        ("18446744073709551615", "number_out_of_range"),
        ("7" * 5000, "number_out_of_range"),
        (r'"\ud800"', "lone_surrogate"),
        ('"' + "x" * 32_769 + '"', "value_too_long"),
    ],
)
def test_a_bad_value_is_named_by_row_and_field(value, code):
    body = f'{{"transactions": [{{"amount": 1}}, {{"place": "here", "amount": {value}}}]}}'.encode()
    (problem,) = refused(read_transactions, body, 10).problems
    assert (problem.code, problem.row, problem.column) == (code, 2, "amount")
    assert "Row 2, field 'amount'" in problem.message


def test_a_large_float_is_not_taken_for_a_large_integer():
    assert read_transaction(b'{"data": {"a": 1e20, "b": -9223372036854775808}}') == {"a": 1e20, "b": -(2**63)}


def test_a_field_without_a_name_is_refused():
    assert refused(read_transaction, b'{"data": {"": 1}}').problems[0].code == "empty_name"


def test_more_than_two_thousand_fields_are_refused():
    body = orjson.dumps({"data": {f"f{i}": 1 for i in range(2001)}})
    assert refused(read_transaction, body).problems[0].code == "too_many_fields"


@pytest.mark.parametrize("body", [b"5", b'"text"', b"null", b"true", b"NaN"])
@pytest.mark.parametrize("read", [read_transaction, lambda body: read_transactions(body, 10)])
def test_a_scalar_body_is_refused(read, body):
    assert refused(read, body).problems[0].code == "not_an_object"


def test_a_missing_member_is_named_with_the_nearest_one_given():
    error = refused(read_transactions, b'{"transaction": []}', 10)
    assert "lacks 'transactions'" in str(error)
    assert "'transaction'" in str(error)


def test_a_member_of_the_wrong_type_is_refused():
    assert "it is an array" in str(refused(read_transaction, b'{"data": [1]}'))


def test_an_unknown_member_is_refused_with_the_nearest_known():
    error = refused(read_transactions, b'{"transactions": [], "contaminaton": 0.2}', 10, ("contamination",))
    assert "did you mean 'contamination'" in str(error)


def test_a_row_that_is_no_object_is_named():
    (problem,) = refused(read_transactions, b'[{"a": 1}, 7]', 10).problems
    assert (problem.code, problem.row) == ("not_an_object", 2)


def test_one_row_over_the_limit_is_refused_and_the_limit_is_not():
    assert len(read_transactions(orjson.dumps([{"a": 1}] * 10), 10).rows) == 10
    assert refused(read_transactions, orjson.dumps([{"a": 1}] * 11), 10).status == 413


def test_at_most_a_hundred_problems_are_listed_and_all_are_counted():
    error = refused(read_transactions, orjson.dumps([{"a": [], "b": {}}] * 150), 1000)
    assert (len(error.problems), error.total) == (100, 300)
