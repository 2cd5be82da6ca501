"""Rows of one form, read without dictionaries: held against the way that reads every row by itself."""

import json
import re
from decimal import Decimal

import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.api import answers, routes
from detector.api.kinds import FieldsMemo, is_plain
from detector.api.payloads import read_transactions
from detector.api.uniform import read_uniform
from detector.core.frames import as_frame
from tests.api.samples import ODD, transactions

COLUMNS = (
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**17), 10**17),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.text(max_size=8),
    st.floats(allow_nan=False, allow_infinity=False) | st.integers(-1000, 1000),
    st.none(),
    st.none() | st.floats(-1e6, 1e6),
    st.none() | st.integers(-1000, 1000),
    st.none() | st.text(max_size=3),
    st.none() | st.booleans(),
    st.integers(0, 9) | st.text(max_size=3) | st.booleans() | st.none(),
)

#: What is put somewhere into a text that was right.
PIECES = (*(bytes([byte]) for byte in b'01-+.eE",:\\{}[] \n\x00\xff\xc3'), b"", b"null", rb"\ud800", rb"\u0061")


@st.composite
def uniform_rows(draw):
    names = draw(st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=5, unique=True))
    values = [draw(st.sampled_from(COLUMNS)) for _ in names]
    count = draw(st.integers(1, 6))
    return [{name: draw(value) for name, value in zip(names, values, strict=True)} for _ in range(count)]


def spelled(draw, rows):
    document = {"transactions": rows} if draw(st.booleans()) else rows
    if draw(st.booleans()):
        return orjson.dumps(document)
    indent = draw(st.sampled_from([None, 0, 1]))
    return json.dumps(document, ensure_ascii=draw(st.booleans()), indent=indent).encode()


def slowly(body, limit=100):
    return as_frame(read_transactions(body, limit).rows)


def assert_same(found, expected):
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    for name in found:
        if found[name].dtype == np.float64:
            assert found[name].to_numpy()[found[name].notna()].tobytes() == (
                expected[name].to_numpy()[expected[name].notna()].tobytes()
            )


@given(st.data())
def test_rows_of_one_form_become_the_frame_of_their_records(data):
    rows = data.draw(uniform_rows())
    body = spelled(data.draw, rows)
    found = read_uniform(body, 100)
    if found is not None:
        assert_same(found, slowly(body))
    else:  # only these are left to the other way
        held = [value for row in rows for value in row.values()]
        assert any(type(value) is int and abs(value) >= 10**17 for value in held)


@given(st.data())
def test_what_the_strict_way_refuses_is_never_read(data):
    body = bytearray(spelled(data.draw, data.draw(uniform_rows())))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(body) - 1))
        piece = data.draw(st.sampled_from(PIECES))
        body[place : place + data.draw(st.integers(0, 2))] = piece
        if not body:
            break
    found = read_uniform(bytes(body), 100)
    if found is not None:
        assert_same(found, slowly(bytes(body)))


