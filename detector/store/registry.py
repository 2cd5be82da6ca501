"""Immutable model versions, and the aliases that point at them.

A version is a file in the model store, named after its SHA-256 and by lot, and a row that names it: the file is there
before the row is, so that a row never lacks its file and no transaction waits for a network. The row is written in the
transaction that took the number, so that numbers have no gaps. An alias moves only from the revision that its mover had
seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from secrets import token_hex
from typing import Any

import structlog
from sqlalchemy import Connection, RowMapping, exists, func, insert, select

from detector.errors import ModelFileError, ModelStoreError, NotFoundError
from detector.store import audit, tables
from detector.store.aliases import drop_alias, find_alias, move_alias, require_revision
from detector.store.database import LARGEST_NUMBER, Database
from detector.store.histories import HistoryFiles
from detector.store.identity import identity_of
from detector.store.model_store import VERSIONS, ModelStore
from detector.store.versions import HISTORIES, Alias, Lane, NewVersion, VersionInfo

_log = structlog.get_logger(__name__)


class Registry:
    """The model versions in ``models``, with their rows in ``database``. Safe between threads and processes."""

    def __init__(self, models: ModelStore, database: Database) -> None:
        self.models = models
        self.database = database
        self.histories = HistoryFiles(models)

    def register(
        self,
        new: NewVersion,
        *,
        actor: str,
        alias: str | None = None,
        expected_revision: int | None = None,
        reason: str = "",
        also: Callable[[Connection, int], None] | None = None,
    ) -> VersionInfo:
        """Give ``new`` the next number, and in the same transaction point ``alias`` at it.

        Parameters
        ----------
        new
            The model and what is known of it.
        actor
            Who asked for it; written into the log.
        alias
            An alias to move to the new version.
        expected_revision
            The revision that the alias must still have, 0 when it must not exist yet; ``None`` moves it from anywhere.
        reason
            Why, for the log.
        also
            What else stands or falls with the version; called with the transaction and the number.

        Raises
        ------
        ConflictError
            When the alias has another revision by now. Nothing is kept.
        ModelStoreError
            When the model store does not take the file. Nothing is kept, and no number is used up.
        """
        digest = sha256(new.content).hexdigest()
        if alias is not None:
            # Asked again below, where it counts; who comes too late need not move a file first.
            with self.database.read() as connection:
                require_revision(connection, alias, expected_revision)
        if new.histories is not None:
            # Before the transaction, which must be short; a file that no version names does no harm.
            new = replace(new, figures={**new.figures, HISTORIES: self.histories.keep(new.histories)})
        file = f"{digest[:12]}-{token_hex(6)}.joblib"
        complete = False
        self.models.announce(file, self._database_id)
        try:
            self.models.put(f"{VERSIONS}/{file}", new.content)
            with self.database.write() as connection:
                if alias is not None:
                    require_revision(connection, alias, expected_revision)
                number = 1 + (connection.scalar(select(func.max(tables.versions.c.number))) or 0)
                info = _insert(connection, new, number, file, actor)
                if alias is not None:
                    move_alias(connection, alias, number, actor, reason or new.origin)
                if also is not None:
                    also(connection, number)
                complete = True
        except BaseException:
            # A commit may stand although its answer was lost, and needs the file then; if not, sweeping removes it.
            if not complete:
                self._discard(file)
            raise
        self.models.settle(file, self._database_id)
        return info

    def get(self, version: int) -> bytes:
        """Return the bytes of a version, checked against the SHA-256 that was written down when it was registered.

        Raises
        ------
        NotFoundError
            When there is no such version.
        ModelFileError
            When its file is missing or was changed; ``ModelStoreError`` when it cannot be asked for.
        """
        with self.database.read() as connection:
            row = _row(connection, version)
        name = f"{VERSIONS}/{row['file']}"
        try:
            content = self.models.get(name, row["sha256"])
        except OSError as error:
            raise ModelFileError(
                f"The file of version {version} cannot be read. Restore {self.models.place}/{name} from a backup.",
                version=version,
            ) from error
        if sha256(content).hexdigest() != row["sha256"]:
            raise ModelFileError(
                f"The file of version {version} is not the one that was registered: its SHA-256 differs. "
                f"Restore {self.models.place}/{name} from a backup.",
                version=version,
            )
        return content

    def histories_of(self, version: int) -> bytes | None:
        """Return what a version remembered of entities when it was made; ``None`` where that is in its own file.

        Raises
        ------
        NotFoundError
            When there is no such version.
        ModelFileError
            When the file is missing or was changed.
        """
        digest = self.info(version).figures.get(HISTORIES)
        return None if digest is None else self.histories.get(digest)

    def info(self, version: int) -> VersionInfo:
        """Return what is known of a version; raises ``NotFoundError``."""
        with self.database.read() as connection:
            return _info(_row(connection, version))

    def list(
        self, *, lane: Lane | None = None, before: int | None = None, limit: int | None = None
    ) -> tuple[VersionInfo, ...]:
        """Return the versions, newest first, of all lanes or of one; ``limit`` of them, below number ``before``."""
        query = select(tables.versions).order_by(tables.versions.c.number.desc()).limit(limit)
        if lane is not None:
            query = query.where(tables.versions.c.lane == lane)
        if before is not None:
            query = query.where(tables.versions.c.number < before)
        with self.database.read() as connection:
            return tuple(_info(row) for row in connection.execute(query).mappings())

    def holds(self, digest: str) -> bool:
        """Whether the bytes with this SHA-256 are a version."""
        with self.database.read() as connection:
            found = connection.scalar(select(exists().where(tables.versions.c.sha256 == digest)))
        return bool(found)

    def alias(self, name: str) -> Alias | None:
        """Return where an alias points, or ``None`` when it was never set."""
        with self.database.read() as connection:
            return find_alias(connection, name)

    def move_alias(
        self,
        name: str,
        version: int,
        *,
        expected_revision: int | None,
        actor: str,
        reason: str = "",
        also: Callable[[Connection, Alias], None] | None = None,
    ) -> Alias:
        """Point an alias at a version; ``also`` gets the transaction and where it points, and stands or falls with it.

        Raises
        ------
        NotFoundError
            When there is no such version.
        ConflictError
            When the alias has another revision than ``expected_revision`` by now (``None`` moves it from anywhere).
        """
        with self.database.write() as connection:
            _row(connection, version)
            require_revision(connection, name, expected_revision)
            moved = move_alias(connection, name, version, actor, reason)
            if also is not None:
                also(connection, moved)
            return moved

    def drop_alias(self, name: str, *, expected_revision: int | None, actor: str, reason: str = "") -> None:
        """Let an alias point nowhere; one that was never set stays so.

        Raises
        ------
        ConflictError
            When the alias has another revision than ``expected_revision`` by now (``None`` drops it from anywhere).
        """
        with self.database.write() as connection:
            require_revision(connection, name, expected_revision)
            drop_alias(connection, name, actor, reason)

    @cached_property
    def _database_id(self) -> str:
        return identity_of(self.database)

    def _discard(self, file: str) -> None:
        """Remove the file of a version that did not come to be; where that fails, sweeping will."""
        try:
            self.models.delete(f"{VERSIONS}/{file}")
        except (OSError, ModelStoreError) as error:
            _log.warning("the file of a refused version could not be removed", file=file, reason=str(error))
        else:
            self.models.settle(file, self._database_id)


def _insert(connection: Connection, new: NewVersion, number: int, file: str, actor: str) -> VersionInfo:
    if new.parent is not None:
        _row(connection, new.parent)
    digest = sha256(new.content).hexdigest()
    connection.execute(
        insert(tables.versions).values(
            number=number,
            sha256=digest,
            file=file,
            size=len(new.content),
            created_at=datetime.now(UTC),
            created_by=actor,
            parent=new.parent,
            origin=new.origin,
            lane=new.lane,
            rows=new.rows,
            features=list(new.features),
            contamination=new.contamination,
            cutoff=new.cutoff,
            figures=dict(new.figures),
        )
    )
    audit.record(
        connection,
        actor=actor,
        action=f"version {new.origin}",
        subject=f"version {number}",
        sha256=digest,
        parent=new.parent,
        rows=new.rows,
    )
    return _info(_row(connection, number))


def _row(connection: Connection, version: int) -> RowMapping:
    query = select(tables.versions).where(tables.versions.c.number == version)
    row = connection.execute(query).mappings().one_or_none() if abs(version) <= LARGEST_NUMBER else None
    if row is None:
        raise NotFoundError(f"There is no version {version}.", version=version)
    return row


def _info(row: RowMapping) -> VersionInfo:
    values: dict[str, Any] = {name: value for name, value in row.items() if name != "file"}
    return VersionInfo(**values | {"features": tuple(row["features"])})
