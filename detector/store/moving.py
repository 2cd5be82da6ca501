"""Carrying all tables from one database into another, of the same engine or not, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import JSON, Connection, Table, func, insert, inspect, select

from detector.store import numbering, postgres, tables
from detector.store.database import Database, DatabaseError, to_json
from detector.store.digests import Digest, Digester, batches, digest_of

#: ``told(done_rows, total_rows, message)``, called after each batch.
Told = Callable[[int, int | None, str], None]


def move(source: Database, target: Database, told: Told = lambda *_: None) -> tuple[Digest, ...]:
    """Copy every row of ``source`` into ``target`` in one transaction, compare both, and return what each table holds.

    The source is read as it was when the copying began, and is brought to this release's schema first. Numbers stay
    what they were, and the next ones follow on. An error, an interruption, a difference at the end or a change of
    the source meanwhile leaves the target as it was.

    Raises
    ------
    DatabaseError
        When the source holds nothing, the target is not empty, or anything of the above happened.
    """
    if source.place == target.place:
        raise DatabaseError("The database would be moved onto itself. Name another one.")
    if source.file is not None and not source.file.is_file():
        raise DatabaseError(f"There is no database in {source.file}; there is nothing to move.")
    source.migrate()
    made = target.file is not None and not target.file.exists()
    try:
        with ExitStack() as stack:
            stack.enter_context(target.opening())
            into = stack.enter_context(target.write(patient=True))
            out = stack.enter_context(source.read())
            if out.dialect.name == "postgresql":
                postgres.lift_timeouts(out)
            _prepare(target, into)
            copied = _copied(out, into, told)
            _require_equal(copied, into)
            _require_unchanged(source, copied, out)
    except BaseException:
        if made and target.file is not None:
            target.close()
            _remove(target.file)
        raise
    return copied


def _prepare(target: Database, into: Connection) -> None:
    present = set(inspect(into).get_table_names())
    if target.revision(into) is None and present & set(tables.metadata.tables):
        raise DatabaseError("The target holds tables of another program. Name an empty database.")
    target.migrate_in(into)
    for table in tables.metadata.sorted_tables:
        rows = into.scalar(select(func.count()).select_from(table))
        if rows:
            raise DatabaseError(
                f"The target is not empty: its table {table.name} holds {rows:,} rows.", table=table.name
            )


def _copied(out: Connection, into: Connection, told: Told) -> tuple[Digest, ...]:
    total = sum(out.scalar(select(func.count()).select_from(table)) or 0 for table in tables.metadata.sorted_tables)
    done, found = 0, []
    for table in tables.metadata.sorted_tables:
        digester = Digester(table)
        for rows in batches(out, table):
            _add(into, table, rows)
            digester.add(rows)
            done += len(rows)
            told(done, total, f"Copying {table.name}")
        numbering.set_last(into, table, numbering.last(out, table))
        found.append(digester.digest())
    return tuple(found)


def _add(into: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    if into.dialect.name != "postgresql":
        names = [column.name for column in table.c]
        into.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])
        return
    preparer = into.dialect.identifier_preparer
    columns = ", ".join(preparer.quote(column.name) for column in table.c)
    documents = [isinstance(column.type, JSON) for column in table.c]
    driver = into.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    try:
        with (
            driver.cursor() as cursor,
            cursor.copy(f"COPY {preparer.format_table(table)} ({columns}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row([_text(*cell) for cell in zip(row, documents, strict=True)])
    except psycopg.Error as error:
        told = str(error).partition("\n")[0]
        raise DatabaseError(f"The table {table.name} cannot be copied: {told}{_with_nul(table, rows)}") from error


def _text(value: Any, document: bool) -> Any:
    if value is None:
        return None
    if document:
        return to_json(value)
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


def _with_nul(table: Table, rows: Sequence[tuple[Any, ...]]) -> str:
    """Name the first row whose text PostgreSQL cannot keep."""
    for row in rows:
        if any(isinstance(value, str) and "\x00" in value for value in row):
            keys = (f"{name} {value!r}" for name, value in zip(table.c.keys(), row, strict=True)
                    if table.c[name].primary_key)  # fmt: skip
            return f" (the row with {', '.join(keys)})"
    return ""


def _require_equal(copied: tuple[Digest, ...], into: Connection) -> None:
    for table, expected in zip(tables.metadata.sorted_tables, copied, strict=True):
        found = digest_of(into, table)
        if found != expected:
            raise DatabaseError(
                f"The table {table.name} differs after copying: {found.rows:,} rows with hash {found.sha256[:12]}, "
                f"expected {expected.rows:,} with {expected.sha256[:12]}. Nothing was kept.",
                table=table.name,
            )


def _require_unchanged(source: Database, copied: tuple[Digest, ...], out: Connection) -> None:
    with source.read() as now:
        for table, digest in zip(tables.metadata.sorted_tables, copied, strict=True):
            rows = now.scalar(select(func.count()).select_from(table))
            if rows != digest.rows or numbering.last(now, table) != numbering.last(out, table):
                raise DatabaseError(
                    f"The table {table.name} was changed while it was copied. Nothing was kept. "
                    "Stop the dashboard and the API, and move again.",
                    table=table.name,
                )


def _remove(file: Path) -> None:
    for ending in ("", "-wal", "-shm", ".lock"):
        file.with_name(file.name + ending).unlink(missing_ok=True)
