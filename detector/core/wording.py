"""How values and findings are put into words for people; written once, for reports, reasons and pages."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from detector.core.statistics import FeatureStatistics

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def default_text(statistics: FeatureStatistics) -> float | str | None:
    """Return what stands in for a missing value in displays; of times, the middle one as ISO 8601 text."""
    default = statistics.default
    if statistics.kind == "datetime" and isinstance(default, float):
        time = _time(default)
        return None if time is None else time.isoformat()
    return default


def value_text(value: object) -> str:
    """Return a value as people read it: four significant digits, thousands separated, text as it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "no value"
    if not isinstance(value, int | float):
        return str(value)
    if abs(value) >= 1e15:
        return f"{value:.4g}" if abs(value) < 1e300 else "a number beyond all bounds"
    if value == int(value):
        return f"{int(value):,}"
    if abs(value) >= 999.95:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def share_text(share: float) -> str:
    """Return a share (0-1) in percent as people read it, never rounded to nothing or to all."""
    if 0.0 < share < 0.001:
        return "less than 0.1%"
    if 0.999 < share < 1.0:
        return "more than 99.9%"
    return f"{share:.1%}".replace(".0%", "%")


def time_text(seconds: float) -> str:
    """Return seconds since 1970 as a weekday, a date and, unless it is midnight, a time of day in UTC."""
    time = _time(seconds)
    if time is None:
        return "a time beyond the calendar"
    day = f"{_WEEKDAYS[time.weekday()]} {time.date().isoformat()}"
    return day if seconds % 86_400 == 0 else f"{day} {time:%H:%M} UTC"


def _time(seconds: float) -> datetime | None:
    try:
        return _EPOCH + timedelta(seconds=round(seconds))
    except OverflowError:  # a year that no calendar of ours has
        return None
