"""Numbers, shares, times and sizes as people read them."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime

#: Stands where there is no value.
NONE = "–"
#: Keeps a number and its unit on one line.
NBSP = "\u00a0"

_SIZES = ("B", "KB", "MB", "GB", "TB")


def count(value: int | None) -> str:
    """Return a whole number with thousands separators: ``12,345``."""
    return NONE if value is None else f"{value:,d}"


def number(value: float | None) -> str:
    """Return a measured number with four significant digits and thousands separators: ``0.7213``, ``12,350``."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if exponent < -5:
        return f"{value:.3e}"
    rounded = round(value, 3 - exponent)
    text = f"{rounded:,.{max(0, 3 - exponent)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def exact(value: float) -> str:
    """Return a number with all its digits and nothing added: ``1060.45``, ``38.9188``, ``120``."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def money(value: float | None) -> str:
    """Return an amount with two decimals and thousands separators: ``12,300.00``."""
    return NONE if value is None or math.isnan(value) else f"{value:,.2f}"


def percent(share: float | None) -> str:
    """Return a share of one as a percentage with one decimal; a share above 0 never reads as 0."""
    if share is None or math.isnan(share):
        return NONE
    if 0 < share < 0.0005:
        return f"<{NBSP}0.1%"
    return f"{share * 100:,.1f}%"


def severity(value: float | None) -> str:
    """Return a severity or a cutoff, 0 to 100, with one decimal."""
    return NONE if value is None or math.isnan(value) else f"{value:.1f}"


def exact_cutoff(value: float) -> str:
    """Return a cutoff as it is: one decimal where that is all of it, else up to six digits."""
    return severity(value) if round(value, 1) == value else f"{value:.6g}"


def age(moment: datetime | None, now: datetime | None = None) -> str:
    """Return how long ago ``moment`` was, in the largest unit that says enough.

    A time without a zone is taken as UTC, as the database stores it.
    """
    if moment is None:
        return NONE
    seconds = ((now or datetime.now(UTC)) - as_utc(moment)).total_seconds()
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{int(seconds // 60)}{NBSP}min ago"
    if seconds < 48 * 3600:
        return f"{int(seconds // 3600)}{NBSP}h ago"
    return f"{int(seconds // 86400)}{NBSP}days ago"


def moment(value: datetime | None) -> str:
    """Return a time to the minute, in UTC and said so: ``2026-03-04 09:15 UTC``."""
    return NONE if value is None else f"{as_utc(value):%Y-%m-%d %H:%M} UTC"


def day_label(day: date) -> str:
    """Return a day as short as a chart needs it: ``4 Mar``, with the year when it is not this one."""
    text = f"{day.day}{NBSP}{day:%b}"
    return text if day.year == datetime.now(UTC).year else f"{text}{NBSP}{day:%Y}"


def size(bytes_: int) -> str:
    """Return a file size with three significant digits: ``12.3 MB``."""
    value = float(bytes_)
    for unit in _SIZES:
        if value < 1000 or unit == _SIZES[-1]:
            break
        value /= 1000
    return f"{value:.0f}{NBSP}{unit}" if unit == "B" or value >= 100 else f"{value:.3g}{NBSP}{unit}"


def milliseconds(seconds: float) -> str:
    """Return a short duration in milliseconds."""
    value = seconds * 1000
    return f"{value:,.0f}{NBSP}ms" if value >= 10 else f"{value:.1f}{NBSP}ms"


def plural(amount: int, one: str, many: str | None = None) -> str:
    """Return the amount with its noun: ``1 row``, ``2,000 rows``."""
    return f"{count(amount)} {one if amount == 1 else many or one + 's'}"


def listed(names: tuple[str, ...] | list[str], most: int = 4) -> str:
    """Return names as part of a sentence, at most ``most`` of them: ``a, b and 3 more``."""
    names = list(names)
    if len(names) > most:
        return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def as_utc(value: datetime) -> datetime:
    """Return ``value`` in UTC; a time without a zone is taken as UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
