"""From text columns to typed batches: two passes over the file, the first decides, the second reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detector.errors import InputError, Problem, UnusableFileError, excerpt
from detector.files.cells import BadRow, TextBlock, TextColumn, TextSource
from detector.files.columns import frame_type
from detector.files.faults import Faults, aside_frame
from detector.files.header import check_names
from detector.files.options import ReadOptions
from detector.files.profile import INFINITE_CELL, LARGE_CELL, LONG_CELL, TEXT_CELL, ColumnProfile, Decision
from detector.files.values import read_values
from detector.side_by_side import ahead

_SAID = {
    TEXT_CELL: "is not a number; leave the cell empty if the value is unknown.",
    INFINITE_CELL: "is infinite; leave the cell empty if the value is unknown.",
    LARGE_CELL: "is larger than any number that can be computed with.",
    LONG_CELL: "has more digits than can be kept exactly; declare the column as text if it is an identifier.",
}


class TypedText:
    """The typed view of a text source: columns, notes and number of rows at once, rows by batches.

    Problems found go to ``faults``; with ``on_error="quarantine"`` their rows are left out of the batches.
    """

    def __init__(
        self, source: TextSource, name: str, options: ReadOptions, faults: Faults, progress: Callable[[int], None]
    ) -> None:
        if not source.localised:
            options = replace(options, decimal=None)
        self._source, self._name, self._options = source, name, options
        profiles = {column: ColumnProfile(column, options, source.localised) for column in source.names}
        rows = bad = 0
        for block in ahead(source.blocks()):
            for column, cells in block.columns.items():
                if column not in profiles:
                    profiles[column] = ColumnProfile(column, options, source.localised)
                    self._refuse_too_many(len(profiles))
                profiles[column].add(cells, block.rows, block.lines)
            rows += len(block.rows)
            bad += len(block.bad)
            faults.add_many([row.problem for row in block.bad], len(block.bad))
            self._refuse_too_long(rows + bad)
            progress(rows + bad)
        if rows and not profiles:
            raise UnusableFileError(f"{name} names no column. Export it again.", file=name)
        check_names(list(profiles), name)
        self._decisions = {column: profile.decide(rows) for column, profile in profiles.items()}
        self._refuse_unclear_numbers()
        wrong_cells = self._tell_wrong_cells(faults)
        self.columns = tuple(decision.column for decision in self._decisions.values())
        self.notes = tuple(decision.note for decision in self._decisions.values() if decision.note)
        self.rows, self.set_aside = rows, bad
        if options.on_error == "quarantine" and wrong_cells:
            self.rows = sum(batch.num_rows for batch in self.batches())
            self.set_aside = rows + bad - self.rows

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Read the file again, as batches of the decided types without faulty rows."""
        schema = pa.schema([(column.name, frame_type(column)) for column in self.columns])
        for block in ahead(self._source.blocks()):
            arrays, wrong = self._typed(block)
            if wrong is not None:
                keep = pa.array(~wrong)
                arrays = [array.filter(keep) for array in arrays]
            arrays = [pc.cast(array, kind) for array, kind in zip(arrays, schema.types, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def quarantined(self) -> Iterator[pd.DataFrame]:
        """Read the file again and yield the rows that are set aside, see :func:`aside_frame`."""
        if not self.set_aside or self._options.on_error != "quarantine":
            return
        for block in self._source.blocks():
            found = [*block.bad, *self._wrong_rows(block)]
            if found:
                yield aside_frame(found)

    def _read(self, block: TextBlock, name: str, decision: Decision) -> tuple[pa.Array, NDArray[np.bool_] | None]:
        cells = block.columns.get(name)
        if cells is None:
            cells = TextColumn.blank(len(block.rows))
        return read_values(cells, decision.column, decision.decimal, decision.day_first, plain=decision.plain)

    def _typed(self, block: TextBlock) -> tuple[list[pa.Array], NDArray[np.bool_] | None]:
        """Return the typed columns of a block, and where a row holds a wrong cell."""
        arrays = []
        wrong: NDArray[np.bool_] | None = None
        for name, decision in self._decisions.items():
            values, unfit = self._read(block, name, decision)
            arrays.append(values)
            if unfit is not None:
                wrong = unfit if wrong is None else wrong | unfit
        return arrays, wrong

    def _wrong_rows(self, block: TextBlock) -> Iterator[BadRow]:
        """Yield the rows with a wrong cell, each with its first one."""
        told: set[int] = set()
        for name, decision in self._decisions.items():
            if not decision.wrong:
                continue
            _, unfit = self._read(block, name, decision)
            for at in np.flatnonzero(unfit).tolist() if unfit is not None else ():
                if at not in told:
                    told.add(at)
                    shown = excerpt(block.columns[name][at])
                    message = f'"{shown}" is not a number that can be used.'
                    row, line = int(block.rows[at]), int(block.lines[at])
                    yield BadRow(Problem("wrong_value", message, row, line, name, shown), block.record(at))

    def _tell_wrong_cells(self, faults: Faults) -> bool:
        found = False
        for name, decision in self._decisions.items():
            for wrong in decision.wrong:
                problems = []
                for cell in wrong.first:
                    place, shown = self._source.place(cell.line, name), excerpt(cell.value)
                    message = f'"{shown}"{f" in {place}" if place else ""} {_SAID[wrong.sort]}'
                    problems.append(Problem(wrong.sort, message, cell.row, cell.line, name, shown))
                faults.add_many(problems, wrong.total)
                found = True
        return found

    def _refuse_unclear_numbers(self) -> None:
        unclear = {name: decision.unclear for name, decision in self._decisions.items() if decision.unclear is not None}
        if not unclear:
            return
        problems = [
            Problem(
                "unclear_number",
                f'"{excerpt(cell.value)}" is a number only if it is known whether the comma or the point is the decimal'
                " mark.",
                cell.row,
                cell.line,
                name,
                excerpt(cell.value),
            )
            for name, cell in unclear.items()
        ]
        where = f'{self._name}, column "{excerpt(problems[0].column)}"'
        advice = "Say which decimal mark the file uses, or declare the column as text."
        message = f"{where}: {problems[0].message} {advice}"
        raise InputError(message, problems, file=self._name, columns=list(unclear))

    def _refuse_too_many(self, columns: int) -> None:
        limit = self._options.limits.columns
        if columns > limit:
            message = f"{self._name} has more than {limit:,} columns."
            raise UnusableFileError(f"{message} Leave out what is not needed.", file=self._name)

    def _refuse_too_long(self, rows: int) -> None:
        limit = self._options.limits.rows
        if limit is not None and rows > limit:
            message = f"{self._name} has more than {limit:,} rows."
            raise UnusableFileError(
                f"{message} Split it, or use the command line, which has no such limit.", file=self._name
            )
