"""Names that point at versions. A name moves only from the revision that its mover had seen.

Revisions of a name only grow, also over a time in which it pointed nowhere: whoever expects an old one is refused.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert, select, update

from detector.errors import ConflictError
from detector.store import audit, tables
from detector.store.trial_tables import dropped_aliases
from detector.store.versions import Alias


def find_alias(connection: Connection, name: str) -> Alias | None:
    """Return where an alias points, read in the caller's transaction."""
    row = connection.execute(select(tables.aliases).where(tables.aliases.c.name == name)).mappings().one_or_none()
    return None if row is None else Alias(**row)


def require_revision(connection: Connection, name: str, expected: int | None) -> None:
    """Raise ``ConflictError`` when an alias has another revision than ``expected``; 0 is that of one that is not set.

    ``None`` expects nothing.
    """
    if expected is None:
        return
    found = find_alias(connection, name)
    revision = 0 if found is None else found.revision
    if revision != expected:
        raise ConflictError(
            f"The {name} has changed in the meantime"
            + (f": it is version {found.version} now. Look again and decide anew." if found else "."),
            alias=name,
            version=found.version if found else None,
            revision=revision,
            expected_revision=expected,
        )


def move_alias(connection: Connection, name: str, version: int, actor: str, reason: str) -> Alias:
    """Point an alias at a version, whatever it pointed at, and write that down."""
    before = find_alias(connection, name)
    last = before.revision if before else _dropped_at(connection, name)
    moved = Alias(name, version, last + 1, datetime.now(UTC), actor)
    values = {"version": version, "revision": moved.revision, "moved_at": moved.moved_at, "moved_by": actor}
    if before is None:
        connection.execute(insert(tables.aliases).values(name=name, **values))
    else:
        connection.execute(update(tables.aliases).where(tables.aliases.c.name == name).values(**values))
    audit.record(
        connection,
        actor=actor,
        action=f"{name} moved",
        subject=f"version {version}",
        before=before.version if before else None,
        revision=moved.revision,
        reason=reason,
    )
    return moved


def drop_alias(connection: Connection, name: str, actor: str, reason: str) -> None:
    """Let an alias point nowhere, and write that down; one that is not set stays so."""
    before = find_alias(connection, name)
    if before is None:
        return
    connection.execute(delete(tables.aliases).where(tables.aliases.c.name == name))
    connection.execute(delete(dropped_aliases).where(dropped_aliases.c.name == name))
    connection.execute(insert(dropped_aliases).values(name=name, revision=before.revision))
    audit.record(
        connection,
        actor=actor,
        action=f"{name} dropped",
        subject=f"version {before.version}",
        revision=before.revision,
        reason=reason,
    )


def _dropped_at(connection: Connection, name: str) -> int:
    found = connection.scalar(select(dropped_aliases.c.revision).where(dropped_aliases.c.name == name))
    return found or 0
