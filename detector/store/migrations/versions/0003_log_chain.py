"""The log as a chain of hashes, requests that are repeated, jobs that are taken up again."""

from __future__ import annotations

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
