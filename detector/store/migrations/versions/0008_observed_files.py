"""Files of histories that this database had written, so that those which nothing names are removed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "observed_files",
        sa.Column("file", sa.String(64), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=False), nullable=False),
        sa.PrimaryKeyConstraint("file", name="pk_observed_files"),
    )
    # Those of folds are known from now on.
    op.execute(
        "INSERT INTO observed_files (file, noted_at) SELECT file, MAX(folded_at) FROM observed_folds GROUP BY file"
    )


def downgrade() -> None:
    op.drop_table("observed_files")
