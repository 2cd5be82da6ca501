"""The cutoff: what each would flag, what it would catch of what people decided, and who moved it when.

Nothing here trains. A cutoff is tried on a scored run, and moved for the champion alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import select

from detector.errors import InputError
from detector.service.access import needs
from detector.service.champion import CUTOFF
from detector.service.cutoff.judged import CountedShare, Judged
from detector.service.histogram import Histogram
from detector.service.preferences import preference, set_preference
from detector.service.runs import Run, run_path
from detector.service.workspace import Workspace
from detector.store import tables
from detector.store.run_columns import SeverityCounts, severity_counts

#: Name of the preference that holds how many cases a day the team can review.
CAPACITY = "capacity"
#: Most points of a curve.
CURVE_POINTS = 160
#: Decimals that a cutoff is given at most.
_DECIMALS = 6


@dataclass(frozen=True, eq=False)
class Spread:
    """A run's rows by severity, and the number of days that they cover (``None`` when the file has no days)."""

    counts: SeverityCounts
    days: int | None


@dataclass(frozen=True)
class Plan:
    """What one cutoff flags of a run: ``flagged`` rows, their ``share`` (0-1), and how many ``a_day``."""

    cutoff: float
    flagged: int
    share: float
    a_day: float | None


@dataclass(frozen=True)
class Caught:
    """What one cutoff catches of the decided rows of a run; see :class:`~detector.service.cutoff.judged.Judged`.

    ``reviewed_above`` and ``reviewed_below``: decided rows, of all rows of the run, on either side of the cutoff.
    """

    precision: CountedShare
    recall: CountedShare
    reviewed_above: CountedShare
    reviewed_below: CountedShare


@dataclass(frozen=True)
class CurvePoint:
    """Precision, recall (both counted) and the share of money caught (0-1) at one cutoff."""

    cutoff: float
    precision: CountedShare
    recall: CountedShare
    money: float | None


@dataclass(frozen=True)
class CutoffChange:
    """One entry of the history. ``cutoff`` is ``None`` when it went back to what each model implies."""

    at: datetime
    actor: str
    before: float | None
    cutoff: float | None
    version: int | None
    reason: str


def spread(ws: Workspace, run: Run) -> Spread:
    """Return how a run's rows spread over the severities; raises ``NotFoundError`` when its rows are gone."""
    return Spread(severity_counts(run_path(ws, run.id)), len(run.periods) or None)


def plan_at(spread: Spread, cutoff: float) -> Plan:
    """Return what a cutoff (0-100) flags."""
    flagged, rows = spread.counts.above(cutoff), spread.counts.rows
    return Plan(cutoff, flagged, flagged / rows if rows else 0.0, flagged / spread.days if spread.days else None)


def plan_for_share(spread: Spread, share: float) -> Plan:
    """Return the lowest cutoff that flags at most ``share`` (0-1) of the rows."""
    return _plan_for(spread, share * spread.counts.rows)


def plan_for_cases(spread: Spread, a_day: float) -> Plan:
    """Return the lowest cutoff that flags at most ``a_day`` rows a day on average.

    Raises
    ------
    InputError
        When the file has no days.
    """
    if spread.days is None:
        raise InputError("This file has no days, so its rows cannot be counted by day.")
    return _plan_for(spread, a_day * spread.days)


def caught(spread: Spread, judged: Judged, cutoff: float) -> Caught:
    """Return what a cutoff catches of the decided rows."""
    above, flagged = int((judged.severities > cutoff).sum()), spread.counts.above(cutoff)
    return Caught(
        precision=judged.precision(cutoff),
        recall=judged.recall(cutoff),
        reviewed_above=CountedShare(above, flagged),
        reviewed_below=CountedShare(len(judged) - above, spread.counts.rows - flagged),
    )


