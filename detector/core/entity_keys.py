"""Events of entities, and the hashes that stand for both: the same for a column and for one value, never the text."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.kernels import behaviour as kernels
from detector.core.later import pd
from detector.core.reading import Reading, read_column, read_value

Floats = NDArray[np.float64]
Keys = NDArray[np.uint64]

#: Digits of the longest whole number that is hashed as a number.
_LONGEST_NUMBER = 18


@dataclass(frozen=True, eq=False)
class Events:
    """Events of entities, one a row of a batch.

    Parameters
    ----------
    keys : (n,) uint64 hash of the entity, 0 for none.
    times : (n,) seconds since 1970 UTC, NaN for none.
    amounts : (n,) NaN for none.
    values : (n, columns) uint64 hashes of what may come for the first time, 0 for none.
    marks : (n,) uint32; the same entity with the same mark is the same event, sent again.
    """

    keys: Keys
    times: Floats
    amounts: Floats
    values: Keys
    marks: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.keys)


def keys_of_column(column: pd.Series) -> Keys:
    """Return (n,) 64-bit hashes of a column's values as texts, the same as :func:`key_of` gives; 0 for no value."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu" and len(column):
        numbers = column.to_numpy()
        if are_short(numbers):
            return keys_of_numbers(numbers)
    return keys_of_reading(read_column(column, "categorical"))


def are_short(numbers: NDArray[Any]) -> bool:
    """Whether whole numbers (n,), n > 0, are hashed as numbers: none is negative or longer than 18 digits."""
    return bool(numbers.min() >= 0 and numbers.max() < 10**_LONGEST_NUMBER)


def keys_of_numbers(numbers: NDArray[Any]) -> Keys:
    """Return (n,) the hashes of whole numbers that :func:`are_short`."""
    return _never_zero(kernels.scrambled(numbers.astype(np.uint64)))


def keys_of_reading(reading: Reading) -> Keys:
    """Return (n,) the hashes of the categories of a column, 0 where there is none."""
    table = np.array([*map(key_of, reading.categories), 0], np.uint64)
    return table[np.where(np.isnan(reading.values), len(reading.categories), reading.values).astype(np.intp)]


def key_of(text: str) -> int:
    """Return 64 bits that stand for ``text`` in every process and on every machine, never 0."""
    if text.isdecimal() and text.isascii() and len(text) <= _LONGEST_NUMBER and (text[0] != "0" or text == "0"):
        return int(_never_zero(kernels.scrambled(np.array([int(text)], np.uint64)))[0])
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little") or 1


def key_of_value(value: Any) -> int:
    """Return the hash of one value as it comes in a record; 0 for none."""
    text, readable = read_value(value, "categorical")
    return key_of(str(text)) if readable and text is not None else 0


def marks_of(times: Floats, amounts: Floats, identities: Keys | None) -> NDArray[np.uint32]:
    """Return (n,) hashes of what makes two events of an entity the same one: time, amount, and identity if given."""
    told = kernels.scrambled(np.ascontiguousarray(times).view(np.uint64))
    # One bit pattern for all that is no number, and for both zeros.
    priced = np.where(np.isnan(amounts), np.nan, amounts + 0.0).view(np.uint64)
    told = kernels.scrambled(told ^ priced)
    if identities is not None:
        told = kernels.scrambled(told ^ identities)
    return np.asarray(np.maximum(told >> np.uint64(32), 1), np.uint32)


def _never_zero(keys: Keys) -> Keys:
    return np.maximum(keys, np.uint64(1))
