"""Alert rules, alerts, webhooks and what is still to be delivered, traffic by the minute, leases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

TIME = sa.DateTime(timezone=False)
JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    op.create_table(
        "alert_rules",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("thresholds", JSON, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("set_at", TIME, nullable=False),
        sa.Column("set_by", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_alert_rules"),
    )
    op.create_table(
        "alerts",
        sa.Column("number", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("rule", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("open_as", sa.String(250)),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("details", JSON, nullable=False),
        sa.Column("evidence", sa.String(80)),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("calm_since", TIME),
        sa.Column("acknowledged_at", TIME),
        sa.Column("acknowledged_by", sa.String(200)),
        sa.Column("snoozed_until", TIME),
        sa.Column("snoozed_by", sa.String(200)),
        sa.Column("resolved_at", TIME),
        sa.Column("resolved_by", sa.String(200)),
        sa.PrimaryKeyConstraint("number", name="pk_alerts"),
        sa.UniqueConstraint("open_as", name="uq_alerts_open_as"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alerts_state_number", "alerts", ["state", "number"])
    op.create_index("ix_alerts_rule_subject_number", "alerts", ["rule", "subject", "number"])
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("rules", JSON, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.Column("removed_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
    )
    op.create_table(
        "deliveries",
        sa.Column("number", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("webhook", sa.String(32), nullable=False),
        sa.Column("alert", sa.Integer),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("next_try_at", TIME, nullable=False),
        sa.Column("held_by", sa.String(32)),
        sa.Column("held_until", TIME),
        sa.Column("status", sa.Integer),
        sa.Column("problem", sa.String(300)),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("delivered_at", TIME),
        sa.PrimaryKeyConstraint("number", name="pk_deliveries"),
        sa.UniqueConstraint("id", name="uq_deliveries_id"),
        sa.ForeignKeyConstraint(["webhook"], ["webhooks.id"], name="fk_deliveries_webhook_webhooks"),
        sa.ForeignKeyConstraint(["alert"], ["alerts.number"], name="fk_deliveries_alert_alerts"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deliveries_state_next_try_at", "deliveries", ["state", "next_try_at"])
    op.create_index("ix_deliveries_webhook_number", "deliveries", ["webhook", "number"])
    op.create_table(
        "traffic_minutes",
        sa.Column("minute", TIME, nullable=False),
        sa.Column("process", sa.String(32), nullable=False),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("errors", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("flagged", sa.BigInteger, nullable=False),
        sa.Column("expected", sa.Float, nullable=False),
        sa.Column("missing", JSON, nullable=False),
        sa.Column("new", JSON, nullable=False),
        sa.PrimaryKeyConstraint("minute", "process", name="pk_traffic_minutes"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("holder", sa.String(32), nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )


def downgrade() -> None:
    for name in ("leases", "traffic_minutes", "deliveries", "webhooks", "alerts", "alert_rules"):
        op.drop_table(name)
