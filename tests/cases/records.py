"""JSON: documents, and one record a line."""

from __future__ import annotations

from tests.cases.outcomes import MISSING, Case, Reads, Refused

RECORDS: tuple[Case, ...] = (
    Case(
        35,
        "an array of records, some without some keys",
        b'[{"a": 1, "b": "x"},\n {"a": 2.5, "c": null}]',
        Reads({"a": "number", "b": "text", "c": "empty"}, 2, {"a": [1, 2.5], "b": ["x", MISSING]}, format="json"),
        name="rows.json",
    ),
    Case(
        35,
        "records inside an object",
        b'{"count": 2, "transactions": [{"a": 1}, {"a": 2}], "next": null}',
        Reads({"a": "number"}, 2, {"a": [1, 2]}, ('"transactions"',), format="json"),
        name="rows.json",
    ),
    Case(
        35,
        "one record a line, with a byte order mark",
        b'\xef\xbb\xbf{"a": 1, "id": 1234567890123456789}\r\n\r\n{"a": 2}\r\n',
        Reads({"a": "number", "id": "text"}, 2, {"a": [1, 2], "id": ["1234567890123456789", MISSING]}, format="ndjson"),
        name="rows.json",
    ),
    Case(
        35,
        "one line that is broken",
        b'{"a": 1}\n{"a": 2\n{"a": 3}\n',
        Refused(("Row 2 (line 2)", "not valid JSON"), "bad_json", ((2, 2, None),), 1),
        name="rows.ndjson",
    ),
    Case(
        35,
        "one line that is broken, set aside",
        b'{"a": 1}\n{"a": 2\n{"a": 3}\n',
        Reads({"a": "number"}, 2, {"a": [1, 3]}, format="ndjson", set_aside=((2, 2),)),
        name="rows.ndjson",
        options={"on_error": "quarantine"},
    ),
    Case(
        35,
        "NaN and infinity are no JSON",
        b'[{"a": NaN},\n{"a": 1},\n{"a": -Infinity}]',
        Refused(("NaN is not allowed",), "not_json", ((1, 1, "a"), (3, 3, "a")), 2),
        name="rows.json",
    ),
    Case(35, "too deep", b"[" * 20_000, Refused(("nested too deeply",), whole_file=True), name="rows.json"),
    Case(
        35,
        "a value that is a list, a key that occurs twice",
        b'[{"a": 1, "b": [1, 2]},\n{"a": 1, "a": 2}]',
        Refused(('column "b"', "a list"), "nested_value", ((1, 1, "b"), (2, 2, "a")), 2),
        name="rows.json",
    ),
    Case(
        35,
        "a number of 5,000 digits",
        b'[{"a": ' + b"1" * 5_000 + b"}]",
        Refused(("5,000 digits",), "long_number", ((1, 1, "a"),), 1),
        name="rows.json",
    ),
    Case(
        35,
        "half of a character pair",
        b'[{"a": "\\ud800"}]',
        Refused(("character pair",), "bad_text", ((1, 1, "a"),), 1),
        name="rows.json",
    ),
    Case(
        35,
        "an array of values",
        b"[1, 2]",
        Refused(("not an object",), "not_an_object", ((1, 1, None), (2, 1, None)), 2),
        name="rows.json",
    ),
    Case(36, "an array that is not closed", b'[{"a": 1}', Refused(("not closed",), whole_file=True), name="rows.json"),
    Case(36, "text behind the array", b'[{"a": 1}] x', Refused(("after its end",), whole_file=True), name="rows.json"),
    Case(36, "an empty array", b"[]", Reads({}, 0, format="json"), name="rows.json"),
    Case(36, "records without any value", b"[{}, {}]", Refused(("no column",), whole_file=True), name="rows.json"),
)
