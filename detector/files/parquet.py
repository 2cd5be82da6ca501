"""Parquet files: typed already; read by batches, cast where that is exact, refused by column where it is not.

They are parsed in a process of its own, see ``apart.py``; what becomes of the values is decided here.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detector.errors import PROBLEMS_SHOWN, InputError, Problem, UnusableFileError, excerpt
from detector.files.apart import DamagedError, Parsing, damaged
from detector.files.cells import BadRow, TextColumn, csv_line
from detector.files.columns import LARGEST, Column, ColumnType, frame_type
from detector.files.faults import Faults, aside_frame
from detector.files.footer import Claim
from detector.files.found_values import FoundValues, empty, is_long
from detector.files.header import check_names
from detector.files.options import ReadOptions
from detector.files.values import read_values

#: What a Parquet file ends with: the length of its footer, and a mark.
_MARK = b"PAR1"
_END_BYTES = 8


class ParquetTable:
    """A Parquet file as typed batches: columns and notes at once, rows by batches.

    Whole numbers of more than 15 digits become text, as they do in text files; other decimals and all floats become
    ``float64``; times become UTC, also those written as text; numbers written as text stay text; NaN counts as missing.
    Infinite and overlarge values go to ``faults``.
    """

    def __init__(
        self, path: Path, name: str, options: ReadOptions, faults: Faults, progress: Callable[[int], None]
    ) -> None:
        self._path, self._name, self._options = path, name, options
        self._refuse_cut_off()
        # What was read to decide the types and the rest behind it, where the file's end tells enough of that.
        self._begun: Iterator[pa.RecordBatch] | None = None
        parsing = self._parsing()
        try:
            self._decide(parsing, faults, progress)
        except BaseException:
            parsing.close()
            raise

    def _decide(self, parsing: Parsing, faults: Faults, progress: Callable[[int], None]) -> None:
        rows = self._promised = int(parsing.header["rows"])
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(parsing.header["schema"])))
        types = self._checked_types(schema, rows)
        claims = {name: Claim(**claim) for name, claim in parsing.header["claims"].items()}
        found = {name: FoundValues(known_text=name in self._options.text_columns) for name in types}
        self.notes = _time_notes(schema, types)
        self.set_aside = row = 0
        sent = _sent(parsing, self._name)
        for batch in sent:
            for column, values in zip(batch.schema.names, batch.columns, strict=True):
                found[column].add(values, types[column])
                if types[column] == "time":
                    self._cast(Column(column, "time"), values)
            wrong = self._wrong(batch, row, faults)
            self.set_aside += 0 if wrong is None else int(wrong.sum())
            first, row = row == 0, row + batch.num_rows
            progress(row)
            if first and row < rows and not faults and self._fits(batch, rows) and _settled(found, types, claims, rows):
                for column, values in found.items():
                    values.believe(claims[column], types[column])
                self._begun, row = chain([batch], sent), rows
                break
        if row != rows:
            raise _damaged(self._name, f"it promises {rows:,} rows and holds {row:,}")
        decisions = [values.decide(name, types[name], rows, self._options) for name, values in found.items()]
        self.notes += [decision.note for decision in decisions if decision.note]
        self._day_first = {decision.column.name: decision.day_first for decision in decisions}
        self.columns = tuple(decision.column for decision in decisions)
        self.rows = rows - self.set_aside
        self._claimed = self._begun is not None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Read the file as batches of the decided types, without faulty rows.

        Raises
        ------
        UnusableFileError
            When the file is damaged behind what was read to decide the types.
        """
        row = 0
        schema = pa.schema([(column.name, frame_type(column)) for column in self.columns])
        for batch in self._raw_batches():
            wrong = self._wrong(batch, row, None) if self.set_aside or self._claimed else None
            row += batch.num_rows
            if self._claimed and (wrong is not None or not self._as_claimed(batch)):
                raise _damaged(self._name, "its end says something else of its values")
            arrays = [self._cast(column, values) for column, values in zip(self.columns, batch.columns, strict=True)]
            typed = pa.RecordBatch.from_arrays(arrays, schema=schema)
            yield typed if wrong is None else typed.filter(pa.array(~wrong))
        if row != self._promised:
            raise _damaged(self._name, f"it promises {self._promised:,} rows and holds {row:,}")

    def quarantined(self) -> Iterator[pd.DataFrame]:
        """Read the file again and yield the rows that are set aside, see :func:`aside_frame`."""
        row = 0
        for batch in self._raw_batches() if self.set_aside and self._options.on_error == "quarantine" else ():
            told: dict[int, BadRow] = {}
            for name, numbers, wrong in _out_of_range(batch):
                for at in np.flatnonzero(wrong).tolist():
                    cells = (
                        "" if value is None else str(value) for value in batch.slice(at, 1).to_pylist()[0].values()
                    )
                    told.setdefault(at, BadRow(_problem(name, row + at + 1, numbers[at]), csv_line(cells)))
            row += batch.num_rows
            if told:
                yield aside_frame(told.values())

    def _fits(self, first: pa.RecordBatch, rows: int) -> bool:
        """Whether all rows fit into what a file may unpack to, if they are as long as the first ones.

        Else that is found out before anybody gathers rows.
        """
        limit = self._options.limits.expanded_bytes
        return limit is None or bool(first.nbytes * rows <= limit * first.num_rows)

    def _as_claimed(self, batch: pa.RecordBatch) -> bool:
        """Whether whole numbers and booleans are as the file's end says; else they are not of the type decided."""
        for column, values in zip(self.columns, batch.columns, strict=True):
            if (column.whole or column.type == "boolean") and values.null_count > column.nulls:
                return False
            if column.whole:
                extremes = pc.min_max(values).as_py()
                if is_long(extremes["min"] or 0, extremes["max"] or 0):
                    return False
        return True

    def _wrong(self, batch: pa.RecordBatch, row: int, faults: Faults | None) -> NDArray[np.bool_] | None:
        """Return where a row holds an infinite or overlarge value; tell ``faults`` of them."""
        union: NDArray[np.bool_] | None = None
        for name, numbers, wrong in _out_of_range(batch):
            union = wrong if union is None else union | wrong
            if faults is not None:
                at = np.flatnonzero(wrong)
                first = [_problem(name, row + i + 1, numbers[i]) for i in at[:PROBLEMS_SHOWN].tolist()]
                faults.add_many(first, len(at))
        return union

    def _refuse_cut_off(self) -> None:
        """Refuse a file whose end is not that of a Parquet file, before any parser sees it."""
        size = self._path.stat().st_size
        with self._path.open("rb") as file:
            file.seek(max(0, size - _END_BYTES))
            end = file.read()
        if not end.endswith(_MARK) or int.from_bytes(end[:4], "little") > size - _END_BYTES - len(_MARK):
            raise _damaged(self._name, "its end is missing")

    def _parsing(self) -> Parsing:
        try:
            return Parsing("parquet", self._path, self._name, self._options.limits)
        except DamagedError as error:
            raise _damaged(self._name, error) from None

    def _raw_batches(self) -> Iterator[pa.RecordBatch]:
        # The first pass goes on behind what was read to decide the types, where that was not all.
        begun, self._begun = self._begun, None
        return begun or _sent(self._parsing(), self._name)

    def _checked_types(self, schema: pa.Schema, rows: int) -> dict[str, ColumnType]:
        """Return the type of each column; refuse what is too much, names that cannot be used, and nested columns."""
        limits = self._options.limits
        if len(schema) > limits.columns:
            raise self._too_many(len(schema), "columns", limits.columns)
        if limits.rows is not None and rows > limits.rows:
            raise self._too_many(rows, "rows", limits.rows)
        check_names(schema.names, self._name)
        return {field.name: self._type(field) for field in schema}

    def _type(self, field: pa.Field) -> ColumnType:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        for test, found in _TYPES:
            if test(kind):
                return "text" if field.name in self._options.text_columns and found == "number" else found
        message = f'Column "{excerpt(field.name)}" has the type {excerpt(kind)}, which cannot be used.'
        advice = "Leave the column out, or write its parts as columns of their own."
        problem = Problem("unusable_type", message, column=field.name)
        raise InputError(f"{self._name}: {message} {advice}", [problem], file=self._name)

    def _cast(self, column: Column, values: pa.Array) -> pa.Array:
        kind = frame_type(column)
        if column.type == "empty":
            return pa.nulls(len(values), kind)
        if column.type == "text":
            texts = _text(values)
            # An empty text counts as missing; without one nothing need be copied.
            none = not pc.any(pc.equal(pc.binary_length(texts), 0)).as_py()
            return texts if none else pc.if_else(empty(values), pa.scalar(None, kind), texts)
        if column.type != "time":
            return pc.cast(values, kind)
        if pa.types.is_string(values.type):
            cells = TextColumn.from_array(values.fill_null(""))
            return read_values(cells, column, None, self._day_first[column.name])[0]
        if pa.types.is_date(values.type):
            values = pc.cast(values, pa.timestamp("s" if pa.types.is_date32(values.type) else "ms"))
        try:
            # what is finer than a microsecond is cut off; what does not fit into 64 bits is refused, not wrapped around
            return pc.cast(values, kind, safe=values.type.unit != "ns")
        except pa.ArrowInvalid:
            message = f'Column "{excerpt(column.name)}" holds times beyond the years -290,000 to 290,000.'
            problem = Problem("out_of_range", message, column=column.name)
            raise InputError(f"{self._name}: {message} Correct the file.", [problem], file=self._name) from None

    def _too_many(self, found: int, what: str, limit: int) -> UnusableFileError:
        message = f"{self._name} has {found:,} {what}; the limit is {limit:,}."
        return UnusableFileError(f"{message} Leave out what is not needed, or use the command line.", file=self._name)


