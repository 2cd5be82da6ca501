"""Which type a column of text has, decided over all of its cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.errors import PROBLEMS_SHOWN, excerpt
from detector.files import numerals, times
from detector.files.cells import TextColumn
from detector.files.columns import LARGEST, Column
from detector.files.options import ReadOptions
from detector.files.values import MARKS, to_floats

#: From this share of numbers on, the other values of a column are taken for errors.
NUMBERS_MEANT = 0.9
#: The same for a column that is known to be numeric.
NUMBERS_KNOWN = 0.5
#: Sorts of cells that cannot stand in a column of numbers.
TEXT_CELL, INFINITE_CELL, LARGE_CELL, LONG_CELL = "not_a_number", "infinite", "out_of_range", "too_many_digits"


@dataclass(frozen=True)
class Cell:
    """An offending cell: data row and file line, both from 1, and its text."""

    row: int
    line: int
    value: str


@dataclass(frozen=True)
class WrongCells:
    """The offending cells of one sort in a column: the first of them, and how many there are."""

    sort: str
    first: tuple[Cell, ...]
    total: int


@dataclass(frozen=True)
class Decision:
    """What a column is read as.

    ``wrong`` are the cells that do not fit; ``note`` tells the user what is not obvious. ``unclear`` is the first
    cell that is a number only if it is known which of comma and point is the decimal mark; then the column cannot be
    read. ``plain``: all cells are numbers that can be computed with, or empty.
    """

    column: Column
    decimal: str | None = None
    day_first: bool = False
    wrong: tuple[WrongCells, ...] = ()
    note: str | None = None
    unclear: Cell | None = None
    plain: bool = False


def times_or_text(name: str, layouts: int, nulls: int, options: ReadOptions) -> Decision:
    """Return how to read a column of text in which every value is a time, from the union of the values' layouts."""
    if not times.is_single_layout(layouts):
        return _text(name, nulls, "its times are written in more than one format, or only some name a time zone")
    day_first, remarks = True, []
    if layouts & times.TWO_FIRST:
        found = times.day_first_of(layouts, options.day_first)
        if found is None:
            return _text(name, nulls, "its dates can be read with the day first and with the month first")
        day_first = found
        remarks.append(f"dates are read with the {'day' if day_first else 'month'} first")
    if layouts & times.UNZONED:
        remarks.append("times without a time zone are taken as UTC")
    if layouts & times.FINER:
        remarks.append("times are kept to the microsecond")
    note = f'Column "{excerpt(name)}": {", ".join(remarks)}.' if remarks else None
    return Decision(Column(name, "time", nulls), day_first=day_first, note=note)


def _text(name: str, nulls: int, why: str | None = None) -> Decision:
    note = f'Column "{excerpt(name)}" is read as text: {why}.' if why else None
    return Decision(Column(name, "text", nulls), note=note)


