"""T11: files that unpack to far more than they hold are refused, and memory stays as it was."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from trust.parsers import Reader
from trust.promise import Outcome, Promise, Size

#: How much the memory of the server may rise, in bytes.
MOST = 150 << 20
_SHEET = (
    '<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    '<row r="1"><c r="A1" t="inlineStr"><is><t>amount</t></is></c></row>'
)
_WORKBOOK = {
    "[Content_Types].xml": '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/'
    'content-types"><Default Extension="xml" ContentType="application/xml"/></Types>',
    "_rels/.rels": '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
    'relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
    'officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": '<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/'
    'main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="S" '
    'sheetId="1" r:id="r1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/'
    'package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
    'relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Read each bomb in a process like the server's, and look at its memory."""
    bombs = {
        "a Parquet dictionary of one long text": _dictionary(folder, size.choose(400_000, 12_000)),
        "a workbook that unpacks to gigabytes": _workbook(folder, "plain", size.choose(2_000, 130) << 20, lies=False),
        "a workbook that lies about it": _workbook(folder, "lies", size.choose(2_000, 130) << 20, lies=True),
        "a workbook of a million parts": _many_parts(folder, size.choose(1_000_000, 50_000)),
        "a hundred thousand columns": _wide(folder, size.choose(100_000, 5_000)),
    }
    limits = {} if size.full else {"expanded_bytes": 100 << 20, "parser_bytes": 300 << 20}
    faults, rises = [], []
    with Reader(folder, together=broken, **limits) as reader:
        first = folder / "first.parquet"
        pq.write_table(pa.table({"amount": [1.0, 2.0]}), first)
        before = reader.read(first)
        assert before is not None
        for name, path in bombs.items():
            found = reader.read(path)
            if found is None:
                faults.append(f"{name} ended the server")
                break
            told, memory = found
            rises.append(memory - before[1])
            if not told.startswith("refused "):
                faults.append(f"{name} was not refused: {told}")
            if rises[-1] > MOST * size.choose(1.0, 0.4):
                faults.append(f"{name} left the server with {rises[-1] / 1e6:,.0f} MB more")
    most = max(rises, default=0)
    return Outcome(f"{len(bombs)} bombs refused, memory at most {most / 1e6:+,.0f} MB", tuple(faults))


def _dictionary(folder: Path, rows: int) -> Path:
    """Return a small file of many rows that all hold the same text of 30,000 characters."""
    path = folder / "dictionary.parquet"
    text = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * 30_000]))
    pq.write_table(pa.table({"text": text}), path)
    return path


def _workbook(folder: Path, name: str, expanded: int, *, lies: bool) -> Path:
    path = folder / f"{name}.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for part, content in _WORKBOOK.items():
            archive.writestr(part, content)
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(_SHEET.encode())
            block = b'<row><c t="inlineStr"><is><t>' + b"9" * 1_000 + b"</t></is></c></row>"
            for _ in range(expanded // len(block) // 1_000):
                sheet.write(block * 1_000)
            sheet.write(b"</sheetData></worksheet>")
    if lies:
        content = bytearray(path.read_bytes())
        at = content.rindex(b"PK\x01\x02")
        content[at + 24 : at + 28] = struct.pack("<I", 4_096)  # the size that the directory tells
        path.write_bytes(content)
    return path


def _many_parts(folder: Path, parts: int) -> Path:
    """Return an archive whose directory alone is a hundred bytes a part."""
    path = folder / "parts.xlsx"
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 0, 0, 0, 0, 0, 0, 1, 0) + b"x"
    listed = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 15, 0, 0, 0, 0, 0, 0)
    names = (b"xl/workbook.xml" if number == 0 else b"xl/p%012d" % number for number in range(parts))
    directory = b"".join(listed + name.ljust(15, b"_")[:15] for name in names)
    many = min(parts, 0xFFFF)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, many, many, len(directory), len(local), 0)
    path.write_bytes(local + directory + end)
    return path


def _wide(folder: Path, columns: int) -> Path:
    path = folder / "wide.parquet"
    pq.write_table(pa.table({f"c{number}": [1] for number in range(columns)}), path)
    return path


PROMISE = Promise(
    name="T11",
    says="Bombs are refused, memory stays flat",
    asked="ZIP, Excel and Parquet bombs: all refused, the server within 150 MB",
    breaks="files are parsed in the server's own process, without limits",
    check=check,
)