def _sent(parsing: Parsing, name: str) -> Iterator[pa.RecordBatch]:
    # Not of the table, which keeps what it has begun to read: the child would live until the next collection.
    with parsing:
        try:
            for batch, _ in parsing.batches():
                yield batch
        except DamagedError as error:
            raise _damaged(name, error) from None


def _damaged(name: str, error: object) -> UnusableFileError:
    what = "is not a readable Parquet file"
    return damaged(name, what, error, "It is damaged or incomplete: export it again.")


_TYPES: tuple[tuple[Callable[[pa.DataType], bool], ColumnType], ...] = (
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_integer, "number"),
    (pa.types.is_floating, "number"),
    (pa.types.is_decimal, "number"),
    (pa.types.is_timestamp, "time"),
    (pa.types.is_date, "time"),
    (pa.types.is_string, "text"),
    (pa.types.is_large_string, "text"),
    (pa.types.is_string_view, "text"),
    (pa.types.is_null, "empty"),
)


def _settled(
    found: Mapping[str, FoundValues], types: Mapping[str, ColumnType], claims: Mapping[str, Claim], rows: int
) -> bool:
    """Whether no value that was not read yet can change what the columns are, if the file's claims are true."""
    return all(name in claims and values.settled_by(claims[name], types[name], rows) for name, values in found.items())


