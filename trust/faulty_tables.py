"""Valid tables with exactly one fault, and where it is: CSV in many dialects, JSON, records by line, Parquet, Excel."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

Cell = str | float | int | bool | None


@dataclass(frozen=True)
class Faulty:
    """A file with one fault. ``row``, ``line`` and ``column`` are what has to be reported, ``code`` its kind.

    ``noted``: nothing is refused, a note names the column. ``aside``: set aside, the row alone is missing.
    """

    title: str
    content: bytes
    name: str
    code: str
    row: int | None
    line: int | None
    column: str | None
    rows: int
    options: dict[str, Any] = field(default_factory=dict)
    noted: bool = False
    aside: bool = False


@dataclass
class Plain:
    """A valid table: names, their kinds, and rows of values."""

    names: list[str]
    kinds: list[str]
    rows: list[list[Cell]]

    def of_kind(self, kind: str) -> int:
        """Return the place of a column of a kind."""
        return self.kinds.index(kind)


_NAMES = (
    "amount", "Betrag (€)", "merchant id", "país", "цена", "a\u0301rea", "x", "note", "is_new", "at", "kommentar",
    "net-total", "'quoted'", "über;semikolon", "comma, name", "pipe|name", "<b>bold</b>", "=1+1",
    "long name " * 6 + "x",
)  # fmt: skip
_TEXTS = ("food", "books", "ação", "NA", "-", "naïve, really", 'say "hi"', "two\nlines", "semi;colon", "日本", "x" * 40)
_PLAIN_TEXTS = ("food", "books", "travel", "fuel")


def plain_table(rng: random.Random, *, rows: int | None = None, texts: tuple[str, ...] = _TEXTS) -> Plain:
    """Return a table of 20 to 60 rows with a column of numbers, one of whole numbers, one of texts, and others."""
    kinds = ["number", "whole", "text", *rng.choices(["number", "text", "time", "flag"], k=rng.randint(0, 4))]
    rng.shuffle(kinds)
    names = rng.sample(_NAMES, len(kinds))
    begin = datetime(2025, 1, 1) + timedelta(days=rng.randint(0, 300))
    make: dict[str, Callable[[], Cell]] = {
        "number": lambda: round(rng.lognormvariate(3, 1), 2) + 0.25,
        "whole": lambda: rng.randint(1, 999),
        "text": lambda: rng.choice(texts),
        "time": lambda: (begin + timedelta(seconds=rng.randint(0, 10**6))).isoformat(" "),
        "flag": lambda: rng.random() < 0.5,
    }
    count = rng.randint(20, 60) if rows is None else rows
    return Plain(names, kinds, [[make[kind]() for kind in kinds] for _ in range(count)])


def _shown(cell: Cell) -> str:
    return "" if cell is None else str(cell).lower() if isinstance(cell, bool) else str(cell)


class CsvFile:
    """A table as delimited text in a dialect of its own; knows in which line each record begins."""

    def __init__(self, rng: random.Random, table: Plain, *, utf8: bool = False) -> None:
        self.table, self._rng = table, rng
        self.delimiter = rng.choice(",,;\t|")
        self._end = rng.choice(["\n", "\n", "\r\n", "\r"])
        self._quoting = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
        self._blanks = rng.random() < 0.3
        self.encoding = "utf-8" if utf8 else rng.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16"])
        self.header = self.record(table.names)
        self.records = [self.record(row) for row in table.rows]

    def record(self, cells: list[Any], *, quoted: bool = True) -> str:
        """Return cells as one record, without its end."""
        out = io.StringIO()
        quoting = self._quoting if quoted else csv.QUOTE_MINIMAL
        writer = csv.writer(out, delimiter=self.delimiter, quoting=quoting, lineterminator="\r\n")
        writer.writerow([_shown(cell) for cell in cells])
        return out.getvalue().removesuffix("\r\n")

    def place(self, row: int) -> int:
        """Write the file and return the line in which data row ``row`` (0: the header) begins."""
        lines, text, line = [], "", 1
        for record in [self.header, *self.records]:
            while self._blanks and self._rng.random() < 0.15:
                text, line = text + self._end, line + 1
            lines.append(line)
            text += record + self._end
            line += 1 + record.replace("\r\n", "\n").replace("\r", "\n").count("\n")
        self.text = text if self._rng.random() < 0.8 else text[: -len(self._end)]
        return lines[row]

    def content(self) -> bytes:
        """Return the bytes."""
        return self.text.encode(self.encoding)


def _csv_cell(rng: random.Random, code: str, bad: str, kind: str) -> Faulty:
    table = plain_table(rng)
    at, column = rng.randrange(len(table.rows)), table.of_kind(kind)
    table.rows[at][column] = bad
    file = CsvFile(rng, table)
    line = file.place(at + 1)
    return Faulty(
        f"CSV: {bad} in a column of numbers", file.content(), "rows.csv", code, at + 1, line,
        table.names[column], len(table.rows), aside=True,
    )  # fmt: skip


def csv_text(rng: random.Random) -> Faulty:
    """Return a file with text in a column of numbers."""
    return _csv_cell(rng, "not_a_number", rng.choice(["abc", "12a", "n/a", "?", "1.2.3", "--"]), "number")


def csv_infinite(rng: random.Random) -> Faulty:
    """Return a file with an infinite number."""
    return _csv_cell(rng, "infinite", rng.choice(["inf", "-inf", "Infinity", "-Infinity"]), "number")


def csv_out_of_range(rng: random.Random) -> Faulty:
    """Return a file with a number beyond what can be computed with."""
    return _csv_cell(rng, "out_of_range", rng.choice(["1e400", "-1e400", "4e38"]), "number")


def csv_long_whole(rng: random.Random) -> Faulty:
    """Return a file with a whole number beyond 64 bits."""
    return _csv_cell(rng, "too_many_digits", str(rng.randint(2**64, 2**80)), "whole")


def csv_width(rng: random.Random) -> Faulty:
    """Return a file with a value too many or too few in one row."""
    table = plain_table(rng)
    file = CsvFile(rng, table)
    at, many = rng.randrange(len(table.rows)), rng.random() < 0.5
    cells = [*table.rows[at], "more"] if many else table.rows[at][:-1]
    file.records[at] = file.record(cells)
    line = file.place(at + 1)
    return Faulty(
        f"CSV: a value too {'many' if many else 'few'}", file.content(), "rows.csv", "wrong_number_of_values",
        at + 1, line, None, len(table.rows), aside=True,
    )  # fmt: skip


def csv_after_quote(rng: random.Random) -> Faulty:
    """Return a file with text behind a closing quote."""
    table = plain_table(rng)
    file = CsvFile(rng, table)
    at, column = rng.randrange(len(table.rows)), table.of_kind("text")
    cells = [file.record([cell]) for cell in table.rows[at]]
    cells[column] = '"food"and'
    file.records[at] = file.delimiter.join(cells)
    line = file.place(at + 1)
    return Faulty(
        "CSV: text behind a quote", file.content(), "rows.csv", "text_after_quote", at + 1, line, None,
        len(table.rows), aside=True,
    )  # fmt: skip


def csv_open_quote(rng: random.Random) -> Faulty:
    """Return a file with a quote that never closes."""
    table = plain_table(rng, texts=_PLAIN_TEXTS)
    at = rng.randrange(len(table.rows))
    file = CsvFile(rng, table)
    for later in range(at, len(table.rows)):
        file.records[later] = file.record(table.rows[later], quoted=False)
    cells = [_shown(cell) for cell in table.rows[at]]
    column = table.of_kind("text")
    cells[column] = '"' + cells[column]
    file.records[at] = file.delimiter.join(cells)
    line = file.place(at + 1)
    return Faulty("CSV: an open quote", file.content(), "rows.csv", "open_quote", at + 1, line, None, len(table.rows))


def csv_header(rng: random.Random) -> Faulty:
    """Return a file with the same name twice, or none."""
    table = plain_table(rng)
    file = CsvFile(rng, table)
    names = list(table.names)
    later = rng.randrange(1, len(names))
    twice = rng.random() < 0.6
    first = rng.randrange(later)
    names[later] = rng.choice([names[first], f" {names[first].upper()} "]) if twice else ""
    if not twice:
        later, names = first, [*names[:later], table.names[later], *names[later + 1 :]]
        names[first] = " "
    file.header = file.record(names)
    line = file.place(0)
    return Faulty(
        f"CSV: {'a name twice' if twice else 'a column without name'}", file.content(), "rows.csv",
        "duplicate_column" if twice else "empty_column_name", None, line, names[later].strip() if twice else None,
        len(table.rows),
    )  # fmt: skip


def csv_bytes(rng: random.Random) -> Faulty:
    """Return a file with a byte that is no UTF-8, or NUL."""
    table = plain_table(rng)
    file = CsvFile(rng, table, utf8=True)
    at, nul = rng.randrange(len(table.rows)), rng.random() < 0.5
    column = table.of_kind("text")
    table.rows[at][column] = "§mark§"
    file.records[at] = file.record(table.rows[at])
    line = file.place(at + 1)
    before = file.records[at].split("§mark§")[0].replace("\r\n", "\n").replace("\r", "\n").count("\n")
    bad = b"\0" if nul else rng.choice([b"\xff", b"\xc3(", b"\xe9t\xe9", b"\xed\xa0\x80"])
    return Faulty(
        f"CSV: the byte {bad!r}", file.content().replace("§mark§".encode(), b"a" + bad), "rows.csv",
        "nul_byte" if nul else "not_utf8", None, line + before, None, len(table.rows),
    )  # fmt: skip


def csv_ambiguous_number(rng: random.Random) -> Faulty:
    """Return a file with a number that nobody can read without knowing the decimal mark."""
    table = plain_table(rng, rows=rng.randint(2, 8))
    at, column = rng.randrange(len(table.rows)), table.of_kind("number")
    table.rows[at][column] = rng.choice(["1,5", "1,234.50", "12,75"])
    for row in table.rows:
        row[column] = row[column] if row is table.rows[at] else int(float(str(row[column])))
    file = CsvFile(rng, table)
    line = file.place(at + 1)
    return Faulty(
        "CSV: an ambiguous number", file.content(), "rows.csv", "unclear_number", at + 1, line,
        table.names[column], len(table.rows),
    )  # fmt: skip


def csv_ambiguous_date(rng: random.Random) -> Faulty:
    """Return a file with a column of dates that can be read two ways."""
    table = plain_table(rng)
    column = table.of_kind("text")
    for row in table.rows:
        row[column] = f"{rng.randint(1, 12):02}/{rng.randint(1, 12):02}/2025"
    file = CsvFile(rng, table)
    file.place(0)
    return Faulty(
        "CSV: ambiguous dates", file.content(), "rows.csv", "", None, None, table.names[column], len(table.rows),
        noted=True,
    )  # fmt: skip


def csv_long_cell(rng: random.Random) -> Faulty:
    """Return a file with a value that is too long."""
    table = plain_table(rng)
    at, column = rng.randrange(len(table.rows)), table.of_kind("text")
    file = CsvFile(rng, table)
    table.rows[at][column] = "y" * 300
    file.records[at] = file.record(table.rows[at], quoted=False)
    line = file.place(at + 1)
    return Faulty(
        "CSV: a long value", file.content(), "rows.csv", "long_value", at + 1, line, table.names[column],
        len(table.rows), {"cell_bytes": 200}, aside=True,
    )  # fmt: skip


class JsonFile:
    """A table as JSON, in one document or one record a line."""

    def __init__(self, rng: random.Random, table: Plain) -> None:
        self.table, self._rng = table, rng
        self.lines = rng.random() < 0.6
        self._end = rng.choice(["\n", "\n", "\r\n"])
        self._spread = not self.lines and rng.random() < 0.4
        self._wrapped = not self.lines and rng.random() < 0.3
        self.records = [self.record(row) for row in table.rows]

    @property
    def name(self) -> str:
        """What the file is called."""
        return "rows.ndjson" if self.lines else "rows.json"

    def record(self, cells: list[Cell], raw: dict[int, str] | None = None) -> str:
        """Return a row as an object, with cells in ``raw`` written as they stand."""
        joint = "," + (self._end if self._spread else " ")
        return (
            "{"
            + joint.join(
                f"{json.dumps(name)}: {(raw or {}).get(place) or json.dumps(cell)}"
                for place, (name, cell) in enumerate(zip(self.table.names, cells, strict=True))
            )
            + "}"
        )

    def place(self, row: int) -> int:
        """Write the file and return the line in which data row ``row`` begins."""
        text = "" if self.lines else '{"count": 3, "rows": [' if self._wrapped else "["
        starts = []
        for number, record in enumerate(self.records):
            if number or not self.lines:
                text += ("" if self.lines else "," if number else "") + self._end
            if self._rng.random() < 0.1:
                text += self._end
            starts.append(text.count("\n") + 1)
            text += record
        self.text = text + ("" if self.lines else "]}" if self._wrapped else "]") + self._end
        return starts[row - 1]


def _json_cell(rng: random.Random, code: str, raw: str, kind: str, *, named: bool = True, least: int = 0) -> Faulty:
    table = plain_table(rng)
    at, column = rng.randrange(least, len(table.rows)), table.of_kind(kind)
    file = JsonFile(rng, table)
    file.records[at] = file.record(table.rows[at], {column: raw})
    line = file.place(at + 1)
    return Faulty(
        f"{file.name}: {raw[:20]}", file.text.encode(), file.name, code, at + 1, line,
        table.names[column] if named else None, len(table.rows), aside=True,
    )  # fmt: skip


def json_text(rng: random.Random) -> Faulty:
    """Return a file with text or a flag in a column of numbers."""
    return _json_cell(rng, "not_a_number", rng.choice(['"abc"', '"12a"', "true", '"1,5"']), "number")


def json_numbers(rng: random.Random) -> Faulty:
    """Return a file with a number that JSON does not have, or that is out of range."""
    code, raw, kind = rng.choice(
        [
            ("not_json", "NaN", "number"),
            ("not_json", "-Infinity", "number"),
            ("out_of_range", "1e400", "number"),
            ("out_of_range", "4e38", "number"),
            ("long_number", "1" * 500, "whole"),
            ("too_many_digits", str(2**70 + rng.randint(0, 2**60)), "whole"),
        ]
    )
    return _json_cell(rng, code, raw, kind)


def json_values(rng: random.Random) -> Faulty:
    """Return a file with a value that is a list or an object, half a character, or a key that occurs twice."""
    code, raw = rng.choice([("nested_value", "[1, 2]"), ("nested_value", '{"a": 1}'), ("bad_text", r'"\ud800"')])
    return _json_cell(rng, code, raw, "text")


def json_twice(rng: random.Random) -> Faulty:
    """Return a file with a key that occurs twice."""
    faulty = plain_table(rng)
    at, column = rng.randrange(len(faulty.rows)), rng.randrange(len(faulty.names))
    file = JsonFile(rng, faulty)
    name = json.dumps(faulty.names[column])
    file.records[at] = file.records[at][:-1] + f", {name}: 1" + "}"
    line = file.place(at + 1)
    return Faulty(
        f"{file.name}: a key twice", file.text.encode(), file.name, "duplicate_key", at + 1, line,
        faulty.names[column], len(faulty.rows), aside=True,
    )  # fmt: skip


def json_record(rng: random.Random) -> Faulty:
    """Return a file with a record that is no object."""
    table = plain_table(rng)
    at = rng.randrange(2, len(table.rows))
    file = JsonFile(rng, table)
    file.records[at] = rng.choice(["7", '"text"', "[1]", "null"])
    line = file.place(at + 1)
    return Faulty(
        f"{file.name}: no object", file.text.encode(), file.name, "not_an_object", at + 1, line, None,
        len(table.rows), aside=True,
    )  # fmt: skip


def json_broken_line(rng: random.Random) -> Faulty:
    """Return a file with one line that is no JSON."""
    table = plain_table(rng)
    at = rng.randrange(2, len(table.rows))
    file = JsonFile(rng, table)
    while not file.lines:
        file = JsonFile(rng, table)
    good = file.records[at]
    file.records[at] = rng.choice([good[:-1], good[1:], good + "}", good.replace(":", "", 1), "{" + good, "nonsense"])
    line = file.place(at + 1)
    return Faulty(
        "rows.ndjson: a broken line", file.text.encode(), file.name, "bad_json", at + 1, line, None,
        len(table.rows), aside=True,
    )  # fmt: skip


def json_broken_document(rng: random.Random) -> Faulty:
    """Return a file with a document that is no JSON from some record on."""
    table = plain_table(rng)
    at = rng.randrange(1, len(table.rows))
    file = JsonFile(rng, table)
    while file.lines or file._spread:
        file = JsonFile(rng, table)
    file.records[at] = file.record(table.rows[at], {table.of_kind("number"): rng.choice(["1.2.3", "abc", "'x'", "01"])})
    line = file.place(at + 1)
    return Faulty("rows.json: broken", file.text.encode(), file.name, "bad_json", at + 1, line, None, len(table.rows))


def json_bytes(rng: random.Random) -> Faulty:
    """Return a file with a byte that is no UTF-8, or NUL."""
    table = plain_table(rng)
    at, nul, column = rng.randrange(len(table.rows)), rng.random() < 0.5, table.of_kind("text")
    file = JsonFile(rng, table)
    file.records[at] = file.record(table.rows[at], {column: '"MARK"'})
    line = file.place(at + 1)
    inner = file.records[at].split("MARK")[0].count("\n")
    content = file.text.encode().replace(b"MARK", b"a\0" if nul else b"a\xff")
    return Faulty(
        f"{file.name}: a bad byte", content, file.name, "nul_byte" if nul else "not_utf8", None, line + inner,
        None, len(table.rows),
    )  # fmt: skip


def parquet(rng: random.Random) -> Faulty:
    """Return a file with an infinite or overlarge number, a column of lists, or a name twice, in Parquet."""
    table = plain_table(rng)
    at, column = rng.randrange(len(table.rows)), table.of_kind("number")
    columns = [list(cells) for cells in zip(*table.rows, strict=True)]
    code = rng.choice(["infinite", "out_of_range", "unusable_type", "duplicate_column"])
    names, row, named = list(table.names), at + 1, table.names[column]
    if code == "infinite":
        columns[column][at] = rng.choice([float("inf"), float("-inf")])
    elif code == "out_of_range":
        columns[column][at] = rng.choice([1e39, -1e300])
    elif code == "unusable_type":
        columns[column], row = [[1, 2]] * len(table.rows), None
    else:
        other = (column + 1) % len(names)
        names[max(column, other)], row = names[min(column, other)].upper(), None
        named = names[max(column, other)]
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array(cells) for cells in columns], names), out, row_group_size=7)
    return Faulty(
        f"Parquet: {code}", out.getvalue(), "rows.parquet", code, row, None, named, len(table.rows),
        aside=code in {"infinite", "out_of_range"},
    )  # fmt: skip


def excel(rng: random.Random) -> Faulty:
    """Return a workbook with text among numbers, a cell with an error or no value, or a faulty header."""
    table = plain_table(rng)
    at, column = rng.randrange(len(table.rows)), table.of_kind("number")
    code = rng.choice(["not_a_number", "#REF!", "#N/A", "no value", "too_many_digits", "duplicate_column", "empty"])
    names, named, row = list(table.names), table.names[column], at + 1
    if code == "duplicate_column":
        later = rng.randrange(1, len(names))
        names[later], row = f" {names[rng.randrange(later)].upper()}", None
        named = names[later].strip()
    elif code == "empty":
        names[rng.randrange(len(names) - 1)], row = "", None
    top, left = rng.choice([(0, 0), (0, 0), (3, 2)])
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet = book.add_worksheet(rng.choice(["Sheet1", "Data 2025", "É"]))
    for place, name in enumerate(names):
        sheet.write_string(top, left + place, name)
    line, found = top, top + 1
    for number, cells in enumerate(table.rows):
        line += 1 + (rng.random() < 0.1)
        for place, cell in enumerate(cells):
            if isinstance(cell, str):
                sheet.write_string(line, left + place, cell)
            else:
                sheet.write(line, left + place, cell)
        if number == at and row is not None:
            found = line + 1
            if code in {"not_a_number", "too_many_digits"}:
                sheet.write_string(line, left + column, "n.a." if code == "not_a_number" else str(2**70))
            else:
                sheet.write_formula(line, left + column, "=Gone!A1", None, "" if code == "no value" else code)
    book.close()
    codes = {"empty": "empty_column_name", "#REF!": "error_cell", "#N/A": "error_cell", "no value": "error_cell"}
    return Faulty(
        f"Excel: {code}", out.getvalue(), "rows.xlsx", codes.get(code, code), row, found,
        None if code == "empty" else named, len(table.rows), aside=row is not None,
    )  # fmt: skip


#: The kinds of faults; Parquet and Excel, which take longer to write, come less often.
KINDS: tuple[Callable[[random.Random], Faulty], ...] = (
    csv_text, csv_infinite, csv_out_of_range, csv_long_whole, csv_width, csv_after_quote, csv_open_quote, csv_header,
    csv_bytes, csv_ambiguous_number, csv_ambiguous_date, csv_long_cell, csv_width, csv_text,
    json_text, json_numbers, json_values, json_twice, json_record, json_broken_line, json_broken_document, json_bytes,
    parquet, excel,
)  # fmt: skip
