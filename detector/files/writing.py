"""Writing results: whole or not at all, batch by batch, and harmless when a spreadsheet opens them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from detector.durable import begin_beside, flush_folder
from detector.files import kernels
from detector.files.cells import TextColumn

WrittenFormat = Literal["csv", "parquet"]

# What spreadsheets take for the beginning of a formula; https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = "^[=+\\-@\t\r\n＝＋－＠]"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_APOSTROPHE, _NOTHING = pa.scalar("'"), pa.scalar("")
_WRITTEN_ROWS = 8_192
#: First values of a column of texts that are looked at to tell whether they repeat.
_LOOKED_AT = 10_000
#: Seconds at which the years 1 and 10000 begin, and ticks in a second.
_FIRST, _LAST = -62_135_596_800, 253_402_300_800
_TICKS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


class ScoredWriter:
    """Write frames one after the other to a CSV or Parquet file that appears, complete, when the writer is closed.

    The first frame sets columns and types. In CSV a text cell (or column name) that a spreadsheet would take for a
    formula gets an apostrophe in front, unless it is a number; numbers, and all of Parquet, are written as they are.

    Parameters
    ----------
    path
        The file to make or replace.
    format
        ``"csv"`` (UTF-8, comma, line feed) or ``"parquet"`` (Snappy).

    Raises
    ------
    ValueError
        When a frame has other columns than the first one.
    OSError
        When the disk refuses; ``path`` is then as it was.
    """

    def __init__(self, path: Path | str, format: WrittenFormat = "csv") -> None:
        self.path = Path(path)
        self.format = format
        self.rows = 0
        handle, self._temporary = begin_beside(self.path)
        self._file = os.fdopen(handle, "wb")
        self._schema: pa.Schema | None = None
        self._parquet: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.discard()

    def write(self, frame: pd.DataFrame) -> None:
        """Add the rows of ``frame``; its index is not written."""
        self._add(pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None))

    def add(self, rows: pa.Table, scored: pd.DataFrame) -> None:
        """Add ``rows`` as :meth:`Table.blocks` yields them (columns named as they are to be written) beside ``scored``.

        What is written is what :meth:`write` makes of the two as one frame, only that ``rows`` are not made anew.
        """
        table = pa.table({field.name: _without_nan(rows[field.name]) for field in rows.schema})
        for name in scored.columns:
            table = table.append_column(name, pa.Array.from_pandas(scored[name]))
        self._add(table)

    def _add(self, table: pa.Table) -> None:
        if self._schema is None:
            self._schema = pa.schema([(field.name, _written_type(field.type)) for field in table.schema])
            self._begin(self._schema, table)
        elif table.schema.names != self._schema.names:
            raise ValueError(f"the frame has the columns {table.schema.names}, the first one had {self._schema.names}")
        table = table.cast(self._schema)
        if self._parquet is not None:
            self._parquet.write_table(table)
        elif table.num_rows:
            self._write_csv(table)
        self.rows += table.num_rows

    def close(self) -> None:
        """Finish the file, flush it to disk and put it in its place."""
        if self._file.closed:
            return
        try:
            if self._parquet is not None:
                self._parquet.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._temporary.replace(self.path)
        except BaseException:
            self.discard()
            raise
        flush_folder(self.path.parent)

    def discard(self) -> None:
        """Give up: nothing appears at ``path``."""
        if self._parquet is not None and not self._file.closed:
            # Else it would write its end into a closed file when it is collected.
            with suppress(OSError):
                self._parquet.close()
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def _begin(self, schema: pa.Schema, first: pa.Table) -> None:
        if self.format == "parquet":
            # To look for repetitions where there are none, as among numbers and identifiers, costs more than to write.
            # Snappy takes about six tenths more room than zstd, and two thirds of the time.
            repeating = [
                field.name for field in schema if pa.types.is_string(field.type) and _repeats(first[field.name])
            ]
            self._parquet = pq.ParquetWriter(self._file, schema, compression="snappy", use_dictionary=repeating)
            return
        names = harmless(pa.array(schema.names, pa.string()))
        self._file.write((",".join(_quoted(name) for name in names.to_pylist()) + "\n").encode())

    def _write_csv(self, table: pa.Table) -> None:
        texts = {i: harmless(table.column(i)) for i, f in enumerate(table.schema) if pa.types.is_string(f.type)}
        times = {i: _time_texts(table.column(i)) for i, f in enumerate(table.schema) if pa.types.is_timestamp(f.type)}
        for position, values in (texts | times).items():
            table = table.set_column(position, table.schema.names[position], values)
        quoted = any(_need_quotes(values) for values in texts.values())
        style = "needed" if quoted else "none"
        options = arrow_csv.WriteOptions(include_header=False, quoting_style=style, batch_size=_WRITTEN_ROWS)
        arrow_csv.write_csv(table, self._file, options)


def write_scored(path: Path | str, frames: Iterable[pd.DataFrame], format: WrittenFormat = "csv") -> int:
    """Write all ``frames`` to ``path`` and return the number of rows; see :class:`ScoredWriter`."""
    with ScoredWriter(path, format) as writer:
        for frame in frames:
            writer.write(frame)
    return writer.rows


def harmless(texts: pa.Array) -> pa.Array:
    """Return the texts with an apostrophe before those that a spreadsheet would run as a formula."""
    # A look at the first bytes settles it for most columns, long before the pattern has.
    if not any(kernels.begins_with_byte(*cells, _FORMULA_BYTES) for cells in _bytes_of(texts)):
        return texts
    formula = pc.match_substring_regex(texts, _FORMULA)
    if not _any(formula):
        return texts
    formula = pc.and_not(formula, pc.match_substring_regex(texts, _NUMBER))
    return pc.if_else(formula, pc.binary_join_element_wise(_APOSTROPHE, texts, _NOTHING), texts)


def _time_texts(times: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return times as texts; in whole seconds when all are: easier to read, and nearer to what most files hold."""
    ticks, second = times.cast(pa.int64()), _TICKS[times.type.unit]
    seconds = pc.divide(ticks, second)
    if not _any(pc.not_equal(pc.multiply(seconds, second), ticks)):
        ticks, second, times = seconds, 1, seconds.cast(pa.timestamp("s", times.type.tz))
    extremes = pc.min_max(ticks).as_py().values()
    if times.type.tz != "UTC" or not all(_FIRST <= (extreme or 0) / second < _LAST for extreme in extremes):
        return times.cast(pa.string())
    # Arrow writes a time that has a zone more than ten times as slowly, and UTC changes nothing but the mark.
    return pc.binary_join_element_wise(times.cast(pa.timestamp(times.type.unit)).cast(pa.string()), "Z", "")


