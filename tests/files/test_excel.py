from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
import xlsxwriter

from detector.errors import InputError, UnusableFileError
from detector.files import Limits, ReadOptions, open_table
from detector.files.workbook import cells_without_value


def workbook(folder: Path, rows: list[list[object]], name: str = "Sheet1") -> Path:
    path = folder / "stored"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet(name)
    for number, row in enumerate(rows):
        sheet.write_row(number, 0, row)
    book.close()
    return path


def with_sheet_xml(path: Path, old: str, new: str) -> None:
    parts = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            parts[name] = archive.read(name)
    sheet = parts["xl/worksheets/sheet1.xml"].decode()
    assert old in sheet
    parts["xl/worksheets/sheet1.xml"] = sheet.replace(old, new).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def test_a_formula_that_gave_an_empty_text_is_a_missing_value(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["a", "b"], [1, 2], [3, 4]])
    with_sheet_xml(path, '<c r="B2"><v>2</v></c>', '<c r="B2" t="str"><f>IF(1,"","")</f><v></v></c>')

    assert open_table(path).columns[1].nulls == 1


def test_an_error_cell_with_a_formula_and_a_style_is_named(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["a", "b"], [1, 2], [3, 4]], "A & B")
    with_sheet_xml(path, '<c r="B3"><v>4</v></c>', '<c r="B3" s="0" t="e"><f>1/0</f><v>#DIV/0!</v></c>')

    with pytest.raises(InputError, match="A & B!B3 holds the error #DIV/0!") as caught:
        open_table(path)

    assert caught.value.problems[0].column == "b"


def test_cells_beyond_column_z_are_named_as_excel_names_them(tmp_path: Path) -> None:
    names = [f"c{n}" for n in range(30)]
    path = workbook(tmp_path, [names, *([n] * 29 + ["x" if n == 2 else n] for n in range(4))])

    with pytest.raises(InputError, match='"x" in Sheet1!AD4 is not a number'):
        open_table(path, options=ReadOptions(numeric_columns=("c29",)))


def test_numbers_and_texts_are_read_as_a_csv_file_would_be(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["n", "f", "id"], [12, 0.1, "0012"], [3e14, -2.5, "0013"]])

    frame = open_table(path).frame()

    assert frame.to_dict("list") == {"n": [12, 300_000_000_000_000], "f": [0.1, -2.5], "id": ["0012", "0013"]}


def test_columns_without_name_and_values_are_left_out(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["a", "b", ""], [1, 2, ""]])

    assert [column.name for column in open_table(path).columns] == ["a", "b"]


def test_an_empty_sheet_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnusableFileError, match='the sheet "Sheet1" is empty'):
        open_table(workbook(tmp_path, []))


def test_a_workbook_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "stored"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("xl/worksheets/sheet1.xml", bytes(5_000_000))

    with pytest.raises(UnusableFileError, match="unpacks to 5 MB; the limit is 1 MB"):
        open_table(path, options=ReadOptions(limits=Limits(expanded_bytes=1_000_000)))


def test_a_damaged_workbook_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook")
    path = tmp_path / "stored"
    path.write_bytes(out.getvalue())

    with pytest.raises(UnusableFileError, match="cannot be read as an Excel workbook"):
        open_table(path)


def test_looking_for_failed_formulas_leaves_what_is_damaged_to_the_parser(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["a", "b"], *([number, f"=A{number}"] for number in range(2, 60))])
    whole = path.read_bytes()

    for at in range(0, len(whole), 13):
        path.write_bytes(whole[:at] + b"\xff\x00" + whole[at + 2 :])
        cells_without_value(path, "Sheet1")


def test_an_upload_that_is_only_the_beginning_of_a_workbook_is_not_called_an_archive_to_unpack(tmp_path: Path) -> None:
    path = tmp_path / "stored"
    path.write_bytes(workbook(tmp_path, [["a"], [1]]).read_bytes()[:60])

    with pytest.raises(UnusableFileError, match=r"sales\.xlsx cannot be read as an Excel workbook"):
        open_table(path, name="sales.xlsx")


def test_rows_with_error_cells_can_be_set_aside(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["a", "b"], [1, 2], [3, 4]])
    with_sheet_xml(path, '<c r="B3"><v>4</v></c>', '<c r="B3" t="e"><v>#N/A</v></c>')

    table = open_table(path, options=ReadOptions(on_error="quarantine"))

    assert (table.rows, table.set_aside) == (1, 1)
    assert next(table.quarantined())["record"].tolist() == ["3,"]
