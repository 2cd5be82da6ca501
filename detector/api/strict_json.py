"""Reading JSON without changing a value in silence.

The fast path is orjson. It keeps the last of two equal keys and turns an integer beyond 64 bits into a float; whoever
walks the parsed rows notices the traces of both (see :mod:`detector.api.payloads`) and asks :func:`parse_exactly`,
which is five times slower and puts a :class:`Flaw` wherever a value cannot be taken as it stands, so that the error can
name row and field.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, NoReturn

import orjson

from detector.api.problems import RequestError
from detector.errors import Problem, excerpt

#: Integers outside of the signed 64-bit range are refused.
INTEGER_LIMIT = 2**63
#: How deep arrays and objects may lie in each other.
DEPTH_LIMIT = 16

_BOM = b"\xef\xbb\xbf"
#: How many marks are looked through to place an error; beyond, it is told by line and character only.
MARKS = 200_000
# A string, possibly unclosed; an object with nothing nested, whole, so that finished rows pass in one step; a mark.
_STRING = r'"(?:[^"\\]|\\.)*+'
_MARK = re.compile(rf'{_STRING}"?|\{{[^{{}}\[\]"]*+(?:{_STRING}"[^{{}}\[\]"]*+)*+\}}|[\[\]{{}},:]', re.DOTALL)


@dataclass(frozen=True)
class Flaw:
    """A value that JSON can spell and that we cannot take; ``text`` is how it was spelled."""

    code: str
    message: str
    text: str


def parse(body: bytes) -> Any:
    """Return what orjson makes of ``body``; NaN, Infinity and numbers out of range come back as :class:`Flaw`.

    Raises
    ------
    RequestError
        400 when ``body`` is empty, not UTF-8 or not JSON (naming line, and the row where one is under way); 422 when it
        is nested too deeply.
    """
    if body.startswith(_BOM):
        body = body[len(_BOM) :]
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if not body.strip():
            raise RequestError(400, "empty_body", "The body is empty; a JSON object is expected.") from error
        return parse_exactly(body)


def parse_exactly(body: bytes) -> Any:
    """Parse ``body`` with a :class:`Flaw` in place of each value that cannot be taken. Raises as :func:`parse`."""
    try:
        text = body.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        message = f"The body is not UTF-8: byte {error.start + 1} (line {line}) cannot be decoded."
        raise RequestError(400, "not_utf8", message, Problem("not_utf8", message, line=line)) from error
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        _refuse_syntax(text, error)
    except RecursionError as error:
        message = f"The body is nested more than {DEPTH_LIMIT} levels deep."
        raise RequestError(422, "too_deep", message) from error


def _refuse_syntax(text: str, error: json.JSONDecodeError) -> NoReturn:
    row, field = _place(text, error.pos)
    what = "ends too early" if error.pos >= len(text.rstrip()) else "is not JSON"
    where = f"line {error.lineno}, character {error.colno}" + (f", in row {row}" if row else "")
    message = f"The body {what} at {where}: {error.msg}."
    found = excerpt(text[error.pos : error.pos + 40]) or None
    raise RequestError(
        400, "malformed_json", message, Problem("malformed_json", message, row, error.lineno, field, found)
    ) from error


def _place(text: str, position: int) -> tuple[int | None, str | None]:
    """Return the row (from 1) and the field under way at ``position``."""
    rows: list[int | None] = []
    keys: list[str | None] = []
    last = ""
    for count, match in enumerate(_MARK.finditer(text, 0, position)):
        if count == MARKS:
            return None, None
        mark = match.group()
        if mark in "[{":
            rows.append(1 if mark == "[" else None)
            keys.append(None)
        elif mark in "]}":
            if rows:
                rows.pop()
                keys.pop()
        elif mark == "," and rows:
            if (row := rows[-1]) is not None:
                rows[-1] = row + 1
            keys[-1] = None
        elif mark == ":" and keys:
            keys[-1] = last
        elif mark.startswith('"'):
            last = mark.strip('"')
    row = next((row for row in reversed(rows) if row is not None), None)
    return row, excerpt(keys[-1]) if keys and keys[-1] is not None else None


def _integer(text: str) -> int | Flaw:
    if len(text) <= 20 and -INTEGER_LIMIT <= (value := int(text)) < INTEGER_LIMIT:
        return value
    return Flaw("number_out_of_range", "an integer beyond 64 bits; send it as a string to keep its digits", text)


def _float(text: str) -> float | Flaw:
    value = float(text)
    return (
        value
        if math.isfinite(value)
        else Flaw("number_out_of_range", "a number beyond the range of 64-bit floats", text)
    )


def _constant(text: str) -> Flaw:
    return Flaw("not_finite", f"{text}, which JSON does not have; send null for a missing value", text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            found[name] = Flaw("duplicate_field", "given more than once", name)
        elif isinstance(value, str) and not _encodable(value):
            found[name] = Flaw("lone_surrogate", "half of a surrogate pair, which is not a character", value)
        else:
            found[name] = (
                value if _encodable(name) else Flaw("lone_surrogate", "named with half of a surrogate pair", name)
            )
    return found


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant, strict=True
)
