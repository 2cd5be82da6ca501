"""What a promotion settles in the same transaction: the winner challenges no more, and waits for nobody."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, update

from detector.service.versions.agreement import CHALLENGER
from detector.store.aliases import drop_alias, find_alias
from detector.store.trial_tables import held_versions

_held = held_versions.c


def settle(connection: Connection, version: int, actor: str) -> None:
    """Note that a version has become champion."""
    challenger = find_alias(connection, CHALLENGER)
    if challenger is not None and challenger.version == version:
        drop_alias(connection, CHALLENGER, actor, "promoted")
    connection.execute(
        update(held_versions)
        .where(_held.version == version, _held.state == "waiting")
        .values(state="promoted", decided_at=datetime.now(UTC), decided_by=actor)
    )
