"""The tables of what processes observe in requests: events of entities, what they were folded into, new columns."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from detector.store.tables import Moment, metadata

#: Events in the order in which they were let in; those who write take turns, so numbers are seen in their order. A row
#: of no events stands for those of the same entities that were taken out until there.
observed_events = Table(
    "observed_events",
    metadata,
    # SQLite numbers rows by itself where the type is called so; it has 64 bits there as well.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("entities", String(64), nullable=False),
    Column("observer", String(32), nullable=False),
    Column("at", Moment, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index(None, "entities", "number"),
    sqlite_autoincrement=True,
)

#: Histories of a version in which the events up to a number are contained.
observed_folds = Table(
    "observed_folds",
    metadata,
    Column("version", Integer, ForeignKey("versions.number"), primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("file", String(64), nullable=False),
    Column("folded_at", Moment, nullable=False),
)

#: Files of histories that this database had written, until they are removed: when that was, or a row let go of them.
observed_files = Table(
    "observed_files",
    metadata,
    Column("file", String(64), primary_key=True),
    Column("noted_at", Moment, nullable=False),
)

#: Columns that a version has met in requests and does not know; ``digest`` is of the name, which is in the content.
observed_columns = Table(
    "observed_columns",
    metadata,
    Column("version", Integer, ForeignKey("versions.number"), primary_key=True, autoincrement=False),
    Column("digest", String(64), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index(None, "version", "revision"),
)
