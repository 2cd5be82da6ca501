"""Reading back what a ``to_content`` method wrote: every value is checked before anything is built from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from detector.errors import ModelFileError


def damaged(what: str) -> ModelFileError:
    """Return the error that says which part of a model file cannot be used."""
    return ModelFileError(f"The model file is damaged: {what}. Restore the file from a backup or train again.")


def fields(content: object, names: frozenset[str], owner: str) -> Mapping[str, Any]:
    """Return ``content`` as a mapping that has exactly the keys ``names``.

    Raises
    ------
    ModelFileError
        When ``content`` is not a ``dict`` or has other keys.
    """
    if not isinstance(content, dict) or set(content) != names:
        raise damaged(f"{owner} must hold exactly the fields {', '.join(sorted(names))}")
    return content


def number(content: Mapping[str, Any], key: str, *, lowest: float = -math.inf) -> float:
    """Return the finite number at ``key``, at least ``lowest``.

    Raises
    ------
    ModelFileError
        When it is anything else.
    """
    value = content[key]
    if type(value) not in (int, float) or not math.isfinite(value) or value < lowest:
        raise damaged(f"{key} is not a finite number of at least {lowest:g}")
    return float(value)


def whole_number(content: Mapping[str, Any], key: str) -> int:
    """Return the whole number at ``key``, from 0 to 2**53.

    Raises
    ------
    ModelFileError
        When it is anything else.
    """
    value = content[key]
    if type(value) is not int or not 0 <= value <= 2**53:
        raise damaged(f"{key} is not a whole number of at least 0, or far too large")
    return value


def array(content: Mapping[str, Any], key: str, dtype: DTypeLike, *, most: int) -> NDArray[Any]:
    """Return a read-only copy of the one-dimensional array at ``key``, of this ``dtype`` and at most ``most`` long.

    Raises
    ------
    ModelFileError
        When it is anything else, or holds a number that is not finite.
    """
    value = content[key]
    if type(value) is not np.ndarray or value.dtype != np.dtype(dtype) or value.ndim != 1 or len(value) > most:
        raise damaged(f"{key} is not a list of at most {most:,} {np.dtype(dtype).name} values")
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise damaged(f"{key} holds a number that is not finite")
    return read_only(value.copy())


def read_only(values: NDArray[Any]) -> NDArray[Any]:
    """Return ``values`` itself, locked against writing."""
    values.flags.writeable = False
    return values
