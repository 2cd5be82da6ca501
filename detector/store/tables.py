"""The tables. Their history is in ``migrations``; a test holds the two against each other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

#: The newest migration. A database at another revision is migrated when it is opened.
REVISION = "0009"


class Moment(TypeDecorator[datetime]):
    """A point in time: aware UTC in Python, UTC in the database, whatever the database thinks of time zones."""

    impl = DateTime(timezone=False)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return UTC without a zone."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return aware UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


def _json() -> JSON:
    return JSON(none_as_null=True)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

versions = Table(
    "versions",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("sha256", String(64), nullable=False),
    Column("file", String(100), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("parent", Integer, ForeignKey("versions.number")),
    Column("origin", String(20), nullable=False),
    Column("lane", String(20), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("features", _json(), nullable=False),
    Column("contamination", Float, nullable=False),
    Column("cutoff", Float, nullable=False),
    Column("figures", _json(), nullable=False),
)

aliases = Table(
    "aliases",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("version", Integer, ForeignKey("versions.number"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("moved_at", Moment, nullable=False),
    Column("moved_by", String(200), nullable=False),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("received_at", Moment, nullable=False),
    Column("received_by", String(200), nullable=False),
    Column("options", _json(), nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("upload", String(32), ForeignKey("uploads.id")),
    Column("sha256", String(64)),
    Column("version", Integer, ForeignKey("versions.number"), nullable=False),
    Column("cutoff", Float, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("flagged", BigInteger, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("file", String(100), nullable=False),
    Column("columns", _json(), nullable=False),
    Column("report", _json(), nullable=False),
    Column("histogram", _json(), nullable=False),
    Column("reasons", _json(), nullable=False),
    Column("periods", _json(), nullable=False),
    Index(None, "sha256", "version"),
    sqlite_autoincrement=True,
)

jobs = Table(
    "jobs",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("kind", String(20), nullable=False, index=True),
    Column("arguments", _json(), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("owner", String(32), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="1"),
    Column("done_rows", BigInteger, nullable=False),
    Column("total_rows", BigInteger),
    Column("message", Text, nullable=False),
    Column("error", _json()),
    Column("result", _json()),
    Column("cancel_asked", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("heartbeat_at", Moment, nullable=False),
    Column("finished_at", Moment),
    sqlite_autoincrement=True,
)

previews = Table(
    "previews",
    metadata,
    Column("token", String(32), primary_key=True),
    Column("base_version", Integer, ForeignKey("versions.number"), nullable=False),
    Column("upload", String(32), ForeignKey("uploads.id"), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("state", String(20), nullable=False),
    Column("figures", _json(), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(200), nullable=False),
)

preferences = Table(
    "preferences",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", _json()),
    Column("set_at", Moment, nullable=False),
    Column("set_by", String(200), nullable=False),
)

demo_weeks = Table(
    "demo_weeks",
    metadata,
    Column("week", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, ForeignKey("versions.number"), nullable=False),
    Column("outcome", _json(), nullable=False),
    Column("played_at", Moment, nullable=False),
)

queues = Table(
    "queues",
    metadata,
    Column("run", Integer, ForeignKey("runs.id"), primary_key=True, autoincrement=False),
    Column("rows", BigInteger, nullable=False),
    Column("file", String(100), nullable=False),
    Column("entity", Text),
    Column("time", Text),
    Column("amount", Text),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("closed_at", Moment),
)

decisions = Table(
    "decisions",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("run", Integer, ForeignKey("runs.id"), nullable=False),
    Column("row", BigInteger, nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("reason", String(60), nullable=False),
    Column("version", Integer, ForeignKey("versions.number"), nullable=False),
    Column("severity", Float, nullable=False),
    Column("amount", Float),
    Column("seconds", Float),
    Column("batch", String(32), nullable=False),
    Column("made_at", Moment, nullable=False, index=True),
    Column("made_by", String(200), nullable=False),
    Column("ended_at", Moment),
    Column("ended_by", String(200)),
    Index(None, "run", "row"),
    sqlite_autoincrement=True,
)

cases = Table(
    "cases",
    metadata,
    Column("run", Integer, ForeignKey("runs.id"), primary_key=True, autoincrement=False),
    Column("row", BigInteger, primary_key=True, autoincrement=False),
    Column("status", String(20), nullable=False),
    Column("assignee", String(200)),
    Column("snoozed_until", Moment),
    Column("decision", Integer, ForeignKey("decisions.number")),
    Column("revision", Integer, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("changed_by", String(200), nullable=False),
)

case_events = Table(
    "case_events",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("run", Integer, ForeignKey("runs.id"), nullable=False),
    Column("row", BigInteger, nullable=False),
    Column("batch", String(32), nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("action", String(20), nullable=False),
    Column("before", _json()),
    Column("after", _json(), nullable=False),
    Column("note", Text, nullable=False),
    Index(None, "run", "row"),
    sqlite_autoincrement=True,
)

case_locks = Table(
    "case_locks",
    metadata,
    Column("run", Integer, ForeignKey("runs.id"), primary_key=True, autoincrement=False),
    Column("row", BigInteger, primary_key=True, autoincrement=False),
    Column("holder", String(200), nullable=False),
    Column("until", Moment, nullable=False),
)

saved_views = Table(
    "saved_views",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("owner", String(200), nullable=False),
    Column("name", String(100), nullable=False),
    Column("query", Text, nullable=False),
    Column("saved_at", Moment, nullable=False),
    UniqueConstraint("owner", "name"),
    sqlite_autoincrement=True,
)

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("action", String(40), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("details", _json(), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index(None, "actor", "number"),
    Index(None, "action", "number"),
    sqlite_autoincrement=True,
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("entries", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)

requests = Table(
    "requests",
    metadata,
    Column("caller", String(200), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("asked", String(64), nullable=False),
    Column("holder", String(32), nullable=False),
    Column("until", Moment, nullable=False),
    Column("status", Integer),
    Column("answer", LargeBinary),
    Column("begun_at", Moment, nullable=False, index=True),
)

# Tables with rooms of their own; imported here so that whoever knows the metadata knows all of them.
import detector.store.alert_tables  # noqa: E402
import detector.store.key_tables  # noqa: E402
import detector.store.observed_tables  # noqa: E402
import detector.store.trial_tables  # noqa: E402, F401
