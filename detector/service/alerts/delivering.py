"""Delivering what is in the outbox: taken, sent, noted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from detector.service.alerts import outbox
from detector.service.alerts.sending import send
from detector.service.workspace import Workspace

_log = structlog.get_logger(__name__)


def deliver_due(ws: Workspace, holder: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> int:
    """Send the messages that are due, a few; return how many were tried. What is not taken is tried again later.

    A process that dies in between has sent a message that it could not note: it is sent once more, under the same id.
    """
    messages = outbox.take(ws.database, holder, clock())
    for message in messages:
        if message["removed_at"] is not None:
            outbox.note(ws.database, holder, message, outbox.GONE, "The webhook was removed.", clock())
            continue
        sent = send(
            message["url"],
            message["secret"],
            message["id"],
            message["body"],
            datetime.now(UTC),
            ws.settings.webhook_hosts,
        )
        state = outbox.note(ws.database, holder, message, sent.status, sent.problem, clock())
        if not sent.taken:
            # Neither the address nor the secret: both are keys.
            _log.warning("a webhook did not take a message", message=message["id"], status=sent.status, state=state)
    return len(messages)
