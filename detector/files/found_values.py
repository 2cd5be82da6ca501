"""What the values of a Parquet column are, seen batch by batch, and the type that follows from it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detector.errors import excerpt
from detector.files import numerals, times
from detector.files.cells import TextColumn
from detector.files.columns import LARGEST, Column, ColumnType
from detector.files.footer import Claim
from detector.files.options import ReadOptions
from detector.files.profile import Decision, times_or_text

_LEAST_LONG = 10**numerals.EXACT_DIGITS


class FoundValues:
    """What the values of one column are, batch by batch; ``known_text``: whatever they look like, they are texts."""

    def __init__(self, *, known_text: bool = False) -> None:
        self._known_text = known_text
        self._nulls = 0
        self._whole = True
        self._long = False
        self._layouts = 0

    def add(self, values: pa.Array, kind: ColumnType) -> None:
        """Take a batch of the column, which is read as ``kind``, into account."""
        if kind == "text":
            self._nulls += pc.sum(empty(values)).as_py() or 0
            if pa.types.is_string(values.type) and not self._layouts & times.UNREADABLE:
                cells = TextColumn.from_array(values.fill_null(""))
                self._layouts |= times.read_times(cells.data, cells.offsets, False, np.empty(len(cells), np.int64))
            return
        self._nulls += values.null_count
        if kind != "number":
            return
        if pa.types.is_floating(values.type):
            self._nulls += pc.sum(pc.is_nan(values)).as_py() or 0
            self._whole = False
        elif pa.types.is_decimal(values.type) and values.type.scale > 0:
            self._whole = False
        else:
            extremes = pc.min_max(values).as_py()
            self._bound(extremes["min"] or 0, extremes["max"] or 0)

    def settled_by(self, claim: Claim, kind: ColumnType, rows: int) -> bool:
        """Whether no other of all ``rows`` values can change the type, if what the file claims of them is true."""
        if kind == "number":
            if claim.least is None or claim.most is None:
                return False
            # Also where a bound is NaN.
            if not (claim.least >= -LARGEST and claim.most <= LARGEST):
                return False
        elif kind == "text" and not self._known_text and not self._layouts & times.UNREADABLE:
            # All that came so far may be times, and whether the rest is cannot be told from its bounds.
            return False
        return claim.nulls < rows

    def believe(self, claim: Claim, kind: ColumnType) -> None:
        """Take what the file claims into account, in place of values that are to be read and held against it later."""
        if kind == "number" and self._whole:
            assert claim.least is not None
            assert claim.most is not None
            self._bound(claim.least, claim.most)
        self._nulls = max(self._nulls, claim.nulls)

    def _bound(self, least: float, most: float) -> None:
        self._long = self._long or is_long(least, most)

    def decide(self, name: str, kind: ColumnType, rows: int, options: ReadOptions) -> Decision:
        """Return how to read the column, which is called ``name`` and has ``rows`` values."""
        if self._nulls == rows:
            return Decision(Column(name, "empty", rows))
        if self._long:
            why = f"numbers of more than {numerals.EXACT_DIGITS} digits are identifiers"
            note = f'Column "{excerpt(name)}" is read as text: {why}.'
            return Decision(Column(name, "text", self._nulls), note=note)
        times_only = self._layouts and not self._layouts & times.UNREADABLE
        if kind == "text" and times_only and name not in options.text_columns:
            return times_or_text(name, self._layouts, self._nulls, options)
        return Decision(Column(name, kind, self._nulls, kind == "number" and self._whole))


def is_long(least: float, most: float) -> bool:
    """Whether whole numbers between these bounds have more digits than can be kept exactly."""
    return bool(max(abs(least), abs(most)) >= _LEAST_LONG)


def empty(values: pa.Array) -> pa.Array:
    """Return where a value is missing; an empty text counts as missing."""
    if not pa.types.is_string(values.type):
        return pc.is_null(values)
    return pc.fill_null(pc.equal(pc.binary_length(values), 0), True)
