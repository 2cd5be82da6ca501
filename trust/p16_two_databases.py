"""P16: SQLite and PostgreSQL behave alike. Here: what is moved arrives whole, and every migration leads up and down.

That the same tests pass on both is shown by ``make test-postgres``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import Column, Connection, MetaData, Table, select, update
from sqlalchemy.exc import IntegrityError

from detector.errors import DetectorError
from detector.store import moving, numbering, tables
from detector.store.database import Database
from detector.store.digests import Digest, digest_of
from trust.database_server import programs, shared_server
from trust.filling import fill
from trust.migrating import migrate_to, revisions
from trust.promise import Outcome, Promise, Size

#: The tables that grow with the cases, and their rows a case: not all are decided, and many are decided at once.
BUSY = {"cases": 1.0, "decisions": 0.6, "case_events": 1.0, "audit": 0.4}
_databases = count(1)

Columns = dict[str, list[str]]


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Move a full database there and back, then lead full databases through every migration on both engines."""
    cases = size.choose(100_000, 300)
    faults: list[str] = []
    # Whoever runs the tests on a machine without PostgreSQL is told; continuous integration has it.
    alone = programs() is None and not size.full and not os.environ.get("CI")
    other = _second_sqlite if alone else _empty_postgres
    with other(folder) as address:
        rows = _there_and_back(folder, address, _rows_for(cases), faults, broken=broken)
    if broken:
        return Outcome("one value changed", tuple(faults))
    steps = 0
    some = _rows_for(size.choose(5_000, 40))
    with other(folder) as address:
        for engine in (f"sqlite:///{folder / 'steps.db'}", address):
            steps += _up_and_down(engine, some, faults)
    figure = (
        f"{cases:,} cases, {rows:,} rows in {len(tables.metadata.tables)} tables moved twice; {steps} migrations run"
    )
    return Outcome(figure + (" (PostgreSQL is not installed: SQLite only)" if alone else ""), tuple(faults))


def _rows_for(cases: int) -> dict[str, int]:
    return {name: round(cases * share) for name, share in BUSY.items()}


def _there_and_back(folder: Path, address: str, rows: dict[str, int], faults: list[str], *, broken: bool) -> int:
    first, second = Database(f"sqlite:///{folder / 'first.db'}"), Database(address)
    third = Database(f"sqlite:///{folder / 'third.db'}")
    first.migrate()
    with first.write() as connection:
        total = fill(connection, tables.metadata, rows, 50)
    with _changing_a_value() if broken else nullcontext():
        for source, target in ((first, second), (second, third)):
            try:
                moving.move(source, target)
            except DetectorError as error:
                faults.append(error.message)
                break
        else:
            before, after = _held(first), _held(third)
            faults.extend(f"{name} did not come back as it was" for name in before if before[name] != after[name])
            faults.extend(f"rows of {name} can be changed after the move" for name in _unsealed(second))
    for database in (first, second, third):
        database.close()
    return total


def _held(database: Database) -> dict[str, tuple[Digest, int | None]]:
    with database.read() as connection:
        known = tables.metadata.sorted_tables
        return {table.name: (digest_of(connection, table), numbering.last(connection, table)) for table in known}


def _unsealed(database: Database) -> list[str]:
    found = []
    for table in (tables.audit, tables.versions, tables.case_events):
        column = next(column for column in table.c if not column.primary_key)
        try:
            with database.write() as connection:
                connection.execute(update(table).values({column: column}))
        except IntegrityError:
            continue
        found.append(table.name)
    return found


def _up_and_down(address: str, rows: dict[str, int], faults: list[str]) -> int:
    """Fill each table as soon as a migration has made it; no later step, up or down, may change a value in it."""
    database = Database(address)
    schema, held = MetaData(), dict[str, Digest]()
    known: dict[str, Columns] = {"base": {}}
    for revision in revisions():
        with database.write() as connection:
            migrate_to(connection, revision)
            after = _reflected(connection)
            faults.extend(_changed(connection, schema, after, held, revision))
            # A step that fills what it makes, as the one that seals the log does, is left its own rows.
            made = [name for name, table in after.tables.items() if name not in held and _is_empty(connection, table)]
            fill(connection, after, dict.fromkeys(held, 0) | {name: rows.get(name, 50) for name in made}, 0)
            held = {name: digest_of(connection, table) for name, table in after.tables.items()}
        schema, known[revision] = after, _columns(after)
    for revision in [*reversed(revisions()[:-1]), "base"]:
        with database.write() as connection:
            for name, columns in known[revision].items():
                if columns != _columns(schema)[name]:
                    held[name] = digest_of(connection, _only(schema.tables[name], columns))
            migrate_to(connection, revision)
            after = _reflected(connection)
            if _columns(after) != known[revision]:
                faults.append(f"{connection.dialect.name}: going down to {revision} leaves other tables than going up")
            faults.extend(_changed(connection, after, after, held, revision))
        schema = after
    database.close()
    return 2 * len(revisions())


def _changed(
    connection: Connection, before: MetaData, after: MetaData, held: dict[str, Digest], revision: str
) -> Iterator[str]:
    for name, table in before.tables.items():
        if digest_of(connection, _only(after.tables[name], table.c.keys())) != held[name]:
            yield f"{connection.dialect.name}: the step to {revision} changed values in {name}"


def _is_empty(connection: Connection, table: Table) -> bool:
    return connection.execute(select(table).limit(1)).first() is None


def _columns(schema: MetaData) -> Columns:
    return {name: table.c.keys() for name, table in schema.tables.items()}


def _reflected(connection: Connection) -> MetaData:
    found = MetaData()
    found.reflect(connection, only=lambda name, _: name != "alembic_version")
    return found


def _only(table: Table, names: list[str]) -> Table:
    columns = [Column(name, table.c[name].type, primary_key=table.c[name].primary_key) for name in names]
    return Table(table.name, MetaData(), *columns)


@contextmanager
def _empty_postgres(_folder: Path) -> Iterator[str]:
    name = f"p16_{next(_databases)}"
    yield shared_server().create(name)
    shared_server().drop(name)


@contextmanager
def _second_sqlite(folder: Path) -> Iterator[str]:
    yield f"sqlite:///{folder / f'other{next(_databases)}.db'}"


@contextmanager
def _changing_a_value() -> Iterator[None]:
    """Let one decision lose the last digit of its severity while it is written to the target."""
    add = moving._add
    place = list(tables.decisions.c.keys()).index("severity")

    def tamper(into: Connection, table: Table, rows: Any) -> None:
        if table is tables.decisions:
            changed = list(rows[-1])
            changed[place] = round(changed[place], 1) + 0.5
            rows = [*rows[:-1], tuple(changed)]
        add(into, table, rows)

    with patch.object(moving, "_add", tamper):
        yield


PROMISE = Promise(
    "P16",
    "SQLite and PostgreSQL behave alike",
    "100,000 cases moved both ways: counts and hashes equal; every migration up and down on full tables, on both",
    "one severity is changed while it is moved",
    check,
)
