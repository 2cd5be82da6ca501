"""The numbers that a database gives out: the last one given, which may be larger than any that is still there."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Table, func, select, text


def last(connection: Connection, table: Table) -> int | None:
    """Return the last number given to a row of ``table``, 0 before the first, ``None`` where rows bring their own."""
    column = _numbered(table)
    if column is None:
        return None
    largest = int(connection.scalar(select(func.max(column))) or 0)
    if connection.dialect.name == "postgresql":
        name = _sequence(connection, table, column)
        if name is None:
            return largest
        found = connection.execute(text(f"SELECT last_value, is_called FROM {name}")).one()  # noqa: S608
        return max(largest, int(found.last_value)) if found.is_called else largest
    if table.dialect_options["sqlite"]["autoincrement"]:
        query = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        return max(largest, int(connection.scalar(query, {"name": table.name}) or 0))
    return largest


def set_last(connection: Connection, table: Table, number: int | None) -> None:
    """Let the next number be the one after ``number``."""
    column = _numbered(table)
    if column is None or not number:
        return
    if connection.dialect.name == "postgresql":
        name = _sequence(connection, table, column)
        if name is not None:
            connection.execute(text("SELECT setval(:name, :number)"), {"name": name, "number": number})
    elif table.dialect_options["sqlite"]["autoincrement"]:
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
        connection.execute(
            text("INSERT INTO sqlite_sequence VALUES (:name, :number)"), {"name": table.name, "number": number}
        )


def _numbered(table: Table) -> Column[int] | None:
    return table.autoincrement_column


def _sequence(connection: Connection, table: Table, column: Column[int]) -> str | None:
    quoted = connection.dialect.identifier_preparer.format_table(table)
    query = text("SELECT pg_get_serial_sequence(:table, :column)")
    found: str | None = connection.scalar(query, {"table": quoted, "column": column.name})
    return found
