"""What a ZIP archive says of itself, looked at before any library unpacks it."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path

from detector.errors import UnusableFileError

#: Most members of a workbook, and most bytes of their directory: a list of millions would fill the memory by itself.
MOST_MEMBERS = 10_000
MOST_DIRECTORY_BYTES = 8 << 20
#: What one byte may unpack to; sheets of nothing but blanks come to some hundreds.
MOST_RATIO = 2_000
#: Below this many bytes a ratio says nothing.
_SMALL = 16 << 20

#: What opening a damaged archive raises; the last for a compression that Python does not know.
DAMAGED = (zipfile.BadZipFile, OSError, ValueError, NotImplementedError)

_END = b"PK\x05\x06"
_END_FIELDS = struct.Struct("<4s4H2LH")
_LONGEST_COMMENT = 1 << 16


def refuse_bomb(path: Path, name: str, expanded_limit: int) -> None:
    """Refuse an archive whose directory, or what it says its members unpack to, is beyond all measure.

    What lies about its sizes is stopped later, by the limits of the process that parses it.

    Raises
    ------
    UnusableFileError
        Saying which.
    """
    if directory_is_bomb(path):
        raise UnusableFileError(
            f"{name} has more parts than any workbook. Open it in Excel and save it again, or save it as CSV.",
            file=name,
        )
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = [(entry.file_size, entry.compress_size) for entry in archive.infolist()]
    except DAMAGED:
        return  # the parser has the word
    expanded = sum(size for size, _ in sizes)
    if expanded > expanded_limit:
        message = f"{name} unpacks to {expanded / 1e6:,.0f} MB; the limit is {expanded_limit / 1e6:,.0f} MB."
        raise UnusableFileError(f"{message} Save it as CSV.", file=name)
    if any(size > _SMALL and size > MOST_RATIO * max(1, packed) for size, packed in sizes):
        raise UnusableFileError(f"{name} unpacks to far more than it holds. Save it as CSV.", file=name)


def directory_is_bomb(path: Path) -> bool:
    """Return whether an archive's directory is too large to be listed."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _LONGEST_COMMENT - _END_FIELDS.size))
        end = file.read()
    at = end.rfind(_END)
    if at < 0 or len(end) - at < _END_FIELDS.size:
        return False
    _, _, _, _, members, directory_bytes, _, _ = _END_FIELDS.unpack_from(end, at)
    # A long archive (ZIP64) has 65,535 or all ones in these fields, which is too much as well.
    return bool(members > MOST_MEMBERS or directory_bytes > MOST_DIRECTORY_BYTES)
