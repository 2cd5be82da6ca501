"""What a column is: its kind from its values, and by the rules of :mod:`detector.core.judging` its role."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.judging import (
    IDENTITY_CATEGORIES,
    ROWS_TO_JUDGE,
    TEXTS_LOOKED_AT,
    Finding,
    Steps,
    are_whole,
    chosen,
    judge,
)  # fmt: skip
from detector.core.later import pd, types
from detector.core.numerals import NUMBERS, numbers_of_column
from detector.core.schema import Role
from detector.core.statistics import Kind
from detector.core.times import seconds_of

__all__ = [
    "BOOLEAN_TEXTS", "IDENTITY_CATEGORIES", "ColumnFacts", "Finding", "finding_for", "infer", "infer_kind", "is_absent",
    "is_skewed", "kind_of_texts",
]  # fmt: skip

Floats = NDArray[np.float64]
#: Skewness above which an amount is also seen as its logarithm, where that brings it nearer to symmetry.
SKEWED = 2.0
#: With more than this share of numbers, a column of mixed values is meant as numbers.
NUMBERS_MEANT = 0.5

_TRUE = {"true", "yes", "y", "t", "1"}
_FALSE = {"false", "no", "n", "f", "0"}
#: The texts and numbers that a boolean feature understands.
BOOLEAN_TEXTS: dict[str, bool] = dict.fromkeys(_TRUE, True) | dict.fromkeys(_FALSE, False)


def infer_kind(column: pd.Series) -> Kind:
    """Return the kind of a column from its values; texts are looked at, not only their type."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        # Who made categories of numbers means them as categories; texts may still be times.
        kind = infer_kind(pd.Series(dtype.categories))
        return "categorical" if kind == "numeric" else kind
    if types.is_bool_dtype(dtype):
        return "boolean"
    if types.is_datetime64_any_dtype(dtype):
        return "datetime"
    if types.is_complex_dtype(dtype):
        return "categorical"
    if types.is_numeric_dtype(dtype) or types.is_timedelta64_dtype(dtype):
        return "numeric"
    if isinstance(dtype, pd.StringDtype):
        # One text settles most columns: that of the first row, without a look for gaps, or else the first there is.
        if len(column) and isinstance(first := column.iloc[0], str) and _is_word(first):
            return "categorical"
        # Only the first ones leave the column: making Python's texts of a million rows takes longer than learning them.
        present = np.flatnonzero(~is_absent(column))[:TEXTS_LOOKED_AT]
        if len(present) and _is_word(str(column.iloc[present[0]])):
            return "categorical"
        return kind_of_texts(column.iloc[present].astype(object)) if len(present) else "numeric"
    return _kind_of_objects(column[~is_absent(column)].astype(object))


def _kind_of_objects(values: pd.Series) -> Kind:
    if values.empty:
        return "numeric"
    found = types.infer_dtype(values, skipna=True)
    if found == "boolean":
        return "boolean"
    if found in ("integer", "floating", "mixed-integer-float", "decimal", "timedelta", "timedelta64"):
        return "numeric"
    if found in ("datetime64", "datetime", "date"):
        return "datetime"
    if found == "string":
        return kind_of_texts(values.iloc[:TEXTS_LOOKED_AT])
    if all(isinstance(value, NUMBERS) for value in values):
        return "boolean" if all(value in (0, 1) for value in values) else "numeric"
    # A few texts among numbers are bad cells, not categories; each is told by row.
    numbers = sum(isinstance(value, NUMBERS) and not isinstance(value, bool | np.bool_) for value in values)
    return "numeric" if numbers > NUMBERS_MEANT * len(values) else "categorical"


def kind_of_texts(values: Iterable[str]) -> Kind:
    """Return the kind that texts are: times, flags or categories."""
    texts = [text for text in map(str.strip, values) if text]
    if texts and all(map(_may_be_time, texts)):
        readable = sum(not math.isnan(seconds_of(text)) for text in texts)
        if readable >= 0.99 * len(texts):
            return "datetime"
    return "boolean" if texts and all(map(_is_flag, texts)) else "categorical"