def _time_notes(schema: pa.Schema, types: dict[str, ColumnType]) -> list[str]:
    stamps = [field for field in schema if types[field.name] == "time" and pa.types.is_timestamp(field.type)]
    notes = []
    if any(field.type.unit == "ns" for field in stamps):
        notes.append("Times are kept to the microsecond.")
    if any(field.type.tz is None for field in stamps):
        notes.append("Times without a time zone are taken as UTC.")
    return notes


def _out_of_range(batch: pa.RecordBatch) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.bool_]]]:
    """Yield name, numbers and faulty places of each column that holds infinite or overlarge values."""
    for name, values in zip(batch.schema.names, batch.columns, strict=True):
        if not (pa.types.is_floating(values.type) or pa.types.is_decimal(values.type)):
            continue
        numbers = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
        # Most columns are settled by their bounds; not so where one of them is NaN.
        if len(numbers) and numbers.min() >= -LARGEST and numbers.max() <= LARGEST:
            continue
        wrong = np.abs(numbers) > LARGEST
        if wrong.any():
            yield name, numbers, wrong


def _problem(name: str, row: int, number: float) -> Problem:
    infinite = bool(np.isinf(number))
    said = (
        "is infinite; leave it empty if it is unknown."
        if infinite
        else "is larger than any number that can be computed with."
    )
    code = "infinite" if infinite else "out_of_range"
    return Problem(code, f'"{number}" {said}', row, None, name, excerpt(number))


def _text(values: pa.Array) -> pa.Array:
    return values if pa.types.is_string(values.type) else pc.cast(values, pa.string())
