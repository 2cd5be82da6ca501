"""What traffic is like, minute by minute, in the database: each process writes its own sums, everybody reads all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update

from detector.service.measures import MOST_COLUMNS, Seen
from detector.store.alert_tables import traffic_minutes
from detector.store.database import Database

#: How long minutes are kept.
KEPT = timedelta(days=2)

_c = traffic_minutes.c


@dataclass(frozen=True)
class Observed:
    """The traffic of a stretch of time.

    ``requests`` and ``errors`` (answers 5xx) count requests to the API; ``rows`` those scored with the champion,
    ``expected`` how many of them the cutoff lets expect to be flagged; ``missing`` and ``new``: rows by column.
    """

    requests: int = 0
    errors: int = 0
    rows: int = 0
    flagged: int = 0
    expected: float = 0.0
    missing: Mapping[str, int] = field(default_factory=dict)
    new: Mapping[str, int] = field(default_factory=dict)

    def plus(self, other: Observed) -> Observed:
        """Return both together; of the columns the most frequent."""
        return Observed(
            self.requests + other.requests,
            self.errors + other.errors,
            self.rows + other.rows,
            self.flagged + other.flagged,
            self.expected + other.expected,
            dict((Counter(self.missing) + Counter(other.missing)).most_common(MOST_COLUMNS)),
            dict((Counter(self.new) + Counter(other.new)).most_common(MOST_COLUMNS)),
        )

    @classmethod
    def of(cls, seen: Seen, requests: int, errors: int) -> Observed:
        """Return what was scored, with the requests of the same stretch."""
        return cls(requests, errors, seen.rows, seen.flagged, seen.expected, seen.missing, seen.new)


def write_observed(database: Database, process: str, observed: Observed, now: datetime) -> None:
    """Add what ``process`` observed to the minute ``now``, and forget minutes of two days ago."""
    minute = now.replace(second=0, microsecond=0)
    mine = (_c.minute == minute, _c.process == process)
    with database.write() as connection:
        row = connection.execute(select(traffic_minutes).where(*mine)).mappings().one_or_none()
        if row is None:
            values = {name: getattr(observed, name) for name in Observed.__dataclass_fields__}
            connection.execute(insert(traffic_minutes).values(minute=minute, process=process, **values))
            connection.execute(delete(traffic_minutes).where(_c.minute < now - KEPT))
            return
        before = Observed(**{name: row[name] for name in Observed.__dataclass_fields__})
        both = before.plus(observed)
        values = {name: getattr(both, name) for name in Observed.__dataclass_fields__}
        connection.execute(update(traffic_minutes).where(*mine).values(**values))


def read_observed(database: Database, since: datetime) -> Observed:
    """Return the traffic of all processes since a moment, to the minute."""
    total = Observed()
    with database.read() as connection:
        query = select(traffic_minutes).where(_c.minute > since - timedelta(minutes=1))
        for row in connection.execute(query).mappings():
            total = total.plus(Observed(**{name: row[name] for name in Observed.__dataclass_fields__}))
    return total
