"""What a table holds, as a number of rows and a hash that no database engine has a say in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import JSON, Connection, Float, String, Table, collate, select

#: Rows in memory at a time.
BATCH = 5_000
_FORM = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


@dataclass(frozen=True)
class Digest:
    """The rows of one table: how many, and the SHA-256 of their canonical form in the order of the primary key."""

    table: str
    rows: int
    sha256: str


class Digester:
    """Takes the rows of a table in batches, in the order of ``batches``.

    The canonical form of a row is its values as JSON: times in UTC to the microsecond, floats by their shortest exact
    decimals, objects with sorted keys. Where engines keep the same value in different ways, one form stands for all:
    0.0 for -0.0, and a JSON value that is a whole number has no decimals.
    """

    def __init__(self, table: Table) -> None:
        self._table = table.name
        self._floats = [place for place, column in enumerate(table.c) if isinstance(column.type, Float)]
        self._documents = [place for place, column in enumerate(table.c) if isinstance(column.type, JSON)]
        self._rows = 0
        self._hash = sha256()

    def add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Take the next rows."""
        self._rows += len(rows)
        self._hash.update(b"".join([orjson.dumps(self._canonical(row), _of_bytes, _FORM) + b"\n" for row in rows]))

    def digest(self) -> Digest:
        """Return what was taken so far."""
        return Digest(self._table, self._rows, self._hash.hexdigest())

    def _canonical(self, row: tuple[Any, ...]) -> list[Any]:
        values = list(row)
        for place in self._floats:
            if values[place] is not None:
                # JSON has no word for what is not finite.
                values[place] = values[place] + 0.0 if math.isfinite(values[place]) else repr(values[place])
        for place in self._documents:
            if isinstance(values[place], float) and values[place].is_integer():
                values[place] = int(values[place])
        return values


def _of_bytes(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    raise TypeError


def batches(connection: Connection, table: Table) -> Iterator[list[tuple[Any, ...]]]:
    """Give the rows of a table in the order of its primary key, without holding more than a few thousand."""
    # Engines and their locales sort texts differently; bytes have one order.
    binary = "C" if connection.dialect.name == "postgresql" else "BINARY"
    order = [collate(key, binary) if isinstance(key.type, String) else key for key in table.primary_key]
    query = select(table).order_by(*order).execution_options(yield_per=BATCH)
    for part in connection.execute(query).partitions():
        yield [tuple(row) for row in part]


def digest_of(connection: Connection, table: Table) -> Digest:
    """Return the digest of a table as the transaction sees it."""
    digester = Digester(table)
    for rows in batches(connection, table):
        digester.add(rows)
    return digester.digest()