def curve(judged: Judged) -> tuple[CurvePoint, ...]:
    """Return precision, recall and money over the cutoffs at which something changes, at most 160, ascending."""
    steps = np.unique(np.concatenate([[0.0], judged.severities]))
    if len(steps) > CURVE_POINTS:
        # By rank and not by severity: decided rows crowd at the upper end.
        steps = steps[np.unique(np.linspace(0, len(steps) - 1, CURVE_POINTS).round().astype(int))]
    return tuple(
        CurvePoint(cutoff, judged.precision(cutoff), judged.recall(cutoff), judged.money(cutoff, interval=False).value)
        for cutoff in steps.tolist()
    )


def histogram(spread: Spread, lowest: float = 0.0) -> Histogram:
    """Return the rows from the severity ``lowest`` (0-100) up to 100, in a hundred bins."""
    severities, counts = spread.counts.severities, spread.counts.counts
    found, edges = np.histogram(severities, bins=100, range=(lowest, 100.0), weights=counts)
    return Histogram(tuple(edges.tolist()), tuple(found.astype(int).tolist()))


def capacity(ws: Workspace) -> float | None:
    """Return how many cases a day the team can review, or ``None`` while nobody has said."""
    found = preference(ws, CAPACITY)
    return None if found is None else float(found)


@needs("manage")
def set_capacity(ws: Workspace, a_day: float | None, *, actor: str) -> None:
    """Keep how many cases a day the team can review; raises ``InputError`` unless it is above 0."""
    if a_day is not None and not 0 < a_day < 1e9:
        raise InputError(f"The team's capacity is a number of cases above 0, not {a_day}.")
    set_preference(ws, CAPACITY, None if a_day is None else float(a_day), actor=actor)


def has_own_cutoff(ws: Workspace) -> bool:
    """Return whether a person has set the cutoff, in place of what the model's contamination implies."""
    return preference(ws, CUTOFF) is not None


@needs("manage")
def apply_cutoff(ws: Workspace, cutoff: float | None, *, seen: float, actor: str, reason: str) -> None:
    """Move the champion's cutoff (``None``: to what each model implies); nothing is trained.

    Parameters
    ----------
    seen
        The cutoff that the person had before them.
    reason
        Why; it is written into the log.

    Raises
    ------
    InputError
        When the cutoff is no severity, or there is no reason.
    ConflictError
        When somebody else has moved the cutoff in the meantime.
    NotTrainedError
        When there is no champion.
    """
    if not reason.strip():
        raise InputError("Say why the cutoff moves; the reason is kept in the log.")
    ws.current_champion()
    ws.set_cutoff(cutoff, actor=actor, reason=reason.strip(), seen=seen)


def cutoff_history(ws: Workspace, *, limit: int = 50) -> tuple[CutoffChange, ...]:
    """Return the changes of the cutoff, newest first."""
    entry = tables.audit.c
    query = select(entry.at, entry.actor, entry.details).where(entry.action == "cutoff set")
    with ws.database.read() as connection:
        found = connection.execute(query.order_by(entry.number.desc()).limit(limit)).mappings().all()
    return tuple(_change(row["at"], row["actor"], row["details"]) for row in found)


def _change(at: datetime, actor: str, told: Mapping[str, Any]) -> CutoffChange:
    return CutoffChange(at, actor, told.get("before"), told.get("cutoff"), told.get("version"), told.get("reason", ""))


def _plan_for(spread: Spread, most: float) -> Plan:
    severities, counts = spread.counts.severities, spread.counts.counts
    if not len(severities):
        return plan_at(spread, 100.0)
    above = counts.sum() - counts.cumsum()
    # A share typed as 10 % of 30 rows must mean 3 of them, whatever binary fractions make of it.
    first = int(np.argmax(above <= most * (1 + 1e-12) + 1e-9))
    if counts.sum() <= most:
        return plan_at(spread, 0.0)
    upper = severities[first + 1] if first + 1 < len(severities) else 100.0
    return plan_at(spread, _shortest(float(severities[first]), float(upper)))


def _shortest(low: float, high: float) -> float:
    """Return the number from ``low`` to below ``high`` with the fewest decimals: all of them flag the same rows."""
    for decimals in range(1, _DECIMALS + 1):
        scale = 10.0**decimals
        rounded = math.ceil(low * scale) / scale
        if low <= rounded < high:
            return rounded
    return low
