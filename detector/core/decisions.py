"""What an analyst said of rows, kept in the model as rows, so that it outlives trees, columns and versions."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core import content as stored
from detector.core.forest import Encoded
from detector.core.later import pd
from detector.core.numerals import LARGEST
from detector.core.schema import hash_of
from detector.errors import InputError

#: Decisions that a model holds, at most; the work they make is bounded by it.
MOST_DECISIONS = 50_000
#: A key is a name, not a document.
LONGEST_KEY = 256

_FIELDS = frozenset({"keys", "labels", "rows"})

Labels = NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Decisions:
    """The rows that were decided on, each under a key that names it.

    They lie in the order of their keys, so what a model makes of them does not depend on when each was said.

    Parameters
    ----------
    keys : ascending texts, each once.
    labels : (m,) int8, 1 for fraud and 0 for legitimate.
    rows : (m, d) float32, encoded as the sample's rows are; ``NaN`` where a row lacks what a column says.
    """

    keys: tuple[str, ...] = ()
    labels: Labels = field(default_factory=lambda: np.empty(0, np.int8))
    rows: Encoded = field(default_factory=lambda: np.empty((0, 0), np.float32))

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def salts(self) -> NDArray[np.uint32]:
        """A number for each row (m,), that decides which way it takes where it lacks a value."""
        return np.array([hash_of(key) for key in self.keys], np.uint32)

    def told(self, keys: Sequence[str], labels: Sequence[int | None], rows: Encoded) -> Decisions:
        """Return the decisions with others; what was said of the same keys before is replaced.

        Parameters
        ----------
        keys : (n,) of a key that comes twice, the last counts.
        labels : (n,) 1, 0, or ``None`` to take back what was said.
        rows : (n, d) encoded rows, at least as wide as those before.

        Raises
        ------
        InputError
            When there would be more than ``MOST_DECISIONS``.
        """
        last = {key: place for place, key in enumerate(keys)}
        kept = self.without(last).widened(rows.shape[1])
        new = [place for place in last.values() if labels[place] is not None]
        if len(kept) + len(new) > MOST_DECISIONS:
            raise InputError(f"A model learns from at most {MOST_DECISIONS:,} decisions. Take some back first.")
        if not kept and not new:
            return NO_DECISIONS
        named = (*kept.keys, *(keys[place] for place in new))
        order = sorted(range(len(named)), key=named.__getitem__)
        labelled = np.concatenate([kept.labels, np.array([labels[place] for place in new], np.int8)])
        return Decisions(
            tuple(named[place] for place in order), labelled[order], np.concatenate([kept.rows, rows[new]])[order]
        )

    def without(self, keys: Collection[str]) -> Decisions:
        """Return the decisions without those under ``keys``; keys that are not among them change nothing."""
        kept = [place for place, key in enumerate(self.keys) if key not in keys]
        if len(kept) == len(self.keys):
            return self
        if not kept:
            return NO_DECISIONS
        return Decisions(tuple(self.keys[place] for place in kept), self.labels[kept], self.rows[kept])

    def widened(self, columns: int) -> Decisions:
        """Return the decisions with room for ``columns`` encoded columns; what their rows lack is ``NaN``."""
        have = self.rows.shape[1]
        if columns <= have:
            return self
        rows = np.full((len(self.rows), columns), np.nan, np.float32)
        rows[:, :have] = self.rows
        return Decisions(self.keys, self.labels, rows)

    def to_content(self) -> dict[str, Any]:
        """Return the decisions as plain values."""
        return {"keys": list(self.keys), "labels": self.labels.astype(np.uint8), "rows": self.rows}

    @classmethod
    def from_content(cls, content: object, width: int) -> Decisions:
        """Return the decisions that :meth:`to_content` described, for a model of ``width`` encoded columns.

        Raises
        ------
        ModelFileError
            When types, lengths, ranges or the order are off.
        """
        found = stored.fields(content, _FIELDS, "the decisions")
        keys, rows = found["keys"], found["rows"]
        if type(keys) is not list or any(type(key) is not str or not 0 < len(key) <= LONGEST_KEY for key in keys):
            raise stored.damaged("the decisions have no keys")
        if not 0 < len(keys) <= MOST_DECISIONS or any(a >= b for a, b in pairwise(keys)):
            raise stored.damaged("the keys of the decisions are not in order")
        labels = stored.array(found, "labels", np.uint8, most=len(keys))
        if type(rows) is not np.ndarray or rows.dtype != np.dtype(np.float32) or rows.shape != (len(keys), width):
            raise stored.damaged("the rows of the decisions do not fit the schema")
        if len(labels) != len(keys) or (labels > 1).any():
            raise stored.damaged("the decisions are not one for each key")
        if (rows > LARGEST).any() or ((rows < -LARGEST) & ~np.isneginf(rows)).any():
            raise stored.damaged("the decisions hold a number that is out of range")
        return cls(tuple(keys), labels.astype(np.int8), np.ascontiguousarray(rows))


NO_DECISIONS = Decisions()


@dataclass(frozen=True)
class Decided:
    """Which rows a model has decisions on.

    Parameters
    ----------
    keys : the names of the rows, ascending.
    labels : 1 for fraud and 0 for legitimate, one a key.
    """

    keys: tuple[str, ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.keys)


def as_labels(decisions: Iterable[Any], rows: int) -> list[int | None]:
    """Return decisions as 1 for fraud, 0 for legitimate and ``None`` for undecided; one for each of ``rows``.

    Raises
    ------
    InputError
        When they are not as many as the rows, or one of them is something else.
    """
    found = list(decisions)
    if len(found) != rows:
        raise InputError(f"There must be one decision for each of {rows} rows; {len(found)} came.")
    return [_as_label(decision, place) for place, decision in enumerate(found)]


def _as_label(decision: Any, place: int) -> int | None:
    if decision is None or decision is pd.NA or (isinstance(decision, float) and math.isnan(decision)):
        return None
    if isinstance(decision, bool | int | float | np.bool_ | np.integer | np.floating) and decision in (0, 1):
        return int(decision)
    raise InputError(
        f"The decision on row {place} is {decision!r}. It must be 1 for fraud, 0 for legitimate or None for undecided."
    )


def as_keys(keys: Iterable[Any] | None, frame: pd.DataFrame) -> list[str]:
    """Return the texts that name the rows of a frame: ``keys``, or a hash of what each row holds.

    The hash is of the values with the names of their columns, whatever the order of columns; a cell without a value
    does not count.

    Raises
    ------
    InputError
        When the keys are not as many as the rows, or one is no text of 1 to ``LONGEST_KEY`` characters.
    """
    if keys is None:
        return content_keys(frame)
    found = [keys] if isinstance(keys, str) else list(keys)
    if len(found) != len(frame):
        raise InputError(f"There must be one key for each of {len(frame)} rows; {len(found)} came.")
    for key in found:
        if not isinstance(key, str) or not 0 < len(key) <= LONGEST_KEY:
            raise InputError(f"A key names a row with a text of 1 to {LONGEST_KEY} characters; {key!r:.60} does not.")
    return [str(key) for key in found]


def content_keys(frame: pd.DataFrame) -> list[str]:
    """Return the names of rows that came without keys; see :func:`as_keys`."""
    names = sorted(frame.columns, key=str)
    lines = zip(*([_as_text(value) for value in frame[name].tolist()] for name in names), strict=True)
    return [
        hashlib.sha256(
            "\0".join(f"{name}\0{text}" for name, text in zip(names, line, strict=True) if text is not None).encode(
                "utf-8", "surrogatepass"
            )
        ).hexdigest()[:32]
        for line in lines
    ]


def _as_text(value: Any) -> str | None:
    """Return a value as a text that is the same whatever type of number held it; ``None`` when there is none."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, bool | int | float | np.number | np.bool_):
        number = float(value)
        return None if math.isnan(number) else repr(number)
    return str(value)
