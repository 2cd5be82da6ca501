"""What is known of columns that processes met in requests: in the transaction of whoever calls.

They are counted in turns: whoever writes goes on, in one transaction, from what the others have written. Nobody
overwrites what somebody else saw.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256

from sqlalchemy import Connection, delete, func, insert, select

from detector.store.observed_tables import observed_columns

_columns = observed_columns.c


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
    # A version whose columns were dropped must not begin again below what a process remembers of it.
    revision = max(last + 1, int(datetime.now(UTC).timestamp() * 1000))
    connection.execute(delete(observed_columns).where(_columns.version == version, _columns.digest.in_(digests)))
    connection.execute(
        insert(observed_columns),
        [
            {"version": version, "digest": digest, "revision": revision, "content": content}
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


def versions_with_columns(connection: Connection) -> set[int]:
    """Return the versions that have met columns."""
    return set(connection.scalars(select(_columns.version).distinct()))


def drop_columns(connection: Connection, versions: Collection[int]) -> None:
    """Forget what these versions have met."""
    connection.execute(delete(observed_columns).where(_columns.version.in_(versions)))


def _digest(name: str) -> str:
    return sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
