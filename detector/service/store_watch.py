"""Asking the model store again and again whether it answers, beside the requests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic

import structlog

from detector.store.model_store import ModelStore

#: Seconds between two questions, and after which one that has not come back means that the store is away.
PAUSE, LATELY = 5.0, 20.0

_log = structlog.get_logger(__name__)


class StoreWatch:
    """Knows whether the model store answers. Scoring needs no store: what is loaded goes on without."""

    def __init__(self, models: ModelStore, clock: Callable[[], float] = monotonic) -> None:
        self._models = models
        self._clock = clock
        self._answered: float | None = None
        self._away = False
        self._stop = threading.Event()

    @property
    def state(self) -> str:
        """``answers``, ``does not answer``, or ``not asked yet``."""
        if self._away:
            return "does not answer"
        if self._answered is None:
            return "not asked yet"
        return "answers" if self._clock() - self._answered < LATELY else "does not answer"

    def start(self) -> None:
        """Ask from now on, in a thread of its own: the first question may load a library or wait for a network."""
        threading.Thread(target=self._again, name="store-watch", daemon=True).start()

    def look(self) -> None:
        """Ask the store."""
        there = self._models.answers()
        if there:
            self._answered = self._clock()
        if there is self._away:
            told = "the model store answers again" if there else "the model store does not answer"
            _log.warning(told, store=self._models.place)
        self._away = not there

    def close(self) -> None:
        """Stop asking; a question that hangs is left to itself."""
        self._stop.set()

    def _again(self) -> None:
        while True:
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - the next question may find better
                _log.error("looking at the model store failed", exc_info=error)
            if self._stop.wait(PAUSE):
                return
