"""Compiled loops over the text of a JSON array of flat objects that all have the same fields in the same order.

They accept less than JSON allows: whatever is not plain makes them give up, and the request is read the slow way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from detector.core.kernels.compiling import compiled

#: What a column holds, one bit each.
NULL, TRUTH, WHOLE, FRACTION, TEXT = 1, 2, 4, 8, 16
#: Whole numbers of fewer characters fit into 64 bits, with their sign.
WHOLE_LENGTH = 18
#: A word of 64 bits holds so many digits, whatever they are.
WORD_DIGITS = 19
#: Powers of ten that floats are computed with, up and down; and one that is not.
MOST_POWER, BEYOND = 300, 1_000_000
#: A text of more bytes may be longer than a cell may be.
TEXT_LENGTH = 32 * 1024

_QUOTE, _BACKSLASH, _COMMA, _COLON, _OPEN, _CLOSE, _END = 34, 92, 44, 58, 123, 125, 93
_TEXT = "Array(uint8, 1, 'C', readonly=True)"


@njit(inline="always")
def _after_blanks(data: Any, at: int) -> int:
    while data[at] == 32 or data[at] == 10 or data[at] == 13 or data[at] == 9:
        at += 1
    return at


@njit(inline="always")
def _after_text(data: Any, at: int) -> int:
    """Return the position after the text that opens at ``at``, or -1."""
    at += 1
    size = data.shape[0]
    while at < size:
        byte = data[at]
        if byte == _QUOTE:
            return at + 1
        if byte < 32:
            return -1
        at += 2 if byte == _BACKSLASH else 1
    return -1


def _powers_of_five() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the first 128 bits of 5**q for each q that is computed with, as two words each."""
    found = []
    for power in range(-MOST_POWER, MOST_POWER + 1):
        value = 5**power if power >= 0 else (1 << (5**-power).bit_length() + 127) // 5**-power
        spare = 128 - value.bit_length()
        found.append(value << spare if spare >= 0 else value >> -spare)
    words = np.array([(value >> 64, value & (1 << 64) - 1) for value in found], np.uint64)
    return np.ascontiguousarray(words[:, 0]), np.ascontiguousarray(words[:, 1])


_HIGH, _LOW = _powers_of_five()
_TENS = np.array([float(10**power) for power in range(23)])
_ONE, _NINE_BITS, _HALF = np.uint64(1), np.uint64(0x1FF), np.uint64(0xFFFFFFFF)


@njit(inline="always")
def _product(a: Any, b: Any) -> tuple[Any, Any]:
    """Return both words of the product of two words."""
    half = np.uint64(32)
    lows, mixed, other, highs = (
        (a & _HALF) * (b & _HALF),
        (a & _HALF) * (b >> half),
        (a >> half) * (b & _HALF),
        (a >> half) * (b >> half),
    )
    middle = (lows >> half) + (mixed & _HALF) + (other & _HALF)
    return highs + (mixed >> half) + (other >> half) + (middle >> half), (middle << half) | (lows & _HALF)


@njit(inline="always")
def _leading_zeros(word: Any) -> int:
    count = 0
    for width in (32, 16, 8, 4, 2, 1):
        if word >> np.uint64(64 - width) == 0:
            count += width
            word <<= np.uint64(width)
    return count


@njit(inline="always")
def _nearest_float(digits: Any, power: int) -> tuple[Any, bool]:
    """Return the float nearest to ``digits`` times ten to ``power``, and whether that is beyond doubt.

    D. Lemire, Number parsing at a gigabyte per second, Software: Practice and Experience 51 (2021).
    """
    if power < -MOST_POWER or power > MOST_POWER:
        return 0.0, False
    if digits == 0:
        return 0.0, True
    if digits <= np.uint64(2**53) and -22 <= power <= 22:
        number = np.float64(digits)
        return (number / _TENS[-power] if power < 0 else number * _TENS[power]), True
    zeros: Any = _leading_zeros(digits)
    digits <<= np.uint64(zeros)
    high, low = _product(digits, _HIGH[power + MOST_POWER])
    if high & _NINE_BITS == _NINE_BITS and low + digits < low:
        carry, least = _product(digits, _LOW[power + MOST_POWER])
        low += carry
        if low < carry:
            high += _ONE
        if low + _ONE == 0 and high & _NINE_BITS == _NINE_BITS and least + digits < least:
            return 0.0, False
    top = high >> np.uint64(63)
    mantissa = high >> (top + np.uint64(9))
    zeros += 1 - np.int64(top)
    if low == 0 and high & _NINE_BITS == 0 and mantissa & np.uint64(3) == _ONE:
        return 0.0, False  # half way between two floats, or nearly
    mantissa = (mantissa + (mantissa & _ONE)) >> _ONE
    if mantissa >> np.uint64(53):
        mantissa >>= _ONE
        zeros -= 1
    exponent = ((217_706 * power) >> 16) + 1087 - zeros
    if exponent < 1 or exponent > 2046:
        return 0.0, False
    bits = np.uint64((mantissa & np.uint64(2**52 - 1)) | (np.uint64(exponent) << np.uint64(52)))
    return bits.view(np.float64), True


