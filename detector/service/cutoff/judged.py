"""What people decided about the rows of a file, beside the severities that a run gave them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import select

from detector.core.intervals import wilson
from detector.service.runs import Run, run_path
from detector.service.workspace import Workspace
from detector.store import run_columns, tables

#: Drawings of the bootstrap, and the seed of its numbers.
DRAWINGS, SEED = 1_000, 20_260_301
#: From fewer frauds than this no interval of money is drawn.
FEWEST_FOR_MONEY = 10


@dataclass(frozen=True)
class Decided:
    """What stands of a row: the newest decision on it that was not taken back. ``run`` is where it was made."""

    row: int
    outcome: str
    reason: str
    amount: float | None
    made_at: datetime
    made_by: str
    run: int
    number: int


@dataclass(frozen=True)
class CountedShare:
    """A share that was counted: ``hits`` of ``of``, with its 95 % interval (0-1); nothing where ``of`` is 0."""

    hits: int
    of: int

    @property
    def value(self) -> float | None:
        """The share, 0-1."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's interval of the share."""
        return wilson(self.hits, self.of) if self.of else None


@dataclass(frozen=True)
class CaughtMoney:
    """Money in frauds above the cutoff, of that in all frauds; ``frauds`` are those with an amount.

    ``interval`` (0-1) is the middle 95 % of 1,000 drawings of the frauds with replacement (Efron's bootstrap); ``None``
    with fewer than ten.
    """

    caught: float
    of: float
    frauds: int
    interval: tuple[float, float] | None

    @property
    def value(self) -> float | None:
        """The share of the money, 0-1."""
        return self.caught / self.of if self.of > 0 else None


@dataclass(frozen=True, eq=False)
class Judged:
    """Decided rows of a run: ``severities``, ``frauds`` and ``amounts`` (nan where unknown) are (n,), row for row.

    Rows decided as unclear are not among them; ``unclear`` counts them.
    """

    rows: NDArray[np.int64]
    severities: NDArray[np.float64]
    frauds: NDArray[np.bool_]
    amounts: NDArray[np.float64]
    unclear: int

    def __len__(self) -> int:
        return len(self.rows)

    def precision(self, cutoff: float) -> CountedShare:
        """Return frauds among the decided rows above ``cutoff``."""
        above = self.severities > cutoff
        return CountedShare(int((above & self.frauds).sum()), int(above.sum()))

    def recall(self, cutoff: float) -> CountedShare:
        """Return the decided frauds that lie above ``cutoff``, of all decided frauds."""
        return CountedShare(int((self.frauds & (self.severities > cutoff)).sum()), int(self.frauds.sum()))

    def money(self, cutoff: float, *, interval: bool = True) -> CaughtMoney:
        """Return the money in decided frauds above ``cutoff``, of that in all decided frauds with an amount."""
        counted = self.frauds & (self.amounts > 0)
        amounts, above = self.amounts[counted], self.severities[counted] > cutoff
        bounds = _bootstrap(amounts, above) if interval and len(amounts) >= FEWEST_FOR_MONEY else None
        return CaughtMoney(float(amounts[above].sum()), float(amounts.sum()), len(amounts), bounds)


def decided_rows(ws: Workspace, run: Run) -> tuple[Decided, ...]:
    """Return what people decided about the rows of a run's file, by row; one decision a row, the newest.

    Decisions belong to the file: those made when an earlier version had scored the very same rows count as well.
    """
    taken, known = tables.decisions.c, tables.runs.c
    query = (
        select(taken.row, taken.outcome, taken.reason, taken.amount, taken.made_at, taken.made_by, taken.run)
        .add_columns(taken.number)
        .join(tables.runs, known.id == taken.run)
        .where(taken.ended_at.is_(None))
        .order_by(taken.number)
    )
    if run.sha256 is None:
        query = query.where(known.id == run.id)
    else:
        query = query.where(known.sha256 == run.sha256, known.rows == run.rows)
    with ws.database.read() as connection:
        found = {row["row"]: Decided(**row) for row in connection.execute(query).mappings()}
    return tuple(found[row] for row in sorted(found))


def judged(ws: Workspace, run: Run) -> Judged:
    """Return the decided rows of a run with the severities that the run gave them.

    Raises
    ------
    NotFoundError
        When the run's rows are gone from the disk.
    """
    return judged_with(decided_rows(ws, run), ws, run, ())[0]


def judged_with(
    decided: Sequence[Decided], ws: Workspace, run: Run, columns: Sequence[str]
) -> tuple[Judged, pd.DataFrame]:
    """Return the decided rows, and their values in ``columns``, row for row; see :func:`judged`."""
    clear = [one for one in decided if one.outcome in ("fraud", "legitimate")]
    if not clear:
        nothing = np.empty(0)
        return Judged(nothing.astype(int), nothing, nothing.astype(bool), nothing, len(decided)), pd.DataFrame(
            {name: [] for name in columns}
        )
    path = run_path(ws, run.id)
    frame = run_columns.rows_at(path, [one.row for one in clear], ["severity", *columns])
    there = [one for one in clear if one.row in frame.index]
    frame = frame.loc[[one.row for one in there]]
    return (
        Judged(
            rows=np.array([one.row for one in there], np.int64),
            severities=frame["severity"].to_numpy(np.float64),
            frauds=np.array([one.outcome == "fraud" for one in there], bool),
            amounts=np.array([np.nan if one.amount is None else one.amount for one in there], np.float64),
            unclear=len(decided) - len(clear),
        ),
        frame[list(columns)],
    )


def _bootstrap(amounts: NDArray[np.float64], above: NDArray[np.bool_]) -> tuple[float, float]:
    random = np.random.default_rng(SEED)
    times: Any = random.multinomial(len(amounts), np.full(len(amounts), 1.0 / len(amounts)), size=DRAWINGS)
    shares = (times @ (amounts * above)) / (times @ amounts)
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(low), float(high)
