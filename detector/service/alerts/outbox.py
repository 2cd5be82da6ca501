"""The outbox: messages to webhooks, written in the transaction of what they tell, and delivered at least once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

import orjson
from sqlalchemy import Connection, RowMapping, insert, or_, select, update

from detector.errors import ConflictError, NotFoundError
from detector.service.access import needs
from detector.service.alerts.rules import RULES
from detector.service.workspace import Workspace
from detector.store import audit
from detector.store.alert_tables import deliveries, webhooks
from detector.store.database import Database

DeliveryState = Literal["waiting", "sent", "dead"]

#: Seconds until the next try after the first, second, ... that failed; after the last of them the message is dead.
WAITS = (10, 30, 120, 600, 1_800, 3_600, 7_200, 14_400)
#: How long a process keeps messages for itself while it sends them. When it dies, another takes over after that.
HOLDS = timedelta(seconds=60)
#: Messages that a process takes at a time.
TOGETHER = 4
#: Answer that means "never again" (RFC 9110, 15.5.11).
GONE = 410

_c = deliveries.c


@dataclass(frozen=True)
class Delivery:
    """One message to one webhook. ``status`` and ``problem``: of the last try."""

    number: int
    id: str
    webhook: str
    alert: int | None
    state: DeliveryState
    tries: int
    next_try_at: datetime
    status: int | None
    problem: str | None
    created_at: datetime
    delivered_at: datetime | None


def enqueue(connection: Connection, event: str, alert: Mapping[str, Any], now: datetime) -> None:
    """Write a message for each webhook that wants to hear of this alert's rule, in the caller's transaction."""
    query = select(webhooks.c.id, webhooks.c.rules).where(webhooks.c.removed_at.is_(None))
    wanting = [hook for hook, rules in connection.execute(query) if not rules or alert["rule"] in rules]
    # A webhook that does not take messages is not told so.
    own = str(alert.get("evidence") or "").removeprefix("webhook ")
    for hook in wanting:
        if hook != own:
            write(connection, hook, int(alert["number"]), event, told(alert), now)


def write(
    connection: Connection, webhook: str, alert: int | None, event: str, data: Mapping[str, Any], now: datetime
) -> str:
    """Write one message into the outbox and return its id."""
    message_id = f"msg_{uuid4().hex}"
    body = orjson.dumps({"type": event, "timestamp": now.isoformat(), "data": data}).decode()
    connection.execute(
        insert(deliveries).values(
            id=message_id,
            webhook=webhook,
            alert=alert,
            body=body,
            state="waiting",
            tries=0,
            next_try_at=now,
            created_at=now,
        )
    )
    return message_id


def told(alert: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a webhook is told of an alert: no row, no value, only what the page shows."""
    rule = RULES[alert["rule"]]
    resolved = alert.get("resolved_at")
    return {
        "alert": alert["number"],
        "rule": rule.name,
        "level": rule.level,
        "title": rule.title,
        "subject": alert["subject"],
        "summary": alert["summary"],
        "what_to_do": rule.todo,
        "state": alert["state"],
        "opened_at": alert["opened_at"].isoformat(),
        "resolved_at": resolved.isoformat() if resolved else None,
    }


def take(database: Database, holder: str, now: datetime) -> tuple[RowMapping, ...]:
    """Return messages that are due, with address and secret, and keep them for ``holder`` for a minute."""
    due = (_c.state == "waiting", _c.next_try_at <= now, or_(_c.held_until.is_(None), _c.held_until <= now))
    with database.read() as connection:
        if connection.scalar(select(_c.number).where(*due).limit(1)) is None:
            return ()
    with database.write() as connection:
        numbers = connection.scalars(select(_c.number).where(*due).order_by(_c.next_try_at).limit(TOGETHER)).all()
        if not numbers:
            return ()
        mine = _c.number.in_(numbers)
        connection.execute(update(deliveries).where(mine).values(held_by=holder, held_until=now + HOLDS))
        query = (
            select(_c.number, _c.id, _c.body, _c.tries, webhooks.c.url, webhooks.c.secret, webhooks.c.removed_at)
            .join(webhooks, webhooks.c.id == _c.webhook)
            .where(mine)
            .order_by(_c.number)
        )
        return tuple(connection.execute(query).mappings())


def note(
    database: Database, holder: str, message: RowMapping, status: int | None, problem: str | None, now: datetime
) -> DeliveryState:
    """Write down what came of a try; return the state of the message from then on."""
    tries = message["tries"] + 1
    values: dict[str, Any] = {"tries": tries, "status": status, "problem": problem and problem[:300]}
    values |= {"held_by": None, "held_until": None}
    state: DeliveryState
    if problem is None:
        state, values["delivered_at"] = "sent", now
    elif tries > len(WAITS) or status == GONE:
        state = "dead"
    else:
        state, values["next_try_at"] = "waiting", now + timedelta(seconds=WAITS[tries - 1])
    with database.write() as connection:
        # Only while it is ours: another process may have taken over after the time was up.
        mine = (_c.number == message["number"], _c.held_by == holder, _c.state == "waiting")
        connection.execute(update(deliveries).where(*mine).values(state=state, **values))
    return state


def list_deliveries(ws: Workspace, webhook: str, *, limit: int = 20) -> tuple[Delivery, ...]:
    """Return the newest messages to a webhook first."""
    names = Delivery.__dataclass_fields__
    query = select(*(_c[name] for name in names)).where(_c.webhook == webhook).order_by(_c.number.desc()).limit(limit)
    with ws.database.read() as connection:
        return tuple(Delivery(**row) for row in connection.execute(query).mappings())


@needs("manage")
def send_again(ws: Workspace, number: int, *, actor: str) -> None:
    """Try a dead message again, under the same id, from the first wait on.

    Raises
    ------
    NotFoundError, ConflictError
        When there is no such message, or it is not dead.
    """
    with ws.database.write() as connection:
        state = connection.scalar(select(_c.state).where(_c.number == number))
        if state is None:
            raise NotFoundError("There is no such message.", delivery=number)
        if state != "dead":
            raise ConflictError("This message is not given up; it was sent, or is tried again by itself.", state=state)
        connection.execute(
            update(deliveries)
            .where(_c.number == number)
            .values(state="waiting", tries=0, next_try_at=datetime.now(UTC), held_by=None, held_until=None)
        )
        audit.record(connection, actor=actor, action="message sent again", subject=f"message {number}")