def _bytes_of(texts: pa.Array | pa.ChunkedArray) -> Iterator[tuple[kernels.Bytes, kernels.Positions]]:
    for part in texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]:
        if len(part):
            cells = TextColumn.from_array(part)
            yield cells.data, cells.offsets


def _need_quotes(texts: pa.ChunkedArray) -> bool:
    together = (data[offsets[0] : offsets[-1]].tobytes() for data, offsets in _bytes_of(texts))
    return any(byte in cells for cells in together for byte in _QUOTED_BYTES)


_QUOTED_BYTES = (b'"', b",", b"\r", b"\n")
#: Whether what looks like a formula may begin with a byte (256,); see ``_FORMULA``.
_FORMULA_BYTES = np.isin(np.arange(256), list("=+-@\t\r\n＝＋－＠".encode()))


def _written_type(kind: pa.DataType) -> pa.DataType:
    """Return the type to write; a column without any value is taken for text, which may come in a later frame."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.string() if pa.types.is_null(kind) or pa.types.is_large_string(kind) else kind


def _without_nan(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the values with NaN as missing, as pandas has it."""
    if not pa.types.is_floating(values.type) or not _any(pc.is_nan(values)):
        return values
    return pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)


def _repeats(texts: pa.ChunkedArray) -> bool:
    return bool(pc.count_distinct(texts.slice(0, _LOOKED_AT)).as_py() <= min(len(texts), _LOOKED_AT) / 2)


def _any(mask: pa.Array) -> bool:
    return bool(pc.any(mask).as_py())


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if any(c in name for c in '",\r\n') else name
