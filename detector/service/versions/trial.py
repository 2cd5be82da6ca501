"""A challenger on live traffic, as the database has it, and what is counted of it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, and_, delete, insert, select

from detector.service.histogram import Histogram
from detector.service.versions.agreement import CHALLENGER, Agreement
from detector.store import tables
from detector.store.trial_tables import trial_counts, trials

Mode = Literal["shadow", "share"]

_counts = trial_counts.c
_AGREEMENT = tuple(field.name for field in fields(Agreement))


@dataclass(frozen=True)
class Trial:
    """A challenger that sees live requests.

    ``mode``: in ``shadow`` the champion answers all; in ``share`` the challenger answers ``share`` (0-1) of them. Both
    score every request either way. ``revision`` is that of the challenger alias: when the alias moves on, the trial is
    over. ``field`` names the transaction that decides who answers, ``salt`` keys its hash.
    """

    id: int
    challenger: int
    revision: int
    mode: Mode
    share: float
    field: str | None
    salt: str
    started_at: datetime
    started_by: str


def find_trial(connection: Connection) -> Trial | None:
    """Return the trial that goes on, read in the caller's transaction."""
    alias = tables.aliases.c
    query = select(trials).join(tables.aliases, and_(alias.name == CHALLENGER, alias.revision == trials.c.revision))
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else Trial(**row)


@dataclass(frozen=True)
class TrialCounts:
    """What was counted of rows that both versions scored; two counts add up.

    ``answered``: rows among them that the challenger answered. ``shift``: the sum of how far the two severities of a
    row lie apart. ``dropped``: rows that only one version scored, since the other was behind; ``failed``: rows that the
    challenger could not score.
    """

    agreement: Agreement
    answered: int
    shift: float
    champion: Histogram
    challenger: Histogram
    dropped: int
    failed: int

    @classmethod
    def none(cls, *, dropped: int = 0, failed: int = 0) -> TrialCounts:
        """Return the counts of no scored rows."""
        return cls(Agreement(0, 0, 0, 0), 0, 0.0, Histogram.empty(), Histogram.empty(), dropped, failed)

    @classmethod
    def of(
        cls, champion: NDArray[np.float64], challenger: NDArray[np.float64], cutoffs: tuple[float, float], answered: int
    ) -> TrialCounts:
        """Count severities (n,) of the same rows by both versions, each flagging above its own cutoff."""
        return cls(
            Agreement.of(champion > cutoffs[0], challenger > cutoffs[1]),
            answered,
            float(np.abs(champion - challenger).sum()),
            Histogram.of(champion),
            Histogram.of(challenger),
            0,
            0,
        )

    def plus(self, other: TrialCounts) -> TrialCounts:
        """Return the counts of both sets of rows."""
        return TrialCounts(
            self.agreement.plus(other.agreement),
            self.answered + other.answered,
            self.shift + other.shift,
            self.champion.plus(other.champion),
            self.challenger.plus(other.challenger),
            self.dropped + other.dropped,
            self.failed + other.failed,
        )


def add_counts(connection: Connection, trial: int, champion: int, counts: TrialCounts) -> None:
    """Add to what all processes have counted of a trial against one champion; the transaction must be a write."""
    this = and_(_counts.trial == trial, _counts.champion == champion)
    before = _from_row(connection.execute(select(trial_counts).where(this)).mappings().one_or_none())
    total = counts if before is None else before.plus(counts)
    connection.execute(delete(trial_counts).where(this))
    connection.execute(
        insert(trial_counts).values(
            trial=trial,
            champion=champion,
            **{name: getattr(total.agreement, name) for name in _AGREEMENT},
            answered=total.answered,
            shift=total.shift,
            champion_histogram=total.champion.to_dict(),
            challenger_histogram=total.challenger.to_dict(),
            dropped=total.dropped,
            failed=total.failed,
            counted_at=datetime.now(UTC),
        )
    )


def counted(connection: Connection, trial: int, champion: int) -> TrialCounts:
    """Return what all processes together have counted of a trial against one champion."""
    query = select(trial_counts).where(_counts.trial == trial, _counts.champion == champion)
    return _from_row(connection.execute(query).mappings().one_or_none()) or TrialCounts.none()


def _from_row(row: Any) -> TrialCounts | None:
    if row is None:
        return None
    return TrialCounts(
        Agreement(**{name: row[name] for name in _AGREEMENT}),
        row["answered"],
        row["shift"],
        Histogram.from_dict(row["champion_histogram"]),
        Histogram.from_dict(row["challenger_histogram"]),
        row["dropped"],
        row["failed"],
    )
