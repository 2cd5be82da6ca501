"""The queue learns: after each decision the cases that are left are ranked anew, by the forest that found them.

The version that scored a run stays as it is. What is ranked anew is the queue: its priorities are severities by that
version taught with the decisions in force, those on the queue's own cases at once, those on cases of other queues when
the ranking is next built. A new version takes the decisions along, see :mod:`detector.service.versions.teaching`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import structlog
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, func, insert, select

from detector.core.model import DynamicAnomalyDetector
from detector.core.ranking import Ranking
from detector.errors import DetectorError, NoKnownColumnsError
from detector.service.access import needs
from detector.service.review.case_ids import CaseId
from detector.service.review.inbox import CaseTable
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
#: Seconds for which new decisions on other queues may wait before a queue learns from them: it costs reading them all.
PATIENCE = 300.0

_log = structlog.get_logger(__name__)


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

    ``frauds``, ``legitimate``: decisions learned from, those on other files among them. ``entered``: open cases that
    came among the first hundred. ``moved``: those of the first hundred that gained most places, five at most.
    ``seconds``: how long ranking anew took.
    """

    on: bool
    frauds: int
    legitimate: int
    entered: int
    moved: tuple[Moved, ...]
    seconds: float
    at: datetime | None


@dataclass(frozen=True)
class _Known:
    """What a process keeps of a queue: its ranking, what that was built with, and what was last made of it."""

    file: str
    ranking: Ranking | None = None
    others: Mapping[CaseId, int] = field(default_factory=dict)
    built_at: float = 0.0
    own: Mapping[int, int] = field(default_factory=dict)
    before: NDArray[np.intp] | None = None
    seconds: float = 0.0
    at: datetime | None = None


