"""Rules as a team set them: switched on or off, with its own thresholds; each change is in the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select, update

from detector.errors import ConflictError, InputError, NotFoundError
from detector.service.access import needs
from detector.service.alerts.rules import RULES, Rule
from detector.service.workspace import Workspace
from detector.store import audit
from detector.store.alert_tables import alert_rules


@dataclass(frozen=True)
class RuleSettings:
    """A rule as it is in force. ``revision``: 0 while nobody has changed it."""

    rule: Rule
    enabled: bool
    thresholds: Mapping[str, float]
    revision: int


def rule_settings(ws: Workspace) -> tuple[RuleSettings, ...]:
    """Return all rules as they are in force."""
    with ws.database.read() as connection:
        return _in_force(connection)


def _in_force(connection: Connection) -> tuple[RuleSettings, ...]:
    changed = {row["name"]: row for row in connection.execute(select(alert_rules)).mappings()}
    found = []
    for name, rule in RULES.items():
        row = changed.get(name)
        if row is None:
            found.append(RuleSettings(rule, True, rule.defaults(), 0))
            continue
        # A threshold that an earlier program knew and this one does not is left out; a new one has its default.
        known = rule.defaults()
        own = {key: float(value) for key, value in row["thresholds"].items() if key in known}
        found.append(RuleSettings(rule, row["enabled"], known | own, row["revision"]))
    return tuple(found)


@needs("manage")
def set_rule(
    ws: Workspace, name: str, *, enabled: bool, thresholds: Mapping[str, float], actor: str, seen: int
) -> RuleSettings:
    """Change a rule; ``seen``: the revision that was decided upon.

    Raises
    ------
    NotFoundError, InputError, ConflictError
        When there is no such rule, a threshold is unknown or out of its range, or somebody else was faster.
    """
    rule = RULES.get(name)
    if rule is None:
        raise NotFoundError(f"There is no alert rule {name!r}; there are {', '.join(RULES)}.")
    known = {threshold.name: threshold for threshold in rule.thresholds}
    if set(thresholds) != set(known):
        raise InputError(f"The thresholds of this rule are {', '.join(known) or 'none'}.")
    for key, value in thresholds.items():
        limits = known[key]
        if not limits.low <= value <= limits.high:
            raise InputError(f"{limits.label}: a number from {limits.low:g} to {limits.high:g}, not {value:g}.")
    with ws.database.write() as connection:
        before = next(found for found in _in_force(connection) if found.rule.name == name)
        if before.revision != seen:
            raise ConflictError("Somebody else has changed this rule in the meantime. Look again and decide anew.")
        values = {
            "enabled": enabled,
            "thresholds": {key: float(value) for key, value in thresholds.items()},
            "revision": seen + 1,
            "set_at": datetime.now(UTC),
            "set_by": actor,
        }
        if seen == 0:
            connection.execute(insert(alert_rules).values(name=name, **values))
        else:
            connection.execute(update(alert_rules).where(alert_rules.c.name == name).values(**values))
        audit.record(
            connection,
            actor=actor,
            action="alert rule set",
            subject=f"rule {name}",
            enabled=enabled,
            thresholds=values["thresholds"],
            before={"enabled": before.enabled, "thresholds": dict(before.thresholds)},
        )
        return next(found for found in _in_force(connection) if found.rule.name == name)
