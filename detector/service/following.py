"""Letting observed transactions into the histories of their entities, and keeping them across restarts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from secrets import token_hex
from typing import Any

import pandas as pd
import structlog

from detector.core.model import DynamicAnomalyDetector
from detector.errors import ModelStoreError
from detector.service.champion import Champion
from detector.store.histories import HistoryFiles

#: Seconds between two writes of what was observed; what came since the last one is lost when the process is killed.
PAUSE = 30.0

_log = structlog.get_logger(__name__)

Rows = pd.DataFrame | Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Following:
    """Advances the champion's histories by transactions that were observed, and writes down what came.

    Each process keeps what it observed apart, as histories that begin empty, and writes only those: histories add up,
    so an update takes the version's own and those of all processes together.
    """

    def __init__(self, files: HistoryFiles, clock: Callable[[], float] = time.monotonic) -> None:
        self._files = files
        self._clock = clock
        self._observer = token_hex(8)
        self._lock = threading.Lock()
        self._champion: Champion | None = None
        self._own: DynamicAnomalyDetector | None = None
        self._unwritten = False
        self._next_write = clock() + PAUSE

    def note(self, champion: Champion, rows: Rows) -> None:
        """Let rows into the champion's histories; nothing happens where its training named no entity."""
        if champion.detector.behaviour is None:
            return
        champion.detector.follow(rows)
        with self._lock:
            if self._champion is None or self._champion.version != champion.version:
                self._write()
                self._champion, self._own = champion, champion.detector.begun()
            assert self._own is not None
            self._own.follow(rows)
            self._unwritten = True
            due = self._clock() >= self._next_write
            if due:
                self._next_write = self._clock() + PAUSE
        if due:
            threading.Thread(target=self.write, name="histories", daemon=True).start()

    def write(self) -> None:
        """Write down what was observed until now."""
        with self._lock:
            self._write()

    def _write(self) -> None:
        if not self._unwritten or self._champion is None or self._own is None:
            return
        content = self._own.histories_to_bytes()
        assert content is not None
        try:
            self._files.keep_observed(self._champion.version, self._observer, content)
            self._unwritten = False
        except (OSError, ModelStoreError) as error:
            told = error.message if isinstance(error, ModelStoreError) else error.strerror
            _log.error("what was observed could not be written", version=self._champion.version, error=told)
