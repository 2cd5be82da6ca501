"""Updated versions that wait for a person, since what they learned or became is suspicious."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select, update

from detector.errors import NotFoundError
from detector.service.access import needs
from detector.service.workspace import Workspace
from detector.store import audit
from detector.store.trial_tables import held_versions

_held = held_versions.c


@dataclass(frozen=True)
class Held:
    """A version that was not promoted: why, each reason a sentence, and since when it waits."""

    version: int
    reasons: tuple[str, ...]
    held_at: datetime


def hold(connection: Connection, version: int, reasons: Sequence[str], actor: str) -> None:
    """Let a version wait for a person, in the transaction that registers it."""
    connection.execute(
        insert(held_versions).values(version=version, reasons=list(reasons), state="waiting", held_at=datetime.now(UTC))
    )
    told = {"reasons": list(reasons)}
    audit.record(connection, actor=actor, action="update held back", subject=f"version {version}", **told)


def waiting_versions(ws: Workspace) -> tuple[Held, ...]:
    """Return the versions that wait for a person, newest first."""
    query = select(_held.version, _held.reasons, _held.held_at).where(_held.state == "waiting")
    with ws.database.read() as connection:
        found = connection.execute(query.order_by(_held.version.desc())).all()
    return tuple(Held(version, tuple(reasons), held_at) for version, reasons, held_at in found)


@needs("manage")
def dismiss(ws: Workspace, version: int, *, actor: str, reason: str = "") -> None:
    """Decide that a version that waits is not wanted; it stays registered and can be promoted later all the same.

    Raises
    ------
    NotFoundError
        When the version does not wait, or no longer.
    """
    with ws.database.write() as connection:
        decided = connection.execute(
            update(held_versions)
            .where(_held.version == version, _held.state == "waiting")
            .values(state="dismissed", decided_at=datetime.now(UTC), decided_by=actor)
        )
        if decided.rowcount != 1:
            raise NotFoundError(f"Version {version} does not wait for a decision.", version=version)
        audit.record(connection, actor=actor, action="update dismissed", subject=f"version {version}", reason=reason)
