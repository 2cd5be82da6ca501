"""Parquet files and workbooks with exactly one fault, and where it is."""

from __future__ import annotations

import io
import random

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

from trust.plain_tables import Faulty, plain_table


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
