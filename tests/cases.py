"""Files as users send them, and what each must get: one table for the reader, the API and the pages.

``content`` is the file, byte for byte; nothing here needs a disk. Cases with one ``number`` are of one kind.
"""

from __future__ import annotations

import datetime as dt
import gzip
import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

MISSING = None


@dataclass(frozen=True)
class Reads:
    """The file is read: column -> type, some columns' values (``MISSING`` for none), words in the notes."""

    types: dict[str, str]
    rows: int
    values: dict[str, list[Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    format: str = "csv"
    encoding: str | None = "utf-8"
    set_aside: tuple[tuple[int, int | None], ...] = ()


@dataclass(frozen=True)
class Refused:
    """The file is refused: words in the message; the first problem's code, the first places, the total."""

    says: tuple[str, ...]
    code: str | None = None
    places: tuple[tuple[int | None, int | None, str | None], ...] = ()
    total: int | None = None
    whole_file: bool = False


@dataclass(frozen=True)
class Case:
    """A file and its outcome. ``options`` are arguments of ``ReadOptions``, its ``limits`` arguments of ``Limits``."""

    number: int
    title: str
    content: bytes
    outcome: Reads | Refused
    name: str = "rows.csv"
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.number} {self.title}"


def _parquet(table: pa.Table, **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def _workbook(fill: Callable[[xlsxwriter.Workbook], None], **options: Any) -> bytes:
    out = io.BytesIO()
    workbook = xlsxwriter.Workbook(out, {"in_memory": True, **options})
    fill(workbook)
    workbook.close()
    return out.getvalue()


def _two_sheets(workbook: xlsxwriter.Workbook) -> None:
    when = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm"})
    sheet = workbook.add_worksheet("One")
    sheet.write_row(0, 0, ["id", "amount", "when", "online"])
    sheet.write_row(1, 0, ["007", 1])
    sheet.write_datetime(1, 2, dt.datetime(2025, 1, 1, 12), when)
    sheet.write_boolean(1, 3, True)
    sheet.write_row(3, 0, ["008", 2.5])
    sheet.write_blank(900, 1, None, when)
    workbook.add_worksheet("Two").write(0, 0, "other")


def _failed_formula(workbook: xlsxwriter.Workbook) -> None:
    sheet = workbook.add_worksheet("Sheet1")
    sheet.write_row(0, 0, ["id", "amount"])
    for row in range(1, 9):
        sheet.write_row(row, 0, [row, row / 2])
    sheet.write_formula(6, 1, "=Gone!A1", value="#REF!")


def _offset_text_in_numbers(workbook: xlsxwriter.Workbook) -> None:
    sheet = workbook.add_worksheet("Data 2025")
    sheet.write_row(2, 1, ["id", "amount"])
    for row in range(3, 8):
        sheet.write_row(row, 1, [row, "n/a" if row == 5 else row / 2])


def _formula_values(workbook: xlsxwriter.Workbook) -> None:
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, ["a", "double"])
    sheet.write(1, 0, 4)
    sheet.write_formula(1, 1, "=A2*2", value=8)
    sheet.write(2, 0, 5)


def _formula_without_value(workbook: xlsxwriter.Workbook) -> None:
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, ["a", "double"])
    sheet.write(1, 0, 4)
    sheet.write_formula(1, 1, "=A2*2", value="")


def _date_1904(workbook: xlsxwriter.Workbook) -> None:
    sheet = workbook.add_worksheet()
    sheet.write(0, 0, "day")
    sheet.write_datetime(1, 0, dt.datetime(2025, 1, 1), workbook.add_format({"num_format": "yyyy-mm-dd"}))


def _merged_header(workbook: xlsxwriter.Workbook) -> None:
    sheet = workbook.add_worksheet()
    sheet.merge_range("A1:B1", "who")
    sheet.write(0, 2, "amount")
    sheet.write_row(1, 0, ["ann", "lee", 3])


_UTC = dt.UTC
_ENCRYPTED_WORKBOOK = (
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + "EncryptedPackage".encode("utf-16-le") + bytes(512)
)
_GOOD_PARQUET = _parquet(pa.table({"amount": [1.5, 2.5], "card": ["a", "b"]}))
_HUNDRED_NUMBERS = b"".join(b"%d,x\n" % n for n in range(1, 100))

