"""Rows for every table of a schema, made up from its columns alone: what a migration adds is filled as well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    func,
    insert,
    select,
)
from sqlalchemy.sql.elements import ColumnElement

#: Tables that hold one row at most; a migration may have made it.
_SINGLE = frozenset({"audit_head"})
#: Rows made and written at a time.
_STEP = 10_000
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
#: Texts that engines are known to treat differently: case, accents, order, quotes, escapes, blanks, empty.
_TEXTS = (
    "Ada",
    "ada",
    "Zoë",
    "zoe",
    "ß",
    "日本",
    "🙂",
    "it's",
    'say "no"',
    "a\\b",
    "tab\there",
    "line\nbreak",
    " blank ",
    "",
)
_DOCUMENTS: tuple[Any, ...] = (
    {"b": 1, "a": [1.5, None, True]}, [], {}, "text", "12", 7, 90.0, 0.1, True, {"ü": {"deep": ["🙂", -0.0, 1e300]}},
    [2**53 + 1, 1e-300], {"k": "v\\u0041", "n": None},
)  # fmt: skip
_FLOATS = (0.0, -0.0, 0.1, 1 / 3, 1e300, 5e-324, -2.5, 100.0, float(2**53))


def fill(connection: Connection, metadata: MetaData, rows: Mapping[str, int], others: int) -> int:
    """Fill the tables, ``others`` rows each where ``rows`` names no number; return how many rows that made."""
    total = 0
    for table in metadata.sorted_tables:
        if table.name == "alembic_version":
            continue
        wanted = rows.get(table.name, others)
        if table.name in _SINGLE:
            wanted = min(wanted, 1 - (connection.scalar(select(func.count()).select_from(table)) or 0))
        parents = {
            column.name: list(connection.scalars(select(_referred(column)).order_by(_referred(column)).limit(1000)))
            for column in table.c
            if column.foreign_keys and _referred(column).table is not table
        }
        whole_key = [known for name, known in parents.items() if [name] == table.primary_key.columns.keys()]
        for part in _rows(table, min(wanted, *map(len, whole_key), wanted), parents):
            connection.execute(insert(table), part)
            total += len(part)
    return total


def _referred(column: Column[Any]) -> ColumnElement[Any]:
    return next(iter(column.foreign_keys)).column


def _rows(table: Table, wanted: int, parents: Mapping[str, list[Any]]) -> Iterator[list[dict[str, Any]]]:
    random = np.random.default_rng(len(table.name) * 1_000 + wanted)
    for begin in range(0, wanted, _STEP):
        places = range(begin, min(begin + _STEP, wanted))
        columns = {column.name: _values(table, column, places, parents, random) for column in table.c}
        yield [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _values(
    table: Table, column: Column[Any], places: range, parents: Mapping[str, list[Any]], random: np.random.Generator
) -> list[Any]:
    own = next((key for key in column.foreign_keys if key.column.table is table), None)
    if own is not None:
        return [place if place > 0 else None for place in places]
    if column.name in parents:
        known = parents[column.name]
        return [None if column.nullable and place % 5 == 4 else known[place % len(known)] for place in places]
    values = [_value(column, place, random) for place in places]
    if column.nullable and not column.primary_key:
        values = [None if place % 7 == 3 else value for place, value in zip(places, values, strict=True)]
    return values


def _value(column: Column[Any], place: int, random: np.random.Generator) -> Any:
    kind = column.type
    if isinstance(kind, JSON):
        return _DOCUMENTS[place % len(_DOCUMENTS)]
    if isinstance(kind, Boolean):
        return place % 2 == 0
    if isinstance(kind, Float):
        return _FLOATS[place] if place < len(_FLOATS) else float(random.normal())
    if isinstance(kind, Integer):
        return place + 1
    if isinstance(kind, LargeBinary):
        return bytes([place % 256, 0, 255])
    if isinstance(kind, DateTime) or getattr(kind, "impl", None).__class__ is DateTime:
        moment = _BEGIN + timedelta(microseconds=int(random.integers(0, 10**14)))
        return moment if kind.__class__.__name__ == "Moment" else moment.replace(tzinfo=None)
    # Different in every row, so that no uniqueness is broken; short enough for the column.
    return f"{place:x} {_TEXTS[place % len(_TEXTS)]}"[: getattr(kind, "length", None)]
