"""How old rows fade: by half in so many rows, or by half in so much time."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.later import pd
from detector.core.schema import Schema
from detector.core.times import seconds_of_column

#: The latest of so many rows are passed over when a batch is dated: one wrong year must not fade all that is known.
ROWS_A_LATEST = 100
#: What fades further than this has gone; a weight of 0 could not be divided by.
LEAST_FADE = 1e-100

_UNITS = {
    "s|sec|seconds?": 1.0, "min|minutes?": 60.0, "h|hours?": 3_600.0, "d|days?": 86_400.0, "w|weeks?": 604_800.0,
}  # fmt: skip
_SPAN = re.compile(rf"\s*(\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*({'|'.join(_UNITS)})\s*", re.ASCII | re.IGNORECASE).fullmatch


@dataclass(frozen=True)
class HalfLife:
    """After what an old row counts half; one of the two is infinite.

    Parameters
    ----------
    rows : new rows.
    seconds : time between the latest rows of one batch and of the next.
    """

    rows: float = math.inf
    seconds: float = math.inf

    @property
    def is_time(self) -> bool:
        """Whether rows fade with time, not with rows."""
        return math.isinf(self.rows)

    def fade(self, rows: int, elapsed: float) -> float:
        """Return what an old weight is multiplied by: 0.5 ** (rows / half-life), or of the ``elapsed`` seconds."""
        return max(LEAST_FADE, float(0.5 ** (rows / self.rows + elapsed / self.seconds)))

    def counts(self, seconds: NDArray[np.float64], latest: float | None, rows: int | None = None) -> float:
        """Return as how many rows a batch of these times (n,) counts: its own rows fade among each other, too.

        However long the batch, that is at most half-life / ln 2 rows. In time, a row without one counts as a late one.
        Where the times are those of a sample, ``rows`` is how many rows it stands for.
        """
        n = len(seconds) if rows is None else rows
        if not self.is_time:
            rate = math.log(2.0) / self.rows
            return max(1.0, math.expm1(-rate * n) / math.expm1(-rate))
        if latest is None:
            return float(n)
        age = np.maximum(latest - np.where(np.isnan(seconds), latest, seconds), 0.0)
        return float(np.exp2(-age / self.seconds).sum()) * n / len(seconds)


def half_life_of(value: Any) -> HalfLife | None:
    """Return the half-life that a parameter names: a number of rows, or a time as text or time span; else ``None``."""
    if isinstance(value, str):
        found = _SPAN(value)
        seconds = float(found[1]) * _unit(found[2]) if found else math.nan
    elif isinstance(value, np.timedelta64 | timedelta):  # numpy counts its own among the whole numbers
        seconds = _seconds_of_span(value)
    elif isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        return HalfLife(rows=float(value)) if 0.0 < value < math.inf else None
    else:
        return None
    return HalfLife(seconds=seconds) if 0.0 < seconds < math.inf else None


def plain_half_life(value: Any) -> Any:
    """Return the parameter as a model file holds it: a number, or a text."""
    return f"{_seconds_of_span(value)!r}s" if isinstance(value, np.timedelta64 | timedelta) else value


def _unit(text: str) -> float:
    return next(seconds for names, seconds in _UNITS.items() if re.fullmatch(names, text, re.IGNORECASE))


def _seconds_of_span(value: timedelta | np.timedelta64) -> float:
    """Return NaN for no time at all."""
    return float(value / np.timedelta64(1, "s")) if isinstance(value, np.timedelta64) else value / timedelta(seconds=1)


def time_feature(schema: Schema, roles: Mapping[str, str]) -> str | None:
    """Return the name of the column that dates rows: the one with the role time, one that a person chose first."""
    times = [feature.name for feature in schema if feature.role == "time" and feature.kind == "datetime"]
    return min(times, key=lambda name: (roles.get(name) != "time", name), default=None)


def seconds_in(frame: pd.DataFrame, name: str | None) -> NDArray[np.float64]:
    """Return (n,) seconds since 1970 UTC of the column that dates rows; NaN where it does not."""
    if name is None or name not in frame.columns:
        return np.full(len(frame), math.nan)
    return seconds_of_column(frame[name])


def latest_of(seconds: NDArray[np.float64]) -> float | None:
    """Return when a batch was: its latest time, one in every hundred rows passed over; ``None`` without any time."""
    known = seconds[~np.isnan(seconds)]
    if not len(known):
        return None
    place = len(known) - 1 - len(known) // ROWS_A_LATEST
    return float(np.partition(known, place)[place])


def elapsed_between(before: float | None, now: float | None) -> float:
    """Return the seconds from one batch to the next; none when either has no time, or when it goes back."""
    return max(0.0, now - before) if before is not None and now is not None else 0.0


def later_of(before: float | None, now: float | None) -> float | None:
    """Return the later of two times that may be unknown."""
    return max((time for time in (before, now) if time is not None), default=None)
