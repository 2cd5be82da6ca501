"""Workbooks: sheets, cells, formulas and dates."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable
from datetime import UTC
from typing import Any

import xlsxwriter

from tests.cases.outcomes import MISSING, Case, Reads, Refused


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


_ENCRYPTED_WORKBOOK = (
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + "EncryptedPackage".encode("utf-16-le") + bytes(512)
)


EXCEL: tuple[Case, ...] = (
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
                "when": [dt.datetime(2025, 1, 1, 12, tzinfo=UTC), MISSING],
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
        Reads({"day": "time"}, 1, {"day": [dt.datetime(2025, 1, 1, tzinfo=UTC)]}, format="excel", encoding=None),
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
)
