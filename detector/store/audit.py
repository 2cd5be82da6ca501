"""The log of changes: who did what to which thing, when. Rows are added, never changed, and form a chain.

Each entry holds the hash of the entry before and its own: SHA-256 over a canonical form of all that it says. A head
beside the log holds the number of entries and the last hash, so that an end that was cut off is missed as well.
Whoever can write to the database can forge a whole chain anew; a head that was noted elsewhere tells that too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import Connection, Select, func, insert, select, update

from detector.store import tables

#: What the first entry names as the hash of the one before.
FIRST = "0" * 64
#: Entries that are read at a time while the chain is followed.
STEP = 2_000


@dataclass(frozen=True)
class AuditEntry:
    """One change: ``actor`` did ``action`` to ``subject`` (such as ``version 3``)."""

    number: int
    at: datetime
    actor: str
    action: str
    subject: str
    details: Mapping[str, Any]


#: The columns of an entry that its readers are told.
ENTRY = tuple(tables.audit.c[name] for name in AuditEntry.__dataclass_fields__)


#: The number of the newest entry, and where the head says that the log ends; one row in any case.
_END = select(
    select(func.max(tables.audit.c.number)).scalar_subquery(),
    *(select(tables.audit_head.c[name]).scalar_subquery() for name in ("entries", "number", "hash")),
)


@dataclass(frozen=True)
class Head:
    """The end of the log: how many ``entries`` there are, the ``number`` of the last one and its ``hash``."""

    entries: int
    number: int
    hash: str


@dataclass(frozen=True)
class Chain:
    """What following the chain found: the ``entries`` that fit, and what is ``broken``, ``None`` when nothing is.

    ``number``: of the first entry that does not fit, ``None`` when none is at fault (an end that was cut off).
    ``head``: where the log ends, as far as it fits.
    """

    entries: int
    head: Head
    broken: str | None = None
    number: int | None = None


def record(connection: Connection, *, actor: str, action: str, subject: str, **details: Any) -> None:
    """Add an entry in the caller's transaction, so that the change and its trace stand or fall together.

    Writers take turns (see :meth:`~detector.store.database.Database.write`), so that no two entries follow the same.
    """
    newest, *known = connection.execute(_END).one()
    if known[0] is None:
        known = [0, 0, FIRST]
        connection.execute(insert(tables.audit_head), {"id": 1, "entries": 0, "number": 0, "hash": FIRST})
    head = Head(*known)
    # A row that something else put behind the end breaks the chain; it must not stop all work as well.
    number, at = max(head.number, newest or 0) + 1, datetime.now(UTC)
    own = digest(number, at, actor, action, subject, details, head.hash)
    told = {"number": number, "at": at, "actor": actor, "action": action, "subject": subject, "details": details}
    connection.execute(insert(tables.audit), told | {"previous": head.hash, "hash": own})
    connection.execute(update(tables.audit_head), {"entries": head.entries + 1, "number": number, "hash": own})


def entries(connection: Connection, *, limit: int = 200) -> tuple[AuditEntry, ...]:
    """Return the newest entries first."""
    found = connection.execute(select(*ENTRY).order_by(tables.audit.c.number.desc()).limit(limit))
    return tuple(AuditEntry(**row) for row in found.mappings())


def latest(connection: Connection, *, action: str, subject: str) -> AuditEntry | None:
    """Return the newest entry of an action on a subject, or ``None``."""
    query = select(*ENTRY).where(tables.audit.c.action == action, tables.audit.c.subject == subject)
    found = connection.execute(query.order_by(tables.audit.c.number.desc()).limit(1)).mappings().one_or_none()
    return None if found is None else AuditEntry(**found)


def digest(
    number: int, at: datetime, actor: str, action: str, subject: str, details: Mapping[str, Any], previous: str
) -> str:
    """Return the hash of an entry, as 64 hexadecimal digits.

    Canonical is the JSON list of its parts in UTF-8, without blanks, names sorted, the time in UTC with microseconds.
    ``details`` count as they come back from a database: whole numbers and floats as JSON tells them apart, floats in
    their shortest form.
    """
    told = orjson.loads(orjson.dumps(details, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY))
    moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    form = orjson.dumps([number, moment, actor, action, subject, told, previous], option=orjson.OPT_SORT_KEYS)
    return sha256(form).hexdigest()


def follow(connection: Connection, *, noted: tuple[int, str] | None = None) -> Chain:
    """Follow the chain from its first entry to the head, and stop at the first entry that does not fit.

    ``noted``: the number and the hash of an entry as somebody wrote them down at an earlier time; the log is broken
    when that entry is another one by now.
    """
    seen, last, before = 0, 0, FIRST
    head: Head | None = None
    more = True
    # Entries may come while the log is read, where a reader sees what others commit; then the head has moved on.
    while head is None or (head.number > last and more):
        more = False
        for row in _after(connection, last):
            number, more = row["number"], True
            if (wrong := _misfit(row, before)) is not None:
                return Chain(seen, Head(seen, last, before), f"Entry {number} does not fit: {wrong}.", number)
            if noted is not None and number == noted[0] and not row["hash"].startswith(noted[1]):
                said = f"Entry {number} is not the one that was noted: the log was written anew since."
                return Chain(seen, Head(seen, last, before), said, number)
            seen, last, before = seen + 1, number, row["hash"]
        head = _head(connection) or Head(0, 0, FIRST)
    here = Head(seen, last, before)
    if noted is not None and noted[0] > last:
        return Chain(seen, here, f"The log ends with entry {last}, and entry {noted[0]} was noted.")
    if head == here:
        return Chain(seen, here)
    if head.number > last:
        said = f"The end is missing: the log ends with entry {last}, and entry {head.number} was made."
        return Chain(seen, here, said)
    if head.number < last:
        return Chain(seen, here, f"Entry {head.number + 1} was not made by this program.", head.number + 1)
    return Chain(seen, here, f"Entries are missing: there are {seen:,}, and {head.entries:,} were made.")


def head(connection: Connection) -> Head:
    """Return where the log ends."""
    return _head(connection) or Head(0, 0, FIRST)


def _head(connection: Connection) -> Head | None:
    kept = tables.audit_head.c
    row = connection.execute(select(kept.entries, kept.number, kept.hash)).one_or_none()
    return None if row is None else Head(*row)


def _misfit(row: Mapping[str, Any], before: str) -> str | None:
    if row.get("previous") != before:
        return "it does not follow the entry before it" if "previous" in row else "it cannot be read"
    try:
        own = digest(**{name: value for name, value in row.items() if name != "hash"})
    except (TypeError, ValueError):
        return "it cannot be read"
    return None if row["hash"] == own else "what it says is not what was written down"


def _after(connection: Connection, last: int) -> Iterator[Mapping[str, Any]]:
    """Yield the entries behind number ``last``; of one that cannot be read, only the number."""
    number = tables.audit.c.number
    while True:
        query = select(tables.audit).where(number > last).order_by(number)
        try:
            rows = [dict(row) for row in connection.execute(query.limit(STEP)).mappings()]
        except (TypeError, ValueError):
            # Somebody has left a time or details in it that are none.
            rows = _one_by_one(connection, query)
        yield from rows
        if len(rows) < STEP:
            return
        last = rows[-1]["number"]


def _one_by_one(connection: Connection, query: Select[Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number in connection.scalars(query.with_only_columns(tables.audit.c.number).limit(STEP)).all():
        try:
            one = select(tables.audit).where(tables.audit.c.number == number)
            rows.append(dict(connection.execute(one).mappings().one()))
        except (TypeError, ValueError):
            rows.append({"number": number})
    return rows
