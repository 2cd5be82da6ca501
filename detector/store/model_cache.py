"""Model files of an object store on this machine, so that a version is fetched once and read from disk afterwards."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from hashlib import sha256
from pathlib import Path

import structlog

from detector.durable import make_folder, write_durably
from detector.store.locks import file_lock

_log = structlog.get_logger(__name__)


class ModelCache:
    """At most ``most_bytes`` of files in ``folder``, named by their SHA-256, which is checked whenever one is read.

    Processes of a machine share it. What was used least lately goes first; the file that was kept last stays, however
    large it is.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self.folder = folder
        self.most_bytes = most_bytes

    def get(self, digest: str, fetch: Callable[[], bytes]) -> bytes:
        """Return the file with this SHA-256; ``fetch`` brings it when it is not here. The caller checks what comes.

        Of the processes that want the same file at once one fetches it. A disk that refuses costs a fetch each time.
        """
        found = self._read(digest)
        if found is not None:
            return found
        with ExitStack() as stack:
            try:
                make_folder(self.folder, 0o700)
                stack.enter_context(file_lock(self.folder / f"{digest}.lock"))
            except OSError as error:
                self._cannot(error)
                return fetch()
            found = self._read(digest)
            if found is None:
                found = fetch()
                self.keep(digest, found)
            return found

    def keep(self, digest: str, content: bytes) -> None:
        """Keep ``content`` if that is its SHA-256, and make room for it."""
        if sha256(content).hexdigest() != digest:
            return
        try:
            make_folder(self.folder, 0o700)
            write_durably(self._path(digest), content)
            self._make_room(self._path(digest))
        except OSError as error:
            self._cannot(error)

    def _path(self, digest: str) -> Path:
        return self.folder / f"{digest}.model"

    def _read(self, digest: str) -> bytes | None:
        path = self._path(digest)
        try:
            content = path.read_bytes()
            if sha256(content).hexdigest() == digest:
                path.touch()
                return content
            path.unlink()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._cannot(error)
            return None
        _log.warning("a model in the cache was damaged; it is fetched again", file=path.name)
        return None

    def _make_room(self, kept: Path) -> None:
        sizes = {}
        for path in self.folder.glob("*.model"):
            # Another process may have made room at the same moment.
            with suppress(FileNotFoundError):
                found = path.stat()
                sizes[path] = (found.st_mtime_ns, found.st_size)
        total = sum(size for _, size in sizes.values())
        for path, (_, size) in sorted(sizes.items(), key=lambda item: item[1]):
            if total <= self.most_bytes:
                return
            if path != kept:
                path.unlink(missing_ok=True)
                path.with_suffix(".lock").unlink(missing_ok=True)
                total -= size

    def _cannot(self, error: OSError) -> None:
        _log.warning("the cache of models cannot be used", folder=self.folder.name, reason=error.strerror)
