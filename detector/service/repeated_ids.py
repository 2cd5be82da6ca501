"""Ids that come more than once: which rows of a file bear the same."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.errors import excerpt

#: Pairs of rows that are named.
NAMED = 3


class RepeatedIds:
    """Looks, batch by batch, for values that columns of ids have more than once; 8 bytes a row and column."""

    def __init__(self, columns: Iterable[str]) -> None:
        self._hashes: dict[str, list[NDArray[np.uint64]]] = {name: [] for name in columns}
        self._empty: dict[str, list[NDArray[np.bool_]]] = {name: [] for name in self._hashes}

    def add(self, batch: pd.DataFrame) -> None:
        """Take the next rows into account."""
        for name, hashes in self._hashes.items():
            hashes.append(np.asarray(pd.util.hash_pandas_object(batch[name], index=False), np.uint64))
            self._empty[name].append(batch[name].isna().to_numpy(bool))

    def warnings(self, *, numbered: bool) -> list[str]:
        """Return a sentence for each column in which a value repeats; ``numbered``: rows have the file's numbers."""
        return [told for name in self._hashes if (told := self._told(name, numbered)) is not None]

    def _told(self, name: str, numbered: bool) -> str | None:
        if not self._hashes[name]:
            return None
        rows = np.flatnonzero(~np.concatenate(self._empty[name]))
        _, first, inverse, counts = np.unique(
            np.concatenate(self._hashes[name])[rows], return_index=True, return_inverse=True, return_counts=True
        )
        later = np.flatnonzero(first[inverse] != np.arange(len(rows)))
        if not len(later):
            return None
        ids = int((counts > 1).sum())
        what = "1 value comes" if ids == 1 else f"{ids:,} values come"
        pairs = [(int(rows[first[inverse[at]]]) + 1, int(rows[at]) + 1) for at in later[:NAMED].tolist()]
        named = ", ".join(f"{one:,} and {other:,}" for one, other in pairs)
        more = f" and {len(later) - NAMED:,} more" if len(later) > NAMED else ""
        where = f", in rows {named}{more}" if numbered else ""
        return (
            f"{excerpt(name)}: {what} more than once, though it is an id{where}. All of these rows are kept; take out "
            "of the file those that tell of one transaction twice."
        )
