"""The trial as one process takes part in it: who answers, and the other version's scores beside the answers.

The version that does not answer a request scores it too, in a thread of its own: an answer pays for an append to a
short queue and for nothing else. What does not fit into the queue is counted as dropped. Whatever goes wrong with a
challenger is counted as failed; the champion answers then.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import structlog
from numpy.typing import NDArray
from sqlalchemy.exc import SQLAlchemyError

from detector.service.champion import Champion, sample_record
from detector.service.versions.beside import with_the_same_past
from detector.service.versions.sides import place_of
from detector.service.versions.trial import Trial, TrialCounts, add_counts
from detector.store.database import Database

#: Rows that may wait for the other version's score.
MOST_WAITING = 20_000
#: Seconds between two looks into the queue, and between two additions to the database.
PAUSE, FLUSH = 0.02, 2.0
#: Seconds that closing gives to what still waits.
GRACE = 2.0
#: Rows after which what was scored is put together into counts.
_TOGETHER = 2_048

_log = structlog.get_logger(__name__)

Rows = pd.DataFrame | Mapping[str, Any] | Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Running:
    """A trial with its challenger at hand, ``None`` when that cannot be read. Safe to keep while a request runs."""

    trial: Trial
    champion: Champion
    challenger: Champion | None

    @property
    def divides(self) -> bool:
        """Whether the challenger is to answer a share of the transactions."""
        return self.challenger is not None and self.trial.mode == "share"

    def answers(self, row: Mapping[str, Any]) -> bool:
        """Whether the challenger is to answer this transaction."""
        trial = self.trial
        return self.divides and place_of(row, trial.field, trial.salt) < trial.share

    def places(self, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the places of the rows that the challenger is to answer."""
        return [place for place, row in enumerate(rows) if self.answers(row)] if self.divides else []

    def counts(self, champion: Champion, by: Champion | None) -> bool:
        """Whether an answer belongs to the trial: one by its champion, or by its challenger in that one's place."""
        return champion.version == self.champion.version if by is None else by is self.challenger


class _Waiting(NamedTuple):
    running: Running
    rows: Rows
    severities: NDArray[np.float64]
    answered: bool


