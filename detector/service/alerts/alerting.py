"""Findings become alerts: raised once, kept while they hold, resolved after some calm.

What webhooks are to hear is written in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, RowMapping, insert, select, update

from detector.service.alerts import outbox
from detector.service.alerts.inputs import Inputs, gather
from detector.service.alerts.judging import REQUESTS, Finding, Judged, judge, source_of
from detector.service.alerts.rule_settings import rule_settings
from detector.service.alerts.rules import RULES
from detector.service.workspace import Workspace
from detector.store.alert_tables import alerts
from detector.store.database import Database

#: Who resolves what has gone away by itself.
SYSTEM = "system"
#: How often an open alert is written down as still holding.
REFRESH = timedelta(minutes=1)

_log = structlog.get_logger(__name__)


def evaluate(ws: Workspace, now: datetime | None = None, inputs: Inputs | None = None) -> int:
    """Apply all rules; return how many alerts were raised or resolved. ``inputs``: by default as they are ``now``."""
    now = now or datetime.now(UTC)
    settings = rule_settings(ws)
    back = frozenset(known.thresholds["minutes"] for known in settings if "minutes" in known.thresholds)
    inputs = inputs or gather(ws, back, now)
    changes = 0
    for known in settings:
        judged = judge(known.rule.name, inputs, known.thresholds) if known.enabled else Judged()
        calm = timedelta(minutes=known.thresholds.get("calm_minutes", 0.0)) if known.enabled else timedelta()
        changes += apply(ws.database, known.rule.name, judged, calm, now)
    return changes


def after_scoring(ws: Workspace) -> None:
    """Apply the rules right after a file was scored; a fault in that is logged and does not touch the run."""
    try:
        evaluate(ws)
    except Exception as error:  # noqa: BLE001 - the run stands, whatever the rules run into
        _log.error("the alert rules could not be applied", exc_info=error)


def apply(database: Database, rule: str, judged: Judged, calm: timedelta, now: datetime) -> int:
    """Let the alerts of ``rule`` follow what was judged; return how many were raised or resolved.

    ``calm``: how long an alert on requests has to be calm before it is resolved; one on a file or a job waits for
    nothing. Nothing is written when nothing changes.
    """
    with database.read() as connection:
        if not _due(connection, rule, judged, now):
            return 0
    with database.write() as connection:
        return _applied(connection, rule, judged, calm, now)


def _due(connection: Connection, rule: str, judged: Judged, now: datetime) -> bool:
    """Return whether there is anything to write."""
    standing = _open(connection, rule)
    for finding in judged.firing:
        alert = standing.pop(finding.subject, None)
        if alert is None and not _closed_by_hand(connection, rule, finding):
            return True
        if alert is not None and (alert["calm_since"] is not None or _outdated(alert, finding, now)):
            return True
    return any(_is_calm(alert, judged) or alert["calm_since"] is not None for alert in standing.values())


def _applied(connection: Connection, rule: str, judged: Judged, calm: timedelta, now: datetime) -> int:
    changes = 0
    standing = _open(connection, rule)
    for finding in judged.firing:
        alert = standing.pop(finding.subject, None)
        if alert is not None:
            if alert["calm_since"] is not None or _outdated(alert, finding, now):
                told = {"summary": finding.summary, "details": dict(finding.details), "evidence": finding.evidence}
                _change(connection, alert, seen_at=now, calm_since=None, **told)
        elif not _closed_by_hand(connection, rule, finding):
            _raise(connection, rule, finding, now)
            changes += 1
    for alert in standing.values():
        if not _is_calm(alert, judged):
            if alert["calm_since"] is not None:
                _change(connection, alert, calm_since=None)
            continue
        since = alert["calm_since"] or now
        waits = calm if source_of(alert["evidence"]) == REQUESTS else timedelta()
        if now - since >= waits:
            resolve(connection, alert, SYSTEM, now)
            changes += 1
        elif alert["calm_since"] is None:
            _change(connection, alert, calm_since=now)
    return changes


def resolve(connection: Connection, alert: RowMapping, by: str, now: datetime) -> None:
    """Resolve an open alert, and let the webhooks know, in the caller's transaction."""
    _change(connection, alert, state="resolved", open_as=None, resolved_at=now, resolved_by=by)
    outbox.enqueue(connection, "alert.resolved", dict(alert) | {"state": "resolved", "resolved_at": now}, now)


def _raise(connection: Connection, rule: str, finding: Finding, now: datetime) -> None:
    values: Mapping[str, Any] = {
        "rule": rule,
        "subject": finding.subject[:200],
        "state": "open",
        "summary": finding.summary,
        "details": dict(finding.details),
        "evidence": finding.evidence[:80],
        "opened_at": now,
        "seen_at": now,
    }
    number = connection.execute(
        insert(alerts).values(open_as=f"{rule}/{finding.subject[:200]}", **values).returning(alerts.c.number)
    ).scalar_one()
    outbox.enqueue(connection, "alert.opened", dict(values) | {"number": number}, now)
    # What it says may hold names of columns: that is for the page, the log has its number.
    _log.warning("alert raised", alert=number, rule=rule, urgency=RULES[rule].level)


def _open(connection: Connection, rule: str) -> dict[str, RowMapping]:
    query = select(alerts).where(alerts.c.rule == rule, alerts.c.open_as.is_not(None))
    return {row["subject"]: row for row in connection.execute(query).mappings()}


def _closed_by_hand(connection: Connection, rule: str, finding: Finding) -> bool:
    """Return whether a person closed this very finding: the same run, the same job."""
    if finding.evidence == REQUESTS:
        return False
    query = (
        select(alerts.c.resolved_by, alerts.c.evidence)
        .where(alerts.c.rule == rule, alerts.c.subject == finding.subject[:200])
        .order_by(alerts.c.number.desc())
        .limit(1)
    )
    last = connection.execute(query).one_or_none()
    return last is not None and last.resolved_by not in (None, SYSTEM) and last.evidence == finding.evidence[:80]


def _outdated(alert: RowMapping, finding: Finding, now: datetime) -> bool:
    return bool(alert["evidence"] != finding.evidence[:80] or now - alert["seen_at"] >= REFRESH)


def _is_calm(alert: RowMapping, judged: Judged) -> bool:
    return alert["subject"] not in judged.between and source_of(alert["evidence"]) not in judged.silent


def _change(connection: Connection, alert: RowMapping, **values: Any) -> None:
    connection.execute(update(alerts).where(alerts.c.number == alert["number"]).values(**values))
