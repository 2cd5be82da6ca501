"""The log of changes: who did what to which thing, when. Rows are added and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from detector.store import tables


@dataclass(frozen=True)
class AuditEntry:
    """One change: ``actor`` did ``action`` to ``subject`` (such as ``version 3``)."""

    number: int
    at: datetime
    actor: str
    action: str
    subject: str
    details: Mapping[str, Any]


def record(connection: Connection, *, actor: str, action: str, subject: str, **details: Any) -> None:
    """Add an entry in the caller's transaction, so that the change and its trace stand or fall together."""
    connection.execute(
        insert(tables.audit).values(at=datetime.now(UTC), actor=actor, action=action, subject=subject, details=details)
    )


def entries(connection: Connection, *, limit: int = 200) -> tuple[AuditEntry, ...]:
    """Return the newest entries first."""
    found = connection.execute(select(tables.audit).order_by(tables.audit.c.number.desc()).limit(limit))
    return tuple(AuditEntry(**row) for row in found.mappings())


def latest(connection: Connection, *, action: str, subject: str) -> AuditEntry | None:
    """Return the newest entry of an action on a subject, or ``None``."""
    query = select(tables.audit).where(tables.audit.c.action == action, tables.audit.c.subject == subject)
    found = connection.execute(query.order_by(tables.audit.c.number.desc()).limit(1)).mappings().one_or_none()
    return None if found is None else AuditEntry(**found)
