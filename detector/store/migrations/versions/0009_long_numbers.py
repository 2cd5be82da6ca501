"""Numbers of observed events of 64 bits: replicas that write four rows a second use up those of 32 within years."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    _change(sa.Integer(), sa.BigInteger(), "BIGINT")


def downgrade() -> None:
    _change(sa.BigInteger(), sa.Integer(), "INTEGER")


def _change(before: sa.Integer, after: sa.Integer, sequence: str) -> None:
    # SQLite's have 64 bits in any case.
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("observed_events", "number", existing_type=before, type_=after)
        op.execute(f"ALTER SEQUENCE observed_events_number_seq AS {sequence}")
