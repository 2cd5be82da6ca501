"""What a column is: its kind from its values, its role from its name and its values, and a sentence that says why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from detector.core.later import pd, types
from detector.core.names import Name
from detector.core.numerals import NUMBERS, numbers_of_column
from detector.core.schema import SCORED_ROLES, Role
from detector.core.statistics import Kind
from detector.core.times import seconds_of

Floats = NDArray[np.float64]
#: Fewer rows say nothing about whether a column numbers its rows.
ROWS_TO_JUDGE = 20
#: A text that differs in so large a share of the rows identifies them.
ID_SHARE = 0.9
#: So many categories keep their identity beside their rarity.
IDENTITY_CATEGORIES = 50
#: Skewness above which an amount is also seen as its logarithm, where that brings it nearer to symmetry.
SKEWED = 2.0
#: With more than this share of numbers, a column of mixed values is meant as numbers.
NUMBERS_MEANT = 0.5
#: Values looked at to recognise text that holds times.
TEXTS_LOOKED_AT = 1_000

#: A whole number so great is no count: it is a card, an account or a phone number.
LONG_CODE = 1_000_000
#: Seconds since 1970 that a clock of today's systems can show.
CLOCK_SECONDS = 100_000_000
#: More texts than this, of which each stands for few rows, name whom a row belongs to and not what it is like.
MANY_TEXTS, MANY_TEXTS_SHARE = 1_000, 0.2

_TRUE = {"true", "yes", "y", "t", "1"}
_FALSE = {"false", "no", "n", "f", "0"}
#: The texts and numbers that a boolean feature understands.
BOOLEAN_TEXTS: dict[str, bool] = dict.fromkeys(_TRUE, True) | dict.fromkeys(_FALSE, False)


@dataclass(frozen=True)
class Finding:
    """What a column was found to be.

    Parameters
    ----------
    kind : numeric, categorical, boolean or datetime.
    role : see :data:`detector.core.schema.Role`.
    reason : a sentence that says how the role was found.
    revisit : it was left out only because it held nothing to learn from; more rows may change that.
    """

    kind: Kind
    role: Role
    reason: str
    revisit: bool = False


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
        # Only the first ones leave the column: making Python's texts of a million rows takes longer than learning them.
        present = np.flatnonzero(~is_absent(column))[:TEXTS_LOOKED_AT]
        return _kind_of_texts(column.iloc[present]) if len(present) else "numeric"
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
        return _kind_of_texts(values.iloc[:TEXTS_LOOKED_AT])
    if all(isinstance(value, NUMBERS) for value in values):
        return "boolean" if all(value in (0, 1) for value in values) else "numeric"
    # A few texts among numbers are bad cells, not categories; each is told by row.
    numbers = sum(isinstance(value, NUMBERS) and not isinstance(value, bool | np.bool_) for value in values)
    return "numeric" if numbers > NUMBERS_MEANT * len(values) else "categorical"


def _kind_of_texts(values: pd.Series) -> Kind:
    texts = [text for text in map(str.strip, values.astype(object)) if text]
    if texts and all(text[:10].count("-") == 2 and text[:4].isdecimal() for text in texts):
        readable = sum(not math.isnan(seconds_of(text)) for text in texts)
        if readable >= 0.99 * len(texts):
            return "datetime"
    return "boolean" if texts and all(text.lower() in ("true", "false") for text in texts) else "categorical"


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


def infer(name: str, column: pd.Series, *, amount_taken: bool = False) -> Finding:
    """Return what a column is, from all the rows at hand.

    Parameters
    ----------
    name : the column's name; its words are read.
    column : (n,) its values.
    amount_taken : an earlier column already is the amount.
    """
    kind = infer_kind(column)
    present = column[~is_absent(column)]
    if present.empty:
        return Finding(kind, "ignored", "It holds no value in any row.", revisit=True)
    said = Name(name)
    numbers = numbers_of_column(present) if kind == "numeric" else np.empty(0)
    # Counting the values of a long column of fractions takes longer than all else here, and says nothing.
    counted = kind != "numeric" or said.asks_for_values or _is_whole(numbers)
    distinct = _distinct(present) if counted else len(present)
    if distinct <= said.most_outcomes:
        many = "one value" if distinct == 1 else f"only {distinct} different values"
        return Finding(kind, "label", f"Its name says that it is the outcome, and it has {many}.")
    if len(present) == len(column) > 1 and (distinct == 1 or (not counted and numbers.min() == numbers.max())):
        return Finding(kind, "ignored", "It holds the same value in every row.", revisit=True)
    if kind == "datetime":
        if said.birth:
            return Finding(kind, "ignored", "It is a date of birth, and the weekday of a birth says nothing.")
        return Finding(kind, "time", "Its values are times: the hour and the weekday are used.")
    if kind == "boolean":
        return Finding(kind, "input", "Its values are true and false.")
    identified = _identifier(said, kind, numbers, distinct, len(present))
    if identified is not None:
        return identified
    if kind != "numeric":
        return _text(present, distinct)
    if said.amount:
        if amount_taken:
            return Finding(kind, "input", "Its values are numbers; another column is the amount.")
        return Finding(kind, "amount", "Its name says that it is the amount.")
    if said.clock and numbers.min() >= CLOCK_SECONDS:
        return Finding(kind, "ignored", "It counts the seconds of a clock, so later rows would always look unusual.")
    if _is_counter(said, numbers, distinct if counted else None):
        return Finding(kind, "ignored", "It only grows from row to row, so later rows would always look unusual.")
    return Finding(kind, "input", "Its values are numbers.")


def _identifier(said: Name, kind: Kind, numbers: Floats, distinct: int, rows: int) -> Finding | None:
    if not said.identifier and not said.code:
        return None
    if kind == "numeric" and not said.address and not (_is_whole(numbers) and numbers.min() >= 0):
        return None
    if said.identifier and rows >= ROWS_TO_JUDGE and distinct >= ID_SHARE * rows:
        return Finding(
            "categorical", "id", "Its name says that it is an identifier, and it differs in almost every row."
        )
    if said.numbering and distinct > IDENTITY_CATEGORIES:
        return Finding(
            "categorical", "entity", f"Its name says whom a row belongs to ({distinct:,} of them in {rows:,} rows)."
        )
    if kind == "numeric" and (said.code or numbers.min() >= LONG_CODE):
        return Finding("categorical", "input", "Its name says that its numbers are codes, not quantities.")
    return None


def _is_counter(said: Name, numbers: Floats, distinct: int | None) -> bool:
    """Whether numbers only grow; ``distinct`` is ``None`` for fractions, which count only where the name says so."""
    rows = len(numbers)
    if rows < ROWS_TO_JUDGE or (distinct is None and not said.counter):
        return False
    steps = np.diff(numbers)
    if (steps >= 0.0).all():
        return said.counter or distinct is None or distinct > 0.5 * rows
    return distinct == rows and bool((steps <= 0.0).all())


def _text(present: pd.Series, distinct: int) -> Finding:
    rows = len(present)
    if rows >= ROWS_TO_JUDGE and distinct >= ID_SHARE * rows:
        if sum(str(text).count(" ") for text in present.iloc[:TEXTS_LOOKED_AT]) >= 3 * min(rows, TEXTS_LOOKED_AT):
            return Finding("categorical", "ignored", "It is free text.")
        return Finding("categorical", "id", "It differs in almost every row, so it identifies rows.")
    if distinct > MANY_TEXTS and distinct > MANY_TEXTS_SHARE * rows:
        return Finding(
            "categorical", "entity", f"It has {distinct:,} values in {rows:,} rows, so it says whose a row is."
        )
    return Finding("categorical", "input", f"Its values are {distinct:,} categories.")


def _distinct(present: pd.Series) -> int:
    try:
        return int(present.nunique())
    except TypeError:  # lists and dictionaries have no hash
        return int(present.map(repr).nunique())


def _is_whole(numbers: Floats) -> bool:
    return bool((numbers == np.floor(numbers)).all())


def finding_for(name: str, column: pd.Series, role: Role, finding: Finding | None = None) -> Finding:
    """Return the finding for a column whose role a person chose; ``finding`` is what was inferred, where it was."""
    found = finding or infer(name, column)
    kind = found.kind
    if role == "time" and kind != "datetime":
        return Finding(kind, "ignored", "You chose it as the time, but its values cannot be read as times.")
    if role == "amount":
        if not _holds_numbers(column):
            return Finding(kind, "ignored", "You chose it as the amount, but its values cannot be read as numbers.")
        kind = "numeric"
    elif role in SCORED_ROLES and found.role not in SCORED_ROLES:
        kind = infer_kind(column)
    return Finding(kind, role, "You chose this role.")


def _holds_numbers(column: pd.Series) -> bool:
    present = column[~is_absent(column)]
    if present.empty or infer_kind(present) in ("numeric", "boolean"):
        return True
    return bool(np.isfinite(numbers_of_column(present)).mean() >= 0.5)


def is_skewed(values: Any) -> bool:
    """Return whether numbers are never negative, strongly skewed to the right, and less so as log(1 + value)."""
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    if len(finite) < ROWS_TO_JUDGE or finite.min() < 0.0:
        return False
    before = _skewness(finite)
    return before > SKEWED and abs(_skewness(np.log1p(finite))) < before


def _skewness(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    spread = values.std()
    if not spread > 0.0 or not np.isfinite(spread):
        return 0.0
    return float(cast(float, np.mean(((values - values.mean()) / spread) ** 3)))
