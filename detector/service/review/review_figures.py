"""How the review goes: what was decided today, how long a decision takes, how many alarms were false."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from statistics import median

from sqlalchemy import func, select

from detector.service.access import needs
from detector.service.review.inbox import OUTCOMES, Outcome
from detector.service.workspace import Workspace
from detector.store import tables

#: Days that the figures of the first page look back on.
DAYS = 30


@dataclass(frozen=True)
class ReviewFigures:
    """The decisions in force of the last 30 days.

    ``fraud`` and ``legitimate``: how many cases were decided so. ``false_share``: legitimate among both, 0-1, ``None``
    before the first decision. ``seconds``: median time that a person looked at a case before she decided it, over
    ``timed`` decisions; ``None`` without one. ``by_day``: (day, fraud, legitimate, median seconds or ``None``), oldest
    first, days in UTC on which something was decided.
    """

    fraud: int
    legitimate: int
    false_share: float | None
    seconds: float | None
    timed: int
    by_day: tuple[tuple[date, int, int, float | None], ...]


def review_figures(ws: Workspace) -> ReviewFigures:
    """Return how the review went in the last 30 days."""
    decisions, since = tables.decisions, datetime.now(UTC) - timedelta(days=DAYS)
    query = (
        select(decisions.c.outcome, decisions.c.seconds, decisions.c.made_at)
        .where(decisions.c.ended_at.is_(None), decisions.c.made_at >= since)
        .order_by(decisions.c.made_at)
    )
    days: dict[date, list[tuple[str, float | None]]] = {}
    with ws.database.read() as connection:
        for outcome, seconds, made_at in connection.execute(query):
            days.setdefault(made_at.date(), []).append((outcome, seconds))
    every = [one for some in days.values() for one in some]
    fraud, legitimate = _count(every, "fraud"), _count(every, "legitimate")
    return ReviewFigures(
        fraud=fraud,
        legitimate=legitimate,
        false_share=legitimate / (fraud + legitimate) if fraud + legitimate else None,
        seconds=_median(every),
        timed=sum(seconds is not None for _, seconds in every),
        by_day=tuple(
            (day, _count(some, "fraud"), _count(some, "legitimate"), _median(some)) for day, some in days.items()
        ),
    )


@needs("read")
def decided_today(ws: Workspace, *, actor: str) -> Mapping[Outcome, int]:
    """Return how many cases a person has decided today (UTC), by outcome; what was taken back does not count."""
    decisions = tables.decisions
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    query = (
        select(decisions.c.outcome, func.count())
        .where(decisions.c.made_by == actor, decisions.c.made_at >= midnight, decisions.c.ended_at.is_(None))
        .group_by(decisions.c.outcome)
    )
    with ws.database.read() as connection:
        found = {row[0]: int(row[1]) for row in connection.execute(query)}
    return {outcome: found.get(outcome, 0) for outcome in OUTCOMES}


def _count(decisions: list[tuple[str, float | None]], outcome: Outcome) -> int:
    return sum(one == outcome for one, _ in decisions)


def _median(decisions: list[tuple[str, float | None]]) -> float | None:
    known = [seconds for _, seconds in decisions if seconds is not None]
    return median(known) if known else None
