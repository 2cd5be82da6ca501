"""The queue: the cases that match what a person asked for, a page at a time, as rows or as patterns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from detector.errors import InputError
from detector.service.access import needs
from detector.service.review import locking
from detector.service.review.case_ids import CaseId
from detector.service.review.filters import VIEWS, Filters, View
from detector.service.review.inbox import NEVER, STATUSES, CaseState, CaseTable, Status, microseconds
from detector.service.review.matches import Matches, in_view
from detector.service.workspace import Workspace

#: Most rows of a page.
PAGE_ROWS = 200
#: Patterns listed.
GROUPS_SHOWN = 200


@dataclass(frozen=True)
class CaseLine:
    """A case as a line of the queue.

    ``severity``: 0-100, when it was detected. ``priority``: now, with what was learned from decisions. ``badges``: its
    strongest reasons, two or three words each. ``opened_at``: when its run was sent to the queue. ``held_by``: who
    else is looking at it now. ``moved``: places that it went up, or down, among the cases that match since decisions
    are learned from.
    """

    id: CaseId
    severity: float
    priority: float
    amount: float | None
    entity: str | None
    time: datetime | None
    badges: tuple[str, ...]
    pattern: str
    status: Status
    state: CaseState
    opened_at: datetime
    held_by: str | None
    moved: int = 0


@dataclass(frozen=True)
class QueuePage:
    """One page of the queue. ``total`` cases match; ``amount`` is their sum, ``None`` where none has one."""

    lines: tuple[CaseLine, ...]
    total: int
    amount: float | None


@dataclass(frozen=True)
class Pattern:
    """Cases that share their reasons: how many, their sum, the most severe of them."""

    name: str
    cases: int
    amount: float | None
    highest: float
    example: CaseId


@needs("read")
def queue_page(ws: Workspace, filters: Filters, *, actor: str, offset: int = 0, limit: int = PAGE_ROWS) -> QueuePage:
    """Return the cases that match, ``limit`` of them from ``offset`` on.

    Raises
    ------
    InputError
        When ``offset`` or ``limit`` is out of range.
    """
    if offset < 0 or not 1 <= limit <= PAGE_ROWS:
        raise InputError(f"A page holds 1 to {PAGE_ROWS} cases and begins at case 0 or later.")
    now = datetime.now(UTC)
    found = Matches(ws.inbox.tables(), filters, actor, now)
    held = locking.held_by_others(ws, actor)
    lines = tuple(_lines(found.best(offset, limit), held, now))
    if filters.order == "priority" and found.learned:
        moved = found.moved((line.severity for line in lines), offset)
        lines = tuple(replace(line, moved=places) for line, places in zip(lines, moved, strict=True))
    return QueuePage(lines, found.total, found.amount)


@needs("read")
def matching(ws: Workspace, filters: Filters, *, actor: str, limit: int) -> tuple[CaseId, ...]:
    """Return the first ``limit`` cases that match, in the order asked for."""
    found = Matches(ws.inbox.tables(), filters, actor, datetime.now(UTC))
    return tuple(CaseId(table.queue.run, int(table.rows[at])) for table, at in found.best(0, limit))


def revisions_of(ws: Workspace, cases: Sequence[CaseId]) -> dict[CaseId, int]:
    """Return the revision of each case as it is now, for a change that is made on it; raises ``NotFoundError``."""
    return {case: table.state(at).revision for case, (table, at) in ws.inbox.places(cases).items()}


def amount_of(ws: Workspace, cases: Sequence[CaseId]) -> float | None:
    """Return the sum of the amounts of cases, ``None`` where none has one; raises ``NotFoundError``."""
    amounts = [float(table.amounts[at]) for table, at in ws.inbox.places(cases).values() if table.queue.amount]
    return float(np.nansum(amounts)) if amounts else None


@needs("read")
def patterns(ws: Workspace, filters: Filters, *, actor: str) -> tuple[Pattern, ...]:
    """Return the patterns among the cases that match, the largest first, at most 200."""
    counts: dict[str, Pattern] = {}
    for table, positions in Matches(ws.inbox.tables(), filters, actor, datetime.now(UTC)).parts:
        codes = table.groups[positions]
        number = np.bincount(codes, minlength=len(table.group_names))
        amounts = np.nan_to_num(table.amounts[positions])
        sums = np.bincount(codes, weights=amounts, minlength=len(number))
        worst = positions[np.argsort(table.places[positions], kind="stable")]
        names, first = np.unique(table.groups[worst], return_index=True)
        for code, at in zip(names.tolist(), first.tolist(), strict=True):
            example = int(worst[at])
            new = Pattern(
                table.group_names[code],
                int(number[code]),
                float(sums[code]) if table.queue.amount else None,
                float(table.priorities[example]),
                CaseId(table.queue.run, int(table.rows[example])),
            )
            known = counts.get(new.name)
            counts[new.name] = new if known is None else _both(known, new)
    return tuple(sorted(counts.values(), key=lambda pattern: (-pattern.cases, -pattern.highest))[:GROUPS_SHOWN])


@needs("read")
def view_counts(ws: Workspace, *, actor: str, run: int | None = None) -> dict[View, int]:
    """Return how many cases each view holds."""
    now = datetime.now(UTC)
    found = [table for table in ws.inbox.tables() if run in (None, table.queue.run)]
    return {view: sum(int(np.count_nonzero(in_view(table, view, actor, now))) for table in found) for view in VIEWS}


def open_cases(ws: Workspace) -> int | None:
    """Return how many cases wait for a decision, anybody's; ``None`` while no run is in the queue."""
    found, now = ws.inbox.tables(), microseconds(datetime.now(UTC))
    asleep, decided = STATUSES.index("snoozed"), STATUSES.index("decided")
    waiting = (
        int(np.count_nonzero((table.statuses != decided) & ((table.statuses != asleep) | (table.snoozed <= now))))
        for table in found
    )
    return sum(waiting) if found else None


