"""Dates and times written as text: which layout they have, and the instant they mean."""

from __future__ import annotations

import numpy as np

from detector.files.kernels import SPACE, TAB, Bytes, Numbers, Positions, compiled

# Layout of one value, as bits; the union over a column decides how the column is read.
YEAR_FIRST, DOTTED, TWO_FIRST, ZONED, UNZONED, NOT_DAY_FIRST, NOT_MONTH_FIRST, FINER, UNREADABLE, CLOCK = (
    1 << bit for bit in range(10)
)
#: What a missing time is stored as; the value that numpy and pandas call NaT.
MISSING_TIME = np.iinfo(np.int64).min

_DIGIT_0, _DIGIT_9 = 48, 57
_DASH, _DOT, _SLASH, _COLON, _LETTER_T, _LETTER_Z, _PLUS, _COMMA = 45, 46, 47, 58, 116, 122, 43, 44
_LOWER = 32


@compiled
def _digits(data: Bytes, at: int, end: int, least: int, most: int) -> tuple[int, int]:
    """Read ``least`` to ``most`` digits at ``at``; return (value, position behind them), or (-1, at)."""
    value = 0
    count = 0
    while at + count < end and count < most and _DIGIT_0 <= data[at + count] <= _DIGIT_9:
        value = value * 10 + data[at + count] - _DIGIT_0
        count += 1
    if count < least:
        return -1, at
    return value, at + count


@compiled
def _days(year: int, month: int, day: int) -> int:
    """Return the days since 1970-01-01, or a huge negative number when there is no such day (proleptic Gregorian)."""
    if month < 1 or month > 12 or day < 1 or year < 1:
        return MISSING_TIME
    longest = 31 if month in (1, 3, 5, 7, 8, 10, 12) else 30
    if month == 2:
        longest = 29 if (year % 4 == 0 and year % 100 != 0) or year % 400 == 0 else 28
    if day > longest:
        return MISSING_TIME
    # Howard Hinnant, "chrono-compatible low-level date algorithms", days_from_civil
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


