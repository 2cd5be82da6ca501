"""What models remember of entities, in files beside theirs: by content, and by version for what came since."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from detector.durable import write_durably
from detector.errors import ModelFileError


class HistoryFiles:
    """The histories in ``folder``. A file that belongs to a version never changes; versions may share one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, content: bytes) -> str:
        """Write histories unless they are there already, and return their SHA-256, by which :meth:`get` finds them."""
        digest = sha256(content).hexdigest()
        path = self._path(digest)
        if not path.is_file():
            write_durably(path, content)
        return digest

    def get(self, digest: str) -> bytes:
        """Return the histories with this SHA-256.

        Raises
        ------
        ModelFileError
            When their file is missing or was changed.
        """
        path = self._path(digest)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelFileError(
                f"The histories in models/histories/{path.name} cannot be read. Restore them from a backup."
            ) from error
        if sha256(content).hexdigest() != digest:
            raise ModelFileError(
                f"The histories in models/histories/{path.name} are not the ones that were registered: their SHA-256"
                " differs. Restore them from a backup."
            )
        return content

    def keep_observed(self, version: int, observer: str, content: bytes) -> None:
        """Write what one process, ``observer``, has observed since ``version`` was made, in place of what it wrote."""
        write_durably(self.folder / f"{version}-{observer}.observed", content)

    def observed(self, version: int) -> list[bytes]:
        """Return what processes have observed since ``version`` was made, one after the other."""
        return [path.read_bytes() for path in sorted(self.folder.glob(f"{version}-*.observed"))]

    def _path(self, digest: str) -> Path:
        return self.folder / f"{digest}.histories"
