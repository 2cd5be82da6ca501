"""What processes observe in requests, so that all of them come to know it: in the transaction of whoever calls.

Events are a log to which each process appends and which each reads on from where it was. Columns are counted in turns:
whoever writes goes on, in one transaction, from what the others have written. Nobody overwrites what somebody else saw.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from detector.store.observed_tables import observed_columns, observed_events, observed_folds

_events, _folds, _columns = observed_events.c, observed_folds.c, observed_columns.c


class Observed(NamedTuple):
    """Events that one observer has let in together."""

    number: int
    observer: str
    content: bytes


class Fold(NamedTuple):
    """Histories of a version: the digest of their file, and the number of the last event in them."""

    position: int
    file: str


# Events


def append_events(connection: Connection, entities: str, observer: str, events: int, content: bytes) -> None:
    """Append ``events`` events of models with these ``entities``."""
    connection.execute(
        insert(observed_events).values(
            entities=entities, observer=observer, at=datetime.now(UTC), events=events, content=content
        )
    )


def events_after(connection: Connection, entities: str, position: int, until: int | None = None) -> list[Observed]:
    """Return the events of models with these entities from behind ``position`` on, in their order."""
    query = select(_events.number, _events.observer, _events.content).where(
        _events.entities == entities, _events.number > position
    )
    if until is not None:
        query = query.where(_events.number <= until)
    return [Observed(*row) for row in connection.execute(query.order_by(_events.number))]


def last_number(connection: Connection) -> int:
    """Return the number of the last event of all, 0 when there was none."""
    # Events that were folded away are gone, and their numbers are not given again.
    folded = connection.scalar(select(func.max(_folds.position)))
    return max(connection.scalar(select(func.max(_events.number))) or 0, folded or 0)


def old_events(connection: Connection, entities: str, position: int, before: datetime) -> tuple[int, int]:
    """Return how many events behind ``position`` are older than ``before``, and the number of the last of them."""
    query = select(func.sum(_events.events), func.max(_events.number)).where(
        _events.entities == entities, _events.number > position, _events.at < before
    )
    total, last = connection.execute(query).one()
    return int(total or 0), int(last or position)


def fold_of(connection: Connection, version: int) -> Fold | None:
    """Return what was folded of a version, or ``None``."""
    row = connection.execute(select(_folds.position, _folds.file).where(_folds.version == version)).one_or_none()
    return None if row is None else Fold(*row)


def keep_fold(connection: Connection, version: int, entities: str, before: Fold | None, fold: Fold) -> bool:
    """Put ``fold`` in the place of ``before`` and drop the events in it; ``False`` when another one is there by now."""
    if fold_of(connection, version) != before:
        return False
    connection.execute(delete(observed_folds).where(_folds.version == version))
    connection.execute(
        insert(observed_folds).values(
            version=version, position=fold.position, file=fold.file, folded_at=datetime.now(UTC)
        )
    )
    connection.execute(delete(observed_events).where(_events.entities == entities, _events.number <= fold.position))
    return True


# Columns


def columns_named(connection: Connection, version: int, names: Iterable[str]) -> dict[str, bytes]:
    """Return what is known of those of the columns ``names`` that this version has met."""
    digests = {_digest(name): name for name in names}
    query = select(_columns.digest, _columns.content).where(_columns.version == version, _columns.digest.in_(digests))
    return {digests[digest]: content for digest, content in connection.execute(query)}


def number_of_columns(connection: Connection, version: int) -> int:
    """Return how many columns this version has met."""
    query = select(func.count()).select_from(observed_columns).where(_columns.version == version)
    return connection.scalar(query) or 0


def keep_columns(connection: Connection, version: int, told: Mapping[str, bytes]) -> None:
    """Write what is known of columns now, in place of what was."""
    digests = {_digest(name): content for name, content in told.items()}
    last = connection.scalar(select(func.max(_columns.revision)).where(_columns.version == version)) or 0
    connection.execute(delete(observed_columns).where(_columns.version == version, _columns.digest.in_(digests)))
    connection.execute(
        insert(observed_columns),
        [
            {"version": version, "digest": digest, "revision": last + 1, "content": content}
            for digest, content in sorted(digests.items())
        ],
    )


def columns_after(connection: Connection, version: int, revision: int) -> tuple[int, list[bytes]]:
    """Return the last revision of what a version has met, and what has changed since ``revision``."""
    query = (
        select(_columns.revision, _columns.content)
        .where(_columns.version == version, _columns.revision > revision)
        .order_by(_columns.revision, _columns.digest)
    )
    rows = connection.execute(query).all()
    return (rows[-1].revision if rows else revision), [row.content for row in rows]


def _digest(name: str) -> str:
    return sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
