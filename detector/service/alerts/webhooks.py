"""Webhooks: where alerts are sent. The secret is shown once, when the webhook is made, and never again."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import func, insert, select, update

from detector.errors import InputError, NotFoundError
from detector.service.access import needs
from detector.service.alerts import outbox
from detector.service.alerts.addresses import read_target
from detector.service.alerts.rules import RULES
from detector.service.workspace import Workspace
from detector.store import audit
from detector.store.alert_tables import deliveries, webhooks

#: Webhooks of a workspace at most.
MOST_WEBHOOKS = 20
_NAME_LENGTH = 60
#: Bytes of a secret: within the 24 to 64 that Standard Webhooks asks for.
_SECRET_BYTES = 32


@dataclass(frozen=True)
class WebhookInfo:
    """A webhook without its secret. ``address``: without path and query, which often hold a key.

    ``rules``: of which rules it hears; empty: of all. ``waiting``, ``sent``, ``dead``: messages.
    """

    id: str
    name: str
    address: str
    rules: tuple[str, ...]
    created_at: datetime
    created_by: str
    waiting: int
    sent: int
    dead: int


@needs("manage")
def add_webhook(
    ws: Workspace, name: str, url: str, *, rules: Sequence[str] = (), actor: str
) -> tuple[WebhookInfo, str]:
    """Make a webhook; return it and its secret, which cannot be read again.

    Raises
    ------
    InputError
        When the name is empty or too long, a rule is unknown, or there are too many.
    AddressRefusedError
        When the address is none that a webhook may have. Where its name leads is judged at each try.
    """
    name = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    if not 1 <= len(name) <= _NAME_LENGTH:
        raise InputError(f"A webhook needs a name of at most {_NAME_LENGTH} characters.")
    if unknown := sorted(set(rules) - set(RULES)):
        raise InputError(f"There is no alert rule {unknown[0]!r}; there are {', '.join(RULES)}.")
    target = read_target(url.strip(), ws.settings.webhook_hosts)
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    webhook, now = uuid4().hex, datetime.now(UTC)
    with ws.database.write() as connection:
        standing = select(func.count()).select_from(webhooks).where(webhooks.c.removed_at.is_(None))
        if (connection.scalar(standing) or 0) >= MOST_WEBHOOKS:
            raise InputError(f"There are {MOST_WEBHOOKS} webhooks already; remove one first.")
        connection.execute(
            insert(webhooks).values(
                id=webhook,
                name=name,
                url=url.strip(),
                secret=secret,
                rules=list(rules),
                created_at=now,
                created_by=actor,
            )
        )
        audit.record(
            connection,
            actor=actor,
            action="webhook added",
            subject=f"webhook {name}",
            address=target.shown,
            rules=list(rules),
        )
    return next(found for found in list_webhooks(ws) if found.id == webhook), secret


def list_webhooks(ws: Workspace) -> tuple[WebhookInfo, ...]:
    """Return the webhooks, oldest first."""
    names = ("id", "name", "url", "rules", "created_at", "created_by")
    query = select(*(webhooks.c[name] for name in names)).where(webhooks.c.removed_at.is_(None))
    counts = select(deliveries.c.webhook, deliveries.c.state, func.count()).group_by(
        deliveries.c.webhook, deliveries.c.state
    )
    with ws.database.read() as connection:
        many = {(hook, state): int(count) for hook, state, count in connection.execute(counts)}
        found = connection.execute(query.order_by(webhooks.c.created_at)).mappings().all()
    return tuple(
        WebhookInfo(
            id=row["id"],
            name=row["name"],
            # It was judged when it was made; a host that is allowed no more is still to be shown.
            address=read_target(row["url"], [_host(row["url"])]).shown,
            rules=tuple(row["rules"]),
            created_at=row["created_at"],
            created_by=row["created_by"],
            waiting=many.get((row["id"], "waiting"), 0),
            sent=many.get((row["id"], "sent"), 0),
            dead=many.get((row["id"], "dead"), 0),
        )
        for row in found
    )


@needs("manage")
def remove_webhook(ws: Workspace, webhook: str, *, actor: str) -> None:
    """Remove a webhook and forget its secret; what waits for it is given up. Raises ``NotFoundError``."""
    with ws.database.write() as connection:
        mine = (webhooks.c.id == webhook, webhooks.c.removed_at.is_(None))
        name = connection.scalar(select(webhooks.c.name).where(*mine))
        if name is None:
            raise NotFoundError("There is no such webhook; it may have been removed.", webhook=webhook)
        connection.execute(update(webhooks).where(*mine).values(removed_at=datetime.now(UTC), secret="", url=""))
        connection.execute(
            update(deliveries)
            .where(deliveries.c.webhook == webhook, deliveries.c.state == "waiting")
            .values(state="dead", problem="The webhook was removed.")
        )
        audit.record(connection, actor=actor, action="webhook removed", subject=f"webhook {name}")


@needs("manage")
def send_test(ws: Workspace, webhook: str, *, actor: str) -> str:
    """Put a test message into the outbox and return its id; raises ``NotFoundError``."""
    now = datetime.now(UTC)
    with ws.database.write() as connection:
        name = connection.scalar(
            select(webhooks.c.name).where(webhooks.c.id == webhook, webhooks.c.removed_at.is_(None))
        )
        if name is None:
            raise NotFoundError("There is no such webhook; it may have been removed.", webhook=webhook)
        message = outbox.write(connection, webhook, None, "alert.test", {"asked_for_by": actor}, now)
        audit.record(connection, actor=actor, action="webhook tested", subject=f"webhook {name}")
    return message


def _host(url: str) -> str:
    from urllib.parse import urlsplit

    return (urlsplit(url).hostname or "").lower()
