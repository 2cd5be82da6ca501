"""What counts as a time, and how many seconds since 1970 UTC it is; the same for one value and for a column."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from detector.core.later import pd

#: A date as ISO 8601 writes it, with or without a time of day and an offset. Digits alone are a number, not a time.
TIME_TEXT = (
    r"\s*\d{4}-\d{2}-\d{2}"
    r"([T ]([01]\d|2[0-3])(:[0-5]\d(:[0-5]\d(\.\d{1,9})?)?)?( ?(Z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?))?)?\s*"
)
#: Seconds at which the years 1 and 10000 begin.
_FIRST, _LAST = -62_135_596_800, 253_402_300_800

_is_time_text = re.compile(TIME_TEXT, re.ASCII).fullmatch
_TIMES = (date, np.datetime64)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def times_of(values: pd.Series) -> pd.Series:
    """Return ISO 8601 texts or times as UTC times; what cannot be read is missing, a time without a zone is UTC."""
    dtype = values.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        return cast("pd.Series", values.dt.tz_convert("UTC"))
    if isinstance(dtype, np.dtype) and dtype.kind == "M":
        return cast("pd.Series", values.dt.tz_localize("UTC"))
    if isinstance(dtype, np.dtype) and dtype.kind != "O":
        # Seconds, milliseconds or days? A number alone does not say.
        return pd.Series(pd.NaT, index=values.index, dtype="datetime64[us, UTC]")
    if not isinstance(dtype, pd.StringDtype):
        objects = values.astype(object)
        values = objects.where(objects.map(_may_be_time).astype(bool), None)
    return cast("pd.Series", pd.to_datetime(values, format="ISO8601", errors="coerce", utc=True))


def seconds_of_column(column: pd.Series) -> NDArray[np.float64]:
    """Return (n,) seconds since 1970 UTC of a column of times or texts; NaN where a value is no time."""
    times = times_of(column).dt.tz_localize(None).to_numpy()
    seconds = np.where(np.isnat(times), np.nan, times.astype("datetime64[us]").astype(np.int64) / 1e6)
    if getattr(column.dtype, "kind", "O") not in "OU":
        return seconds
    if isinstance(column.dtype, pd.StringDtype):
        seconds[~column.str.fullmatch(TIME_TEXT).fillna(False).to_numpy(bool)] = np.nan
    seconds[(seconds < _FIRST) | (seconds >= _LAST)] = np.nan
    # Times that are read together share a range: nanoseconds in one of them leave no room for the year 9999.
    left = np.isnan(seconds)
    seconds[left] = [seconds_of(value) for value in column[left].astype(object)]
    return seconds


def seconds_of(value: Any) -> float:
    """Return the seconds since 1970 UTC of one time or text; NaN when it is no time."""
    if isinstance(value, str):
        if _is_time_text(value) is None:
            return np.nan
        text = value.strip()
        try:
            value = datetime.fromisoformat(text if " " not in text[11:] else text.replace(" ", "T", 1).replace(" ", ""))
        except ValueError:  # the 30th of February
            return np.nan
    if type(value) is not datetime:
        if isinstance(value, pd.Timestamp):
            value = value.asm8
        if isinstance(value, np.datetime64):
            ticks = value.astype("datetime64[us]")
            return np.nan if np.isnat(ticks) else int(ticks.astype(np.int64)) / 1e6
        if not isinstance(value, date) or value is pd.NaT:
            return np.nan
        if not isinstance(value, datetime):
            value = datetime.combine(value, time())
    since: timedelta = (value if value.tzinfo else value.replace(tzinfo=UTC)) - _EPOCH
    return (since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds) / 1e6


def _may_be_time(value: Any) -> bool:
    if isinstance(value, str):
        return _is_time_text(value) is not None
    return isinstance(value, _TIMES)
