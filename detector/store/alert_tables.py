"""The tables of alerts: rules as a team changed them, alerts, webhooks and their outbox, and what traffic was like."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from detector.store.tables import Moment, _json, metadata

alert_rules = Table(
    "alert_rules",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("enabled", Boolean, nullable=False),
    Column("thresholds", _json(), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("set_at", Moment, nullable=False),
    Column("set_by", String(200), nullable=False),
)

#: ``open_as`` is "rule/subject" until the alert is resolved and NULL from then on, so that the database itself allows
#: one open alert a rule and subject.
alerts = Table(
    "alerts",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("rule", String(40), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("open_as", String(250)),
    Column("state", String(20), nullable=False),
    Column("summary", Text, nullable=False),
    Column("details", _json(), nullable=False),
    Column("evidence", String(80)),
    Column("opened_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("calm_since", Moment),
    Column("acknowledged_at", Moment),
    Column("acknowledged_by", String(200)),
    Column("snoozed_until", Moment),
    Column("snoozed_by", String(200)),
    Column("resolved_at", Moment),
    Column("resolved_by", String(200)),
    UniqueConstraint("open_as"),
    Index(None, "state", "number"),
    Index(None, "rule", "subject", "number"),
    sqlite_autoincrement=True,
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(60), nullable=False),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("rules", _json(), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("removed_at", Moment),
)

#: The outbox. ``body`` is what is signed and sent, byte for byte the same at each try; so is ``id``.
deliveries = Table(
    "deliveries",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("webhook", String(32), ForeignKey("webhooks.id"), nullable=False),
    Column("alert", Integer, ForeignKey("alerts.number")),
    Column("body", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_try_at", Moment, nullable=False),
    Column("held_by", String(32)),
    Column("held_until", Moment),
    Column("status", Integer),
    Column("problem", String(300)),
    Column("created_at", Moment, nullable=False),
    Column("delivered_at", Moment),
    Index(None, "state", "next_try_at"),
    Index(None, "webhook", "number"),
    sqlite_autoincrement=True,
)

#: Sums of one process over one minute.
traffic_minutes = Table(
    "traffic_minutes",
    metadata,
    Column("minute", Moment, primary_key=True),
    Column("process", String(32), primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("flagged", BigInteger, nullable=False),
    Column("expected", Float, nullable=False),
    Column("missing", _json(), nullable=False),
    Column("new", _json(), nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("holder", String(32), nullable=False),
    Column("until", Moment, nullable=False),
)
