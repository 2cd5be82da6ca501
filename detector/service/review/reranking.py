"""The queue learns: after each decision the cases that are left are ranked anew, by the forest that found them.

The version that scored a run stays as it is. What is ranked anew is the queue: its priorities are severities by that
version taught with the decisions in force, those on the queue's own cases at once, those on cases of other queues when
the ranking is next built. A new version takes the decisions along, see :mod:`detector.service.versions.teaching`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, insert, select

from detector.core.model import DynamicAnomalyDetector
from detector.core.ranking import Order, Ranking
from detector.service.review.case_ids import CaseId
from detector.service.review.inbox import OUTCOMES, CaseTable
from detector.store import audit, queue_files, tables
from detector.store.case_rows import rows_of
from detector.store.database import Database

#: What a model is told of each outcome; it learns nothing from what is unclear.
LABELS: Mapping[str, int] = {"fraud": 1, "legitimate": 0}
#: Name of the preference that switches learning in the queue off.
LEARNING = "learning"
#: Cases that are told to have moved.
MOVED_SHOWN = 5
#: Decided cases that are told to be like one.
KIN_SHOWN = 3
#: A case that is less like a decided one than this is not told to rank with it.
LEAST_LIKE = 0.05
#: Seconds for which new decisions on other queues may wait before a queue learns from them.
PATIENCE = 20.0


@dataclass(frozen=True)
class Kin:
    """A decided case that a case ranks with. ``likeness``: 0-1. ``pull``: above 0 it moves the case up."""

    case: CaseId
    fraud: bool
    likeness: float
    pull: float


@dataclass(frozen=True)
class Moved:
    """An open case that changed its place: ``before`` and ``after`` count from 1; ``kin`` says why."""

    case: CaseId
    before: int
    after: int
    kin: tuple[Kin, ...]


@dataclass(frozen=True)
class Learned:
    """What the last decision did to a queue.

    ``frauds``, ``legitimate``: decisions learned from. ``moved_up``: open cases that gained at least a place among the
    first hundred. ``moved``: those that gained most, the first five. ``seconds``: how long ranking anew took.
    """

    on: bool
    frauds: int
    legitimate: int
    entered: int
    moved: tuple[Moved, ...]
    seconds: float
    at: datetime | None


@dataclass
class _Known:
    """What a process keeps of a queue: its ranking, what that was built with, and what was last made of it."""

    file: str
    ranking: Ranking | None = None
    others: Mapping[CaseId, int] = field(default_factory=dict)
    built_at: float = 0.0
    own: Mapping[int, int] = field(default_factory=dict)
    order: Order | None = None
    before: NDArray[np.intp] | None = None
    seconds: float = 0.0
    at: datetime | None = None


class Reranker:
    """Keeps the priorities of open queues up to date with the decisions on their cases. One a process.

    Parameters
    ----------
    database, data_folder : where decisions are written down, and where queues and runs lie.
    detector : returns the model of a version.
    """

    def __init__(
        self, database: Database, data_folder: Path, detector: Callable[[int], DynamicAnomalyDetector]
    ) -> None:
        self._database = database
        self._data_folder = data_folder
        self._detector = detector
        self._known: dict[int, _Known] = {}

    def refresh(self, queues: Sequence[CaseTable]) -> None:
        """Give each table the priorities that follow from the decisions in force. The caller keeps others out."""
        on = learning_on(self._database)
        labels = {table.queue.run: _labels(table) for table in queues}
        for table in queues:
            known = self._known.get(table.queue.run)
            if known is None or known.file != table.queue.file:
                known = self._known[table.queue.run] = _Known(table.queue.file)
            others = {
                CaseId(other.queue.run, int(other.rows[at])): label
                for other in queues
                if other is not table
                for at, label in labels[other.queue.run].items()
            }
            self._rank(table, known, labels[table.queue.run] if on else {}, others if on else {})
        for run in self._known.keys() - set(labels):
            del self._known[run]

    def learned(self, table: CaseTable) -> Learned:
        """Return what the last decision did to a queue."""
        on = learning_on(self._database)
        known = self._known.get(table.queue.run)
        labels = _labels(table)
        frauds = sum(labels.values())
        if known is None or known.before is None or known.order is None or not on:
            return Learned(on, frauds, len(labels) - frauds, 0, (), 0.0, None)
        open_now = np.flatnonzero(table.outcomes < 0)
        before, after = _among(known.before[open_now]), _among(table.places[open_now])
        gained = before - after
        first = np.argsort(after, kind="stable")[:100]
        risen = first[gained[first] > 0]
        best = risen[np.argsort(-gained[risen], kind="stable")][:MOVED_SHOWN]
        moved = tuple(
            Moved(
                CaseId(table.queue.run, int(table.rows[open_now[at]])),
                int(before[at]) + 1,
                int(after[at]) + 1,
                self.kin(table, int(open_now[at])),
            )
            for at in best
        )
        entered = int((before[first] >= len(first)).sum())
        return Learned(on, frauds, len(labels) - frauds, entered, moved, known.seconds, known.at)

    def kin(self, table: CaseTable, position: int) -> tuple[Kin, ...]:
        """Return the decided cases that a case ranks with, the strongest pull first."""
        known = self._known.get(table.queue.run)
        if known is None or known.order is None:
            return ()
        return tuple(
            Kin(CaseId.parse(kin.key), kin.label == 1, kin.similarity, kin.contribution)
            for kin in known.order.kin(position, KIN_SHOWN)
            if kin.similarity >= LEAST_LIKE
        )

    def _rank(self, table: CaseTable, known: _Known, own: Mapping[int, int], others: Mapping[CaseId, int]) -> None:
        stale = others != known.others and (
            time.monotonic() - known.built_at > PATIENCE or not known.others.items() <= others.items()
        )
        if (known.ranking is None or stale) and (own or others):
            known.ranking, known.others, known.built_at = self._built(table, others), others, time.monotonic()
            known.own = {-1: -1}  # whatever was ranked before, it was by another ranking
        if own == known.own or known.ranking is None:
            return
        begun = time.perf_counter()
        known.before, known.own = table.places, own
        if own or others:
            known.order = known.ranking.after(own)
            table.rank(known.order.priority, known.order.positions)
        else:
            known.order = None
            table.rank(table.severities, np.arange(len(table)))
        known.seconds, known.at = time.perf_counter() - begun, datetime.now(UTC)

    def _built(self, table: CaseTable, others: Mapping[CaseId, int]) -> Ranking:
        detector = self._detector(table.queue.version)
        if others:
            rows = rows_of(self._database, self._data_folder, ((case.run, case.row) for case in others))
            labels = [others[CaseId.parse(name)] for name in rows.index]
            detector = detector.taught(rows, labels, keys=list(rows.index))
        frame = queue_files.read_rows(self._data_folder / "queues" / table.queue.file)
        return detector.ranking(frame, keys=[f"{table.queue.run}-{row}" for row in table.rows.tolist()])


def learning_on(database: Database) -> bool:
    """Return whether the queue is ranked anew after decisions."""
    with database.read() as connection:
        value = connection.scalar(select(tables.preferences.c.value).where(tables.preferences.c.name == LEARNING))
    return value is not False


def set_learning(database: Database, on: bool, *, actor: str) -> None:
    """Switch learning in the queue on or off, for everybody."""
    with database.write() as connection:
        connection.execute(delete(tables.preferences).where(tables.preferences.c.name == LEARNING))
        connection.execute(
            insert(tables.preferences).values(name=LEARNING, value=on, set_at=datetime.now(UTC), set_by=actor)
        )
        audit.record(connection, actor=actor, action=f"learning switched {'on' if on else 'off'}", subject="queue")


def _labels(table: CaseTable) -> dict[int, int]:
    """Return, by position, what is learned from the decisions on a queue."""
    return {
        int(at): LABELS[OUTCOMES[table.outcomes[at]]]
        for at in np.flatnonzero(table.outcomes >= 0)
        if OUTCOMES[table.outcomes[at]] in LABELS
    }


def _among(places: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return each case's place among these alone, 0 for the first."""
    found = np.empty(len(places), np.intp)
    found[np.argsort(places, kind="stable")] = np.arange(len(places))
    return found
