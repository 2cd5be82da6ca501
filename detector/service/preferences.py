"""Choices of a team that are kept by name; each change is written into the log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, insert, select

from detector.service.access import needs
from detector.service.workspace import Workspace
from detector.store import audit, tables

_names = tables.preferences.c


def preference(ws: Workspace, name: str) -> Any:
    """Return the value of a preference, or ``None`` when it was never set."""
    with ws.database.read() as connection:
        return connection.scalar(select(_names.value).where(_names.name == name))


@needs("decide")
def set_preference(ws: Workspace, name: str, value: Any, *, actor: str) -> None:
    """Keep a preference; ``value`` is anything that JSON can hold, ``None`` forgets it."""
    with ws.database.write() as connection:
        before = connection.scalar(select(_names.value).where(_names.name == name))
        if before == value:
            return
        connection.execute(delete(tables.preferences).where(_names.name == name))
        if value is not None:
            connection.execute(
                insert(tables.preferences).values(name=name, value=value, set_at=datetime.now(UTC), set_by=actor)
            )
        audit.record(connection, actor=actor, action=f"{name} set", subject=name, value=value, before=before)
