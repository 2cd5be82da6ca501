"""What the values of delimited text are: numbers, identifiers, times, categories, and what looks like code."""

from __future__ import annotations

import datetime as dt
from datetime import UTC

from tests.cases.outcomes import MISSING, Case, Reads, Refused

_HUNDRED_NUMBERS = b"".join(b"%d,x\n" % n for n in range(1, 100))


VALUES: tuple[Case, ...] = (
    Case(
        19,
        "identifiers of 19 digits, some missing",
        b"id,a\n1234567890123456789,1\n,2\n1234567890123456788,3\n",
        Reads(
            {"id": "text", "a": "number"},
            3,
            {"id": ["1234567890123456789", MISSING, "1234567890123456788"]},
            ("more than 15 digits",),
        ),
    ),
    Case(
        19,
        "leading zeros",
        b"zip,a\n01234,1\n99999,2\n",
        Reads({"zip": "text", "a": "number"}, 2, {"zip": ["01234", "99999"]}, ("begin with zeros",)),
    ),
    Case(
        20,
        "a number that is too large",
        b"a\n1\n1e400\n3e38\n4e38\n",
        Refused(('"1e400"', "larger"), "out_of_range", ((2, 3, "a"), (4, 5, "a")), 2),
    ),
    Case(
        20,
        "an integer beyond 64 bits among numbers",
        b"a,b\n" + _HUNDRED_NUMBERS + b"99999999999999999999,x\n",
        Refused(("Row 100 (line 101)", "digits"), "too_many_digits", ((100, 101, "a"),), 1),
    ),
    Case(
        21,
        "NA, NULL and None are text",
        b"country,a\nNA,1\nNULL,2\nNone,3\n,4\n",
        Reads({"country": "text", "a": "number"}, 4, {"country": ["NA", "NULL", "None", MISSING]}),
    ),
    Case(22, "NaN among numbers", b"a\n1\nNaN\nnan\n", Reads({"a": "number"}, 3, {"a": [1, MISSING, MISSING]})),
    Case(
        22,
        "infinity among numbers",
        b"a\n1\n-inf\n3\nInfinity\n",
        Refused(('"-inf"', "infinite"), "infinite", ((2, 3, "a"), (4, 5, "a")), 2),
    ),
    Case(
        23,
        "one text in a hundred numbers",
        b"a,b\n" + _HUNDRED_NUMBERS + b"abc,x\n",
        Refused(('Row 100 (line 101), column "a"', '"abc" is not a number'), "not_a_number", ((100, 101, "a"),), 1),
    ),
    Case(
        23,
        "text in a column that the model knows as numeric",
        b"a,b\n1,x\ntrue,y\n3,z\n",
        Refused(('"true" is not a number',), "not_a_number", ((2, 3, "a"),), 1),
        options={"numeric_columns": ("a",)},
    ),
    Case(
        23,
        "text in a numeric column set aside",
        b"a,b\n1,x\nabc,y\n3,z\n",
        Reads({"a": "number", "b": "text"}, 2, {"a": [1, 3], "b": ["x", "z"]}, set_aside=((2, 3),)),
        options={"numeric_columns": ("a",), "on_error": "quarantine"},
    ),
    Case(
        23,
        "a column that is mostly text",
        b"a\nx\ny\n3\n",
        Reads({"a": "text"}, 3, {"a": ["x", "y", "3"]}),
        options={"numeric_columns": ("a",)},
    ),
    Case(
        23,
        "a column that is half numbers",
        b"a\n1\n2\nabc\n",
        Reads({"a": "text"}, 3, {"a": ["1", "2", "abc"]}, ("67%", '"abc"')),
    ),
    Case(
        24,
        "a category that is new",
        b"country,a\nNL,1\nXX,2\n",
        Reads({"country": "text", "a": "number"}, 2, {"country": ["NL", "XX"]}),
        options={"text_columns": ("country",)},
    ),
    Case(
        25,
        "columns that a model knows are missing",
        b"a\n1\n2\n",
        Reads({"a": "number"}, 2, {"a": [1, 2]}),
        options={"expected_columns": ("a", "b", "c"), "numeric_columns": ("a", "b")},
    ),
    Case(
        26,
        "a column that a model does not know",
        b"a,new\n1,x\n2,y\n",
        Reads({"a": "number", "new": "text"}, 2, {"new": ["x", "y"]}),
        options={"expected_columns": ("a",), "numeric_columns": ("a",)},
    ),
    Case(
        27,
        "columns in another order",
        b"b,a\nx,1\ny,2\n",
        Reads({"b": "text", "a": "number"}, 2, {"a": [1, 2], "b": ["x", "y"]}),
        options={"expected_columns": ("a", "b")},
    ),
    Case(
        30,
        "an id that comes twice",
        b"txn,a\nT1,1\nT2,2\nT1,3\n",
        Reads({"txn": "text", "a": "number"}, 3, {"txn": ["T1", "T2", "T1"], "a": [1, 2, 3]}),
    ),
    Case(
        28,
        "a column without values",
        b"a,b\n1,\n2,\n",
        Reads({"a": "number", "b": "empty"}, 2, {"b": [MISSING, MISSING]}),
    ),
    Case(29, "one row", b"a,b\n1,x\n", Reads({"a": "number", "b": "text"}, 1, {"a": [1]})),
    Case(
        31,
        "dates that can be read two ways",
        b"day\n03/04/2025\n05/06/2025\n",
        Reads({"day": "text"}, 2, {"day": ["03/04/2025", "05/06/2025"]}, ("day first", "month first")),
    ),
    Case(
        31,
        "dates that one row makes clear",
        b"day\n03/04/2025\n25/12/2025\n",
        Reads(
            {"day": "time"},
            2,
            {"day": [dt.datetime(2025, 4, 3, tzinfo=UTC), dt.datetime(2025, 12, 25, tzinfo=UTC)]},
            ("day first",),
        ),
    ),
    Case(
        31,
        "dates with the declared order",
        b"day\n03/04/2025\n05/06/2025\n",
        Reads({"day": "time"}, 2, {"day": [dt.datetime(2025, 3, 4, tzinfo=UTC), dt.datetime(2025, 5, 6, tzinfo=UTC)]}),
        options={"day_first": False},
    ),
    Case(
        31,
        "zones become UTC, years 1 and 9999 stay",
        b"t\n2025-03-30T02:30:00+01:00\n0001-01-01T00:00:00Z\n9999-12-31T23:59:59.999999Z\n",
        Reads(
            {"t": "time"},
            3,
            {
                "t": [
                    dt.datetime(2025, 3, 30, 1, 30, tzinfo=UTC),
                    dt.datetime(1, 1, 1, tzinfo=UTC),
                    dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
                ]
            },
        ),
    ),
    Case(
        31,
        "some times with a zone and some without",
        b"t\n2025-01-01T00:00:00Z\n2025-01-01 00:00:00\n",
        Reads({"t": "text"}, 2, notes=("only some name a time zone",)),
    ),
    Case(31, "a day that does not exist", b"t\n2025-02-29\n2025-01-01\n", Reads({"t": "text"}, 2)),
    Case(
        39,
        "formulas stay as they are",
        b'a,b\n=cmd(),1\n"+1+1",2\n@x,3\n',
        Reads({"a": "text", "b": "number"}, 3, {"a": ["=cmd()", "+1+1", "@x"]}),
    ),
    Case(
        41,
        "markup in names and values",
        b"<b>a</b>,b\n<script>,1\n",
        Reads({"<b>a</b>": "text", "b": "number"}, 1, {"<b>a</b>": ["<script>"]}),
    ),
)
