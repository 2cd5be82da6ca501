"""How values and findings are put into words for people; written once, for reports, reasons and pages."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from detector.core.statistics import FeatureStatistics
from detector.errors import excerpt

#: What a column of each kind holds, and one of its values.
AS_KIND = {"numeric": "numbers", "categorical": "text", "boolean": "yes or no", "datetime": "times"}
ONE_OF_KIND = {"numeric": "a number", "categorical": "a text", "boolean": "a yes or no", "datetime": "a time"}
#: What is said of rows without a value where training had such rows too.
KNOWN_GAPS = "Rows without a value are scored as having none: training had such rows, and showed what it means."
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


def alias_text(came_as: str, name: str, because: str) -> str:
    """Return what is said of a column that came under another name; without ``because`` an update has met it before."""
    shown, known = excerpt(came_as), excerpt(name)
    if not because:
        return f"It came as {shown!r}, its other name since an update, and is read as {known!r}."
    return f"It came as {shown!r}, and is read as {known!r}: {because}."


def unit_text(factor: float, expected: float, money: bool) -> str:
    """Return what is said of numbers that are divided by ``factor`` where the model expects ``expected``."""
    done = f"they are divided by {value_text(factor)}" if factor > 1.0 else "they are used as they are"
    if factor < 1.0:
        done = f"they are multiplied by {value_text(1.0 / factor)}"
    times = f"{value_text(factor)} times those" if factor > 1.0 else f"one in {value_text(1.0 / factor)} of those"
    if factor == 1.0:
        return f"Its values are in the unit of training again, which an update had found changed: {done}."
    if factor == expected:
        return f"Its values come in the unit that an update has met, {times} of training: {done}."
    why = "as if its unit had changed"
    if money and factor in (100.0, 0.01):
        why = "as if units had become cents" if factor > 1.0 else "as if cents had become units"
    return f"Its values are {times} of training, {why}: {done}."


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
