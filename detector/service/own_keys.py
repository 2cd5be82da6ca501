"""The dashboard's own keys: with them it asks the API on behalf of the person before it, in that person's role.

Each lives for minutes, is known to this process only, and is never shown. It does not count as a key that somebody set.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from time import monotonic

from detector.errors import ForbiddenError
from detector.service.access import Actor
from detector.service.key_form import new_key
from detector.service.keys import forget_own_keys, insert_key
from detector.service.workspace import Workspace

#: For how long a key is valid, and the age in seconds at which another is made.
LIFE, RENEWED = timedelta(minutes=10), 300.0
#: Keys of so many people are remembered.
MOST = 200


class OwnKeys:
    """The keys of this process, one for each person and role."""

    def __init__(self, ws: Workspace) -> None:
        self._ws = ws
        self._made: dict[tuple[str, str], tuple[float, str]] = {}
        self._lock = threading.Lock()

    def key_for(self, actor: Actor) -> str:
        """Return a key that stands for ``actor`` in the same role.

        Raises
        ------
        ForbiddenError
            When ``actor`` has no role.
        """
        if actor.role is None:
            raise ForbiddenError("Who has no role has no key.", role=None)
        who = (str(actor), actor.role)
        with self._lock:
            made_at, key = self._made.get(who, (float("-inf"), ""))
            if monotonic() - made_at < RENEWED:
                return key
            key, now = new_key(), datetime.now(UTC)
            with self._ws.database.write() as connection:
                forget_own_keys(connection, now)
                insert_key(connection, key, who[0], actor.role, actor=actor, now=now, until=now + LIFE, own=True)
            if len(self._made) >= MOST:
                self._made.clear()
            self._made[who] = (monotonic(), key)
            return key
