"""The keys that are in force, known to every process within a quarter of a second.

As with the champion, a request looks into memory only. What it finds there is at most :data:`FRESH` old; when the
database is away, the keys that were known last go on, since nobody can revoke one while it is.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hmac import compare_digest
from math import inf
from time import monotonic, time

import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from detector.service.access import Caller
from detector.service.key_form import ID_PLACE, digest
from detector.store.database import Database
from detector.store.key_tables import api_keys

#: Seconds for which the keys are not read again; with the time to read them, a revocation takes less than 0.25.
FRESH = 0.2
#: Age in seconds from which they are read again beside the requests, so that hardly one has to wait for it.
DUE = 0.08
#: Seconds between two notes in the database of which keys were used: "last used" is that coarse.
NOTED_EVERY = 60.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key in force: the hash of it, whom it stands for, and when it ends (seconds since 1970)."""

    digest: bytes
    caller: Caller
    until: float


#: Stands in for an unknown id, so that it takes as long as a known one; no hash is all zeros that anybody could find.
_NOBODY = KnownKey(bytes(32), Caller("nobody", "viewer"), -inf)


@dataclass(frozen=True)
class Keys:
    """All keys in force at one moment. ``required``: whether people have set a key, so that everybody needs one."""

    required: bool = False
    by_id: Mapping[bytes, KnownKey] = field(default_factory=dict)

    def knows(self, key: bytes) -> bool:
        """Whether the public id of ``key`` is that of a key in force; its secret may be wrong."""
        return key[ID_PLACE] in self.by_id

    def caller(self, key: bytes) -> Caller | None:
        """Return whom a key stands for, or ``None`` when it is none, or one that has ended."""
        known = self.by_id.get(key[ID_PLACE], _NOBODY)
        return known.caller if compare_digest(digest(key), known.digest) and time() < known.until else None


class KeyWatch:
    """Follows the table of keys for one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._keys: Keys | None = None
        self._begun = self._until = -inf
        self._looking = threading.Lock()
        self._used: set[bytes] = set()
        self._noted_at = monotonic()

    @property
    def known(self) -> Keys | None:
        """The keys as they were last seen; ``None`` before the first look."""
        return self._keys

    def fresh(self) -> Keys | None:
        """Return the keys when they were read within :data:`FRESH` seconds, else ``None``. Takes no lock."""
        return self._keys if monotonic() < self._until else None

    @property
    def due(self) -> bool:
        """Whether it is time to read the keys again, though they are still fresh."""
        return monotonic() > self._until - FRESH + DUE

    def look(self) -> Keys:
        """Read the keys, unless somebody has done so while this waited; on a failure the last ones go on.

        Raises
        ------
        sqlalchemy.exc.SQLAlchemyError
            When they were never read and cannot be read now.
        """
        asked = monotonic()
        with self._looking:
            if self._keys is not None and self._begun > asked:
                return self._keys
            begun = monotonic()
            try:
                self._keys = self._read()
            except SQLAlchemyError as error:
                if self._keys is None:
                    raise
                _log.error("the keys cannot be read; those known last go on", exc_info=error)
            self._begun, self._until = begun, begun + FRESH
            return self._keys

    def note_use(self, key: bytes) -> None:
        """Remember that a key was used; written down later, by :meth:`write_use`."""
        self._used.add(key[ID_PLACE])

    @property
    def use_is_due(self) -> bool:
        """Whether it is time to write down which keys were used."""
        return bool(self._used) and monotonic() - self._noted_at >= NOTED_EVERY

    def write_use(self) -> None:
        """Write down that the keys used since the last time were used about now."""
        used, self._used = self._used, set()
        self._noted_at = monotonic()
        if not used:
            return
        names = [public.decode("ascii", "replace") for public in tuple(used)]
        try:
            with self._database.write() as connection:
                connection.execute(
                    update(api_keys).where(api_keys.c.id.in_(names)).values(last_used_at=datetime.now(UTC))
                )
        except SQLAlchemyError as error:
            _log.warning("the use of keys was not written down", keys=len(names), exc_info=error)

    def _read(self) -> Keys:
        with self._database.read() as connection:
            rows = connection.execute(select(api_keys).where(api_keys.c.revoked_at.is_(None))).mappings().all()
        return Keys(
            # One that has run out still counts: keys that end must not open the door to everybody on the machine.
            required=any(not row["own"] for row in rows),
            by_id={
                row["id"].encode(): KnownKey(
                    bytes.fromhex(row["sha256"]),
                    Caller(row["name"] if row["own"] else f"key {row['name']}", row["role"], verified=True),
                    inf if row["expires_at"] is None else row["expires_at"].timestamp(),
                )
                for row in rows
            },
        )
