"""Challengers on live traffic, and updates that wait for a person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TIME = sa.DateTime(timezone=False)
JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    op.create_table(
        "dropped_aliases",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_dropped_aliases"),
    )
    op.create_table(
        "trials",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("challenger", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("mode", sa.String(10), nullable=False),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("field", sa.Text),
        sa.Column("salt", sa.String(32), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("started_by", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_trials"),
        sa.UniqueConstraint("revision", name="uq_trials_revision"),
        sa.ForeignKeyConstraint(["challenger"], ["versions.number"], name="fk_trials_challenger_versions"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "trial_counts",
        sa.Column("trial", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("champion", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("both", sa.BigInteger, nullable=False),
        sa.Column("only_champion", sa.BigInteger, nullable=False),
        sa.Column("only_challenger", sa.BigInteger, nullable=False),
        sa.Column("neither", sa.BigInteger, nullable=False),
        sa.Column("answered", sa.BigInteger, nullable=False),
        sa.Column("shift", sa.Float, nullable=False),
        sa.Column("champion_histogram", JSON, nullable=False),
        sa.Column("challenger_histogram", JSON, nullable=False),
        sa.Column("dropped", sa.BigInteger, nullable=False),
        sa.Column("failed", sa.BigInteger, nullable=False),
        sa.Column("counted_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("trial", "champion", name="pk_trial_counts"),
        sa.ForeignKeyConstraint(["trial"], ["trials.id"], name="fk_trial_counts_trial_trials"),
        sa.ForeignKeyConstraint(["champion"], ["versions.number"], name="fk_trial_counts_champion_versions"),
    )
    op.create_table(
        "held_versions",
        sa.Column("version", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("reasons", JSON, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("held_at", TIME, nullable=False),
        sa.Column("decided_at", TIME),
        sa.Column("decided_by", sa.String(200)),
        sa.PrimaryKeyConstraint("version", name="pk_held_versions"),
        sa.ForeignKeyConstraint(["version"], ["versions.number"], name="fk_held_versions_version_versions"),
    )
    op.create_index("ix_held_versions_state", "held_versions", ["state"])


def downgrade() -> None:
    for name in ("held_versions", "trial_counts", "trials", "dropped_aliases"):
        op.drop_table(name)