class Reranker:
    """Ranks the cases of open queues by the decisions in force. One a process; the inbox calls it, one at a time.

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
        self._seen: object = None

    def ranked(self, queues: Sequence[CaseTable], newest: int) -> Sequence[CaseTable]:
        """Return the tables with the priorities that follow from the decisions in force.

        ``newest``: the number of the last change to any case. While neither that nor the queues nor the switch have
        changed, the tables are returned as they are.
        """
        on = learning_on(self._database)
        seen = (newest, on, tuple((table.queue.run, table.queue.file) for table in queues))
        if seen == self._seen:
            return queues
        with self._database.read() as connection:
            labels = labels_in_force(connection) if on else {}
        by_run: dict[int, dict[CaseId, int]] = {}
        for case, label in labels.items():
            by_run.setdefault(case.run, {})[case] = label
        told = []
        for table in queues:
            own, elsewhere = _own(table, by_run.get(table.queue.run, {}))
            others = {
                case: label for run, some in by_run.items() if run != table.queue.run for case, label in some.items()
            }
            before = self._known.get(table.queue.run)
            if before is None or before.file != table.queue.file:
                before = _Known(table.queue.file)
            told.append((table, before, own, others | elsewhere))
        # Building a ranking reads and walks a whole queue. Of those that learn from others' decisions only, one has
        # its turn now, the one that waited longest; the others at the next looks.
        late = sorted(
            (known.built_at, i) for i, (_, known, own, others) in enumerate(told) if _can_wait(known, own, others)
        )
        found, known = [table for table, *_ in told], {table.queue.run: before for table, before, *_ in told}
        for i in set(range(len(told))) - {i for _, i in late[1:]}:
            found[i], known[found[i].queue.run] = self._rank(*told[i])
        self._known, self._seen = known, None if late[1:] else seen
        return found

    def learned(self, table: CaseTable) -> Learned:
        """Return what the last decision did to a queue."""
        on = learning_on(self._database)
        known = self._known.get(table.queue.run)
        if known is None or known.before is None or table.order is None:
            return Learned(on, 0, 0, 0, (), 0.0, None)
        labels = [*known.own.values(), *known.others.values()]
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
        return Learned(on, sum(labels), len(labels) - sum(labels), entered, moved, known.seconds, known.at)

    def kin(self, table: CaseTable, position: int) -> tuple[Kin, ...]:
        """Return the decided cases that a case ranks with, the strongest pull first."""
        if table.order is None:
            return ()
        return tuple(
            Kin(CaseId.parse(kin.key), kin.label == 1, kin.similarity, kin.contribution)
            for kin in table.order.kin(position, KIN_SHOWN)
            if kin.similarity >= LEAST_LIKE
        )

    def _rank(
        self, table: CaseTable, known: _Known, own: Mapping[int, int], others: Mapping[CaseId, int]
    ) -> tuple[CaseTable, _Known]:
        if not own and not others:
            return (table if table.order is None else table.ranked(None)), _Known(table.queue.file)
        built = known.ranking is None or (known.others != others and not _is_patient(known, others))
        if not built and own == known.own and table.order is not None:
            return table, known
        begun = time.perf_counter()
        if built:
            known = replace(known, ranking=self._built(table, others), others=others, built_at=time.monotonic())
        if known.ranking is None:
            return table.ranked(None), known
        ranked = table.ranked(known.ranking.after(own))
        return ranked, replace(
            known, own=own, before=table.places, seconds=time.perf_counter() - begun, at=datetime.now(UTC)
        )

    def _built(self, table: CaseTable, others: Mapping[CaseId, int]) -> Ranking | None:
        try:
            detector = self._detector(table.queue.version).undecided()
            if others:
                rows = rows_of(self._database, self._data_folder, ((case.run, case.row) for case in others))
                detector = taught_by(detector, rows, {str(case): label for case, label in others.items()})
            frame = queue_files.read_rows(self._data_folder / "queues" / table.queue.file)
            return detector.ranking(frame, keys=[f"{table.queue.run}-{row}" for row in table.rows.tolist()])
        except DetectorError as error:
            # A queue in the order of detection is better than none.
            _log.error("a queue cannot be ranked by decisions", run=table.queue.run, code=error.code)
            return None


def taught_by(
    detector: DynamicAnomalyDetector, parts: Iterable[pd.DataFrame], labels: Mapping[str, int]
) -> DynamicAnomalyDetector:
    """Return the model with the decisions on rows of several files; ``detector`` stays as it is.

    Rows that carry none of the columns that it knows teach it nothing.

    Parameters
    ----------
    parts : the rows of each file; the index names them.
    labels : 1 for fraud and 0 for legitimate, by name.
    """
    for rows in parts:
        with suppress(NoKnownColumnsError):
            detector = detector.taught(rows, [labels[name] for name in rows.index], keys=list(rows.index))
    return detector


def labels_in_force(connection: Connection) -> dict[CaseId, int]:
    """Return what models may learn from, by case: 1 for fraud, 0 for legitimate.

    Of decisions on the same row of the same file, scored more than once, the newest counts.
    """
    decisions, runs = tables.decisions, tables.runs
    query = (
        select(decisions.c.run, decisions.c.row, decisions.c.outcome, func.coalesce(runs.c.sha256, runs.c.file))
        .join_from(decisions, runs, decisions.c.run == runs.c.id)
        .where(decisions.c.ended_at.is_(None))
        .order_by(decisions.c.number)
    )
    newest = {(file, row): (run, outcome) for run, row, outcome, file in connection.execute(query)}
    return {CaseId(run, row): LABELS[outcome] for (_, row), (run, outcome) in newest.items() if outcome in LABELS}


def learning_on(database: Database) -> bool:
    """Return whether the queue is ranked anew after decisions."""
    with database.read() as connection:
        value = connection.scalar(select(tables.preferences.c.value).where(tables.preferences.c.name == LEARNING))
    return value is not False


@needs("decide")
def set_learning(database: Database, on: bool, *, actor: str) -> None:
    """Switch learning in the queue on or off, for everybody."""
    with database.write() as connection:
        connection.execute(delete(tables.preferences).where(tables.preferences.c.name == LEARNING))
        connection.execute(
            insert(tables.preferences).values(name=LEARNING, value=on, set_at=datetime.now(UTC), set_by=actor)
        )
        audit.record(connection, actor=actor, action=f"learning switched {'on' if on else 'off'}", subject="queue")


def _is_patient(known: _Known, others: Mapping[CaseId, int]) -> bool:
    """Whether what is new elsewhere may wait a while; what was taken back is forgotten at once."""
    return known.others.items() <= others.items() and time.monotonic() - known.built_at < PATIENCE


def _can_wait(known: _Known, own: Mapping[int, int], others: Mapping[CaseId, int]) -> bool:
    """Whether a ranking would be built for what is new elsewhere alone, so that its turn may come later."""
    new = known.others.items() < others.items() and own == known.own
    return new and (known.ranking is None or not _is_patient(known, others))


def _own(table: CaseTable, labels: Mapping[CaseId, int]) -> tuple[dict[int, int], dict[CaseId, int]]:
    """Return the labels on a queue's cases by position, and those on rows of its run that are not in the queue."""
    places = {case: table.position(case.row) for case in labels}
    own = {place: labels[case] for case, place in places.items() if place is not None}
    return own, {case: labels[case] for case, place in places.items() if place is None}


def _among(places: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return each case's place among these alone, 0 for the first."""
    found = np.empty(len(places), np.intp)
    found[np.argsort(places, kind="stable")] = np.arange(len(places))
    return found