@njit(inline="always")
def _after_number(data: Any, at: int) -> tuple[int, int, Any, int]:
    """Return the position after the number that begins at ``at``, or -1, its sort, its digits and its power of ten."""
    begin = at
    kind = WHOLE
    digits = np.uint64(0)
    power = 0
    if data[at] == 45:
        at += 1
    first = at
    while 48 <= data[at] <= 57:
        digits = digits * np.uint64(10) + np.uint64(data[at] - 48)
        at += 1
    if at == first or (data[first] == 48 and at > first + 1):
        return -1, kind, digits, power
    many = at - first
    if data[at] == 46:
        kind = FRACTION
        at += 1
        point = at
        while 48 <= data[at] <= 57:
            digits = digits * np.uint64(10) + np.uint64(data[at] - 48)
            at += 1
        power = point - at
        many -= power
        if power == 0:
            return -1, kind, digits, power
    if data[at] | 32 == 101:
        kind = FRACTION
        at += 1
        sign = data[at]
        if sign in (43, 45):
            at += 1
        scaled = at
        scale = 0
        while 48 <= data[at] <= 57:
            scale = min(10 * scale + data[at] - 48, 100_000)
            at += 1
        if at == scaled:
            return -1, kind, digits, power
        power += -scale if sign == 45 else scale
    # The whole number -0 is one that only a float can hold.
    if kind == WHOLE and (at - begin > WHOLE_LENGTH or (digits == 0 and data[begin] == 45)):
        return -1, kind, digits, power
    if many > WORD_DIGITS:
        while data[first] == 48 or data[first] == 46:  # zeros in front are none of them
            many -= data[first] == 48
            first += 1
        if many > WORD_DIGITS:
            power = BEYOND
    return at, kind, digits, power


@njit(inline="always")
def _after_word(data: Any, at: int) -> tuple[int, int]:
    """Return the position after true, false or null, or -1, and which sort it is."""
    if at + 5 >= data.shape[0]:
        return -1, NULL
    if data[at] == 116 and data[at + 1] == 114 and data[at + 2] == 117 and data[at + 3] == 101:
        return at + 4, TRUTH
    if data[at] == 110 and data[at + 1] == 117 and data[at + 2] == 108 and data[at + 3] == 108:
        return at + 4, NULL
    if (data[at] == 102 and data[at + 1] == 97 and data[at + 2] == 108 and data[at + 3] == 115
            and data[at + 4] == 101):  # fmt: skip
        return at + 5, TRUTH
    return -1, NULL


@njit(inline="always")
def _after_other(data: Any, at: int) -> tuple[int, int]:
    """Return the position after the text or word that begins at ``at``, or -1, and which sort it is."""
    if data[at] == _QUOTE:
        end = _after_text(data, at)
        return (-1 if end - at > TEXT_LENGTH else end), TEXT
    return _after_word(data, at)


@njit(inline="always")
def _is_number(byte: int) -> bool:
    return byte == 45 or 48 <= byte <= 57


