"""What calamine does not tell of a workbook: cells that hold an error, formulas without a value, encryption."""

from __future__ import annotations

import html
import re
import zipfile
import zlib
from pathlib import Path

from detector.files.packed import DAMAGED

_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_CELL = re.compile(rb"<c\b([^>]*[^>/])>(.*?)</c>", re.DOTALL)
_VALUE = re.compile(rb"<v\b[^>]*>([^<]+)</v>|<is\b")
_ADDRESS = re.compile(rb'\br="([A-Z]{1,3})([0-9]{1,7})"')
_SHEET = re.compile(rb"<(?:\w+:)?sheet\b[^>]*>")
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\b[^>]*>")
_ATTRIBUTE = re.compile(rb'([\w:]+)="([^"]*)"')
_CHUNK = 1 << 22


def cells_without_value(path: Path, sheet: str) -> dict[int, tuple[str, str]]:
    """Return line -> (column letters, error) of each line's first cell whose formula failed or has no saved value.

    The error is ``#REF!``, ``#DIV/0!`` and so on, or empty when there is no value. calamine reads such cells as empty.
    Only .xlsx and .xlsm are looked into; of other workbooks the result is empty.
    """
    found: dict[int, tuple[str, str]] = {}
    if not zipfile.is_zipfile(path):
        return found
    try:
        with zipfile.ZipFile(path) as archive:
            part = _part_of(archive, sheet)
            if part is None:
                return found
            with archive.open(part) as file:
                carry = b""
                while chunk := file.read(_CHUNK):
                    buffer = carry + chunk
                    used = buffer.rfind(b"</c>") + 4
                    if used >= 4:
                        _look_at(buffer[:used], found)
                        carry = buffer[used:]
                    else:
                        carry = buffer[-_CHUNK:]
    # Also a part that is not there, a password, and bytes that cannot be unpacked.
    except (*DAMAGED, KeyError, RuntimeError, EOFError, zlib.error):
        return {}  # damaged, or not the kind of workbook that has such parts: calamine has the word
    return found


def is_encrypted(path: Path) -> bool:
    """Tell whether the file is the container that Office puts an encrypted workbook in."""
    with path.open("rb") as file:
        content = file.read(1 << 20)
    return content.startswith(_OLD_OFFICE) and _ENCRYPTED in content


def _look_at(xml: bytes, found: dict[int, tuple[str, str]]) -> None:
    if b't="e"' not in xml and b"<f" not in xml:
        return
    for match in _CELL.finditer(xml):
        attributes, content = match.groups()
        is_error = b't="e"' in attributes
        if not is_error and b"<f" not in content:
            continue
        value = _VALUE.search(content)
        is_text = b't="str"' in attributes  # a formula that gave an empty text
        address = _ADDRESS.search(attributes)
        if address and (is_error or (value is None and not is_text)):
            shown = value.group(1).decode("utf-8", "replace") if value and value.group(1) else ""
            found.setdefault(int(address[2]), (address[1].decode(), shown if is_error else ""))


def _part_of(archive: zipfile.ZipFile, sheet: str) -> str | None:
    """Return the archive member that holds ``sheet``."""
    identity = None
    for tag in _SHEET.findall(archive.read("xl/workbook.xml")):
        attributes = dict(_ATTRIBUTE.findall(tag))
        if html.unescape(attributes.get(b"name", b"").decode()) == sheet:
            identity = next((value for key, value in attributes.items() if key.endswith(b":id")), None)
    for tag in _RELATION.findall(archive.read("xl/_rels/workbook.xml.rels")):
        attributes = dict(_ATTRIBUTE.findall(tag))
        if identity is not None and attributes.get(b"Id") == identity:
            target = attributes.get(b"Target", b"").decode()
            return target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    return None
