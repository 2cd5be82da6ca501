"""What people see of alerts and do with them: acknowledge, snooze, wake, close."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping, func, select, update

from detector.errors import ConflictError, InputError, NotFoundError
from detector.service.access import needs
from detector.service.alerts import alerting
from detector.service.alerts.rules import RULES, Rule
from detector.service.workspace import Workspace
from detector.store import audit
from detector.store.alert_tables import alerts

AlertState = Literal["open", "acknowledged", "resolved"]

#: Longest snooze.
LONGEST_SNOOZE = timedelta(days=14)


@dataclass(frozen=True)
class Alert:
    """One alert. ``seen_at``: when the rule last fired; ``calm_since``: since when it does not, while it is open."""

    number: int
    rule: Rule
    subject: str
    state: AlertState
    summary: str
    details: Mapping[str, Any]
    evidence: str | None
    opened_at: datetime
    seen_at: datetime
    calm_since: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    snoozed_until: datetime | None
    snoozed_by: str | None
    resolved_at: datetime | None
    resolved_by: str | None

    def is_snoozed(self, now: datetime | None = None) -> bool:
        """Whether it is asleep."""
        return self.snoozed_until is not None and self.snoozed_until > (now or datetime.now(UTC))

    @property
    def run(self) -> int | None:
        """The run that it was seen in, if it was one."""
        kind, _, number = (self.evidence or "").partition(" ")
        return int(number) if kind == "run" and number.isdigit() else None


def open_alerts(ws: Workspace) -> tuple[Alert, ...]:
    """Return the alerts that are not resolved: urgent before notice, awake before asleep, unseen first, then newest."""
    with ws.database.read() as connection:
        found = [_alert(row) for row in connection.execute(_standing()).mappings()]
    now = datetime.now(UTC)
    return tuple(
        sorted(
            found,
            key=lambda alert: (
                alert.is_snoozed(now),
                alert.state != "open",
                alert.rule.level != "urgent",
                -alert.opened_at.timestamp(),
            ),
        )
    )


def past_alerts(ws: Workspace, *, limit: int = 100) -> tuple[Alert, ...]:
    """Return the alerts that were resolved, the latest first."""
    query = select(alerts).where(alerts.c.state == "resolved", alerts.c.rule.in_(RULES))
    with ws.database.read() as connection:
        found = connection.execute(query.order_by(alerts.c.resolved_at.desc(), alerts.c.number.desc()).limit(limit))
        return tuple(_alert(row) for row in found.mappings())


def waiting_alerts(ws: Workspace) -> int:
    """Return how many alerts wait for somebody: neither acknowledged nor asleep nor resolved."""
    now = datetime.now(UTC)
    query = (
        select(func.count())
        .select_from(alerts)
        .where(
            alerts.c.state == "open",
            alerts.c.rule.in_(RULES),
            alerts.c.snoozed_until.is_(None) | (alerts.c.snoozed_until <= now),
        )
    )
    with ws.database.read() as connection:
        return int(connection.scalar(query) or 0)


@needs("decide")
def acknowledge(ws: Workspace, number: int, *, actor: str) -> Alert:
    """Say that somebody looks after it; raises ``NotFoundError`` or ``ConflictError`` when another was faster."""
    with ws.database.write() as connection:
        alert = _standing_alert(connection, number)
        if alert["state"] == "acknowledged":
            raise ConflictError(f"{alert['acknowledged_by']} has acknowledged this alert already.", alert=number)
        return _changed(
            connection,
            alert,
            actor,
            "alert acknowledged",
            {"state": "acknowledged", "acknowledged_at": datetime.now(UTC), "acknowledged_by": actor},
        )


@needs("decide")
def snooze(ws: Workspace, number: int, lasts: timedelta, *, actor: str) -> Alert:
    """Put an alert to sleep; it counts again afterwards.

    Raises
    ------
    InputError, NotFoundError, ConflictError
        When it is to sleep for too long, or there is no such alert, or it is resolved.
    """
    if not timedelta() < lasts <= LONGEST_SNOOZE:
        raise InputError(f"An alert can be put to sleep for at most {LONGEST_SNOOZE.days} days.")
    until = datetime.now(UTC) + lasts
    with ws.database.write() as connection:
        alert = _standing_alert(connection, number)
        values = {"snoozed_until": until, "snoozed_by": actor}
        return _changed(connection, alert, actor, "alert snoozed", values, until=until.isoformat())


@needs("decide")
def wake(ws: Workspace, number: int, *, actor: str) -> Alert:
    """End the sleep of an alert; raises ``NotFoundError`` or ``ConflictError``."""
    with ws.database.write() as connection:
        alert = _standing_alert(connection, number)
        return _changed(connection, alert, actor, "alert woken", {"snoozed_until": None, "snoozed_by": None})


@needs("decide")
def close(ws: Workspace, number: int, *, actor: str) -> Alert:
    """Resolve an alert by hand. The same file or job raises it no more; requests do when they go on as they are.

    Raises
    ------
    NotFoundError, ConflictError
        When there is no such alert, or it is resolved already.
    """
    with ws.database.write() as connection:
        alert = _standing_alert(connection, number)
        alerting.resolve(connection, alert, actor, datetime.now(UTC))
        return _changed(connection, alert, actor, "alert closed", {})


def _changed(
    connection: Connection, alert: RowMapping, actor: str, action: str, values: Mapping[str, Any], **details: Any
) -> Alert:
    mine = alerts.c.number == alert["number"]
    if values:
        connection.execute(update(alerts).where(mine).values(**values))
    audit.record(
        connection, actor=actor, action=action, subject=f"alert {alert['number']}", rule=alert["rule"], **details
    )
    return _alert(connection.execute(select(alerts).where(mine)).mappings().one())


def _standing_alert(connection: Connection, number: int) -> RowMapping:
    row = connection.execute(select(alerts).where(alerts.c.number == number)).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"There is no alert {number}.", alert=number)
    if row["state"] == "resolved":
        raise ConflictError(f"Alert {number} is resolved already.", alert=number)
    return row


def _standing() -> Any:
    # An alert of a rule that this program does not have any more is in nobody's way.
    return select(alerts).where(alerts.c.open_as.is_not(None), alerts.c.rule.in_(RULES))


def _alert(row: RowMapping) -> Alert:
    values = {name: row[name] for name in Alert.__dataclass_fields__ if name != "rule"}
    return Alert(rule=RULES[row["rule"]], **values)