@given(
    st.lists(
        st.from_regex(r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
        min_size=1,
        max_size=4,
    )
)
def test_numbers_are_read_to_the_last_bit_however_they_are_spelled(texts):
    body = "[{}]".format(",".join('{"a": ' + text + "}" for text in texts)).encode()
    found = read_uniform(body, 100)
    if found is not None:
        assert_same(found, slowly(body))


@given(st.lists(st.integers(2**52, 2**53 - 1), min_size=1, max_size=4), st.integers(-60, 9), st.sampled_from("+-0"))
def test_numbers_half_way_between_two_floats_are_read_to_the_last_bit(mantissas, power, beside):
    halves = [Decimal(2 * mantissa + 1) * Decimal(2) ** power for mantissa in mantissas]
    texts = [f"{half:.18e}" if beside == "0" else f"{half}{'1' if beside == '+' else ''}e0" for half in halves]
    body = "[{}]".format(",".join('{"a": ' + text + "}" for text in texts)).encode()
    found = read_uniform(body, 100)
    if found is not None:
        assert_same(found, slowly(body))


@pytest.mark.parametrize(
    "text",
    ["18446744073709551616.0", "9007199254740993.0", "9007199254740995.0", "5e-324", "2.2250738585072011e-308",
     "2.2250738585072014e-308", "1.7976931348623157e308", "0e999", "1e-400", "0.000000000000000000000001", "-0.0",
     "123456789012345678901234567890.5", "7.2057594037927933e16", "1e23", "8.5e22", "0.1e-299", "1e-301"],
)  # fmt: skip
def test_numbers_at_the_edges_are_read_to_the_last_bit(text):
    body = b'[{"a":%b}]' % text.encode()
    assert_same(read_uniform(body, 1), slowly(body))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"[]",
        b"[",
        b"{}",
        b"[1]",
        b"[{}]",
        b'[{"a":1}',
        b'[{"a":1}]]',
        b'{"transactions":[{"a":1}]',
        b'{"transactions":[{"a":1}],"b":1}',
        b'{"transactions":[{"a":1}]}}',
        b'[{"a":1},]',
        b'[{"a":1}{"a":1}]',
        b'[{"a":1,"a":2}]',
        rb'[{"a":1,"\u0061":2}]',
        b'[{"a":1},{"a":1,"b":2}]',
        b'[{"a":1,"b":2},{"a":1}]',
        b'[{"a":1},{"b":1}]',
        b'[{"":1}]',
        b'[{"a":01}]',
        b'[{"a":-0}]',
        b'[{"a":+1}]',
        b'[{"a":1.}]',
        b'[{"a":.5}]',
        b'[{"a":1e}]',
        b'[{"a":1e400}]',
        b'[{"a":NaN}]',
        b'[{"a":Infinity}]',
        b'[{"a":9223372036854775808}]',
        b'[{"a":tru}]',
        b'[{"a":nul',
        b'[{"a":"x',
        b'[{"a":"x\\"}]',
        b'[{"a":"\\x"}]',
        b'[{"a":"\x01"}]',
        b'[{"a":"\xff"}]',
        rb'[{"a":"\ud800"}]',
        b'[{"a":[1]}]',
        b'[{"a":{"b":1}}]',
        b'[{"a":"' + b"x" * 40_000 + b'"}]',
        b"[" + b",".join([b'{"a":1}'] * 101) + b"]",
        b"[{" + b",".join(b'"f%d":1' % number for number in range(2_001)) + b"}]",
    ],
)
def test_what_is_not_plain_is_left_to_the_other_way(body):
    assert read_uniform(body, 100) is None


def test_two_thousand_fields_and_all_rows_allowed_are_read():
    row = {f"f{number}": number for number in range(2_000)}
    body = orjson.dumps([row] * 3)
    assert_same(read_uniform(body, 3), slowly(body))


LAST_TIME = re.compile(rb'"timestamp":"[^"]+"')


@pytest.fixture
def both_ways(client, monkeypatch):
    """Ask once as it is and once by rows; return both answers, but for their times."""

    def ask(rows):
        found = []
        for read in (read_uniform, lambda body, limit: None):
            monkeypatch.setattr(routes, "read_uniform", read)
            answer = client.post("/predict/batch", json={"transactions": rows})
            found.append((answer.status_code, LAST_TIME.sub(b"", answer.content)))
        return found

    return ask


@pytest.mark.parametrize(
    "changed",
    [
        lambda row: row,
        lambda row: {name: row[name] for name in ("visits", "amount")},
        lambda row: row | {"channel": "app", "speed": 1.5},
        lambda row: row | {"country": None},
        lambda row: row | {"country": None if row["visits"] > 4 else row["country"], "balance": None},
        lambda row: row | {"amount": row["amount"] * 100},
        lambda row: row | {"card_present": "yes" if row["card_present"] else "no"},
        lambda row: row | {"amount": "many" if row["visits"] > 8 else row["amount"]},
        lambda row: row | {"amount": str(row["amount"])},
        lambda row: {"unheard of": row["amount"]},
        dict.fromkeys,
        lambda row: {"amount": None, "country": "NL" if row["visits"] else None},
    ],
    ids=["plain", "fields gone", "new fields", "null", "gaps", "another unit", "another spelling", "a text in a number",
         "numbers as texts", "nothing known", "nothing at all", "some rows empty"],
)  # fmt: skip
def test_answers_are_the_same_byte_for_byte(both_ways, changed):
    fast, slow = both_ways([changed(row) for row in [*transactions(60, seed=5), ODD]])
    assert fast == slow


def test_a_batch_of_one_form_does_not_become_records(client, trained, monkeypatch):
    def never(*_arguments):
        raise AssertionError("read row by row")

    monkeypatch.setattr(routes.payloads, "read_transactions", never)
    assert client.post("/predict/batch", json=transactions(20)).json()["total_transactions"] == 20


def test_each_row_names_what_it_misses(trained):
    champion = trained.require_champion()
    fields = FieldsMemo().of(champion.detector.schema_)
    rows = [row | {"country": None} if number % 2 else row for number, row in enumerate(transactions(20))]
    frame = as_frame(rows)
    assert is_plain(frame, fields)
    result = champion.detector.score(frame, cutoff=champion.cutoff)
    found = orjson.loads(orjson.dumps(answers.predictions_of_frame(champion, fields, frame, result)))
    assert [verdict["missing_features"] for verdict in found] == [[], ["country"]] * 10
