"""Decoding one JSON record to text by key: strictly, flat, and with the digits that the file has."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from detector.errors import Problem, excerpt
from detector.files.cells import BadRow

#: A number written with more characters than this is refused: no amount, time or identifier is.
LONGEST_NUMBER = 400


class RefusedRecordError(ValueError):
    """Valid JSON, or nearly, that cannot be a row; carries the code and the key."""

    def __init__(self, code: str, message: str, key: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.key = code, message, key


class FlatDecoder:
    """Decodes records; a record that cannot be a row comes back as a bad row, without row and line."""

    def __init__(self, longest_cell: int) -> None:
        self._longest = longest_cell
        self._decoder = json.JSONDecoder(
            object_pairs_hook=_without_duplicates, parse_float=_number, parse_int=_number, parse_constant=_constant
        )

    def line(self, text: str) -> dict[str, str] | BadRow:
        """Return the record that is the whole of ``text``."""
        try:
            value, end = self._decoder.raw_decode(text)
        except RefusedRecordError as error:
            return bad_record(error.code, error.message, text, error.key or _key_of_refused(text, 0))
        except RecursionError:
            return bad_record("too_deep", "The record is nested too deeply.", text)
        except json.JSONDecodeError as error:
            return bad_record(
                "bad_json", f"The line is not valid JSON: {reason(error)} at character {error.colno:,}.", text
            )
        if end != len(text):
            return bad_record("bad_json", f"The line is not valid JSON: it goes on after character {end:,}.", text)
        return self._row(value, text)

    def at(self, text: str, begin: int) -> tuple[dict[str, str] | BadRow, int]:
        """Return the record that begins at ``begin``, and where it ends.

        Raises
        ------
        json.JSONDecodeError, RecursionError
            When the text cannot be read any further.
        """
        try:
            value, end = self._decoder.raw_decode(text, begin)
        except RefusedRecordError as error:
            _, end = _LENIENT.raw_decode(text, begin)
            return bad_record(
                error.code, error.message, text[begin:end], error.key or _key_of_refused(text, begin)
            ), end
        return self._row(value, text[begin:end]), end

    def _row(self, value: object, text: str) -> dict[str, str] | BadRow:
        """Return the decoded ``value`` with all cells as text."""
        if not isinstance(value, dict):
            return bad_record("not_an_object", "The record is not an object with named values.", text)
        if "\\u" in text and (key := _half_character(value)) is not None:
            return bad_record("bad_text", "The text holds half of a character pair.", text, key)
        for key, cell in value.items():
            if cell.__class__ is str:
                if len(cell) > self._longest:
                    return bad_record(
                        "long_value", f"The value is longer than {self._longest:,} characters.", text, key
                    )
            elif cell is None:
                value[key] = ""
            elif isinstance(cell, bool):
                value[key] = "true" if cell else "false"
            else:
                kind = "a list" if isinstance(cell, list) else "an object"
                return bad_record("nested_value", f"The value is {kind}, not a single value.", text, key)
        return value


def bad_record(code: str, message: str, text: str, key: str | None = None) -> BadRow:
    """Return a bad row; who counts the rows adds row and line."""
    return BadRow(Problem(code, message, None, None, key, excerpt(text)), text)


def reason(error: json.JSONDecodeError) -> str:
    """Return the parser's message as the part of a sentence."""
    return error.msg[0].lower() + error.msg[1:]


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise RefusedRecordError("duplicate_key", "The key occurs twice in the record.", _printable(twice))
    return record


def _half_character(record: dict[str, Any]) -> str | None:
    """Return the first key that holds, in itself or its value, one half of a UTF-16 pair; escapes can write such."""
    for key, value in record.items():
        for text in (key, value):
            if isinstance(text, str) and _printable(text) != text:
                return _printable(key)
    return None


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _number(literal: str) -> str:
    if len(literal) > LONGEST_NUMBER:
        raise RefusedRecordError("long_number", f"A number has {len(literal):,} digits.")
    return literal


def _constant(literal: str) -> NoReturn:
    raise RefusedRecordError("not_json", f"{literal} is not allowed in JSON; leave the value out or write null.")


def _key_of_refused(text: str, begin: int) -> str | None:
    """Return the key of the first number that was refused in the record at ``begin``; the parser tells none."""
    try:
        _FINDING.raw_decode(text, begin)
    except RefusedRecordError as error:
        return error.key
    except ValueError:
        return None
    return None


def _refuse_by_key(pairs: list[tuple[str, Any]]) -> None:
    for key, value in pairs:
        if value is _REFUSED:
            raise RefusedRecordError("", "", _printable(key))


_REFUSED = object()
_FINDING = json.JSONDecoder(
    object_pairs_hook=_refuse_by_key,
    parse_float=lambda literal: _REFUSED if len(literal) > LONGEST_NUMBER else None,
    parse_int=lambda literal: _REFUSED if len(literal) > LONGEST_NUMBER else None,
    parse_constant=lambda _: _REFUSED,
)
# Finds the end of a record that was refused for what it means; builds as little as it can.
_LENIENT = json.JSONDecoder(object_pairs_hook=len, parse_float=len, parse_int=len, parse_constant=len)