@compiled
def _clock(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Read ``[ T]HH:MM[:SS[.fraction]][zone]`` up to ``end``; return (microseconds to add, layout bits)."""
    hour, at = _digits(data, at, end, 2, 2)
    if hour < 0 or hour > 23 or at >= end or data[at] != _COLON:
        return 0, UNREADABLE
    minute, at = _digits(data, at + 1, end, 2, 2)
    if minute < 0 or minute > 59:
        return 0, UNREADABLE
    bits = CLOCK
    micros = (hour * 3600 + minute * 60) * 1_000_000
    if at < end and data[at] == _COLON:
        second, at = _digits(data, at + 1, end, 2, 2)
        if second < 0 or second > 59:
            return 0, UNREADABLE
        micros += second * 1_000_000
        if at < end and data[at] in (_DOT, _COMMA):
            at += 1
            scale = 100_000
            begin = at
            while at < end and at - begin < 9 and _DIGIT_0 <= data[at] <= _DIGIT_9:
                micros += (data[at] - _DIGIT_0) * scale
                if scale == 0 and data[at] != _DIGIT_0:
                    bits |= FINER
                scale //= 10
                at += 1
            if at == begin:
                return 0, UNREADABLE
    if at < end and data[at] == SPACE:
        at += 1
    if at == end:
        return micros, bits | UNZONED
    if (data[at] | _LOWER) == _LETTER_Z:
        return (micros, bits | ZONED) if at + 1 == end else (0, UNREADABLE)
    if data[at] not in (_PLUS, _DASH):
        return 0, UNREADABLE
    sign = 1 if data[at] == _PLUS else -1
    hours, at = _digits(data, at + 1, end, 2, 2)
    minutes = 0
    if at < end:
        if data[at] == _COLON:
            at += 1
        minutes, at = _digits(data, at, end, 2, 2)
    if hours < 0 or hours > 15 or minutes < 0 or minutes > 59 or at != end:
        return 0, UNREADABLE
    return micros - sign * (hours * 60 + minutes) * 60_000_000, bits | ZONED


@compiled
def _instant(data: Bytes, at: int, end: int, day_first: bool) -> tuple[int, int]:
    """Return (microseconds since 1970 in UTC, layout bits) of one value without blanks around it."""
    begin = at
    first, at = _digits(data, at, end, 1, 4)
    if first < 0 or at >= end:
        return MISSING_TIME, UNREADABLE
    length = at - begin
    mark = data[at]
    if mark not in (_DASH, _DOT, _SLASH):
        return MISSING_TIME, UNREADABLE
    second, at = _digits(data, at + 1, end, 1, 2)
    if second < 0 or at >= end or data[at] != mark:
        return MISSING_TIME, UNREADABLE
    third_at = at + 1
    third, at = _digits(data, third_at, end, 1, 4)
    if third < 0:
        return MISSING_TIME, UNREADABLE
    days = MISSING_TIME
    if length == 4 and at - third_at <= 2 and mark != _DOT:
        bits = YEAR_FIRST
        days = _days(first, second, third)
    elif length <= 2 and at - third_at == 4 and mark == _DOT:
        bits = DOTTED
        days = _days(third, second, first)
    elif length <= 2 and at - third_at == 4:
        bits = TWO_FIRST
        by_day = _days(third, second, first)
        by_month = _days(third, first, second)
        bits |= NOT_DAY_FIRST if by_day == MISSING_TIME else 0
        bits |= NOT_MONTH_FIRST if by_month == MISSING_TIME else 0
        if by_day == MISSING_TIME and by_month == MISSING_TIME:
            return MISSING_TIME, UNREADABLE
        days = by_day if day_first else by_month
        if days == MISSING_TIME:
            days = by_month if day_first else by_day
    else:
        return MISSING_TIME, UNREADABLE
    if days == MISSING_TIME:
        return MISSING_TIME, UNREADABLE
    if at == end:
        return days * 86_400_000_000, bits
    if data[at] != SPACE and (data[at] | _LOWER) != _LETTER_T:
        return MISSING_TIME, UNREADABLE
    micros, more = _clock(data, at + 1, end)
    if more & UNREADABLE:
        return MISSING_TIME, UNREADABLE
    return days * 86_400_000_000 + micros, bits | more


@compiled
def _two(data: Bytes, at: int) -> int:
    """Return the number that two digits write; a negative one where they are no digits."""
    tens: int = data[at] - _DIGIT_0
    ones: int = data[at + 1] - _DIGIT_0
    return tens * 10 + ones if 0 <= tens <= 9 and 0 <= ones <= 9 else -10_000


@compiled
def _usual_instant(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Do what :func:`_instant` does for ``YYYY-MM-DD HH:MM:SS``, with or without ``Z`` behind it; else no bits.

    Most files hold nothing else, and where each digit stands is known.
    """
    zoned = end - at == 20 and (data[end - 1] | _LOWER) == _LETTER_Z
    if not (zoned or end - at == 19) or data[at + 4] != _DASH or data[at + 7] != _DASH:
        return MISSING_TIME, 0
    if data[at + 13] != _COLON or data[at + 16] != _COLON:
        return MISSING_TIME, 0
    if data[at + 10] != SPACE and (data[at + 10] | _LOWER) != _LETTER_T:
        return MISSING_TIME, 0
    year = _two(data, at) * 100 + _two(data, at + 2)
    hour, minute, second = _two(data, at + 11), _two(data, at + 14), _two(data, at + 17)
    if year < 0 or not (0 <= hour <= 23 and 0 <= minute <= 59 and 0 <= second <= 59):
        return MISSING_TIME, 0
    days = _days(year, _two(data, at + 5), _two(data, at + 8))
    if days == MISSING_TIME:
        return MISSING_TIME, 0
    micros = ((days * 24 + hour) * 60 + minute) * 60_000_000 + second * 1_000_000
    return micros, YEAR_FIRST | CLOCK | (ZONED if zoned else UNZONED)


@compiled
def read_times(data: Bytes, offsets: Positions, day_first: bool, out: Numbers) -> int:
    """Write each cell's microseconds since 1970 to ``out`` and return the union of the layouts.

    A time without zone counts as UTC; blank cells become ``MISSING_TIME``. Reading stops at the first value that is no
    time, and the union then holds ``UNREADABLE``.
    """
    union = 0
    for row in range(len(offsets) - 1):
        start = offsets[row]
        end = offsets[row + 1]
        while start < end and (data[start] == SPACE or data[start] == TAB):
            start += 1
        while end > start and (data[end - 1] == SPACE or data[end - 1] == TAB):
            end -= 1
        out[row] = MISSING_TIME
        if start == end:
            continue
        out[row], bits = _usual_instant(data, start, end)
        if bits == 0:
            out[row], bits = _instant(data, start, end, day_first)
        union |= bits
        if union & UNREADABLE:
            break
    return union


def is_single_layout(union: int) -> bool:
    """Tell whether all values of a column have one of the layouts, and all of them or none a zone."""
    if union & UNREADABLE or (union & ZONED and union & UNZONED):
        return False
    return bin(union & (YEAR_FIRST | DOTTED | TWO_FIRST)).count("1") == 1


def day_first_of(union: int, declared: bool | None) -> bool | None:
    """Return whether the day comes first in a column of ``TWO_FIRST`` dates; ``None`` when the values leave it open."""
    impossible = bool(union & NOT_DAY_FIRST), bool(union & NOT_MONTH_FIRST)
    if impossible == (True, True):
        return None
    if declared is not None:
        return None if impossible[0 if declared else 1] else declared
    return {(True, False): False, (False, True): True}.get(impossible)
