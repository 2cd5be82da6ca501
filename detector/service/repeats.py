"""Requests that a caller may repeat: what was answered stands beside what was done, so that nothing is done twice.

A caller names a request by a key of its own. The first request with it claims the key; what it does and what it is
answered are written in one transaction. A repetition gets that answer. While the first is at work the key is claimed
for a while only: the claim of a process that died ends by itself, and a slow process whose claim was taken over finds
its transaction refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from detector.errors import DetectorError, InputError, Problem
from detector.store import tables
from detector.store.database import Database

#: How long an answer is kept.
KEPT = timedelta(hours=24)
#: How long a request may work before a repetition of it may begin anew.
CLAIMED = timedelta(seconds=60)

_requests = tables.requests.c


@dataclass(frozen=True)
class Repeatable:
    """A request that may be repeated: by whom, its key, and a hash of all that is asked."""

    caller: str
    key: str
    asked: str


@dataclass(frozen=True)
class Answer:
    """What was answered: an HTTP status and a body."""

    status: int
    body: bytes


class OvertakenError(DetectorError):
    """Another process has taken the request over; nothing was changed here."""

    code = "conflict"


class Claim:
    """The right to carry out a request. Give its answer in the transaction of what it does, or let go of it."""

    def __init__(self, database: Database, request: Repeatable, holder: str) -> None:
        self._database = database
        self._request = request
        self._holder = holder

    def answer(self, connection: Connection, answer: Answer) -> None:
        """Keep the answer in the transaction of the effect.

        Raises
        ------
        OvertakenError
            When another process has begun the request anew; the transaction must not be committed.
        """
        kept = connection.execute(
            update(tables.requests).where(self._mine()).values(status=answer.status, answer=answer.body)
        )
        if kept.rowcount != 1:
            raise OvertakenError("The same request is carried out by another process. Nothing was changed here.")

    def let_go(self) -> None:
        """Let a repetition try anew, since nothing was done."""
        with self._database.write() as connection:
            connection.execute(delete(tables.requests).where(self._mine()))

    def _mine(self) -> ColumnElement[bool]:
        return and_(_is(self._request), _requests.holder == self._holder, _requests.status.is_(None))


def claim(database: Database, request: Repeatable, *, until: timedelta = CLAIMED) -> Claim | Answer | None:
    """Return the right to carry a request out, what it was answered, or ``None`` while another is at work on it.

    Raises
    ------
    InputError
        When the key was given to another request.
    """
    # Repetitions wait by asking again and again: none of them needs to write.
    found = _known(database, request)
    if found is not None:
        return found if isinstance(found, Answer) else None
    holder, now = uuid4().hex, datetime.now(UTC)
    with database.write() as connection:
        connection.execute(delete(tables.requests).where(_requests.begun_at < now - KEPT))
        connection.execute(
            delete(tables.requests).where(_is(request), _requests.status.is_(None), _requests.until <= now)
        )
        if connection.scalar(select(_requests.key).where(_is(request))) is None:
            connection.execute(
                insert(tables.requests).values(
                    caller=request.caller,
                    key=request.key,
                    asked=request.asked,
                    holder=holder,
                    until=now + until,
                    begun_at=now,
                )
            )
            return Claim(database, request, holder)
    found = _known(database, request)
    return found if isinstance(found, Answer) else None


def _known(database: Database, request: Repeatable) -> Answer | bool | None:
    """Return the answer to a request, ``True`` while it is carried out, ``None`` when nobody is at it."""
    now = datetime.now(UTC)
    query = select(_requests.asked, _requests.status, _requests.answer, _requests.until).where(
        _is(request), _requests.begun_at >= now - KEPT
    )
    with database.read() as connection:
        row = connection.execute(query).one_or_none()
    if row is None or (row.status is None and row.until <= now):
        return None
    if row.asked != request.asked:
        message = f"The key {request.key!r} was given to another request; a repetition must be the same in all parts."
        raise InputError(message, (Problem("key_reused", message, column="Idempotency-Key"),))
    return True if row.status is None else Answer(row.status, row.answer)


def _is(request: Repeatable) -> ColumnElement[bool]:
    return and_(_requests.caller == request.caller, _requests.key == request.key)
