"""What a file is, from its first bytes and not from its name."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Literal

from detector.errors import UnusableFileError
from detector.files.options import ReadOptions
from detector.files.packed import DAMAGED, directory_is_bomb

Format = Literal["csv", "parquet", "json", "ndjson", "excel"]

_PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf": "7-Zip",
    b"Rar!": "RAR",
}
_FOREIGN = {
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"SQLite format 3": "a SQLite database",
    b"ARROW1": "an Arrow file",
    b"ORC": "an ORC file",
    b"Obj\x01": "an Avro file",
    b"{\\rtf": "a text document",
    **dict.fromkeys((b"\x80\2", b"\x80\3", b"\x80\4", b"\x80\5"), "a saved Python object, such as a model"),
}
_MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<table")
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_EXTENSIONS = {
    "csv": "csv", "tsv": "csv", "txt": "csv", "parquet": "parquet", "pq": "parquet", "json": "json", "ndjson": "ndjson",
    "jsonl": "ndjson", "xlsx": "excel", "xls": "excel", "xlsm": "excel", "xlsb": "excel", "ods": "excel",
}  # fmt: skip
#: Saved Python objects may be plain text: then the name alone tells.
_OBJECTS = frozenset({"joblib", "pkl", "pickle"})
_WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".ods")
_SAID = {"csv": "delimited text", "parquet": "Parquet", "json": "JSON", "ndjson": "JSON lines", "excel": "Excel"}
_HEAD = 4096


def detect_format(path: Path, name: str, options: ReadOptions) -> tuple[Format, list[str]]:
    """Return the format of the file and notes about it.

    Raises
    ------
    UnusableFileError
        When the file is empty, too large, compressed, or of a kind that holds no table.
    """
    size = path.stat().st_size
    if size == 0:
        raise UnusableFileError(f"{name} is empty: it holds 0 bytes. Export it again.", file=name)
    largest = options.limits.file_bytes
    if largest is not None and size > largest:
        raise UnusableFileError(
            f"{name} is {size / 1e6:,.0f} MB; the limit is {largest / 1e6:,.0f} MB. Split it, or use the command line.",
            file=name,
        )
    with path.open("rb") as file:
        head = file.read(_HEAD)
    found = _by_signature(path, head, name)
    extension = name.rsplit(".", 1)[-1].lower() if "." in name else ""
    if found == "csv" and extension in _OBJECTS:
        raise _foreign(name, "a saved Python object, such as a model")
    claimed = _EXTENSIONS.get(extension)
    notes = []
    if claimed and claimed != found and {claimed, found} != {"json", "ndjson"}:
        notes.append(f"The name ends in .{extension}, but the content is {_SAID[found]}; it is read as {_SAID[found]}.")
    return found, notes


def byte_order_mark(head: bytes) -> tuple[str | None, int]:
    """Return the encoding that the byte order mark at the beginning of a file names, and the mark's length."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    return None, 0


def _by_signature(path: Path, head: bytes, name: str) -> Format:
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(_OLD_OFFICE):
        return "excel"
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        if _is_workbook(path, name):
            return "excel"
        raise _packed(name, "ZIP")
    for signature, packer in _PACKED.items():
        if head.startswith(signature):
            raise _packed(name, packer)
    for signature, kind in _FOREIGN.items():
        if head.startswith(signature):
            raise _foreign(name, kind)
    encoding, length = byte_order_mark(head)
    begin = head[length:].decode(encoding or "latin-1", "ignore").encode().lstrip()[:64]
    if begin.lower().startswith(_MARKUP):
        raise _foreign(name, "a web page or an XML document")
    if begin[:1] == b"[" and (begin[1:].lstrip()[:1] in (b"{", b"]", b"[", b"") or begin[1:].lstrip()[:1].isdigit()):
        return "json"
    if begin[:1] == b"{" and begin[1:].lstrip()[:1] in (b'"', b"}", b""):
        return "json"
    return "csv"


def _is_workbook(path: Path, name: str) -> bool:
    if directory_is_bomb(path):
        return Path(name).suffix.lower() in _WORKBOOKS
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except DAMAGED:
        return Path(name).suffix.lower() in _WORKBOOKS
    return any(n in ("xl/workbook.xml", "xl/workbook.bin", "content.xml") for n in names)


def _packed(name: str, packer: str) -> UnusableFileError:
    return UnusableFileError(f"{name} is compressed ({packer}). Unpack it and use the file inside.", file=name)


def _foreign(name: str, kind: str) -> UnusableFileError:
    return UnusableFileError(
        f"{name} is {kind}, not a table. Export the transactions as CSV, Parquet, JSON or Excel.",
        file=name,
    )