CASES: tuple[Case, ...] = (
    Case(1, "no bytes at all", b"", Refused(("rows.csv", "is empty"), whole_file=True)),
    Case(1, "nothing but blank lines", b"\n\r\n  \n", Refused(("only blank lines",), whole_file=True)),
    Case(2, "a header alone", b"a,b\n", Reads({"a": "empty", "b": "empty"}, 0)),
    Case(2, "a header alone, no line end", b"a,b", Reads({"a": "empty", "b": "empty"}, 0)),
    Case(
        3,
        "blank lines are no rows",
        b"\n\na,b\n\n1,x\n   \n2,y\n\n\n",
        Reads({"a": "number", "b": "text"}, 2, {"a": [1, 2], "b": ["x", "y"]}),
    ),
    Case(
        3,
        "line numbers stay true after blank lines and quoted newlines",
        b'\na,b\n\n1,"x\ny\r\nz"\n\n2,y,3\n',
        Refused(("row 2 (line 8)",), "wrong_number_of_values", ((2, 8, None),), 1),
    ),
    Case(
        4, "byte order mark before a quoted header", b'\xef\xbb\xbf"a",b\n1,x\n', Reads({"a": "number", "b": "text"}, 1)
    ),
    Case(
        5,
        "UTF-16, little end first",
        "a;b\n1;é\n".encode("utf-16"),
        Reads({"a": "number", "b": "text"}, 1, {"b": ["é"]}, ("UTF-16",), encoding="utf-16-le"),
    ),
    Case(
        5,
        "UTF-16, big end first",
        b"\xfe\xff" + "a;b\n1;é\n".encode("utf-16-be"),
        Reads({"a": "number", "b": "text"}, 1, {"b": ["é"]}, ("UTF-16",), encoding="utf-16-be"),
    ),
    Case(
        6,
        "Windows-1252 is not guessed",
        "a,b\n1,x\n2,café\n".encode("cp1252"),
        Refused(("line 3", "Byte 13", "Windows-1252", '"2,café"'), "not_utf8", ((None, 3, None),), 1, whole_file=True),
    ),
    Case(
        6,
        "Windows-1252 as declared",
        "a,b\n1,café €\n".encode("cp1252"),
        Reads({"a": "number", "b": "text"}, 1, {"b": ["café €"]}, ("CP1252",), encoding="cp1252"),
        options={"encoding": "cp1252"},
    ),
    Case(
        6,
        "an encoding that does not exist",
        b"a\n1\n",
        Refused(('"cp99999"', "no such encoding")),
        options={"encoding": "cp99999"},
    ),
    Case(
        7,
        "invalid UTF-8 amid valid UTF-8",
        "a,b\n1,é\n2,".encode() + b"\xff\n",
        Refused(("line 3", "Byte 11", "damaged"), "not_utf8", ((None, 3, None),), 1, whole_file=True),
    ),
    Case(
        8,
        "a NUL byte",
        b'a,b\n1,"x\n"\n2,\0\n',
        Refused(("line 4", "Byte 13", "NUL"), "nul_byte", ((None, 4, None),), 1, whole_file=True),
    ),
    Case(
        9,
        "one value too many in the first row",
        b"a,b\n1,x,3\n2,y\n",
        Refused(("Row 1 (line 2)", "3 values", "2 columns"), "wrong_number_of_values", ((1, 2, None),), 1),
    ),
    Case(
        9,
        "one value too many in every row",
        b"a,b\n1,x,3\n2,y,4\n",
        Refused(("2 problems", "3 values", "2 columns"), "wrong_number_of_values", ((1, 2, None), (2, 3, None)), 2),
    ),
    Case(
        10,
        "too few and too many values",
        b"a,b,c\n1,x,3\n2,y\n3,z,4\n4,w,5,6\n",
        Refused(("2 values", "3 columns"), "wrong_number_of_values", ((2, 3, None), (4, 5, None)), 2),
    ),
    Case(
        10,
        "faulty rows set aside",
        b"a,b,c\n1,x,3\n2,y\n3,z,4\n4,w,5,6\n",
        Reads({"a": "number", "b": "text", "c": "number"}, 2, {"a": [1, 3]}, set_aside=((2, 3), (4, 5))),
        options={"on_error": "quarantine"},
    ),
    Case(
        11,
        "a delimiter at the end of every line",
        b"a,b,\n1,x,\n2,y, \n",
        Reads({"a": "number", "b": "text"}, 2, notes=("ends with a delimiter",)),
    ),
    Case(
        11,
        "a delimiter at the end of every line but the header",
        b"a,b\n1,x,\n2,y,\n",
        Reads({"a": "number", "b": "text"}, 2, notes=("ends with a delimiter",)),
    ),
    Case(
        11,
        "a value behind the last delimiter",
        b"a,b,\n1,x,\n2,y,7\n",
        Refused(("Row 2 (line 3)", "3 values"), "wrong_number_of_values", ((2, 3, None),), 1),
    ),
    Case(
        12,
        "the same name twice but for blanks and case",
        b"Amount,b, amount \n1,2,3\n",
        Refused(("Columns 1 and 3", "same name"), "duplicate_column", ((None, 1, "amount"),), 1),
    ),
    Case(
        12,
        "the same name twice but for Unicode form",
        "caf\u00e9,b,cafe\u0301\n1,2,3\n".encode(),
        Refused(("Columns 1 and 3",), "duplicate_column", ((None, 1, "cafe\u0301"),), 1),
    ),
    Case(
        13,
        "a title above the table",
        b"Report,,,\na,b,c,d\n1,2,3,4\n",
        Refused(("Report", "above the line with the column names"), "empty_column_name", ((None, 1, None),), 1),
    ),
    Case(
        13,
        "a column without name",
        b"a, ,b\n1,2,3\n",
        Refused(("Column 2 has no name",), "empty_column_name", ((None, 1, None),), 1),
    ),
    Case(
        14,
        "no header, all data",
        b"1,2.5,2025-01-01\n2,3,2025-01-02\n",
        Refused(("looks like data", "Add a line"), "no_header", ((None, 1, None),), 1),
    ),
    Case(
        14,
        "no header, seen from the model's columns",
        b"DE,2.5,T1\nFR,3,T2\n",
        Refused(("country, amount, id", "has no header", "in order"), "no_header", ((None, 1, None),), 1),
        options={"expected_columns": ("country", "amount", "id")},
    ),
    Case(
        14,
        "declared to have no header",
        b"DE,2.5,T1\nFR,3,T2\n",
        Reads({"country": "text", "amount": "number", "id": "text"}, 2, notes=("no header",)),
        options={"expected_columns": ("country", "amount", "id"), "header": False},
    ),
    Case(
        14,
        "years as column names, declared to be the header",
        b"2024,2025\n1,2\n",
        Reads({"2024": "number", "2025": "number"}, 1),
        options={"header": True},
    ),
    Case(15, "semicolons", b"a;b\n1;x\n", Reads({"a": "number", "b": "text"}, 1, notes=("semicolon",))),
    Case(
        15,
        "another delimiter inside a name, and rows of another width",
        b"at;in|out\n1;x\n2;y;z\n3;w;z\n4;v\n",
        Refused(("Row 2 (line 3)", "3 values", "2 columns"), "wrong_number_of_values", ((2, 3, None), (3, 4, None)), 2),
    ),
    Case(15, "tabs", b"a\tb\n1\tx\n", Reads({"a": "number", "b": "text"}, 1, notes=("tab",)), name="rows.tsv"),
    Case(15, "pipes", b"a|b\n1|x, y; z\n", Reads({"a": "number", "b": "text"}, 1, notes=("pipe",))),
    Case(
        15,
        "another delimiter, as declared",
        b"a^b\n1^x\n",
        Reads({"a": "number", "b": "text"}, 1),
        options={"delimiter": "^"},
    ),
    Case(
        16,
        "a decimal comma that nobody declared",
        b"amount;b\n1,5;x\n2,75;y\n",
        Refused(('"amount"', '"1,5"', "decimal mark"), "unclear_number", ((1, 2, "amount"),), 1),
    ),
    Case(
        16,
        "a decimal comma as declared",
        b"amount;b\n1.001,5;x\n-2,75;y\n",
        Reads({"amount": "number", "b": "text"}, 2, {"amount": [1001.5, -2.75]}),
        options={"decimal": ","},
    ),
    Case(
        16,
        "groups of three digits that nobody declared",
        b'amount\n"1,234.50"\n2\n',
        Refused(('"1,234.50"', "decimal mark"), "unclear_number", ((1, 2, "amount"),), 1),
    ),
    Case(
        17,
        "a quote that never closes",
        b'a,b\n1,x\n2,"y\n3,z\n4,w\n',
        Refused(("line 3", "never closed"), "open_quote", ((2, 3, None),), 1, whole_file=True),
    ),
    Case(
        17,
        "a quote that closes in the next quoted value",
        b'a,b\n1,"x\n2,"y"\n3,z\n',
        Refused(("Row 1 (line 2)", "opens in line 2"), "text_after_quote", ((1, 2, None),), 1),
    ),
    Case(
        18,
        "quoted newlines and mixed line ends",
        b'a,b\r\n1,"x\r\ny"\r2,"say ""hi"""\n3,w',
        Reads({"a": "number", "b": "text"}, 3, {"a": [1, 2, 3], "b": ["x\r\ny", 'say "hi"', "w"]}),
    ),
    Case(18, "carriage returns alone", b"a,b\r1,x\r2,y\r", Reads({"a": "number", "b": "text"}, 2)),
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
            {"day": [dt.datetime(2025, 4, 3, tzinfo=_UTC), dt.datetime(2025, 12, 25, tzinfo=_UTC)]},
            ("day first",),
        ),
    ),
    Case(
        31,
        "dates with the declared order",
        b"day\n03/04/2025\n05/06/2025\n",
        Reads(
            {"day": "time"}, 2, {"day": [dt.datetime(2025, 3, 4, tzinfo=_UTC), dt.datetime(2025, 5, 6, tzinfo=_UTC)]}
        ),
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
                    dt.datetime(2025, 3, 30, 1, 30, tzinfo=_UTC),
                    dt.datetime(1, 1, 1, tzinfo=_UTC),
                    dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=_UTC),
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
        32,
        "Parquet named .csv",
        _GOOD_PARQUET,
        Reads({"amount": "number", "card": "text"}, 2, notes=(".csv", "Parquet"), format="parquet", encoding=None),
    ),
    Case(
        32,
        "text named .xlsx",
        b"a,b\n1,x\n",
        Reads({"a": "number", "b": "text"}, 1, notes=(".xlsx", "delimited text")),
        name="rows.xlsx",
    ),
    Case(32, "a PDF named .csv", b"%PDF-1.7\n", Refused(("PDF", "Export"), whole_file=True)),
    Case(32, "a web page named .csv", b"<!DOCTYPE html><table>", Refused(("web page",), whole_file=True)),
    Case(
        32,
        "a model named .csv",
        pickle.dumps([1.0]),
        Refused(("a saved Python object", "Export"), whole_file=True),
    ),
    Case(
        32,
        "a model that is plain text",
        pickle.dumps([1.0], protocol=0),
        Refused(("a saved Python object", "Export"), whole_file=True),
        name="model.joblib",
    ),
    Case(
        33,
        "a path as name, with a bidirectional control",
        b"a,a\n",
        Refused(("x\\u202ey.csv has",), "duplicate_column", total=1),
        name="../../etc/x\u202ey.csv",
    ),
    Case(34, "gzip named .csv", b"\x1f\x8b\x08" + bytes(64), Refused(("gzip", "Unpack"), whole_file=True)),
    Case(34, "zip named .csv", b"PK\x03\x04" + bytes(64), Refused(("ZIP", "Unpack"), whole_file=True)),
    Case(34, "a bomb of gzip named .csv", gzip.compress(bytes(1 << 22)), Refused(("gzip", "Unpack"), whole_file=True)),
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
    Case(
        36,
        "one row over the limit",
        b"a\n1\n2\n3\n",
        Refused(("more than 2 rows",), whole_file=True),
        options={"limits": {"rows": 2}},
    ),
    Case(
        37,
        "Parquet cut short",
        _GOOD_PARQUET[:-20],
        Refused(("not a readable Parquet file",), whole_file=True),
        name="rows.parquet",
    ),
    Case(
        37,
        "Parquet with a footer that lies about its length",
        _GOOD_PARQUET[:-8] + b"\xff\xff\xff\x7f" + b"PAR1",
        Refused(("not a readable Parquet file",), whole_file=True),
        name="rows.parquet",
    ),
    Case(
        37,
        "nested columns",
        _parquet(pa.table({"a": [1], "parts": [[1, 2]]})),
        Refused(('"parts"', "list<"), "unusable_type", ((None, None, "parts"),), 1),
        name="rows.parquet",
    ),
    Case(
        37,
        "decimals, dictionaries, nanoseconds, long integers",
        _parquet(
            pa.table(
                {
                    "price": pa.array(["1.25", None]).cast(pa.decimal128(12, 2)),
                    "shop": pa.array(["x", "y"]).dictionary_encode(),
                    "at": pa.array([1_500, None], pa.timestamp("ns", "Europe/Paris")),
                    "id": [1234567890123456789, None],
                    "n": pa.array([1, 2], pa.uint8()),
                    "ok": [True, None],
                    "ratio": [0.5, float("nan")],
                }
            )
        ),
        Reads(
            {
                "price": "number",
                "shop": "text",
                "at": "time",
                "id": "text",
                "n": "number",
                "ok": "boolean",
                "ratio": "number",
            },
            2,
            {
                "price": [1.25, MISSING],
                "at": [dt.datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=_UTC), MISSING],
                "id": ["1234567890123456789", MISSING],
                "ok": [True, MISSING],
                "ratio": [0.5, MISSING],
            },
            ("microsecond", "15 digits"),
            format="parquet",
            encoding=None,
        ),
        name="rows.parquet",
    ),
    Case(
        37,
        "text in Parquet: times are read, numbers stay text",
        _parquet(pa.table({"t": ["2025-01-01T10:00:00Z", ""], "n": ["1", "2"]})),
        Reads(
            {"t": "time", "n": "text"},
            2,
            {"t": [dt.datetime(2025, 1, 1, 10, tzinfo=_UTC), MISSING], "n": ["1", "2"]},
            format="parquet",
            encoding=None,
        ),
        name="rows.parquet",
    ),
    Case(
        37,
        "infinity in Parquet",
        _parquet(pa.table({"a": [1.0, float("inf"), 3.0]})),
        Refused(('Row 2, column "a"', "infinite"), "infinite", ((2, None, "a"),), 1),
        name="rows.parquet",
    ),
    Case(
        37,
        "infinity in Parquet set aside",
        _parquet(pa.table({"a": [1.0, float("inf"), 3.0]})),
        Reads({"a": "number"}, 2, {"a": [1, 3]}, format="parquet", encoding=None, set_aside=((2, None),)),
        name="rows.parquet",
        options={"on_error": "quarantine"},
    ),
    Case(
        38,
        "several sheets, dates, text that looks like numbers, blank rows",
        _workbook(_two_sheets),
        Reads(
            {"id": "text", "amount": "number", "when": "time", "online": "boolean"},
            2,
            {
                "id": ["007", "008"],
                "amount": [1, 2.5],
                "when": [dt.datetime(2025, 1, 1, 12, tzinfo=_UTC), MISSING],
                "online": [True, MISSING],
            },
            ('"One"', '"Two"'),
            format="excel",
            encoding=None,
        ),
        name="rows.xlsx",
    ),
    Case(
        38,
        "the sheet that was named",
        _workbook(_two_sheets),
        Reads({"other": "empty"}, 0, format="excel", encoding=None),
        name="rows.xlsx",
        options={"sheet": "Two"},
    ),
    Case(
        38,
        "a sheet that does not exist",
        _workbook(_two_sheets),
        Refused(('no sheet "one"', 'Did you mean "One"?')),
        name="rows.xlsx",
        options={"sheet": "one"},
    ),
    Case(
        38,
        "a cell that holds an error",
        _workbook(_failed_formula),
        Refused(("Sheet1!B7", "#REF!"), "error_cell", ((6, 7, "amount"),), 1),
        name="rows.xlsx",
    ),
    Case(
        38,
        "text in a numeric column, by cell",
        _workbook(_offset_text_in_numbers),
        Refused(('"n/a" in Data 2025!C6',), "not_a_number", ((3, 6, "amount"),), 1),
        name="rows.xlsx",
        options={"numeric_columns": ("amount",)},
    ),
    Case(
        38,
        "formulas count as their values",
        _workbook(_formula_values),
        Reads({"a": "number", "double": "number"}, 2, {"double": [8, MISSING]}, format="excel", encoding=None),
        name="rows.xlsx",
    ),
    Case(
        38,
        "a formula that was saved without its value",
        _workbook(_formula_without_value),
        Refused(("Sheet1!B2", "saved without its value"), "error_cell", ((1, 2, "double"),), 1),
        name="rows.xlsx",
    ),
    Case(
        38,
        "dates counted from 1904",
        _workbook(_date_1904, default_date_format="", date_1904=True),
        Reads({"day": "time"}, 1, {"day": [dt.datetime(2025, 1, 1, tzinfo=_UTC)]}, format="excel", encoding=None),
        name="rows.xlsx",
    ),
    Case(
        38,
        "a merged header",
        _workbook(_merged_header),
        Refused(("Column 2 has no name",), "empty_column_name", ((None, 1, None),), 1),
        name="rows.xlsx",
    ),
    Case(38, "encrypted", _ENCRYPTED_WORKBOOK, Refused(("password",), whole_file=True), name="rows.xlsx"),
    Case(
        39,
        "formulas stay as they are",
        b'a,b\n=cmd(),1\n"+1+1",2\n@x,3\n',
        Reads({"a": "text", "b": "number"}, 3, {"a": ["=cmd()", "+1+1", "@x"]}),
    ),
    Case(
        40,
        "100,000 columns",
        ",".join(f"column_{n}" for n in range(100_000)).encode() + b"\n1\n",
        Refused(("columns", "limit is 2,000"), whole_file=True),
    ),
    Case(
        41,
        "markup in names and values",
        b"<b>a</b>,b\n<script>,1\n",
        Reads({"<b>a</b>": "text", "b": "number"}, 1, {"<b>a</b>": ["<script>"]}),
    ),
)
