"""Queues, cases, decisions, locks and saved views."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from detector.store.migrations.sealing import seal, unseal

revision = "0002"
down_revision = "0001"

TIME = sa.DateTime(timezone=False)
JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    op.create_table(
        "queues",
        sa.Column("run", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("file", sa.String(100), nullable=False),
        sa.Column("entity", sa.Text),
        sa.Column("time", sa.Text),
        sa.Column("amount", sa.Text),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.Column("closed_at", TIME),
        sa.PrimaryKeyConstraint("run", name="pk_queues"),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name="fk_queues_run_runs"),
    )
    op.create_table(
        "decisions",
        sa.Column("number", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("row", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(60), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("severity", sa.Float, nullable=False),
        sa.Column("amount", sa.Float),
        sa.Column("seconds", sa.Float),
        sa.Column("batch", sa.String(32), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("made_by", sa.String(200), nullable=False),
        sa.Column("ended_at", TIME),
        sa.Column("ended_by", sa.String(200)),
        sa.PrimaryKeyConstraint("number", name="pk_decisions"),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name="fk_decisions_run_runs"),
        sa.ForeignKeyConstraint(["version"], ["versions.number"], name="fk_decisions_version_versions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_decisions_run_row", "decisions", ["run", "row"])
    op.create_index("ix_decisions_made_at", "decisions", ["made_at"])
    op.create_table(
        "cases",
        sa.Column("run", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("row", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("assignee", sa.String(200)),
        sa.Column("snoozed_until", TIME),
        sa.Column("decision", sa.Integer),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("changed_by", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("run", "row", name="pk_cases"),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name="fk_cases_run_runs"),
        sa.ForeignKeyConstraint(["decision"], ["decisions.number"], name="fk_cases_decision_decisions"),
    )
    op.create_table(
        "case_events",
        sa.Column("number", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("row", sa.BigInteger, nullable=False),
        sa.Column("batch", sa.String(32), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("before", JSON),
        sa.Column("after", JSON, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_case_events"),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name="fk_case_events_run_runs"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_case_events_run_row", "case_events", ["run", "row"])
    op.create_index("ix_case_events_batch", "case_events", ["batch"])
    op.create_table(
        "case_locks",
        sa.Column("run", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("row", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(200), nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.PrimaryKeyConstraint("run", "row", name="pk_case_locks"),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name="fk_case_locks_run_runs"),
    )
    op.create_table(
        "saved_views",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("query", sa.Text, nullable=False),
        sa.Column("saved_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_saved_views"),
        sa.UniqueConstraint("owner", "name", name="uq_saved_views_owner_name"),
        sqlite_autoincrement=True,
    )
    # The log is asked for by who did something, and for what was done.
    op.create_index("ix_audit_actor_number", "audit", ["actor", "number"])
    op.create_index("ix_audit_action_number", "audit", ["action", "number"])
    seal("case_events")


def downgrade() -> None:
    unseal("case_events")
    for name in ("ix_audit_action_number", "ix_audit_actor_number"):
        op.drop_index(name, "audit")
    for name in ("saved_views", "case_locks", "case_events", "cases", "decisions", "queues"):
        op.drop_table(name)
