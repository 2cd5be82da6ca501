"""Looking at the database again and again beside the requests, so that none of them waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic

import structlog

from detector.service.champion import FRESH
from detector.service.workspace import Workspace
from detector.store.probe import DatabaseProbe

#: Seconds after which a look that has brought nothing, or has not come back, means that the database is away.
LATELY = 1.5
#: Seconds between two looks at how long the log of what was observed has become.
SELDOM = 60.0

_log = structlog.get_logger(__name__)


class DatabaseWatch:
    """Asks the database four times a second whether it is there, follows its champion, and notes the use of keys.

    While it is open, reading the champion never looks at the database: requests score with the one known last, however
    long the database is away.
    """

    def __init__(
        self, workspace: Workspace, probe: DatabaseProbe | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        self._workspace = workspace
        self._probe = probe or DatabaseProbe(workspace.settings.database_address)
        self._clock = clock
        self._answered = float("-inf")
        self._away = False
        self._fold_due = clock() + SELDOM
        self._stop = threading.Event()
        self._threads: tuple[threading.Thread, ...] = ()

    @property
    def answers(self) -> bool:
        """Whether the database answered the last question, and did so lately."""
        return not self._away and self._clock() - self._answered < LATELY

    def start(self) -> None:
        """Look once, then go on in threads of its own."""
        self.look()
        self._workspace.follow_champion(True)
        self._threads = tuple(
            threading.Thread(target=self._again, args=(work,), name=name, daemon=True)
            for name, work in (
                ("database-watch", self.look),
                ("champion-watch", self.follow),
                ("key-watch", self.note_keys),
                ("fold", self.fold),
            )
        )
        for thread in self._threads:
            thread.start()

    def look(self) -> None:
        """Ask the database."""
        there = self._probe.answers()
        if there:
            self._answered = self._clock()
        if there is self._away:
            _log.warning("the database answers again" if there else "the database does not answer")
        self._away = not there

    def follow(self) -> None:
        """Look up the champion, unless the database is away."""
        if self.answers:
            self._workspace.look_up_champion()

    def fold(self) -> None:
        """Keep the log of what was observed short; looked at once in a while."""
        if self.answers and self._clock() >= self._fold_due:
            self._fold_due = self._clock() + SELDOM
            self._workspace.folding.keep_short()

    def note_keys(self) -> None:
        """Write down which keys were used, when it is time: also of programs that ask once a night."""
        if self.answers and self._workspace.keys.use_is_due:
            self._workspace.keys.write_use()

    def close(self) -> None:
        """Stop looking; a look that hangs is left to itself."""
        self._stop.set()
        self._workspace.follow_champion(False)
        for thread in self._threads:
            thread.join(LATELY)
        if not any(thread.is_alive() for thread in self._threads):
            self._probe.close()

    def _again(self, work: Callable[[], None]) -> None:
        while not self._stop.wait(FRESH):
            try:
                work()
            except Exception as error:  # noqa: BLE001 - the next look may find better
                _log.error("looking at the database failed", exc_info=error)
