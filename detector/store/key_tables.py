"""The table of the API's keys."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, String, Table

from detector.store.tables import Moment, metadata

#: ``sha256`` is of the whole key; the key itself is nowhere. ``own``: made by the dashboard for its own requests.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("role", String(20), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("own", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
    Column("revoked_by", String(200)),
    Column("last_used_at", Moment),
)
