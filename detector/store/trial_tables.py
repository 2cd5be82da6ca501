"""The tables of challengers on live traffic, of versions that wait for a person, and of names that point nowhere."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Float, ForeignKey, Integer, String, Table, Text

from detector.store.tables import Moment, metadata

#: How far an alias had counted when it was dropped, so that a revision never means two things.
dropped_aliases = Table(
    "dropped_aliases",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("revision", Integer, nullable=False),
)

trials = Table(
    "trials",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("challenger", Integer, ForeignKey("versions.number"), nullable=False),
    Column("revision", Integer, nullable=False, unique=True),
    Column("mode", String(10), nullable=False),
    Column("share", Float, nullable=False),
    Column("field", Text),
    Column("salt", String(32), nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("started_by", String(200), nullable=False),
    sqlite_autoincrement=True,
)

trial_counts = Table(
    "trial_counts",
    metadata,
    Column("trial", Integer, ForeignKey("trials.id"), primary_key=True, autoincrement=False),
    Column("champion", Integer, ForeignKey("versions.number"), primary_key=True, autoincrement=False),
    Column("both", BigInteger, nullable=False),
    Column("only_champion", BigInteger, nullable=False),
    Column("only_challenger", BigInteger, nullable=False),
    Column("neither", BigInteger, nullable=False),
    Column("answered", BigInteger, nullable=False),
    Column("shift", Float, nullable=False),
    Column("champion_histogram", JSON(none_as_null=True), nullable=False),
    Column("challenger_histogram", JSON(none_as_null=True), nullable=False),
    Column("dropped", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("counted_at", Moment, nullable=False),
)

held_versions = Table(
    "held_versions",
    metadata,
    Column("version", Integer, ForeignKey("versions.number"), primary_key=True, autoincrement=False),
    Column("reasons", JSON(none_as_null=True), nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("held_at", Moment, nullable=False),
    Column("decided_at", Moment),
    Column("decided_by", String(200)),
)
