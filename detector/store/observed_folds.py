"""Histories of versions with observed events in them, and which version knows how much: in the transaction of a caller.

A file of histories is noted before it is written. So this database knows which files are its own, also when a process
died over one or came too late with it, and removes no file of another database that shares the model store.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, cast, delete, insert, select, union, update

from detector.store.observed_tables import observed_files, observed_folds
from detector.store.tables import aliases, audit, versions
from detector.store.trial_tables import held_versions
from detector.store.versions import ENTITIES, HISTORIES, POSITION

#: Versions that wait for a person and are kept up to date meanwhile, the newest first.
MOST_WAITING = 4

_folds, _files, _versions = observed_folds.c, observed_files.c, versions.c


class Fold(NamedTuple):
    """Histories of a version: the digest of their file, and the number of the last event in them."""

    position: int
    file: str


class Knowing(NamedTuple):
    """How far the histories of a version know the log; ``fold``: where it is not as it was made.

    ``entities``: whose histories they are, ``None`` where that was not written down.
    """

    version: int
    entities: str | None
    made_at: int
    fold: Fold | None

    @property
    def position(self) -> int:
        """The number of the last event that they know."""
        return self.made_at if self.fold is None else max(self.made_at, self.fold.position)


def knowing(connection: Connection, version: int) -> Knowing:
    """Return how far a version knows the log."""
    return _knowing(connection.execute(_query().where(_versions.number == version)).one())


def in_force(connection: Connection) -> list[Knowing]:
    """Return the versions that an alias names, or that wait for a person and may be promoted next."""
    waiting = (
        select(held_versions.c.version)
        .where(held_versions.c.state == "waiting")
        .order_by(held_versions.c.version.desc())
        .limit(MOST_WAITING)
        .subquery()
    )
    named = union(select(aliases.c.version), select(waiting.c.version)).subquery()
    query = _query().where(_versions.number.in_(select(named.c.version)), _versions.lane == "main")
    return [_knowing(row) for row in connection.execute(query.order_by(_versions.number))]


def before_training(connection: Connection, alias: str) -> list[Knowing]:
    """Return the version that ``alias`` named before it came to the training that its version descends from, if any."""
    line = (
        select(_versions.number, _versions.parent)
        .join(aliases, aliases.c.version == _versions.number)
        .where(aliases.c.name == alias)
        .cte(recursive=True)
    )
    line = line.union_all(select(_versions.number, _versions.parent).join(line, _versions.number == line.c.parent))
    trained = connection.scalar(select(line.c.number).where(line.c.parent.is_(None)))
    query = select(audit.c.details["before"].as_integer()).where(
        audit.c.action == f"{alias} moved", audit.c.subject == f"version {trained}"
    )
    before = connection.scalar(query.order_by(audit.c.number).limit(1))
    return [_knowing(row) for row in connection.execute(_query().where(_versions.number == before))]


def of_entities(connection: Connection, entities: str) -> list[Knowing]:
    """Return the versions with these entities, the newest first."""
    query = _query().where(_versions.figures[ENTITIES].as_string() == entities, _versions.lane == "main")
    return [_knowing(row) for row in connection.execute(query.order_by(_versions.number.desc()))]


def keep_fold(connection: Connection, version: int, before: Fold | None, fold: Fold) -> bool:
    """Put ``fold`` in the place of ``before``; ``False`` when another one is there by now."""
    if knowing(connection, version).fold != before:
        return False
    _let_go(connection, _folds.version == version)
    connection.execute(
        insert(observed_folds).values(
            version=version, position=fold.position, file=fold.file, folded_at=datetime.now(UTC)
        )
    )
    return True


def drop_folds(connection: Connection, entities: str, position: int) -> None:
    """Drop those of versions with these entities that end before ``position``: the log does not go on from there."""
    mine = select(_versions.number).where(_versions.figures[ENTITIES].as_string() == entities)
    _let_go(connection, _folds.version.in_(mine) & (_folds.position < position))


# Files


def note_file(connection: Connection, file: str, abandoned: datetime) -> bool:
    """Note that a file is about to be written; ``False`` when it was left before ``abandoned`` and is being removed."""
    if file in left_files(connection, abandoned):
        return False
    connection.execute(delete(observed_files).where(_files.file == file))
    connection.execute(insert(observed_files).values(file=file, noted_at=datetime.now(UTC)))
    return True


def left_files(connection: Connection, abandoned: datetime) -> list[str]:
    """Return the files that nothing names, and that were written or let go before ``abandoned``."""
    named = union(select(_folds.file), select(_versions.figures[HISTORIES].as_string())).subquery()
    query = select(_files.file).outerjoin(named, named.c[0] == _files.file)
    return list(connection.scalars(query.where(_files.noted_at < abandoned, named.c[0].is_(None))))


def forget_file(connection: Connection, file: str) -> None:
    """Note that a file is gone."""
    connection.execute(delete(observed_files).where(_files.file == file))


def _let_go(connection: Connection, which: ColumnElement[bool]) -> None:
    """Drop folds; somebody may be reading their files just now."""
    files = select(_folds.file).where(which)
    connection.execute(update(observed_files).where(_files.file.in_(files)).values(noted_at=datetime.now(UTC)))
    connection.execute(delete(observed_folds).where(which))


def _query() -> Select[Any]:
    return select(
        _versions.number,
        _versions.figures[ENTITIES].as_string().label("entities"),
        cast(_versions.figures[POSITION].as_string(), BigInteger).label("made_at"),
        _folds.position,
        _folds.file,
    ).outerjoin(observed_folds, _folds.version == _versions.number)


def _knowing(row: Any) -> Knowing:
    fold = None if row.file is None else Fold(row.position, row.file)
    return Knowing(row.number, row.entities, row.made_at or 0, fold)
