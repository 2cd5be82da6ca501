"""Writing a file so that it is either there whole or not at all, also after a power cut."""

from __future__ import annotations

import os
from pathlib import Path
from secrets import token_hex


def write_durably(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` atomically and flush it to disk.

    The bytes go to a temporary file in the same folder, which is flushed and renamed over ``path``; then the folder is
    flushed, since a rename that is only in memory can be lost. Parent folders are made as needed, and last as well.

    Raises
    ------
    OSError
        When the disk refuses; ``path`` is then as it was.
    """
    handle, temporary = begin_beside(path)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def begin_beside(path: Path) -> tuple[int, Path]:
    """Make a new file beside ``path``, to be renamed over it; return its open descriptor and where it is.

    It gets the permissions that new files get here; those of the standard library's temporary files are for their maker
    alone, and would stay with the finished file.
    """
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name[:64]}.{token_hex(8)}.part")
    return os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666), temporary


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder and those that it lies in, as far as they are missing, so that a power cut leaves them there.

    A new folder is an entry in the one above, which has to be flushed like any other. ``mode``: of the last one.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode, exist_ok=True)
    flush_folder(folder.parent)


def flush_folder(folder: Path) -> None:
    """Flush a folder's entries to disk, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
