import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.api.problems import RequestError
from detector.api.strict_json import MARKS, Flaw, parse, parse_exactly

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN)
def test_both_ways_of_parsing_agree_on_plain_json(document):
    body = orjson.dumps(document)
    assert parse(body) == parse_exactly(body) == orjson.loads(body)


@given(st.binary(max_size=60))
def test_any_bytes_parse_or_are_refused_with_a_status_of_the_client(body):
    try:
        parse(body)
    except RequestError as error:
        refused = error
    else:
        return
    assert 400 <= refused.status < 500
    orjson.dumps(refused.to_dict())


def test_a_byte_order_mark_is_dropped():
    assert parse(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("NaN", "not_finite"),
        ("-Infinity", "not_finite"),
        ("1e400", "number_out_of_range"),
        ("9" * 5000, "number_out_of_range"),
        ("9223372036854775808", "number_out_of_range"),
        ("-9223372036854775809", "number_out_of_range"),
    ],
)
def test_a_value_that_cannot_be_taken_becomes_a_flaw(text, code):
    found = parse_exactly(f'{{"a": {text}}}'.encode())["a"]
    assert isinstance(found, Flaw)
    assert found.code == code


def test_the_ends_of_the_64_bit_range_are_taken():
    assert parse_exactly(b"[9223372036854775807, -9223372036854775808]") == [2**63 - 1, -(2**63)]


def test_the_second_of_two_equal_names_becomes_a_flaw():
    assert parse_exactly(b'{"a": 1, "a": 2}')["a"].code == "duplicate_field"


@pytest.mark.parametrize("body", [rb'{"a": "\ud800"}', rb'{"\udc00": 1}'])
def test_half_of_a_surrogate_pair_becomes_a_flaw(body):
    (found,) = parse(body).values()
    assert found.code == "lone_surrogate"


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_twenty_thousand_levels_are_refused_as_too_deep(opening, closing):
    with pytest.raises(RequestError, match="more than 16 levels") as caught:
        parse((opening * 20_000 + "1" + closing * 20_000).encode())
    assert caught.value.status == 422


@pytest.mark.parametrize("body", [b"", b"  \n"])
def test_an_empty_body_is_said_to_be_empty(body):
    with pytest.raises(RequestError, match="body is empty"):
        parse(body)


def test_bytes_that_are_not_utf8_are_named_by_position_and_line():
    with pytest.raises(RequestError, match=r"byte 10 \(line 2\)") as caught:
        parse(b'{"a":\n"xy\xff"}')
    assert caught.value.problems[0].line == 2


def test_a_truncated_body_is_named_by_row_line_and_field():
    with pytest.raises(RequestError, match="ends too early at line 2, character 20, in row 2") as caught:
        parse(b'{"transactions": [{"amount": 1},\n {"amount": 2, "b":')
    (problem,) = caught.value.problems
    assert (problem.row, problem.line, problem.column) == (2, 2, "b")


def test_a_syntax_error_in_the_third_row_is_named_there():
    with pytest.raises(RequestError, match="is not JSON") as caught:
        parse(b'[{"a": "]["}, {"a": [1, 2]}, {"a": tru}]')
    (problem,) = caught.value.problems
    assert (problem.row, problem.column, problem.excerpt) == (3, "a", "tru}]")


def test_text_after_the_document_is_refused():
    with pytest.raises(RequestError, match="Extra data"):
        parse(b'{"a": 1} {"a": 2}')


def test_rows_with_braces_and_escaped_quotes_in_texts_are_counted_right():
    with pytest.raises(RequestError) as caught:
        parse(rb'{"transactions": [{"a": "}\"{"}, {"b": "[,"}, {"c": {"d": 1}}, {"e": 1,, "f": 2}]}')
    (problem,) = caught.value.problems
    assert (problem.row, problem.line) == (4, 1)


def test_an_error_far_behind_many_marks_is_told_by_line_and_character():
    with pytest.raises(RequestError) as caught:
        parse(b"[" + b"1," * MARKS + b"x]")
    (problem,) = caught.value.problems
    assert (problem.row, problem.line, problem.excerpt) == (None, 1, "x]")
