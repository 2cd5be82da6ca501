"""JSON documents, and records by line, with exactly one fault, and where it is."""

from __future__ import annotations

import json
import random

from trust.plain_tables import Cell, Faulty, Plain, plain_table


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
