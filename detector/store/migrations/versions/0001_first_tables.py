"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from detector.store.migrations.sealing import seal, unseal

revision = "0001"
down_revision = None

TIME = sa.DateTime(timezone=False)
JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    op.create_table(
        "versions",
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("file", sa.String(100), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.Column("parent", sa.Integer),
        sa.Column("origin", sa.String(20), nullable=False),
        sa.Column("lane", sa.String(20), nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("features", JSON, nullable=False),
        sa.Column("contamination", sa.Float, nullable=False),
        sa.Column("cutoff", sa.Float, nullable=False),
        sa.Column("figures", JSON, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_versions"),
        sa.ForeignKeyConstraint(["parent"], ["versions.number"], name="fk_versions_parent_versions"),
    )
    op.create_table(
        "aliases",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("moved_at", TIME, nullable=False),
        sa.Column("moved_by", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_aliases"),
        sa.ForeignKeyConstraint(["version"], ["versions.number"], name="fk_aliases_version_versions"),
    )
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("received_by", sa.String(200), nullable=False),
        sa.Column("options", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
    )
    op.create_index("ix_uploads_sha256", "uploads", ["sha256"])
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("upload", sa.String(32)),
        sa.Column("sha256", sa.String(64)),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("cutoff", sa.Float, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("flagged", sa.BigInteger, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.Column("file", sa.String(100), nullable=False),
        sa.Column("columns", JSON, nullable=False),
        sa.Column("report", JSON, nullable=False),
        sa.Column("histogram", JSON, nullable=False),
        sa.Column("reasons", JSON, nullable=False),
        sa.Column("periods", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.ForeignKeyConstraint(["upload"], ["uploads.id"], name="fk_runs_upload_uploads"),
        sa.ForeignKeyConstraint(["version"], ["versions.number"], name="fk_runs_version_versions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_runs_sha256_version", "runs", ["sha256", "version"])
    op.create_table(
        "jobs",
        sa.Column("number", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("arguments", JSON, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("owner", sa.String(32), nullable=False),
        sa.Column("done_rows", sa.BigInteger, nullable=False),
        sa.Column("total_rows", sa.BigInteger),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("error", JSON),
        sa.Column("result", JSON),
        sa.Column("cancel_asked", sa.Boolean, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("heartbeat_at", TIME, nullable=False),
        sa.Column("finished_at", TIME),
        sa.PrimaryKeyConstraint("number", name="pk_jobs"),
        sa.UniqueConstraint("id", name="uq_jobs_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_jobs_kind", "jobs", ["kind"])
    op.create_index("ix_jobs_state", "jobs", ["state"])
    op.create_table(
        "previews",
        sa.Column("token", sa.String(32), nullable=False),
        sa.Column("base_version", sa.Integer, nullable=False),
        sa.Column("upload", sa.String(32), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("figures", JSON, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("token", name="pk_previews"),
        sa.ForeignKeyConstraint(["base_version"], ["versions.number"], name="fk_previews_base_version_versions"),
        sa.ForeignKeyConstraint(["upload"], ["uploads.id"], name="fk_previews_upload_uploads"),
    )
    op.create_table(
        "preferences",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("value", JSON),
        sa.Column("set_at", TIME, nullable=False),
        sa.Column("set_by", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_preferences"),
    )
    op.create_table(
        "demo_weeks",
        sa.Column("week", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("outcome", JSON, nullable=False),
        sa.Column("played_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("week", name="pk_demo_weeks"),
        sa.ForeignKeyConstraint(["version"], ["versions.number"], name="fk_demo_weeks_version_versions"),
    )
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("details", JSON, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    seal("audit")
    seal("versions")


def downgrade() -> None:
    for name in ("audit", "versions"):
        unseal(name)
    for name in ("audit", "demo_weeks", "preferences", "previews", "jobs", "runs", "uploads", "aliases", "versions"):
        op.drop_table(name)
