"""The open cases of all queues, as columns in memory: a page of a million cases is sorted in a few milliseconds.

The files hold what was found when a run was sent to the queue, and never change. What people did is in the database,
for the cases that somebody touched; a process looks there for what is newer than what it knows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
import structlog
from numpy.typing import NDArray
from sqlalchemy import Connection, RowMapping, and_, func, select

from detector.core.ranking import Order
from detector.errors import NotFoundError
from detector.service.review.case_ids import CaseId
from detector.store import queue_files, tables
from detector.store.database import Database

Status = Literal["open", "escalated", "snoozed", "decided"]
Outcome = Literal["fraud", "legitimate", "unclear"]

STATUSES: tuple[Status, ...] = get_args(Status)
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
NEVER = np.iinfo(np.int64).min

_log = structlog.get_logger(__name__)

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Queue:
    """The cases of one run: its ``rows`` most severe rows.

    ``entity``, ``time``, ``amount``: the file's columns that say whose, when and how much; ``None`` without one.
    """

    run: int
    name: str
    version: int
    rows: int
    entity: str | None
    time: str | None
    amount: str | None
    file: str
    created_at: datetime
    created_by: str


@dataclass(frozen=True)
class CaseState:
    """What people have made of a case so far; ``revision`` grows by one with each change, and is 0 before the first."""

    status: Status = "open"
    assignee: str | None = None
    snoozed_until: datetime | None = None
    outcome: Outcome | None = None
    reason: str | None = None
    decision: int | None = None
    revision: int = 0
    changed_at: datetime | None = None
    changed_by: str | None = None


class CaseTable:
    """The cases of one queue, most severe first. Arrays have one place for each case.

    A table that was handed out never changes: what is newer goes into a copy.

    Attributes
    ----------
    rows : data rows of the run. severities : when detected. amounts : NaN without one. times : microseconds since 1970
    UTC, :data:`NEVER` without one.
    entities, groups : places in ``entity_names`` and ``group_names``; -1 without one.
    statuses : places in :data:`STATUSES`. outcomes : places in :data:`OUTCOMES`, -1 undecided. snoozed : microseconds.
    priorities : severity now, with what was learned from decisions. places : in which order to look at the cases, 0
    first. Both are as detected until :meth:`ranked` says otherwise. order : where they come from, ``None`` then.
    """

    def __init__(self, queue: Queue, kept: pa.Table) -> None:
        n = kept.num_rows
        self.queue = queue
        self.rows: Numbers = kept["row"].to_numpy()
        self.severities: Floats = kept["severity"].to_numpy()
        self.amounts: Floats = kept["amount"].to_numpy()
        self.times: Numbers = kept["time"].cast(pa.int64()).fill_null(NEVER).to_numpy()
        self.entities, self.entity_names = _coded(kept["entity"])
        self.groups, self.group_names = _coded(kept["group"])
        self.badges: pa.ListArray = kept["badges"].combine_chunks()
        self.statuses = np.zeros(n, np.int8)
        self.outcomes = np.full(n, -1, np.int8)
        self.snoozed = np.full(n, NEVER, np.int64)
        self.assignees: dict[int, str] = {}
        self.states: dict[int, CaseState] = {}
        self.priorities = self.severities
        self.places: NDArray[np.intp] = np.arange(n)
        self.order: Order | None = None
        self._by_row = np.argsort(self.rows, kind="stable")
        self._sorted_rows = self.rows[self._by_row]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def badge_counts(self) -> Mapping[str, int]:
        """How many cases have each badge among their reasons."""
        return {item["values"]: item["counts"] for item in self.badges.flatten().value_counts().to_pylist()}

    def position(self, row: int) -> int | None:
        """Return the place of a data row, or ``None`` when it is no case."""
        at = int(np.searchsorted(self._sorted_rows, row))
        return int(self._by_row[at]) if at < len(self.rows) and self._sorted_rows[at] == row else None

    def state(self, position: int) -> CaseState:
        """Return what people have made of a case."""
        return self.states.get(position, CaseState())

    def changed(self, states: Mapping[int, CaseState]) -> CaseTable:
        """Return the cases with what people have made of some of them, by position."""
        other = copy(self)
        other.statuses, other.outcomes, other.snoozed = self.statuses.copy(), self.outcomes.copy(), self.snoozed.copy()
        other.assignees, other.states = dict(self.assignees), {**self.states, **states}
        for position, state in states.items():
            other.statuses[position] = STATUSES.index(state.status)
            other.outcomes[position] = -1 if state.outcome is None else OUTCOMES.index(state.outcome)
            other.snoozed[position] = NEVER if state.snoozed_until is None else microseconds(state.snoozed_until)
            if state.assignee is None:
                other.assignees.pop(position, None)
            else:
                other.assignees[position] = state.assignee
        return other

    def ranked(self, order: Order | None) -> CaseTable:
        """Return the cases in another order; with ``None`` as they were detected."""
        other = copy(self)
        other.order = order
        if order is None:
            other.priorities, other.places = self.severities, np.arange(len(self))
        else:
            other.priorities, other.places = order.priority, np.empty(len(self), np.intp)
            other.places[order.positions] = np.arange(len(self))
        return other

    def entity(self, position: int) -> str | None:
        """Return whose the case is."""
        code = int(self.entities[position])
        return None if code < 0 else self.entity_names[code]


class Inbox:
    """All open queues of a workspace, kept up to date with the database. Safe between threads.

    Parameters
    ----------
    database, folder : where the queues are written down, and where their files lie.
    rank : returns the tables ranked by the decisions in force; called when queues or decisions may have changed.

    Attributes
    ----------
    lost : tuple of Queue
        Open queues whose files are gone; the others go on without them.
    """

    def __init__(
        self, database: Database, folder: Path, rank: Callable[[Sequence[CaseTable], int], Sequence[CaseTable]]
    ) -> None:
        self.folder = folder
        self.lost: tuple[Queue, ...] = ()
        self._database = database
        self._rank = rank
        self._tables: dict[int, CaseTable] = {}
        self._seen = 0
        self._lock = threading.Lock()

    def tables(self) -> tuple[CaseTable, ...]:
        """Return the cases of the open queues as they are now, the newest run first."""
        with self._lock:
            found, lost = self._opened()
            fresh = {run for run, table in found.items() if table is not self._tables.get(run)}
            newest, changed = self._news(fresh)
            for run, states in changed.items():
                if run in found:
                    found[run] = found[run].changed(_by_position(found[run], states))
            ranked = self._rank(tuple(found.values()), newest)
            # Only now, when all of it has gone well: else what is new would be taken for known.
            self._tables = {table.queue.run: table for table in ranked}
            self._seen, self.lost = newest, lost
            return tuple(ranked)

    def table(self, run: int) -> CaseTable:
        """Return the cases of one run; raises ``NotFoundError`` when it is not in the queue."""
        for table in self.tables():
            if table.queue.run == run:
                return table
        raise NotFoundError(f"Run {run} is not in the queue.", run=run)

    def places(self, cases: Sequence[CaseId]) -> dict[CaseId, tuple[CaseTable, int]]:
        """Return the table and the place of each case; raises ``NotFoundError`` when one is not in the queue."""
        known = {table.queue.run: table for table in self.tables()}
        found = {}
        for case in cases:
            table = known.get(case.run)
            position = None if table is None else table.position(case.row)
            if table is None or position is None:
                raise NotFoundError(f"Case {case} is not in the queue.", case=str(case))
            found[case] = table, position
        return found

    def known(self, cases: Collection[CaseId]) -> frozenset[CaseId]:
        """Return those of the cases that are in the queue."""
        by_run = {table.queue.run: table for table in self.tables()}
        return frozenset(
            case for case in cases if case.run in by_run and by_run[case.run].position(case.row) is not None
        )

    def find(self, case: CaseId) -> tuple[CaseTable, int]:
        """Return the table and the place of a case; raises ``NotFoundError`` when it is not in the queue."""
        return self.places([case])[case]

    def _opened(self) -> tuple[dict[int, CaseTable], tuple[Queue, ...]]:
        """Return the tables of the open queues, known or read anew, and the queues whose files are gone."""
        found: dict[int, CaseTable] = {}
        lost: list[Queue] = []
        with self._database.read() as connection:
            queues = open_queues(connection)
        for queue in queues:
            known = self._tables.get(queue.run)
            if known is not None and known.queue.file == queue.file:
                found[queue.run] = known
                continue
            try:
                found[queue.run] = CaseTable(queue, queue_files.read_kept(self.folder / queue.file))
            except NotFoundError:
                if queue not in self.lost:
                    _log.warning("the cases of a queue are gone", run=queue.run)
                lost.append(queue)
        return found, tuple(lost)

    def _news(self, fresh: Collection[int]) -> tuple[int, dict[int, dict[int, CaseState]]]:
        """Return the number of the newest event, and the states that changed since, by run and data row."""
        cases, events = tables.cases, tables.case_events
        query = select(cases, tables.decisions.c.outcome, tables.decisions.c.reason).join_from(
            cases, tables.decisions, cases.c.decision == tables.decisions.c.number, isouter=True
        )
        rows: list[RowMapping] = []
        with self._database.read() as connection:
            newest: int = connection.scalar(select(func.max(events.c.number))) or 0
            if newest > self._seen:
                changed = select(events.c.run, events.c.row).where(events.c.number > self._seen).distinct().subquery()
                both = and_(cases.c.run == changed.c.run, cases.c.row == changed.c.row)
                rows += connection.execute(query.join(changed, both)).mappings()
            if fresh:
                rows += connection.execute(query.where(cases.c.run.in_(fresh))).mappings()
        states: dict[int, dict[int, CaseState]] = {}
        for row in rows:
            state = CaseState(**{name: row[name] for name in CaseState.__dataclass_fields__})
            states.setdefault(row["run"], {})[row["row"]] = state
        return newest, states


def open_queues(connection: Connection) -> tuple[Queue, ...]:
    """Return the open queues, the newest run first."""
    query = (
        select(tables.queues, tables.runs.c.name, tables.runs.c.version)
        .join(tables.runs, tables.runs.c.id == tables.queues.c.run)
        .where(tables.queues.c.closed_at.is_(None))
        .order_by(tables.queues.c.run.desc())
    )
    found = connection.execute(query).mappings()
    return tuple(Queue(**{name: row[name] for name in Queue.__dataclass_fields__}) for row in found)


def _by_position(table: CaseTable, states: Mapping[int, CaseState]) -> dict[int, CaseState]:
    places = {table.position(row): state for row, state in states.items()}
    return {position: state for position, state in places.items() if position is not None}


def microseconds(moment: datetime) -> int:
    """Return a time as microseconds since 1970 UTC."""
    return round(moment.timestamp() * 1e6)


def _coded(column: pa.ChunkedArray) -> tuple[NDArray[np.int32], list[str]]:
    encoded = column.combine_chunks().dictionary_encode()
    return encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), encoded.dictionary.to_pylist()