@compiled(f"i8({_TEXT}, i8, i4[::1], i4[::1])")
def read_names(data: Any, at: int, starts: Any, ends: Any) -> int:
    """Write where the names of the object that opens at ``at`` begin and end, with quotes; return how many, or -1.

    The last byte of ``data`` must be ``]`` or ``}``, here and below: reading stops there at the latest.
    """
    if data[at] != _OPEN:
        return -1
    for column in range(starts.shape[0]):
        at = _after_blanks(data, at + 1)
        if data[at] != _QUOTE:
            return -1
        starts[column] = at
        at = _after_text(data, at)
        if at < 0:
            return -1
        ends[column] = at
        at = _after_blanks(data, at)
        if data[at] != _COLON:
            return -1
        at = _after_blanks(data, at + 1)
        at = _after_number(data, at)[0] if _is_number(data[at]) else _after_other(data, at)[0]
        if at < 0:
            return -1
        at = _after_blanks(data, at)
        if data[at] == _CLOSE:
            return column + 1
        if data[at] != _COMMA:
            return -1
    return -1


@compiled(
    f"UniTuple(i8, 3)({_TEXT}, i8, {_TEXT}, i4[::1], i4[:,::1], i4[:,::1], f8[:,::1], i8[:,::1], u1[::1], i8[::1],"
    "i4[:,::1])"
)
def read_rows(
    data: Any, at: int, names: Any, name_ends: Any, starts: Any, ends: Any, floats: Any, wholes: Any, holds: Any,
    lengths: Any, doubts: Any,
) -> tuple[int, int, int]:  # fmt: skip
    """Find the values of all objects from the one that opens at ``at`` to the end of their array.

    Parameters
    ----------
    names, name_ends
        The names in quotes, one after the other, and where each ends.
    starts, ends
        Out, (rows, columns): where each value begins and ends.
    floats, wholes
        Out, (columns, rows): each number as a float, NaN for null, and each whole number.
    holds, lengths
        Out, (columns,), zeros: the bits of what each column holds, and how many bytes its values take.
    doubts
        Out, (most, 2): row and column of each number whose float is still to be found.

    Returns
    -------
    (rows, position of the bracket that closes the array, doubts); (-1, position, 0) where it is not plain, has more
    rows, or more doubts.
    """
    size = data.shape[0]
    width = name_ends.shape[0]
    rows = doubtful = 0
    while True:
        if rows == starts.shape[0] or data[at] != _OPEN:
            return -1, at, 0
        name = 0
        for column in range(width):
            at = _after_blanks(data, at + 1)
            if at + name_ends[column] - name >= size:
                return -1, at, 0
            while name < name_ends[column]:
                if data[at] != names[name]:
                    return -1, at, 0
                name += 1
                at += 1
            at = _after_blanks(data, at)
            if data[at] != _COLON:
                return -1, at, 0
            start = _after_blanks(data, at + 1)
            if _is_number(data[start]):
                at, kind, digits, power = _after_number(data, start)
                if at < 0:
                    return -1, start, 0
                number, certain = _nearest_float(digits, power)
                negative = data[start] == 45
                floats[column, rows] = -number if negative else number
                if kind == WHOLE:
                    wholes[column, rows] = -np.int64(digits) if negative else np.int64(digits)
                if not certain:
                    if doubtful == doubts.shape[0]:
                        return -1, start, 0
                    doubts[doubtful, 0], doubts[doubtful, 1] = rows, column
                    doubtful += 1
            else:
                at, kind = _after_other(data, start)
                if at < 0:
                    return -1, start, 0
                floats[column, rows] = np.nan
            starts[rows, column] = start
            ends[rows, column] = at
            holds[column] |= kind
            lengths[column] += at - start
            at = _after_blanks(data, at)
            if data[at] != (_COMMA if column + 1 < width else _CLOSE):
                return -1, at, 0
        rows += 1
        at = _after_blanks(data, at + 1)
        if data[at] == _END:
            return rows, at, doubtful
        if data[at] != _COMMA:
            return -1, at, 0
        at = _after_blanks(data, at + 1)


@compiled(f"i8({_TEXT}, i4[:,::1], i4[:,::1], i8, i8, u1[::1])")
def gather_array(data: Any, starts: Any, ends: Any, rows: int, column: int, out: Any) -> int:
    """Write the values of a column to ``out`` as a JSON array; return how long it is."""
    out[0] = 91
    at = 1
    for row in range(rows):
        for place in range(starts[row, column], ends[row, column]):
            out[at] = data[place]
            at += 1
        out[at] = _COMMA
        at += 1
    out[at - 1] = _END
    return at