def _may_be_time(text: str) -> bool:
    return text[:10].count("-") == 2 and text[:4].isdecimal()


def _is_flag(text: str) -> bool:
    return text.lower() in ("true", "false")


def _is_word(text: str) -> bool:
    """Whether a text settles by itself that its column holds categories: times and flags are so without exception."""
    text = text.strip()
    return bool(text) and not _may_be_time(text) and not _is_flag(text)


def is_absent(column: pd.Series) -> NDArray[np.bool_]:
    """Return (n,) where a column has no value at all."""
    if column.dtype == np.float64:  # what most columns are; the general way takes far longer on a small batch
        return np.asarray(np.isnan(column.to_numpy()))
    try:
        return np.asarray(column.isna().to_numpy(bool))
    except ArithmeticError:  # a signalling NaN cannot even be compared
        return np.array([
            value.is_nan() if isinstance(value, Decimal) else bool(types.is_scalar(value) and pd.isna(value))
            for value in column
        ])  # fmt: skip


class ColumnFacts:
    """The facts of a column that is at hand; each is found when it is asked for."""

    def __init__(self, column: pd.Series) -> None:
        self._column = column
        self._values = column[~is_absent(column)]
        self.rows = len(column)
        self.present = len(self._values)

    @cached_property
    def kind(self) -> Kind:
        """What its values look like."""
        return infer_kind(self._column)

    @cached_property
    def distinct(self) -> int:
        """How many different values there are."""
        return _distinct(self._values)

    @cached_property
    def _numbers(self) -> Floats:
        return numbers_of_column(self._values)

    @property
    def least(self) -> float:
        """The least of its numbers."""
        return float(self._numbers.min())

    @property
    def greatest(self) -> float:
        """The greatest of its numbers."""
        return float(self._numbers.max())

    @cached_property
    def whole(self) -> bool:
        """Whether its numbers are all whole."""
        return are_whole(self._numbers)

    @property
    def steps(self) -> Steps:
        """How its numbers go on from row to row."""
        return Steps.of(self._numbers)

    @property
    def texts(self) -> Sequence[object]:
        """The first of its values."""
        return list(self._values.iloc[:TEXTS_LOOKED_AT])

    @property
    def mostly_numbers(self) -> bool:
        """Whether half of its values or more can be read as numbers."""
        if self._values.empty or infer_kind(self._values) in ("numeric", "boolean"):
            return True
        return bool(np.isfinite(self._numbers).mean() >= 0.5)


def infer(name: str, column: pd.Series, *, amount_taken: bool = False) -> Finding:
    """Return what a column is, from all the rows at hand.

    Parameters
    ----------
    name : the column's name; its words are read.
    column : (n,) its values.
    amount_taken : an earlier column already is the amount.
    """
    return judge(name, ColumnFacts(column), amount_taken=amount_taken)


def _distinct(present: pd.Series) -> int:
    try:
        return int(present.nunique())
    except TypeError:  # lists and dictionaries have no hash
        return int(present.map(repr).nunique())


def finding_for(name: str, column: pd.Series, role: Role, finding: Finding | None = None) -> Finding:
    """Return the finding for a column whose role a person chose; ``finding`` is what was inferred, where it was."""
    facts = ColumnFacts(column)
    return chosen(facts, role, finding or judge(name, facts))


def is_skewed(values: Any) -> bool:
    """Return whether numbers are never negative, strongly skewed to the right, and less so as log(1 + value)."""
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    if len(finite) < ROWS_TO_JUDGE or finite.min() < 0.0:
        return False
    before = _skewness(finite)
    return before > SKEWED and abs(_skewness(np.log1p(finite))) < before


def _skewness(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    deviations = values - values.mean()
    spread = math.sqrt(np.square(deviations).mean())
    if not 0.0 < spread < math.inf:
        return 0.0
    deviations /= spread
    # Not ``** 3``: numpy raises to it by a call of ``pow`` for each value, which takes twenty times as long.
    return float((np.square(deviations) * deviations).mean())
