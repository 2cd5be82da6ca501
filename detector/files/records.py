"""JSON: an array of flat objects, such an array inside one object, or one object a line (NDJSON)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NoReturn

from detector.errors import Problem, UnusableFileError, excerpt
from detector.files.cells import BadRow, BlockBuilder, TextBlock
from detector.files.encoded import EncodedText
from detector.files.flat_json import FlatDecoder, reason
from detector.files.options import ReadOptions

_LINE_BYTES = 1 << 24
_BLANKS = " \t\r\n"


class RecordSource:
    """A JSON file as blocks of text columns; numbers keep the digits that the file has."""

    format: Literal["json", "ndjson"]
    names: tuple[str, ...] = ()
    localised = False

    def __init__(self, path: Path, name: str, options: ReadOptions) -> None:
        self._name, self._size, self._limits = name, path.stat().st_size, options.limits
        self._text = EncodedText(path, name, options)
        self.encoding = self._text.encoding
        self.notes = self._text.notes
        self._records = FlatDecoder(options.limits.cell_bytes)
        self.format = "ndjson" if self._is_lines() else "json"

    def place(self, line: int, column: str) -> str | None:  # noqa: ARG002  # Excel names cells, JSON does not
        """Return ``None``: record, line and key are all there is to say of a value."""
        return None

    def blocks(self) -> Iterator[TextBlock]:
        """Read the file from its beginning, 20,000 records a block."""
        builder = BlockBuilder()
        for record, line in self._from_lines() if self.format == "ndjson" else self._from_document():
            builder.add(record, line)
            if builder.full and (block := builder.block()):
                yield block
        if last := builder.block():
            yield last

    def _from_lines(self) -> Iterator[tuple[dict[str, str] | BadRow, int]]:
        for number, line in self._lines():
            yield self._records.line(line), number

    def _lines(self) -> Iterator[tuple[int, str]]:
        """Yield number and text of the lines that are not blank."""
        carry, number, base = b"", 1, 0
        for chunk, final in self._text.chunks():
            buffer = carry + chunk
            used = len(buffer) if final else buffer.rfind(b"\n") + 1
            if len(buffer) - used > _LINE_BYTES:
                message = f"Line {number + buffer.count(10):,} is longer than {_LINE_BYTES >> 20} MB."
                raise UnusableFileError(f"{self._name}: {message} Is it one record a line?", file=self._name)
            self._text.refuse_undecodable(buffer[:used], number, base)
            for line in buffer[:used].split(b"\n")[: None if final else -1]:
                if text := line.decode().strip(_BLANKS):
                    yield number, text
                number += 1
            carry, base = buffer[used:], base + used

    def _is_lines(self) -> bool:
        """Tell whether the file is one record a line, from its first two lines that are not blank."""
        head, whole = self._text.head(1 << 20)
        lines = [line for line in head.decode("utf-8", "ignore").split("\n") if line.strip(_BLANKS)][
            : 3 if whole else None
        ]
        if len(lines) < 2 or not lines[0].lstrip(_BLANKS).startswith("{"):
            return False
        try:
            json.loads(lines[0])
        except RecursionError:
            return False
        except ValueError:
            # a first record that is broken, before a second one that begins as a record does
            return lines[1].lstrip(_BLANKS).startswith("{") and lines[0].strip(_BLANKS).endswith("}")
        return True

    def _from_document(self) -> Iterator[tuple[dict[str, str] | BadRow, int]]:
        text = self._document()
        at, wrapped = self._array_start(text)
        if at < 0:
            yield self._only_record(text.strip(_BLANKS)), 1 + text[: len(text) - len(text.lstrip(_BLANKS))].count("\n")
            return
        line, counted, row = 1, 0, 0
        while True:
            at = _skip_blanks(text, at)
            mark = text[at : at + 1]
            if mark == "]":
                break
            if row:
                if mark != ",":
                    self._broken(text, at, "a comma is missing" if mark else "the list of records is not closed")
                at = _skip_blanks(text, at + 1)
            line, counted = line + text.count("\n", counted, at), at
            row += 1
            record, at = self._record_at(text, at, row)
            yield record, line
        self._refuse_rest(text, at + 1, wrapped)

    def _record_at(self, text: str, at: int, row: int | None) -> tuple[dict[str, str] | BadRow, int]:
        try:
            return self._records.at(text, at)
        except RecursionError:
            self._broken(text, at, "a record is nested too deeply", row)
        except json.JSONDecodeError as error:
            self._broken(text, error.pos, reason(error), row)

    def _only_record(self, text: str) -> dict[str, str] | BadRow:
        record, end = self._record_at(text, 0, None)
        if text[end:].strip(_BLANKS):
            self._broken(text, end, "it goes on after its end")
        return record

    def _array_start(self, text: str) -> tuple[int, bool]:
        """Return where the array's first record is (-1: there is none) and whether an object is around the array."""
        at = _skip_blanks(text, 0)
        if text[at : at + 1] == "[":
            return at + 1, False
        decoder = json.JSONDecoder(object_pairs_hook=len, parse_float=len, parse_int=len, parse_constant=len)
        try:
            while text[at : at + 1] in ("{", ","):
                key, at = decoder.raw_decode(text, _skip_blanks(text, at + 1))
                at = _skip_blanks(text, _skip_blanks(text, at) + 1)
                if text[at : at + 1] == "[" and text[_skip_blanks(text, at + 1) :][:1] in ("{", "]"):
                    self.notes = [*self._text.notes, f'The records are taken from "{excerpt(key)}".']
                    return at + 1, True
                at = _skip_blanks(text, decoder.raw_decode(text, at)[1])
        except (ValueError, RecursionError):
            return -1, False
        return -1, False

    def _refuse_rest(self, text: str, at: int, wrapped: bool) -> None:
        rest = text[at:].strip(_BLANKS)
        if not wrapped and rest:
            self._broken(text, _skip_blanks(text, at), "it goes on after its end")
        if wrapped:
            try:
                json.loads('{"":0' + rest, parse_int=len, parse_float=len)
            except (ValueError, RecursionError):
                self._broken(text, at, "the object around the records is not closed")

    def _document(self) -> str:
        if self._size > self._limits.expanded_bytes:
            message = f"{self._name} is too large for one JSON document."
            raise UnusableFileError(f"{message} Write one record a line, or use CSV or Parquet.", file=self._name)
        content = b"".join(chunk for chunk, _ in self._text.chunks())
        self._text.refuse_undecodable(content, 1, 0)
        return content.decode()

    def _broken(self, text: str, at: int, why: str, row: int | None = None) -> NoReturn:
        line = text.count("\n", 0, at) + 1
        message = f"The JSON is broken: {why}."
        problem = Problem("bad_json", message, row, line, None, excerpt(text[at : at + 40]) or None)
        raise UnusableFileError(f"{self._name}, line {line:,}: {message} Export it again.", [problem], file=self._name)


def _skip_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    return at
