"""The cases that match what a person asked for, in the order asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from detector.errors import InputError
from detector.service.review.case_ids import CaseId
from detector.service.review.filters import Filters, Order, View
from detector.service.review.inbox import NEVER, OUTCOMES, STATUSES, CaseTable, microseconds

#: Severity now, from which an unreviewed case is critical.
CRITICAL = 99.0

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]


class Matches:
    """The cases that match, as positions in each of the ``tables``."""

    def __init__(self, tables: Iterable[CaseTable], filters: Filters, person: str, now: datetime) -> None:
        self.filters = filters
        self.parts: list[tuple[CaseTable, NDArray[np.intp]]] = [
            (table, np.flatnonzero(_mask(table, filters, person, now)))
            for table in tables
            if filters.run in (None, table.queue.run)
        ]

    @property
    def total(self) -> int:
        """How many match."""
        return sum(len(positions) for _, positions in self.parts)

    @property
    def amount(self) -> float | None:
        """The sum of their amounts, ``None`` where none has one."""
        sums = [np.nansum(table.amounts[positions]) for table, positions in self.parts if table.queue.amount]
        return float(sum(sums)) if sums else None

    @property
    def learned(self) -> bool:
        """Whether any case stands elsewhere than its severity alone would put it."""
        return any(table.priorities is not table.severities for table, _ in self.parts)

    def moved(self, severities: Iterable[float], offset: int) -> Iterator[int]:
        """Yield how many places each of those has moved that stand from ``offset`` on and have these ``severities``."""
        # A table's cases stand most severe first, so that nothing need be sorted.
        falling = [-table.severities[positions] for table, positions in self.parts]
        for place, severity in enumerate(severities, offset):
            # Cases of the same severity stood in no order: only what leaves their places has moved.
            first, behind = (
                sum(int(np.searchsorted(some, -severity, side)) for some in falling) for side in ("left", "right")
            )
            last = behind - 1
            yield min(max(place, first), last) - place

    def rank(self, case: CaseId) -> int | None:
        """Return how many of the cases come before this one, ``None`` when it is not among them."""
        before, own = 0, None
        keys = [_key(table, self.filters.order)[positions] for table, positions in self.parts]
        for part, (table, positions) in enumerate(self.parts):
            position = table.position(case.row) if table.queue.run == case.run else None
            at = int(np.searchsorted(positions, position)) if position is not None else len(positions)
            if at < len(positions) and positions[at] == position:
                own = part, at
        if own is None:
            return None
        part, at = own
        key = keys[part][at]
        for i, some in enumerate(keys):
            ties = some[:at] if i == part else some if i < part else some[:0]
            before += int(np.count_nonzero(some < key) + np.count_nonzero(ties == key))
        return before

    def best(self, offset: int, limit: int) -> list[tuple[CaseTable, int]]:
        """Return the table and the position of the cases from ``offset`` on, in the order asked for."""
        if not self.total:
            return []
        keys = np.concatenate([_key(table, self.filters.order)[positions] for table, positions in self.parts])
        which = np.repeat(np.arange(len(self.parts)), [len(positions) for _, positions in self.parts])
        where = np.concatenate([positions for _, positions in self.parts])
        stop = min(offset + limit, len(keys))
        if stop <= offset:
            return []
        if stop < len(keys) // 2:
            # Only what is shown, and what ties with it, has to be put in order.
            least = np.partition(keys, stop - 1)[stop - 1]
            among = np.flatnonzero(keys <= least)
            order = among[np.argsort(keys[among], kind="stable")]
        else:
            order = np.argsort(keys, kind="stable")
        chosen = order[offset:stop]
        return [
            (self.parts[part][0], at) for part, at in zip(which[chosen].tolist(), where[chosen].tolist(), strict=True)
        ]


def _key(table: CaseTable, order: Order) -> Floats:
    """Return what sorts the cases of a table: least first."""
    keys: Floats
    if order == "severity":
        return -table.severities
    if order == "amount":
        return -np.nan_to_num(table.amounts, nan=-np.inf)
    if order in ("newest", "oldest"):
        times = table.times.astype(np.float64)
        keys = np.where(table.times == NEVER, np.inf, -times if order == "newest" else times)
        return keys
    # Severities of the most severe are often equal; their places are not.
    keys = table.places * 1e-9 - table.priorities
    return keys


def _mask(table: CaseTable, filters: Filters, person: str, now: datetime) -> Mask:
    mask = in_view(table, filters.view, person, now)
    if filters.search:
        mask &= _found(table, filters.search)
    if filters.pattern:
        wanted = [code for code, name in enumerate(table.group_names) if name == filters.pattern]
        mask &= np.isin(table.groups, wanted)
    if filters.badge:
        lengths = table.badges.value_lengths().to_numpy(zero_copy_only=False)
        hits = pc.equal(table.badges.flatten(), filters.badge).to_numpy(zero_copy_only=False)
        mask &= np.bincount(np.repeat(np.arange(len(table)), lengths), weights=hits, minlength=len(table)) > 0
    if filters.least_severity is not None:
        mask &= table.severities >= filters.least_severity
    if filters.least_amount is not None:
        mask &= np.nan_to_num(table.amounts, nan=-np.inf) >= filters.least_amount
    if filters.outcome is not None:
        mask &= table.outcomes == OUTCOMES.index(filters.outcome)
    return mask


def in_view(table: CaseTable, view: View, person: str, now: datetime) -> Mask:
    """Return which of a table's cases a view holds."""
    is_open, escalated, snoozed, decided = _by_status(table)
    asleep: Mask = snoozed & (table.snoozed > microseconds(now))
    if view == "all":
        return np.ones(len(table), bool)
    if view in ("escalated", "snoozed", "decided"):
        return {"escalated": escalated, "snoozed": asleep, "decided": decided}[view]
    mine, others = np.zeros(len(table), bool), np.zeros(len(table), bool)
    for position, assignee in table.assignees.items():
        (mine if assignee == person else others)[position] = True
    if view == "mine":
        return mine & ~decided & ~asleep
    awake: Mask = (is_open | (snoozed & ~asleep)) & ~others
    if view == "critical":
        awake &= table.priorities >= CRITICAL
    return awake


def _by_status(table: CaseTable) -> list[Mask]:
    return [table.statuses == STATUSES.index(status) for status in STATUSES]


def _found(table: CaseTable, search: str) -> Mask:
    text = search.strip().casefold()
    wanted = [code for code, name in enumerate(table.entity_names) if text in name.casefold()]
    mask: Mask = np.isin(table.entities, wanted)
    with suppress(InputError):
        case = CaseId.parse(text)
        if case.run == table.queue.run:
            mask |= table.rows == case.row
    return mask
