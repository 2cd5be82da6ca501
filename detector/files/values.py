"""Reading a column of text as the type that was decided for it."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detector.files import numerals, times
from detector.files.cells import TextColumn
from detector.files.columns import LARGEST, Column

#: Decimal mark -> (its byte, the byte allowed between groups of three digits; 0: none).
MARKS: dict[str | None, tuple[int, int]] = {
    None: (ord("."), 0),
    ".": (ord("."), ord(",")),
    ",": (ord(","), ord(".")),
}


def read_values(
    cells: TextColumn, column: Column, decimal: str | None, day_first: bool, *, plain: bool = False
) -> tuple[pa.Array, NDArray[np.bool_] | None]:
    """Return the cells as the column's type, and where a cell does not fit it (``None`` when all do).

    A cell that does not fit is null in the array. ``plain``: no cell of a column of numbers is expected to be anything
    but a number or empty, so that only one that Arrow refuses makes all be looked at.
    """
    if column.type == "text":
        return cells.array(numerals.blank_cells(cells.data, cells.offsets)), None
    if column.type == "empty":
        return pa.nulls(len(cells), pa.float64()), None
    if column.type == "time":
        instants = np.empty(len(cells), np.int64)
        times.read_times(cells.data, cells.offsets, day_first, instants)
        values = pa.array(instants, mask=instants == times.MISSING_TIME)
        return values.cast(pa.timestamp("us", "UTC")), None
    if plain and column.type == "number":
        with suppress(pa.ArrowInvalid):
            missing = numerals.blank_cells(cells.data, cells.offsets) if column.nulls else None
            return to_floats(cells.array(missing), decimal), None
    kinds = numerals.classify(cells.data, cells.offsets, *MARKS[decimal], np.zeros(numerals.KINDS, np.int64))
    if column.type == "boolean":
        return pa.array(kinds == numerals.TRUE, mask=kinds == numerals.EMPTY), None
    return _read_numbers(cells, kinds, decimal)


def _read_numbers(
    cells: TextColumn, kinds: NDArray[np.uint8], decimal: str | None
) -> tuple[pa.Array, NDArray[np.bool_] | None]:
    fits = _FIT_A_NUMBER[kinds]
    values = to_floats(cells.array(None if fits.all() else ~fits), decimal)
    wrong: NDArray[np.bool_] | None = None
    if not fits.all():
        wrong = ~_FIT_OR_MISSING[kinds]
    if (kinds == numerals.SCALED).any():
        large = np.abs(values.to_numpy(zero_copy_only=False)) > LARGEST
        wrong = large if wrong is None else wrong | large
    return values, wrong if wrong is not None and wrong.any() else None


def to_floats(texts: pa.StringArray, decimal: str | None) -> pa.Array:
    """Return numbers written as text as ``float64``; what is beyond its range becomes infinite."""
    if decimal:
        group = "," if decimal == "." else "."
        texts = pc.replace_substring(pc.replace_substring(texts, group, ""), decimal, ".")
    try:
        return pc.cast(texts, pa.float64())
    except pa.ArrowInvalid:
        # the only thing that Arrow refuses and we accept: blanks around a number
        return pc.cast(pc.utf8_trim(texts, " \t"), pa.float64())


def _table(*kinds: int) -> NDArray[np.bool_]:
    table = np.zeros(numerals.KINDS, np.bool_)
    table[list(kinds)] = True
    return table


_FIT_A_NUMBER = _table(numerals.WHOLE, numerals.FRACTION, numerals.SCALED, numerals.LEADING_ZERO)
_FIT_OR_MISSING = _FIT_A_NUMBER | _table(numerals.EMPTY, numerals.NOT_A_NUMBER)