@needs("read")
def next_case(
    ws: Workspace, filters: Filters, *, actor: str, rank: int = 0, but: CaseId | None = None
) -> CaseId | None:
    """Return the first case that matches, from place ``rank`` (0 is the first) on, and behind the last from the start.

    Passed over are ``but`` and what others are looking at. ``None`` when nothing is left.
    """
    found = Matches(ws.inbox.tables(), filters, actor, datetime.now(UTC))
    passed = {*locking.held_by_others(ws, actor), but}
    # One place more than there are cases to pass over is enough to find one that is not.
    for first in (min(rank, found.total), 0):
        for table, at in found.best(first, len(passed) + 1):
            case = CaseId(table.queue.run, int(table.rows[at]))
            if case not in passed:
                return case
    return None


@dataclass(frozen=True)
class Place:
    """Where a case stands among those that match: ``rank`` from 0, ``None`` when it does not match."""

    rank: int | None
    total: int
    previous: CaseId | None


@needs("read")
def place_of(ws: Workspace, filters: Filters, case: CaseId, *, actor: str) -> Place:
    """Return where a case stands in the queue, and which one comes before it."""
    found = Matches(ws.inbox.tables(), filters, actor, datetime.now(UTC))
    rank = found.rank(case)
    before = found.best(rank - 1, 1) if rank else []
    previous = [CaseId(table.queue.run, int(table.rows[at])) for table, at in before]
    return Place(rank, found.total, previous[0] if previous else None)


def badges_in(ws: Workspace, *, run: int | None = None, most: int = 100) -> tuple[str, ...]:
    """Return the most frequent badges of the cases in the queue."""
    counts = Counter[str]()
    for table in ws.inbox.tables():
        if run in (None, table.queue.run):
            counts.update(table.badge_counts)
    return tuple(sorted(counts, key=lambda badge: (-counts[badge], badge))[:most])


def _lines(
    places: Sequence[tuple[CaseTable, int]], held: Mapping[CaseId, locking.Lock], now: datetime
) -> Iterator[CaseLine]:
    for table, at in places:
        case = CaseId(table.queue.run, int(table.rows[at]))
        state, amount, time = table.state(at), float(table.amounts[at]), int(table.times[at])
        awake = state.status == "snoozed" and state.snoozed_until is not None and state.snoozed_until <= now
        yield CaseLine(
            id=case,
            severity=float(table.severities[at]),
            priority=float(table.priorities[at]),
            amount=None if np.isnan(amount) else amount,
            entity=table.entity(at),
            time=None if time == NEVER else datetime.fromtimestamp(time / 1e6, UTC),
            badges=tuple(table.badges[at].as_py()),
            pattern=table.group_names[int(table.groups[at])],
            status="open" if awake else state.status,
            state=state,
            opened_at=table.queue.created_at,
            held_by=held[case].holder if case in held else None,
        )


def _both(one: Pattern, other: Pattern) -> Pattern:
    higher = one if one.highest >= other.highest else other
    amounts = [pattern.amount for pattern in (one, other) if pattern.amount is not None]
    return replace(higher, cases=one.cases + other.cases, amount=sum(amounts) if amounts else None)
