"""Delimited text: CSV and its relatives, read in one pass with true line numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from detector.errors import InputError, Problem, UnusableFileError, excerpt
from detector.files import kernels, numerals
from detector.files.cells import BadRow, TextBlock, TextColumn
from detector.files.dialect import HEAD_BYTES, Dialect, recognise
from detector.files.encoded import EncodedText
from detector.files.options import ReadOptions

#: A record longer than this is not a record but a file of another kind.
RECORD_BYTES = 1 << 26


class DelimitedSource:
    """A text file as blocks of text columns.

    Text that cannot be decoded, NUL bytes and quotes that never close raise
    :class:`~detector.errors.UnusableFileError`; rows with too many or too few values are handed out as bad rows.
    """

    localised = True

    def __init__(self, path: Path, name: str, options: ReadOptions) -> None:
        self._name, self._limits = name, options.limits
        self._text = EncodedText(path, name, options)
        self.encoding = self._text.encoding
        head, whole = self._text.head(HEAD_BYTES)
        self.dialect: Dialect = recognise(head, whole, name, options)
        self.notes = [*self._text.notes, *self.dialect.notes]
        self.names = self.dialect.names

    def place(self, line: int, column: str) -> str | None:  # noqa: ARG002  # Excel names cells, text files do not
        """Return ``None``: row, line and column are all there is to say of a cell."""
        return None

    def blocks(self) -> Iterator[TextBlock]:
        """Read the file from its beginning; about 2 MB of text a block."""
        dialect, limit = self.dialect, self._limits.cell_bytes
        width, delimiter = dialect.width, ord(dialect.delimiter)
        row, line, carry, skip, base = 1, dialect.data_line, b"", dialect.data_start, 0
        for chunk, final in self._text.chunks():
            text = chunk[skip:]
            base += min(skip, len(chunk))
            skip = max(0, skip - len(chunk))
            self._text.refuse_nul(carry + text if b"\0" in text else b"", line, base)
            buffer = carry + text
            size = len(buffer)
            array = np.frombuffer(buffer, np.uint8)
            starts, ends = np.empty(size + 1 + width, np.int32), np.empty(size + 1 + width, np.int32)
            good, bad = np.empty((size // 2 + 2, 4), np.int64), np.empty((size // 2 + 2, 6), np.int64)
            first_line = line
            n_good, n_bad, used, row, line, status, opened = kernels.split_records(
                array, size, final, delimiter, width, limit, row, line, starts, ends, good, bad
            )
            self._text.refuse_undecodable(buffer[:used], first_line, base)
            if status != kernels.ENDED:
                raise self._open_quote(status, opened, row)
            if size - used > RECORD_BYTES:
                message = f"Line {line:,} is longer than {RECORD_BYTES >> 20} MB."
                raise UnusableFileError(f"{self._name}: {message} Is it a table?", file=self._name)
            if n_good or n_bad:
                yield self._block(array, starts, ends, good[:n_good], bad[:n_bad])
            carry, base = buffer[used:], base + used

    def _block(
        self,
        array: kernels.Bytes,
        starts: kernels.Positions,
        ends: kernels.Positions,
        good: kernels.Numbers,
        bad: kernels.Numbers,
    ) -> TextBlock:
        names, width = self.dialect.names, self.dialect.width
        columns = [TextColumn(*kernels.gather_column(array, starts, ends, len(good), width, at)) for at in range(width)]
        if width > len(names):
            spilled = np.flatnonzero(~numerals.blank_cells(columns[-1].data, columns[-1].offsets))
            if len(spilled):
                fault = np.broadcast_to([kernels.WRONG_WIDTH, width], (len(spilled), 2))
                bad = np.concatenate([bad, np.hstack([good[spilled], fault])])
                bad = bad[np.argsort(bad[:, 0])]
                keep = np.delete(np.arange(len(good)), spilled)
                columns, good = [column.take(keep) for column in columns], good[keep]
        named = dict(zip(names, columns, strict=False))
        return TextBlock(
            named, good[:, 0].copy(), good[:, 1].copy(), [self._bad_row(array, numbers) for numbers in bad]
        )

    def _bad_row(self, array: kernels.Bytes, numbers: kernels.Numbers) -> BadRow:
        row, line, begin, end, fault, detail = numbers.tolist()
        record = array[begin:end].tobytes().decode("utf-8", "replace").rstrip("\r\n")
        names, column = self.dialect.names, None
        if fault == kernels.AFTER_QUOTE:
            code = "text_after_quote"
            message = (
                f"The quote that opens in line {detail:,} closes in the middle of a value; it may have been left open."
            )
        elif fault == kernels.LONG_CELL:
            code = "long_value"
            message = f"Value {detail + 1:,} is longer than {self._limits.cell_bytes:,} bytes."
            column = names[detail] if detail < len(names) else None
        else:
            code = "wrong_number_of_values"
            message = f"The row has {detail:,} values, but the header names {len(names):,} columns."
        return BadRow(Problem(code, message, row, line, column, excerpt(record)), record)

    def _open_quote(self, status: int, opened: int, row: int) -> InputError:
        if status == kernels.OPEN_QUOTE:
            message = f"The quote that opens in line {opened:,} is never closed."
        else:
            message = f"The quote that opens in line {opened:,} is not closed within {self._limits.cell_bytes:,} bytes."
        problem = Problem("open_quote", message, row, opened)
        return UnusableFileError(f"{self._name}: {message} Close it, or remove it.", [problem], file=self._name)
