"""A lock between processes, held by a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from detector.durable import make_folder

if sys.platform == "win32":
    import msvcrt

    @contextmanager
    def file_lock(path: Path) -> Iterator[None]:
        """Hold the lock that ``path`` stands for; wait for it. The system lets go of it when the process dies."""
        make_folder(path.parent)
        with path.open("a+b") as file:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
            try:
                yield
            finally:
                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    @contextmanager
    def file_lock(path: Path) -> Iterator[None]:
        """Hold the lock that ``path`` stands for; wait for it. The system lets go of it when the process dies."""
        make_folder(path.parent)
        with path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
