"""A lease: of several processes one works at a time, and another takes over when that one dies."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update

from detector.store.alert_tables import leases
from detector.store.database import Database


def hold(database: Database, name: str, holder: str, now: datetime, lasts: timedelta) -> bool:
    """Take the lease, or keep it; return whether ``holder`` has it until ``now + lasts``.

    It is written anew only when half of its time has gone, so that keeping it is a read most of the time.
    """
    with database.read() as connection:
        found = connection.execute(select(leases).where(leases.c.name == name)).mappings().one_or_none()
    if found is not None and found["until"] > now:
        if found["holder"] != holder:
            return False
        if found["until"] > now + lasts / 2:
            return True
    with database.write() as connection:
        found = connection.execute(select(leases).where(leases.c.name == name)).mappings().one_or_none()
        if found is None:
            connection.execute(insert(leases).values(name=name, holder=holder, until=now + lasts))
            return True
        if found["holder"] != holder and found["until"] > now:
            return False
        connection.execute(update(leases).where(leases.c.name == name).values(holder=holder, until=now + lasts))
        return True


def let_go(database: Database, name: str, holder: str) -> None:
    """Give the lease up, if ``holder`` has it, so that nobody waits for its end."""
    with database.write() as connection:
        connection.execute(delete(leases).where(leases.c.name == name, leases.c.holder == holder))


def is_held(database: Database, name: str, now: datetime) -> bool:
    """Return whether anybody has the lease."""
    with database.read() as connection:
        until = connection.scalar(select(leases.c.until).where(leases.c.name == name))
    return until is not None and until > now
