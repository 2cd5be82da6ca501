"""Which of two versions answers a transaction: the same one each time it comes, in every process.

A keyed hash of what names the transaction falls somewhere in [0, 1); below the challenger's share it is the
challenger's. The key is drawn once for a challenger, so that nobody can choose a side by choosing a number, and a share
that is raised keeps the transactions that it had.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import orjson

from detector.core.schema import Schema

_RANGE = float(2**64)


def place_of(row: Mapping[str, Any], field: str | None, salt: str) -> float:
    """Return where a transaction falls in [0, 1): by its ``field``, or by all that it holds where that is missing.

    A number names the same transaction as the text of its digits.
    """
    name = None if field is None else row.get(field)
    if name is None:
        told = orjson.dumps(dict(row), default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    else:
        told = str(int(name) if isinstance(name, float) and name.is_integer() else name).encode("utf-8", "replace")
    digest = blake2b(told, digest_size=8, key=salt.encode()).digest()
    return int.from_bytes(digest, "big") / _RANGE


def id_field(schema: Schema, roles: Mapping[str, str] | None) -> str | None:
    """Return the field that names transactions: the one a person said, else the first that was found to be one."""
    chosen = [name for name, role in (roles or {}).items() if role == "id"]
    found = [feature.name for feature in schema if feature.role == "id"]
    return next(iter([*chosen, *found]), None)
