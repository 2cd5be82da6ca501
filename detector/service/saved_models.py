"""What a backup keeps of the model store: the files of versions and histories, wherever the store is."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from detector.errors import ModelFileError
from detector.store.model_store import HISTORIES, VERSIONS, ModelStore

_ROOT = "models/"
#: Where they lie in a backup; the same as in a workspace whose store is its own folder.
PLACES = tuple(f"{_ROOT}{name}/" for name in (VERSIONS, HISTORIES))


def model_files(models: ModelStore) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a store, with their places in a backup; raises ``ModelStoreError``."""
    for place in PLACES:
        for name in models.names(place.removeprefix(_ROOT)):
            try:
                content = models.get(name)
            except FileNotFoundError:
                # It has gone in the meantime.
                continue
            yield f"{_ROOT}{name}", content


def put_model(models: ModelStore, source: Path, place: str, digest: str) -> None:
    """Put a file of a backup into a store.

    Raises
    ------
    ModelFileError
        When it is not what was saved; ``ModelStoreError`` when the store does not take it, or has another by that name.
    """
    content, name = source.read_bytes(), place.removeprefix(_ROOT)
    if sha256(content).hexdigest() != digest:
        raise ModelFileError(f"{source.name} changed while it was restored.")
    models.put(name, content)
