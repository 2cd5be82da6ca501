"""What a cell of text holds: a number and of which sort, a truth value, nothing, or anything else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.files.kernels import SPACE, TAB, Bytes, Numbers, Positions, compiled

# What a cell holds.
EMPTY, WHOLE, FRACTION, LEADING_ZERO, LONG_WHOLE, NOT_A_NUMBER, INFINITY, OTHER, TRUE, FALSE, SCALED = range(11)
KINDS = 11
#: What stands for text, and what for a number that can be computed with, or for its absence.
TEXT_KINDS = (OTHER, TRUE, FALSE)
NUMBER_KINDS = (WHOLE, FRACTION, SCALED, NOT_A_NUMBER, INFINITY)

_ZERO, _NINE, _PLUS, _MINUS, _LOWER = 48, 57, 43, 45, 32
_NAN, _INF = (110, 97, 110), (105, 110, 102, 105, 110, 105, 116, 121)
_TRUE, _FALSE = (116, 114, 117, 101), (102, 97, 108, 115, 101)

#: More digits than this cannot be kept exactly by a float64 beyond doubt.
EXACT_DIGITS = 15
#: A number with a greater exponent, or with more digits, is looked at again: it may be beyond the range of float32.
SCALE_DOUBTED = 30
#: A plus sign and more digits than this is a telephone number rather than an amount.
SIGNED_DIGITS = 7


@compiled
def _spells(data: Bytes, start: int, end: int, word: tuple[int, ...]) -> bool:
    """Tell whether ``data[start:end]`` is ``word`` in any case."""
    same = 0
    while same < len(word) and start + same < end and (data[start + same] | _LOWER) == word[same]:
        same += 1
    return same == len(word) and start + same == end


@compiled
def _number_kind(data: Bytes, start: int, end: int, decimal: int, group: int) -> int:
    """Classify ``data[start:end]``, without blanks around it, as one of the numeric kinds or ``OTHER``."""
    at = start
    sign = data[at] if data[at] in (_PLUS, _MINUS) else 0
    if sign:
        at += 1
    first = at
    whole = 0
    since_group = -1
    while at < end:
        byte = data[at]
        if _ZERO <= byte <= _NINE:
            whole += 1
            if since_group >= 0:
                since_group += 1
        elif group and byte == group and whole > 0:
            if since_group not in (-1, 3) or (since_group == -1 and whole > 3):
                return OTHER
            since_group = 0
        else:
            break
        at += 1
    if since_group not in (-1, 3):
        return OTHER
    leading = whole > 1 and data[first] == _ZERO
    fraction = False
    digits = whole
    exponent = 0
    if at < end and data[at] == decimal:
        fraction = True
        at += 1
        while at < end and _ZERO <= data[at] <= _NINE:
            at += 1
            digits += 1
    if digits == 0:
        return OTHER
    if at < end and (data[at] | _LOWER) == 101:
        fraction = True
        at += 1
        shrinks = at < end and data[at] == _MINUS
        if at < end and data[at] in (_PLUS, _MINUS):
            at += 1
        if at == end:
            return OTHER
        while at < end and _ZERO <= data[at] <= _NINE:
            exponent = min(exponent * 10 + data[at] - _ZERO, 10_000)
            at += 1
        if shrinks:
            exponent = 0
    if at != end or (sign == _PLUS and not fraction and whole > SIGNED_DIGITS):
        return OTHER
    if leading:
        return LEADING_ZERO
    if fraction:
        return SCALED if exponent + whole > SCALE_DOUBTED else FRACTION
    return LONG_WHOLE if whole > EXACT_DIGITS else WHOLE


@compiled
def classify(data: Bytes, offsets: Positions, decimal: int, group: int, counts: Numbers) -> Bytes:
    """Return what each cell holds, and add the number of each kind to ``counts`` (``KINDS`` long).

    ``decimal`` is the byte before the fraction, ``group`` the byte allowed between groups of three digits or 0.
    A cell of blanks only is ``EMPTY``.
    """
    rows = len(offsets) - 1
    kinds = np.empty(rows, np.uint8)
    for row in range(rows):
        start = offsets[row]
        end = offsets[row + 1]
        while start < end and (data[start] == SPACE or data[start] == TAB):
            start += 1
        while end > start and (data[end - 1] == SPACE or data[end - 1] == TAB):
            end -= 1
        if start == end:
            kind = EMPTY
        else:
            kind = _number_kind(data, start, end, decimal, group)
            if kind == OTHER:
                signed = start + 1 if data[start] in (_PLUS, _MINUS) else start
                if _spells(data, start, end, _NAN):
                    kind = NOT_A_NUMBER
                elif _spells(data, signed, end, _INF) or _spells(data, signed, end, _INF[:3]):
                    kind = INFINITY
                elif _spells(data, start, end, _TRUE):
                    kind = TRUE
                elif _spells(data, start, end, _FALSE):
                    kind = FALSE
        kinds[row] = kind
        counts[kind] += 1
    return kinds


@compiled
def blank_cells(data: Bytes, offsets: Positions) -> NDArray[np.bool_]:
    """Return where a cell is empty or holds only blanks."""
    rows = len(offsets) - 1
    blank = np.empty(rows, np.bool_)
    for row in range(rows):
        at = offsets[row]
        while at < offsets[row + 1] and (data[at] == SPACE or data[at] == TAB):
            at += 1
        blank[row] = at == offsets[row + 1]
    return blank
