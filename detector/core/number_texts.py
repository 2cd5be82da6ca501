"""Numbers that were written for people: 1.234,50, 12 EUR, (5.00). A whole column decides what its marks mean."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.core.later import pd
from detector.core.numerals import LARGEST, number_of

#: Values from which the form of a column is told.
TEXTS_LOOKED_AT = 1_000
#: At least this share of the texts must follow the form.
SHARE_OF_FORM = 0.9

_SPACES = " \u00a0\u202f'’"
# A sign like € or %, or the three letters of a currency; letters that stand close to a number may be part of a code.
_MARK = r"[^\w\s+\-−.,()]{1,3}|[A-Z]{3}(?=\s)"
_UNIT = r"[^\w\s+\-−.,()]{1,3}|\s[^\W\d_]{1,8}"
# What stands before the number, its sign, its digits with their marks, and what stands behind.
_PARTS = re.compile(
    rf"\s*(?P<before>{_MARK})?\s*(?P<open>\()?(?P<sign>[+\-−]?)\s*(?P<within>{_MARK})?\s*"
    rf"(?P<digits>\d(?:[\d.,{_SPACES}]*\d)?[.,]?|[.,]\d+)(?P<close>\))?\s*?(?P<behind>{_UNIT})?\s*"
).fullmatch


@dataclass(frozen=True)
class Form:
    """How the numbers of a column are written.

    Parameters
    ----------
    decimal : the mark before the fraction, ``"."`` or ``","``.
    around : what stands before or behind each number, a currency or a unit; empty when nothing does.
    """

    decimal: str
    around: str = ""

    def number(self, text: str) -> float:
        """Return the number that ``text`` holds; NaN when it does not follow the form."""
        found = _PARTS(text)
        if found is None or (found["open"] is None) is not (found["close"] is None):
            return math.nan
        around = _around(found)
        if around not in ("", self.around):
            return math.nan
        number = _plain(found["digits"].strip(_SPACES), self.decimal)
        negative = found["sign"] in ("-", "−") or found["open"] is not None
        return -number if negative else number

    def numbers(self, column: pd.Series) -> NDArray[np.float64]:
        """Return (n,) the numbers of a column; NaN where a value does not follow the form."""
        found = np.fromiter(
            (self.number(value) if isinstance(value, str) else number_of(value) for value in column.astype(object)),
            np.float64,
            len(column),
        )
        return np.where(np.abs(found) <= LARGEST, found, np.nan)


def form_of(values: Iterable[object]) -> Form | None:
    """Return the form that the texts among ``values`` follow, or ``None`` when they do not agree on one.

    One mark can stand before a fraction or between thousands. The column decides: a comma that is followed by two
    digits, or that comes behind a dot, stands before a fraction everywhere in it. Where nothing decides there is no
    form: 1,234 alone may mean either. Two currencies are no form either: their amounts must not be mixed.
    """
    texts = [text for text in values if isinstance(text, str) and text.strip()][:TEXTS_LOOKED_AT]
    parts = [found for text in texts if (found := _PARTS(text)) is not None]
    if not texts or len(parts) < SHARE_OF_FORM * len(texts):
        return None
    around = {_around(found) for found in parts} - {""}
    if len(around) > 1:
        return None
    digits = [found["digits"].strip(_SPACES) for found in parts]
    says = {mark for text in digits if (mark := _decimal_of(text)) is not None}
    if len(says) > 1 or (not says and any("." in text or "," in text for text in digits)):
        return None
    form = Form(says.pop() if says else ".", around.pop() if around else "")
    read = sum(not math.isnan(form.number(text)) for text in texts)
    return form if read >= SHARE_OF_FORM * len(texts) else None


def _around(found: re.Match[str]) -> str:
    return (found["before"] or found["within"] or found["behind"] or "").strip().casefold()


def _decimal_of(digits: str) -> str | None:
    """Return the mark that must stand before the fraction; ``None`` when the text does not tell."""
    dots, commas = digits.count("."), digits.count(",")
    if dots and commas:
        return "." if digits.rfind(".") > digits.rfind(",") else ","
    if dots > 1 or commas > 1:
        return "," if dots else "."
    if dots or commas:
        mark = "." if dots else ","
        head, tail = digits.split(mark)
        grouped = len(tail) == 3 and 1 <= len(head) <= 3 and head != "0"
        return None if grouped else mark
    return None


def _plain(digits: str, decimal: str) -> float:
    group = "," if decimal == "." else "."
    whole, _, fraction = digits.partition(decimal)
    if decimal in fraction or group in fraction or any(space in fraction for space in _SPACES):
        return math.nan
    separators = [mark for mark in (group, *_SPACES) if mark in whole]
    if len(separators) > 1:
        return math.nan
    if separators:
        first, *others = whole.split(separators[0])
        if not 1 <= len(first) <= 3 or any(len(other) != 3 for other in others):
            return math.nan
        whole = first + "".join(others)
    return float(f"{whole or '0'}.{fraction or '0'}")
