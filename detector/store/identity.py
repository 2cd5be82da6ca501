"""What tells a database from all others: a number drawn by lot, which it keeps wherever it is moved."""

from __future__ import annotations

from datetime import UTC, datetime
from secrets import token_hex

from sqlalchemy import Connection, insert, select

from detector.store import tables
from detector.store.database import Database

#: The name under which it is kept, beside the choices of the team.
NAME = "database"


def find_identity(connection: Connection) -> str | None:
    """Return the number of the database, or ``None`` when nobody has asked for one yet."""
    names = tables.preferences.c
    found: str | None = connection.scalar(select(names.value).where(names.name == NAME))
    return found


def identity_of(database: Database) -> str:
    """Return the number of the database, 32 hexadecimal digits; it is drawn the first time."""
    with database.read() as connection:
        found = find_identity(connection)
    if found is not None:
        return found
    with database.write() as connection:
        # Another process may have been first.
        found = find_identity(connection)
        if found is None:
            found = token_hex(16)
            connection.execute(
                insert(tables.preferences).values(name=NAME, value=found, set_at=datetime.now(UTC), set_by="detector")
            )
    return found
