"""Delimited text in many dialects with exactly one fault, and where it is."""

from __future__ import annotations

import csv
import io
import random
from typing import Any

from trust.plain_tables import PLAIN_TEXTS, Cell, Faulty, Plain, plain_table


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
    table = plain_table(rng, texts=PLAIN_TEXTS)
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
