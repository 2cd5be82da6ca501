"""The log of observed events of entities, in the transaction of whoever calls.

Each process appends to it, and reads on from where it was. Where events were taken out, the last of them stays as a row
without content: whoever was not that far meets it, and knows that something is gone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, exists, func, insert, or_, select, update

from detector.store.observed_tables import observed_events

_events = observed_events.c


class Observed(NamedTuple):
    """Events that one observer has let in together; without any, all until here were taken out."""

    number: int
    observer: str
    events: int
    content: bytes

    @property
    def taken_out(self) -> bool:
        """Whether this row stands for all until here."""
        return self.events == 0


class Behind(NamedTuple):
    """What the log holds behind a position: rows and their events, the last number, and since when the first waits.

    ``gone``: some of it was taken out.
    """

    rows: int
    events: int
    last: int
    since: datetime | None
    gone: bool


def append_events(connection: Connection, entities: str, observer: str, events: int, content: bytes) -> int:
    """Append ``events`` events of models with these ``entities``; return their number."""
    values = {"entities": entities, "observer": observer, "at": datetime.now(UTC), "events": events, "content": content}
    appending = insert(observed_events).values(**values).returning(_events.number)
    number: int = connection.execute(appending).scalar_one()
    return number


def is_there(connection: Connection, number: int, observer: str) -> bool:
    """Whether events of this observer are in the log under this number; one that was rolled back may be given again."""
    query = select(exists().where(_events.number == number, _events.observer == observer))
    return bool(connection.scalar(query))


def events_after(connection: Connection, entities: str, position: int, until: int | None = None) -> list[Observed]:
    """Return the events of models with these entities from behind ``position`` on, in their order.

    Where some of them were taken out, the first row says so.
    """
    query = select(_events.number, _events.observer, _events.events, _events.content).where(
        _events.entities == entities, _events.number > position
    )
    if until is not None:
        query = query.where(_events.number <= until)
    return [Observed(*row) for row in connection.execute(query.order_by(_events.number))]


def last_number(connection: Connection) -> int:
    """Return the number of the last event of all, 0 when there was none."""
    # The last row of all is never taken out whole.
    return connection.scalar(select(func.max(_events.number))) or 0


def all_entities(connection: Connection) -> list[str]:
    """Return the entities of which the log holds events, or has held some."""
    return list(connection.scalars(select(_events.entities).distinct()))


def behind(connection: Connection, entities: str, position: int, before: datetime) -> Behind:
    """Return what the log holds behind ``position`` that is older than ``before``."""
    query = select(
        func.count(), func.sum(_events.events), func.max(_events.number), func.min(_events.at), func.min(_events.events)
    ).where(_events.entities == entities, _events.number > position, _events.at < before)
    rows, events, last, since, least = connection.execute(query).one()
    return Behind(rows, int(events or 0), int(last or position), since, least == 0)


def taken_out(connection: Connection, entities: str) -> int:
    """Return the number up to which events were taken out, 0 when none was."""
    query = select(_events.number, _events.events).where(_events.entities == entities).order_by(_events.number).limit(1)
    first = connection.execute(query).one_or_none()
    return first.number if first is not None and first.events == 0 else 0


def spare(
    connection: Connection, entities: str, position: int, *, settled: datetime, kept: datetime, most_bytes: int
) -> int:
    """Return the number up to which events can be taken out, 0 for none, when nobody reads on from before ``position``.

    What is younger than ``settled`` stays; of what is younger than ``kept``, the last ``most_bytes`` stay.
    """
    size = func.sum(func.length(_events.content)).over(order_by=_events.number.desc())
    inner = (
        select(_events.number, _events.at, _events.events, size.label("size"))
        .where(_events.entities == entities, _events.number <= position)
        .subquery()
    )
    query = select(func.max(inner.c.number)).where(
        inner.c.at < settled, inner.c.events > 0, or_(inner.c.at < kept, inner.c.size > most_bytes)
    )
    return connection.scalar(query) or 0


def take_out(connection: Connection, entities: str, until: int, rows: int) -> bool:
    """Take the events up to number ``until`` out, at most about so many ``rows`` of them; return whether some are left.

    ``until`` is a number that :func:`spare` has told.
    """
    mine = _events.entities == entities
    numbers = select(_events.number).where(mine, _events.number <= until).order_by(_events.number)
    last = connection.scalar(numbers.offset(rows).limit(1)) or until
    connection.execute(delete(observed_events).where(mine, _events.number < last))
    connection.execute(
        update(observed_events).where(mine, _events.number == last).values(events=0, observer="", content=b"")
    )
    return last < until
