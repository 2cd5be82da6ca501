"""Keeping the log of observed events short: old ones go into histories, and what nobody needs any more goes out.

Versions in force (those that an alias names, and the newest that wait for a person) know all old events from their own
files: where many or very old ones are behind what such a file knows, it is written anew. So does the version that was
champion before the last training, since no later one knows what its entities did before. Of entities that none of these
has, the newest version is kept so. What all these know stays in the log for a day all the same, up to a size, for
versions that are being made and began before. Any other version takes the histories of one of these when it is loaded.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import structlog
from sqlalchemy import Connection

from detector.core.model import DynamicAnomalyDetector
from detector.errors import ModelFileError, ModelStoreError
from detector.service.champion import CHAMPION
from detector.service.loading import load
from detector.store import observed
from detector.store.aliases import find_alias
from detector.store.observed_columns import drop_columns, versions_with_columns
from detector.store.observed_folds import (
    Fold,
    Knowing,
    before_training,
    drop_folds,
    forget_file,
    in_force,
    keep_fold,
    knowing,
    left_files,
    note_file,
    of_entities,
)
from detector.store.registry import Registry

#: Events are folded once so many of them, or so many rows of the log, are older than ``SETTLED``. Who loads a version
#: lets in all that are not folded; a row, however small, costs as much as some hundred events.
FOLDED, FOLDED_ROWS = 1_000_000, 20_000
#: No event is folded, or taken out of the log, before this age; a process that stood still for longer may have to load
#: its model anew.
SETTLED = timedelta(minutes=15)
#: Events are folded at the latest at this age. Those that were folded stay in the log until then, up to a size.
KEPT, MOST_BYTES = timedelta(days=1), 32 * 2**20
#: Rows that are taken out in one transaction, since others wait for it.
ROWS_AT_ONCE = 5_000
#: A version whose file cannot be read keeps what it does not know in the log for so long: a folder may come back, and
#: other processes may see it. Less than a day, since a process that starts anew begins to count anew.
GIVEN_UP = timedelta(hours=6)
#: After this time a file of histories that nothing names can only be one that nobody reads any more.
ABANDONED = timedelta(days=1)

_log = structlog.get_logger(__name__)


class Folding:
    """Keeps the log of one workspace short, and removes the files and the columns that belong to nothing any more.

    Several processes may do so at once.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._entities: dict[int, str | None] = {}
        #: Versions whose files cannot be read, and since when.
        self._unreadable: dict[int, datetime] = {}

    def keep_short(self) -> None:
        """Fold what is old, take out what is known everywhere, remove what was left; looked at once in a while."""
        with self._registry.database.read() as connection:
            all_entities = observed.all_entities(connection)
        for entities in all_entities:
            with self._registry.database.read() as connection:
                versions = self._kept(connection, entities)
            for version in versions:
                self._try_to_fold(version.version, entities)
            self.take_out(entities)
        self.sweep()

    def take_out(
        self, entities: str, *, settled: timedelta = SETTLED, kept: timedelta = KEPT, most_bytes: int = MOST_BYTES
    ) -> None:
        """Take the events out that all versions know that are kept up to date, but those that may be needed yet."""
        now = datetime.now(UTC)
        with self._registry.database.read() as connection:
            known = self._known_to_all(connection, entities)
            until = observed.spare(
                connection, entities, known, settled=now - settled, kept=now - kept, most_bytes=most_bytes
            )
        more = until > 0
        while more:
            with self._registry.database.write() as connection:
                # Another version may be in force by now.
                if self._known_to_all(connection, entities) < until:
                    return
                more = observed.take_out(connection, entities, until, ROWS_AT_ONCE)
                if not more:
                    drop_folds(connection, entities, until)

    def sweep(self, abandoned: timedelta = ABANDONED) -> None:
        """Remove files of histories that were written long ago and that nothing names, and columns of past versions."""
        before = datetime.now(UTC) - abandoned
        with self._registry.database.read() as connection:
            files = left_files(connection, before)
            champion = find_alias(connection, CHAMPION)
            past = versions_with_columns(connection) - {known.version for known in in_force(connection)}
        for file in files:
            try:
                self._registry.histories.remove(file)
            except (ModelStoreError, OSError) as error:
                _log.warning("a file of histories is removed later", file=file, reason=str(error))
                break
            with self._registry.database.write() as connection:
                forget_file(connection, file)
        if past and champion is not None and champion.moved_at < before:
            with self._registry.database.write() as connection:
                # One of them may be in force again by now.
                drop_columns(connection, past - {known.version for known in in_force(connection)})

    def _try_to_fold(self, version: int, entities: str) -> None:
        try:
            fold(self._registry, version, entities)
        except (ModelStoreError, OSError) as error:
            _log.warning("what was observed is folded later", version=version, reason=str(error))
        except ModelFileError as error:
            if version not in self._unreadable:
                _log.error("what was observed cannot be folded", version=version, reason=error.message)
            self._unreadable.setdefault(version, datetime.now(UTC))
        else:
            self._unreadable.pop(version, None)

    def _kept(self, connection: Connection, entities: str) -> list[Knowing]:
        """Return the versions with these entities that are kept up to date."""
        candidates = [*in_force(connection), *before_training(connection, CHAMPION)]
        versions = [known for known in candidates if self._entities_of(known) == entities]
        return versions or of_entities(connection, entities)[:1]

    def _known_to_all(self, connection: Connection, entities: str) -> int:
        """Return the last event that all versions know that are kept up to date; the last of all without any."""
        # What cannot be read must not keep the log for ever.
        before = datetime.now(UTC) - GIVEN_UP
        lost = {version for version, since in self._unreadable.items() if since < before}
        kept = [known for known in self._kept(connection, entities) if known.version not in lost]
        return min((known.position for known in kept), default=observed.last_number(connection))

    def _entities_of(self, known: Knowing) -> str | None:
        """Return whose histories a version has, from its file where it was not written down."""
        if known.entities is not None or known.version in self._entities:
            return known.entities or self._entities[known.version]
        try:
            behaviour = DynamicAnomalyDetector.from_bytes(self._registry.get(known.version)).behaviour
        except ModelStoreError:
            raise
        except ModelFileError:
            # It may be there the next time.
            return None
        self._entities[known.version] = None if behaviour is None else behaviour.identity
        return self._entities[known.version]


def fold(
    registry: Registry,
    version: int,
    entities: str,
    *,
    more_than: int = FOLDED,
    settled: timedelta = SETTLED,
    kept: timedelta = KEPT,
) -> bool:
    """Put events that are old into a file of histories of ``version``, if they are many; return whether it was done.

    Of several processes that do it at once, one succeeds. The log stays as it is.

    Raises
    ------
    NotFoundError, ModelFileError
        As :func:`~detector.service.loading.load`.
    """
    now = datetime.now(UTC)
    with registry.database.read() as connection:
        before = knowing(connection, version)
        behind = observed.behind(connection, entities, before.position, now - settled)
    if behind.since is None or not (
        behind.gone or behind.events > more_than or behind.rows > FOLDED_ROWS or behind.since < now - kept
    ):
        return False
    detector, followed = load(registry, version, until=behind.last)
    content = detector.histories_to_bytes()
    if content is None:
        return False
    file = sha256(content).hexdigest()
    with registry.database.write() as connection:
        if not note_file(connection, file, now - ABANDONED / 2):
            return False
    registry.histories.keep(content)
    with registry.database.write() as connection:
        return keep_fold(connection, version, before.fold, Fold(followed.position, file))
