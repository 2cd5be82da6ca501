"""The log as a chain of hashes, requests that are repeated, jobs that are taken up again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from detector.store.audit import FIRST, STEP, digest
from detector.store.migrations.sealing import seal, unseal
from detector.store.tables import Moment

revision = "0003"
down_revision = "0002"

TIME = sa.DateTime(timezone=False)


def upgrade() -> None:
    for name in ("previous", "hash"):
        op.add_column("audit", sa.Column(name, sa.String(64), nullable=False, server_default=""))
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("entries", sa.BigInteger, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"),
    )
    op.create_table(
        "requests",
        sa.Column("caller", sa.String(200), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("asked", sa.String(64), nullable=False),
        sa.Column("holder", sa.String(32), nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("answer", sa.LargeBinary),
        sa.Column("begun_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("caller", "key", name="pk_requests"),
    )
    op.create_index("ix_requests_begun_at", "requests", ["begun_at"])
    op.add_column("jobs", sa.Column("attempts", sa.Integer, nullable=False, server_default="1"))
    unseal("audit")
    _chain(op.get_bind())
    seal("audit")


def downgrade() -> None:
    op.drop_column("jobs", "attempts")
    op.drop_table("requests")
    op.drop_table("audit_head")
    for name in ("hash", "previous"):
        op.drop_column("audit", name)


def _chain(connection: sa.Connection) -> None:
    """Give each entry that is there the hash of the one before and its own, and write down where the log ends."""
    log = sa.table(
        "audit",
        sa.column("number", sa.Integer),
        sa.column("at", Moment()),
        sa.column("actor", sa.String),
        sa.column("action", sa.String),
        sa.column("subject", sa.String),
        sa.column("details", sa.JSON(none_as_null=True)),
        sa.column("previous", sa.String),
        sa.column("hash", sa.String),
    )
    told = (log.c.number, log.c.at, log.c.actor, log.c.action, log.c.subject, log.c.details)
    change = (
        sa.update(log)
        .where(log.c.number == sa.bindparam("entry"))
        .values(previous=sa.bindparam("before"), hash=sa.bindparam("own"))
    )
    last, entries, before = 0, 0, FIRST
    while rows := connection.execute(
        sa.select(*told).where(log.c.number > last).order_by(log.c.number).limit(STEP)
    ).all():
        links = []
        for row in rows:
            own = digest(*row, before)
            links.append({"entry": row.number, "before": before, "own": own})
            last, before = row.number, own
        connection.execute(change, links)
        entries += len(rows)
    if entries:
        head = sa.table("audit_head", *map(sa.column, ("id", "entries", "number", "hash")))
        connection.execute(sa.insert(head).values(id=1, entries=entries, number=last, hash=before))