class ColumnProfile:
    """What the cells of one column are, counted block by block."""

    def __init__(self, name: str, options: ReadOptions, localised: bool) -> None:
        self.name = name
        self._options = options
        self._counts = np.zeros(numerals.KINDS, np.int64)
        self._first: dict[str, list[Cell]] = {TEXT_CELL: [], INFINITE_CELL: [], LARGE_CELL: [], LONG_CELL: []}
        self._large = 0
        self._layouts = 0
        # whether all cells so far are numbers under a decimal mark that was not declared
        self._numbers_under = dict.fromkeys((".", ","), localised and options.decimal is None)

    def add(self, cells: TextColumn, rows: NDArray[np.int64], lines: NDArray[np.int64]) -> None:
        """Count the cells of a block, whose rows have these numbers and lines."""
        counts = np.zeros(numerals.KINDS, np.int64)
        if self.name in self._options.text_columns:
            # Whatever its cells look like, it is text.
            counts[numerals.EMPTY] = np.count_nonzero(numerals.blank_cells(cells.data, cells.offsets))
            counts[numerals.OTHER] = len(cells) - counts[numerals.EMPTY]
            self._counts += counts
            return
        kinds = numerals.classify(cells.data, cells.offsets, *MARKS[self._options.decimal], counts)
        self._counts += counts
        for sort, some in _SORTS.items():
            if counts[list(some)].any():
                self._remember(sort, np.isin(kinds, some), cells, rows, lines)
        if counts[numerals.SCALED]:
            large = _large_cells(cells, kinds, self._options.decimal)
            self._large += int(large.sum())
            self._remember(LARGE_CELL, large, cells, rows, lines)
        if not self._layouts & times.UNREADABLE:
            out = np.empty(len(cells), np.int64)
            self._layouts |= times.read_times(cells.data, cells.offsets, False, out)
        for mark, so_far in self._numbers_under.items():
            if so_far and (self._counts[numerals.OTHER] or counts[numerals.TRUE] or counts[numerals.FALSE]):
                under = np.zeros(numerals.KINDS, np.int64)
                numerals.classify(cells.data, cells.offsets, *MARKS[mark], under)
                self._numbers_under[mark] = not under[list(numerals.TEXT_KINDS)].any()

    def decide(self, rows: int) -> Decision:
        """Return the type of the column in a file of ``rows`` data rows."""
        counts = self._counts
        present = int(counts.sum() - counts[numerals.EMPTY])
        nulls = rows - present
        if self.name in self._options.text_columns:
            return Decision(Column(self.name, "text", nulls))
        if present == counts[numerals.NOT_A_NUMBER]:
            return Decision(Column(self.name, "empty", rows))
        if counts[numerals.TRUE] + counts[numerals.FALSE] == present:
            return Decision(Column(self.name, "boolean", nulls))
        if not self._layouts & times.UNREADABLE:
            return times_or_text(self.name, self._layouts, nulls, self._options)
        return self._numbers_or_text(present, nulls)

    def _numbers_or_text(self, present: int, nulls: int) -> Decision:
        counts = self._counts
        known = self.name in self._options.numeric_columns
        plain = int(counts[list(numerals.NUMBER_KINDS)].sum())
        zeros, long = int(counts[numerals.LEADING_ZERO]), int(counts[numerals.LONG_WHOLE])
        if known:
            plain += zeros + long
        share = plain / present
        if zeros and not known:
            why = "values that begin with zeros are identifiers" if plain + zeros + long == present else None
            return _text(self.name, nulls, why)
        if share >= (NUMBERS_KNOWN if known else NUMBERS_MEANT):
            return self._numbers(nulls)
        if plain + long == present:
            return _text(self.name, nulls, f"numbers of more than {numerals.EXACT_DIGITS} digits are identifiers")
        first_text = self._first[TEXT_CELL][0]
        if any(self._numbers_under.values()):
            return Decision(Column(self.name, "text", nulls), unclear=first_text)
        if share >= NUMBERS_KNOWN:
            return _text(
                self.name,
                nulls,
                f'{share:.0%} of its values are numbers, but others are text such as "{excerpt(first_text.value)}"',
            )
        return _text(self.name, nulls)

    def _numbers(self, nulls: int) -> Decision:
        counts = self._counts
        totals = {sort: int(counts[list(some)].sum()) for sort, some in _SORTS.items()} | {LARGE_CELL: self._large}
        wrong = tuple(WrongCells(sort, tuple(self._first[sort]), total) for sort, total in totals.items() if total)
        whole = not counts[[numerals.FRACTION, numerals.SCALED, numerals.LEADING_ZERO]].any()
        column = Column(self.name, "number", nulls + int(counts[numerals.NOT_A_NUMBER]), whole)
        plain = not counts[[*numerals.TEXT_KINDS, *_DOUBTED]].any()
        return Decision(column, self._options.decimal, wrong=wrong, plain=plain)

    def _remember(
        self,
        sort: str,
        mask: NDArray[np.bool_],
        cells: TextColumn,
        rows: NDArray[np.int64],
        lines: NDArray[np.int64],
    ) -> None:
        kept = self._first[sort]
        if len(kept) < PROBLEMS_SHOWN:
            for at in np.flatnonzero(mask)[: PROBLEMS_SHOWN - len(kept)].tolist():
                kept.append(Cell(int(rows[at]), int(lines[at]), cells[at]))


#: Sorts of numbers that are not simply read: missing, refused, or looked at again.
_DOUBTED = (numerals.NOT_A_NUMBER, numerals.INFINITY, numerals.LONG_WHOLE, numerals.SCALED)
_SORTS = {TEXT_CELL: numerals.TEXT_KINDS, INFINITE_CELL: (numerals.INFINITY,), LONG_CELL: (numerals.LONG_WHOLE,)}


def _large_cells(cells: TextColumn, kinds: NDArray[np.uint8], decimal: str | None) -> NDArray[np.bool_]:
    at = np.flatnonzero(kinds == numerals.SCALED)
    large = np.zeros(len(cells), np.bool_)
    large[at] = np.abs(np.asarray(to_floats(cells.take(at).array(), decimal))) > LARGEST
    return large
