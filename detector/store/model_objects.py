"""Model files as objects behind a URL: Amazon S3 and what speaks like it, or any other store that fsspec knows.

Credentials are found where the store's own library looks for them: for S3 in ``AWS_*``, in the files that they name, or
in what the machine or the pod was given; ``AWS_ENDPOINT_URL`` names a server that is not Amazon's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC
from errno import ENOENT
from hashlib import sha256
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import structlog

from detector.errors import ModelFileError, ModelStoreError
from detector.store.addresses import without_password, without_secrets
from detector.store.model_cache import ModelCache

#: Names that are about to be put under ``versions/``, as empty objects in a folder for each database.
ANNOUNCED = "announced/"
#: Seconds that an S3 server has to take a connection and to say something, and how often it is asked.
_S3 = {"config_kwargs": {"connect_timeout": 3, "read_timeout": 10, "retries": {"total_max_attempts": 2}}}
_S3_NAMES = ("s3", "s3a")
#: A write waits for the server's leave to send, which those limits do not cover: seconds for it, and bytes a second.
WRITE_SECONDS, WRITE_RATE = 20.0, 1_000_000
INSTALL = "pip install -r requirements-s3.txt"

_log = structlog.get_logger(__name__)


class ObjectStore:
    """A :class:`~detector.store.model_store.ModelStore` at ``address``, with a cache on this machine.

    Nothing of fsspec is loaded before the store is first asked for something that is not in the cache.

    Raises
    ------
    ModelStoreError
        When a package that the address needs is not installed, or it holds credentials that belong elsewhere.
    """

    def __init__(self, address: str, cache: ModelCache) -> None:
        self.place = without_password(address).rstrip("/")
        self._address = address.rstrip("/")
        self._cache = cache
        self._opening = threading.Lock()
        self._opened: tuple[Any, str] | None = None
        self._s3 = urlsplit(address).scheme.lower() in _S3_NAMES
        if self._s3 and "@" in urlsplit(address).netloc:
            raise ModelStoreError(
                "DETECTOR_MODEL_STORE holds credentials. Name bucket and prefix only, and set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY."
            )
        for package in ("fsspec", *(("s3fs",) if self._s3 else ())):
            if find_spec(package) is None:
                raise ModelStoreError(
                    f"DETECTOR_MODEL_STORE names {self.place}, which needs the package {package}: {INSTALL}"
                )

    def put(self, name: str, content: bytes) -> None:
        """Write an object unless there is one, read it back and compare."""
        with self._asked(f"writing {name}") as (files, root):
            # Where there is one it may be our own: an answer that was lost makes the library ask again.
            with suppress(FileExistsError):
                files.pipe_file(f"{root}/{name}", content, mode="create", **self._limit(content))
            found = files.cat_file(f"{root}/{name}")
        if found != content:
            raise ModelStoreError(f"What is kept as {self.place}/{name} is not what was written. Nothing names it.")
        self._cache.keep(sha256(content).hexdigest(), content)

    def get(self, name: str, digest: str | None = None) -> bytes:
        """Return an object's bytes, from this machine where one with this SHA-256 was kept."""
        return self._fetch(name) if digest is None else self._cache.get(digest, lambda: self._fetch(name))

    def exists(self, name: str) -> bool:
        """Whether there is such an object."""
        with self._asked(f"looking for {name}") as (files, root):
            return self._is_there(files, f"{root}/{name}")

    def names(self, prefix: str = "") -> tuple[str, ...]:
        """Return the names that begin with ``prefix``; what is only announced is none."""
        return tuple(name for name in self._listed(prefix) if not name.startswith(ANNOUNCED))

    def delete(self, name: str) -> None:
        """Remove an object."""
        with self._asked(f"removing {name}") as (files, root), suppress(FileNotFoundError):
            files.rm_file(f"{root}/{name}")

    def announce(self, file: str, database: str) -> None:
        """Write an empty object that tells of what is about to come."""
        with self._asked(f"announcing {file}") as (files, root):
            files.pipe_file(f"{root}/{ANNOUNCED}{database}/{file}", b"", **self._limit(b""))

    def settle(self, file: str, database: str) -> None:
        """Remove that object."""
        try:
            self.delete(f"{ANNOUNCED}{database}/{file}")
        except ModelStoreError as error:
            _log.warning("an announced model is settled later", file=file, reason=error.message)

    def sweep(self, database: str | None, named: Callable[[], set[str]], age: float) -> None:
        """Remove what was announced so long ago that its process cannot be alive, and was never named by a row."""
        if database is None:
            return
        own = f"{ANNOUNCED}{database}/"
        for announced in self._listed(own):
            if self._written(announced) > time.time() - age:
                continue
            file = announced.removeprefix(own)
            # Rows are read after the age is known: one that comes later is of a process that is dead.
            if file not in named():
                self.delete(f"versions/{file}")
                _log.warning("a model that no version came to name was removed", file=file)
            self.settle(file, database)

    def answers(self) -> bool:
        """Ask for one small thing. A server that says nothing keeps the caller waiting; call it in a thread."""
        try:
            with self._asked("looking at it") as (files, root):
                # Where nothing was put yet the prefix is not there, but the bucket is.
                return self._is_there(files, root) or bool(files.exists(root.split("/")[0]))
        except ModelStoreError:
            return False

    def _limit(self, content: bytes) -> dict[str, float]:
        return {"timeout": WRITE_SECONDS + len(content) / WRITE_RATE} if self._s3 else {}

    def _fetch(self, name: str) -> bytes:
        with self._asked(f"reading {name}") as (files, root), suppress(FileNotFoundError):
            return bytes(files.cat_file(f"{root}/{name}"))
        raise FileNotFoundError(ENOENT, "There is no such object", f"{self.place}/{name}")

    def _written(self, name: str) -> float:
        """Return when an object was written, in seconds since 1970; now, when it has gone in the meantime."""
        with self._asked(f"looking at {name}") as (files, root), suppress(FileNotFoundError):
            written = files.modified(f"{root}/{name}")
            return float(written.replace(tzinfo=written.tzinfo or UTC).timestamp())
        return time.time()

    def _listed(self, prefix: str) -> list[str]:
        folder = prefix.rpartition("/")[0]
        with self._asked(f"listing {folder}") as (files, root):
            # Some remember what they have listed, and others write there.
            files.invalidate_cache()
            found = files.find(f"{root}/{folder}" if folder else root)
        # Some stores begin a path with a slash, and some do not.
        begin = len(root.strip("/")) + 1
        return sorted(name for path in found if (name := path.strip("/")[begin:]).startswith(prefix))

    @contextmanager
    def _asked(self, doing: str) -> Iterator[tuple[Any, str]]:
        """Give the file system and the path of the store; say in a sentence what went wrong with it."""
        try:
            yield self._open()
        except ModelFileError:
            raise
        except Exception as error:  # noqa: BLE001 - each store has errors of its own
            told = without_secrets(str(error).strip().partition("\n")[0]) or type(error).__name__
            # Without what led to it: what libraries put into their errors may hold an address with its password.
            raise ModelStoreError(f"The model store {self.place} cannot be used ({doing}): {told}") from None

    def _open(self) -> tuple[Any, str]:
        with self._opening:
            if self._opened is None:
                from fsspec.core import url_to_fs

                files, root = url_to_fs(self._address, skip_instance_cache=True, **(_S3 if self._s3 else {}))
                if self._s3:
                    # It would multiply the tries of the library below it.
                    files.retries = 1
                self._opened = files, root.rstrip("/")
            return self._opened

    @staticmethod
    def _is_there(files: Any, path: str) -> bool:
        try:
            files.info(path)
        except FileNotFoundError:
            return False
        return True
