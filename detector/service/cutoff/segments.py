"""A cutoff's effect side by side: by the values of a column, or by bands of the amount."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from detector.core.wording import value_text
from detector.errors import InputError
from detector.service.cutoff.judged import CountedShare, Decided, judged_with
from detector.service.runs import Run, run_path
from detector.service.workspace import Workspace
from detector.store import run_columns
from detector.store.run_columns import NO_VALUE, OTHERS, SeverityCounts

#: Values of a column that are shown one by one.
MOST_VALUES = 12
#: Bands of the amount begin at these shares of the run's rows.
BAND_SHARES = (0.5, 0.8, 0.95, 0.99)


@dataclass(frozen=True)
class SegmentChoice:
    """A way to cut a run's rows: ``column``, by its values or (``bands``) by size."""

    column: str
    bands: bool


@dataclass(frozen=True)
class Segment:
    """Rows that share a value or a band: how many there are, are flagged now and would be, and what was decided.

    ``precision_now`` and ``precision_then`` count frauds among the decided rows above either cutoff; ``decided`` are
    all decided rows, ``frauds`` those of them that are frauds.
    """

    name: str
    rows: int
    flagged_now: CountedShare
    flagged_then: CountedShare
    decided: int
    frauds: int
    precision_now: CountedShare
    precision_then: CountedShare


def segment_choices(ws: Workspace, run: Run) -> tuple[SegmentChoice, ...]:
    """Return the ways to cut a run: its amount in bands, then its columns of categories that take part in scores.

    Raises
    ------
    NotFoundError
        When the run's rows are gone from the disk.
    """
    kinds = run_columns.column_kinds(run_path(ws, run.id))
    known = {feature.name: feature for feature in ws.detector(run.version).schema_ if not feature.derived}
    amounts = [
        name for name in run.columns if kinds[name] == "number" and name in known and known[name].role == "amount"
    ]
    categories = [
        name
        for name in run.columns
        if kinds[name] in ("text", "yes or no")
        and (name not in known or (known[name].takes_part and known[name].role != "entity"))
    ]
    return (*(SegmentChoice(name, True) for name in amounts), *(SegmentChoice(name, False) for name in categories))


def segments(
    ws: Workspace, run: Run, choice: SegmentChoice, decided: tuple[Decided, ...], *, now: float, then: float
) -> tuple[Segment, ...]:
    """Return a run's segments, bands in ascending order, values by their frequency (beyond twelve, all others).

    Parameters
    ----------
    decided
        What was decided about the run's rows.
    now, then
        The cutoff as it is and as it may be, severities 0-100.

    Raises
    ------
    InputError
        When the run has no such column.
    NotFoundError
        When the run's rows are gone from the disk.
    """
    if choice not in segment_choices(ws, run):
        raise InputError(f"The run cannot be cut by {choice.column!r}.")
    path = run_path(ws, run.id)
    found, values = judged_with(decided, ws, run, [choice.column])
    if choice.bands:
        breaks = _breaks(run_columns.quantiles(path, choice.column, BAND_SHARES))
        counts = dict(zip(_band_names(breaks), run_columns.counts_by_band(path, choice.column, breaks), strict=True))
        names = np.array(_band_names(breaks), object)
        numbers = values[choice.column].to_numpy(np.float64, na_value=np.nan)
        of_row = names[np.where(np.isnan(numbers), 0, np.searchsorted(breaks, numbers, side="left") + 1)]
    else:
        counts = dict(run_columns.counts_by_value(path, choice.column, MOST_VALUES))
        counts = {name: counts[name] for name in sorted(counts, key=lambda name: (name == OTHERS, -counts[name].rows))}
        texts = [_as_text(value) for value in values[choice.column]]
        of_row = np.array([text if text in counts else OTHERS for text in texts], object)
    frauds, severities = found.frauds, found.severities
    return tuple(
        _segment(name, counted, frauds[of_row == name], severities[of_row == name], now, then)
        for name, counted in counts.items()
        if counted.rows
    )


def _segment(
    name: str,
    counts: SeverityCounts,
    frauds: NDArray[np.bool_],
    severities: NDArray[np.float64],
    now: float,
    then: float,
) -> Segment:
    def precision(cutoff: float) -> CountedShare:
        above = severities > cutoff
        return CountedShare(int((frauds & above).sum()), int(above.sum()))

    return Segment(
        name=name,
        rows=counts.rows,
        flagged_now=CountedShare(counts.above(now), counts.rows),
        flagged_then=CountedShare(counts.above(then), counts.rows),
        decided=len(frauds),
        frauds=int(frauds.sum()),
        precision_now=precision(now),
        precision_then=precision(then),
    )


def _breaks(found: tuple[float, ...]) -> tuple[float, ...]:
    """Return two-digit numbers near the quantiles, ascending and each once."""
    return tuple(sorted({float(f"{value:.2g}") for value in found if np.isfinite(value)}))


def _band_names(breaks: tuple[float, ...]) -> list[str]:
    if not breaks:
        return [NO_VALUE, "all"]
    texts = [value_text(value) for value in breaks]
    between = [f"above {low}, up to {high}" for low, high in pairwise(texts)]
    return [NO_VALUE, f"up to {texts[0]}", *between, f"above {texts[-1]}"]


def _as_text(value: object) -> str:
    """Return a value as the database writes it."""
    if value is None or value != value:  # noqa: PLR0124 - a missing number is the one that differs from itself
        return NO_VALUE
    return str(value).lower() if isinstance(value, bool | np.bool_) else str(value)
