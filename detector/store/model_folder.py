"""Model files in a folder: of this machine, or one that several mount."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from detector.durable import write_durably
from detector.errors import ModelStoreError


class FolderStore:
    """A :class:`~detector.store.model_store.ModelStore` in ``folder``; what was put survives a power cut."""

    def __init__(self, folder: Path, place: str) -> None:
        self.folder = folder
        self.place = place

    def put(self, name: str, content: bytes) -> None:
        """Write a file and flush it to disk."""
        path = self.folder / name
        if not path.exists():
            write_durably(path, content)
        elif path.read_bytes() != content:
            raise ModelStoreError(f"There is another file as {self.place}/{name}. It was not overwritten.")

    def get(self, name: str, digest: str | None = None) -> bytes:  # noqa: ARG002 - a folder is near enough
        """Return a file's bytes."""
        return (self.folder / name).read_bytes()

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        return (self.folder / name).is_file()

    def names(self, prefix: str = "") -> tuple[str, ...]:
        """Return the names that begin with ``prefix``, leaving out files that are not finished."""
        inside = prefix.rpartition("/")[0]
        found = (path for path in (self.folder / inside).rglob("*") if path.is_file() and path.suffix != ".part")
        names = (path.relative_to(self.folder).as_posix() for path in found)
        return tuple(sorted(name for name in names if name.startswith(prefix)))

    def delete(self, name: str) -> None:
        """Remove a file."""
        (self.folder / name).unlink(missing_ok=True)

    def announce(self, file: str, database: str) -> None:
        """Do nothing: no version's file is ever removed from a folder. One too many costs less than one too few."""

    def settle(self, file: str, database: str) -> None:
        """Do nothing."""

    def sweep(self, database: str | None, named: Callable[[], set[str]], age: float) -> None:  # noqa: ARG002
        """Remove files that their writers did not finish."""
        for part in self.folder.glob("*/*.part"):
            try:
                if part.stat().st_mtime < time.time() - age:
                    part.unlink(missing_ok=True)
            except FileNotFoundError:
                # Its writer was alive after all, or another process swept first.
                continue

    def answers(self) -> bool:
        """Whether the folder can be looked into; one that nothing was put into yet need not be there."""
        try:
            return self.folder.is_dir() or self.folder.parent.is_dir()
        except OSError:
            return False