class LiveTrial:
    """Takes part in whatever trial goes on. ``running`` is ``None`` while there is none: all that a request checks.

    Parameters
    ----------
    load : returns a version as it would answer as champion, at the cutoff of the lead's own or, where that is ``None``,
        at the version's.
    """

    def __init__(self, database: Database, load: Callable[[int, float | None], Champion]) -> None:
        self.running: Running | None = None
        self._database = database
        self._load = load
        self._wanted: tuple[int, int, float] | None = None
        self._queue: deque[_Waiting] = deque()
        self._rows_waiting = 0
        self._lock = threading.Lock()
        self._counts: dict[tuple[int, int], TrialCounts] = {}
        self._worker: threading.Thread | None = None
        self._stop = threading.Event()

    # What the watch on the champion calls

    def look(self, trial: Trial | None, champion: Champion, own_cutoff: float | None) -> None:
        """Follow what the database says; called whenever the champion is looked up."""
        if trial is None or trial.challenger == champion.version:
            if self._wanted is not None:
                with self._lock:
                    self.running = self._wanted = None
            return
        wanted = (trial.id, champion.version, champion.cutoff)
        with self._lock:
            if wanted == self._wanted or self._stop.is_set():
                return
            self._wanted = wanted
        # Reading a model and growing its trees takes longer than a request should.
        threading.Thread(
            target=self._begin, args=(wanted, trial, champion, own_cutoff), name="challenger", daemon=True
        ).start()

    def _begin(
        self, wanted: tuple[int, int, float], trial: Trial, champion: Champion, own_cutoff: float | None
    ) -> None:
        challenger = None
        try:
            challenger = self._load(trial.challenger, own_cutoff)
            detector = with_the_same_past(challenger.detector, champion.detector)
            detector.score(sample_record(detector))
            challenger = replace(challenger, detector=detector)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a challenger, the champion goes on
            _log.error("the challenger cannot be used", version=trial.challenger, reason=str(error))
            challenger = None
        with self._lock:
            if self._wanted != wanted:
                return
            self.running = Running(trial, champion, challenger)
            if self._worker is None and not self._stop.is_set():
                self._worker = threading.Thread(target=self._work, name="trial", daemon=True)
                self._worker.start()

    # What answers call

    def note(self, running: Running, rows: Rows, severities: NDArray[np.float64], *, answered: bool) -> None:
        """Let the other version score rows too; ``answered``: the challenger has answered them."""
        number = len(severities)
        with self._lock:
            if running.challenger is not None and self._rows_waiting + number <= MOST_WAITING:
                self._rows_waiting += number
                self._queue.append(_Waiting(running, rows, severities, answered))
                return
        lost = {"failed" if running.challenger is None else "dropped": number}
        self._add(running, TrialCounts.none(**lost))

    def close(self) -> None:
        """Score what still waits, for a moment, count the rest as dropped, and write down all counts."""
        self._stop.set()
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.join(GRACE + 1.0)

    # Beside the answers

    def _work(self) -> None:
        written = time.monotonic()
        while not self._stop.wait(PAUSE):
            self.score_waiting(self._stop)
            if time.monotonic() - written >= FLUSH:
                written = time.monotonic()
                self.write()
                if self._is_over():
                    return
        late = threading.Event()
        timer = threading.Timer(GRACE, late.set)
        timer.start()
        self.score_waiting(late)
        timer.cancel()
        while self._queue:
            left = self._queue.popleft()
            self._add(left.running, TrialCounts.none(dropped=len(left.severities)))
        self.write()

    def _is_over(self) -> bool:
        """Whether there is nothing left to do; the worker ends then, and another begins with the next trial."""
        with self._lock:
            over = self.running is None and not self._queue and not self._counts
            if over:
                self._worker = None
            return over

    def score_waiting(self, until: threading.Event) -> None:
        """Score what waits, until the event; called by the worker only."""
        found: dict[int, tuple[Running, list[tuple[NDArray[np.float64], NDArray[np.float64], bool]]]] = {}
        rows = 0
        while self._queue and not until.is_set():
            one = self._queue.popleft()
            with self._lock:
                self._rows_waiting -= len(one.severities)
            other = self._other(one)
            if other is None:
                self._add(one.running, TrialCounts.none(failed=len(one.severities)))
                continue
            pair = (other, one.severities) if one.answered else (one.severities, other)
            found.setdefault(id(one.running), (one.running, []))[1].append((*pair, one.answered))
            rows += len(other)
            if rows >= _TOGETHER:
                self._put_together(found)
                found, rows = {}, 0
        self._put_together(found)

    def _other(self, one: _Waiting) -> NDArray[np.float64] | None:
        side = one.running.champion if one.answered else one.running.challenger
        assert side is not None
        try:
            severities = side.detector.score(one.rows, cutoff=side.cutoff).severities
        except Exception as error:  # noqa: BLE001 - the answer stands; that this version has none is counted
            _log.warning(
                "a version could not score a request beside the answer", version=side.version, error=str(error)
            )
            return None
        return severities if len(severities) == len(one.severities) else None

    def _put_together(
        self, found: Mapping[int, tuple[Running, list[tuple[NDArray[np.float64], NDArray[np.float64], bool]]]]
    ) -> None:
        for running, pairs in found.values():
            assert running.challenger is not None
            champion, challenger = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
            answered = sum(len(pair[0]) for pair in pairs if pair[2])
            cutoffs = running.champion.cutoff, running.challenger.cutoff
            self._add(running, TrialCounts.of(champion, challenger, cutoffs, answered))

    def _add(self, running: Running, counts: TrialCounts) -> None:
        key = running.trial.id, running.champion.version
        with self._lock:
            before = self._counts.get(key)
            self._counts[key] = counts if before is None else before.plus(counts)

    def write(self) -> None:
        """Add what was counted until now to the database; what cannot be written stays for the next time."""
        with self._lock:
            counts, self._counts = self._counts, {}
        if not counts:
            return
        try:
            with self._database.write() as connection:
                for (trial, champion), some in counts.items():
                    add_counts(connection, trial, champion, some)
        except SQLAlchemyError as error:
            _log.error("what was counted of a trial could not be written yet", exc_info=error)
            with self._lock:
                for key, some in counts.items():
                    self._counts[key] = some.plus(self._counts[key]) if key in self._counts else some
