"""What models remember of entities, in files beside theirs."""

from __future__ import annotations

from hashlib import sha256

from detector.errors import ModelFileError
from detector.store.model_store import HISTORIES, ModelStore


class HistoryFiles:
    """The histories in a model store. A file that belongs to a version never changes; versions may share one."""

    def __init__(self, models: ModelStore) -> None:
        self._models = models

    def keep(self, content: bytes) -> str:
        """Write histories unless they are there already, and return their SHA-256, by which :meth:`get` finds them."""
        digest = sha256(content).hexdigest()
        if not self._models.exists(_name(digest)):
            self._models.put(_name(digest), content)
        return digest

    def get(self, digest: str) -> bytes:
        """Return the histories with this SHA-256.

        Raises
        ------
        ModelFileError
            When their file is missing or was changed; ``ModelStoreError`` when it cannot be asked for.
        """
        place = f"{self._models.place}/{_name(digest)}"
        try:
            content = self._models.get(_name(digest), digest)
        except OSError as error:
            raise ModelFileError(f"The histories in {place} cannot be read. Restore them from a backup.") from error
        if sha256(content).hexdigest() != digest:
            raise ModelFileError(
                f"The histories in {place} are not the ones that were registered: their SHA-256 differs. Restore them"
                " from a backup."
            )
        return content

    def remove(self, digest: str) -> None:
        """Remove the histories with this SHA-256; the caller knows that nothing names them."""
        self._models.delete(_name(digest))


def _name(digest: str) -> str:
    return f"{HISTORIES}/{digest}.histories"
