"""What processes observe in requests: events of entities, how far they were folded, new columns."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

TIME = sa.DateTime(timezone=False)


def upgrade() -> None:
    op.create_table(
        "observed_events",
        sa.Column("number", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("entities", sa.String(64), nullable=False),
        sa.Column("observer", sa.String(32), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_observed_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_observed_events_entities_number", "observed_events", ["entities", "number"])
    op.create_table(
        "observed_folds",
        sa.Column("version", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("file", sa.String(64), nullable=False),
        sa.Column("folded_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_observed_folds"),
        sa.ForeignKeyConstraint(["version"], ["versions.number"], name="fk_observed_folds_version_versions"),
    )
    op.create_table(
        "observed_columns",
        sa.Column("version", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("version", "digest", name="pk_observed_columns"),
        sa.ForeignKeyConstraint(["version"], ["versions.number"], name="fk_observed_columns_version_versions"),
    )
    op.create_index("ix_observed_columns_version_revision", "observed_columns", ["version", "revision"])


def downgrade() -> None:
    op.drop_table("observed_columns")
    op.drop_table("observed_folds")
    op.drop_table("observed_events")
