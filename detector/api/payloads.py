"""Checks of what comes in, by hand: a request with one transaction is read in a few microseconds.

Fields hold numbers, strings, booleans or null. Everything else is refused by row (counted from 1) and field, and so is
whatever could only be taken by changing it: equal names in one object, integers beyond 64 bits, NaN.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import ClientDisconnect, Request

from detector.api.capacity import declared_bytes
from detector.api.problems import RequestError
from detector.api.strict_json import DEPTH_LIMIT, INTEGER_LIMIT, Flaw, parse, parse_exactly
from detector.errors import PROBLEMS_SHOWN, InputError, Problem, excerpt, nearest_name

Record = dict[str, str | float | int | bool | None]

#: Most fields in one transaction, and most characters in one of its values.
FIELD_LIMIT = 2_000
CELL_LIMIT = 32 * 1024

_FLOAT_LIMIT = float(INTEGER_LIMIT)


@dataclass(frozen=True)
class Batch:
    """The rows of a request, and the other fields that its body carried."""

    rows: list[Record]
    options: Mapping[str, Any] = field(default_factory=dict)


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body, counted while it arrives.

    Raises
    ------
    RequestError
        415 when it is not declared as JSON in UTF-8, 413 when it is longer than ``limit`` bytes.
    ClientDisconnect
        When the client goes before the body is complete.
    """
    content_type = ""
    for name, value in request.scope["headers"]:
        if name == b"content-type":
            if content_type and value.decode("latin-1") != content_type:
                raise RequestError(
                    415, "unsupported_media_type", "The request names two types of its body; send one Content-Type."
                )
            content_type = value.decode("latin-1")
    if content_type != "application/json":
        _check_content_type(content_type)
    if declared_bytes(request.scope["headers"]) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def read_transaction(body: bytes) -> Record:
    """Return the transaction in ``{"data": {...}}``.

    Raises
    ------
    InputError
        When the body is not that; its problems name the field.
    """
    document = parse(body)
    if type(document) is dict and len(document) == 1:
        data = document.get("data")
        if type(data) is dict and _colons(data) + 1 == body.count(b":") and b"\\u003" not in body:
            record: Record = data
            return record
    document = parse_exactly(body)
    exact: Record = _member(document, "data", dict, 'an object of fields, as in {"data": {"amount": 12.5}}')
    refuse_unknown(document, ("data",))
    _refuse_flaws([exact])
    return exact


def read_transactions(body: bytes, limit: int, options: Iterable[str] = ()) -> Batch:
    """Return the rows of ``{"transactions": [...]}``, or of a bare array, and the body's other fields, of ``options``.

    Raises
    ------
    InputError
        When the body is not that, or has more than ``limit`` rows; its problems name row and field.
    """
    names = tuple(options)
    document = parse(body)
    if type(document) is list:
        document = {"transactions": document}
        wrapped = 0
    else:
        wrapped = 1
    if type(document) is dict and len(document) == 1:
        rows = document.get("transactions")
        if type(rows) is list and len(rows) > limit:
            raise _too_many_rows(len(rows), limit)
        if type(rows) is list and b"\\u003" not in body:
            colons = wrapped
            for row in rows:
                if type(row) is not dict or (found := _colons(row)) < 0:
                    break
                colons += found
            else:
                if colons == body.count(b":"):
                    return Batch(rows)
    return _read_transactions_exactly(body, limit, names)


def _read_transactions_exactly(body: bytes, limit: int, options: tuple[str, ...]) -> Batch:
    document = parse_exactly(body)
    if isinstance(document, list):
        document = {"transactions": document}
    rows = _member(document, "transactions", list, 'an array of objects, as in {"transactions": [{"amount": 12.5}]}')
    refuse_unknown(document, ("transactions", *options))
    if len(rows) > limit:
        raise _too_many_rows(len(rows), limit)
    _refuse_flaws(rows)
    return Batch(rows, {name: value for name, value in document.items() if name != "transactions"})


def refuse_unknown(given: Iterable[str], known: tuple[str, ...]) -> None:
    """Raise ``InputError`` for each name that is not known, with the nearest one that is."""
    problems = []
    for name in given:
        if name not in known:
            near = nearest_name(name, known)
            hint = f"; did you mean {near!r}?" if near else f"; known here: {', '.join(known) or 'none'}"
            problems.append(
                Problem("unknown_field", f"{excerpt(name)!r} is not known here{hint}", column=excerpt(name))
            )
    if problems:
        raise InputError(problems[0].message, problems)


def _check_content_type(content_type: str) -> None:
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().casefold()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        shown = f"not {excerpt(kind)}" if kind else "and the request names no type"
        raise RequestError(
            415, "unsupported_media_type", f"The body must be sent as Content-Type application/json, {shown}."
        )
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        charset = value.strip().strip('"').casefold()
        if name.strip().casefold() == "charset" and charset not in {"utf-8", "utf8", "us-ascii"}:
            raise RequestError(415, "unsupported_charset", f"JSON is read as UTF-8, not as {excerpt(charset)}.")


def _too_large(limit: int) -> RequestError:
    return RequestError(
        413, "body_too_large", f"The body is larger than {limit:,} bytes, the most that one request may carry."
    )


def _too_many_rows(count: int, limit: int) -> RequestError:
    message = f"{count:,} rows are more than one request may carry ({limit:,}); send several requests."
    return RequestError(413, "too_many_rows", message, Problem("too_many_rows", message, row=limit + 1))


def _colons(row: dict[str, Any]) -> int:
    """Return how many colons the JSON text of ``row`` must have, or a negative number when a value is not plain.

    orjson drops the first of two fields of one name without a word; the text then has a colon more than its rows
    account for.
    """
    if "" in row or len(row) > FIELD_LIMIT:
        return -2
    count = len(row) + "".join(row).count(":")
    for value in row.values():
        kind = type(value)
        if kind is float or kind is int:
            if not -_FLOAT_LIMIT < value < _FLOAT_LIMIT:
                return -2
        elif kind is str:
            if len(value) > CELL_LIMIT:
                return -2
            if ":" in value:
                count += value.count(":")
        elif value is not None and kind is not bool:
            return -2
    return count


def _member(document: Any, name: str, kind: type, wanted: str) -> Any:
    if not isinstance(document, dict):
        message = f"The body must be a JSON object, not {_describe(document)}; it needs {excerpt(name)!r}, {wanted}."
        raise InputError(message, (Problem("not_an_object", message),))
    value = document.get(name)
    if name not in document:
        near = nearest_name(name, document)
        hint = f" Did you mean it by {excerpt(near)!r}?" if near else ""
        message = f"The body lacks {name!r}: {wanted}.{hint}"
        raise InputError(message, (Problem("missing_field", message, column=name),))
    if not isinstance(value, kind):
        message = f"{name!r} must be {wanted}; it is {_describe(value)}."
        raise InputError(message, (Problem("bad_value", message, column=name),))
    return value


def _refuse_flaws(rows: list[Any]) -> None:
    problems: list[Problem] = []
    total = 0
    for number, row in enumerate(rows, start=1):
        for problem in _flaws_of(row, number):
            total += 1
            if total <= PROBLEMS_SHOWN:
                problems.append(problem)
    if problems:
        more = f" ({total - 1:,} more)" if total > 1 else ""
        raise InputError(problems[0].message + more, problems, total)


def _flaws_of(row: Any, number: int) -> Iterable[Problem]:
    if not isinstance(row, dict):
        yield Problem("not_an_object", f"Row {number} must be an object of fields; it is {_describe(row)}.", row=number)
        return
    if len(row) > FIELD_LIMIT:
        yield Problem(
            "too_many_fields", f"Row {number} has {len(row):,} fields; at most {FIELD_LIMIT:,} are read.", row=number
        )
        return
    for name, value in row.items():
        shown = excerpt(name)
        where = f"Row {number}, field {shown!r}"
        if not name:
            yield Problem("empty_name", f"Row {number} has a field without a name.", row=number, column="")
        elif isinstance(value, Flaw):
            yield Problem(value.code, f"{where}: {value.message}.", number, None, shown, excerpt(value.text))
        elif isinstance(value, str) and len(value) > CELL_LIMIT:
            message = f"{where}: a text of {len(value):,} characters; at most {CELL_LIMIT:,} are read."
            yield Problem("value_too_long", message, number, None, shown, excerpt(value))
        elif isinstance(value, dict | list):
            code = "too_deep" if _deeper_than(value, DEPTH_LIMIT - 2) else "nested_value"
            message = f"{where}: {_describe(value)}; a value must be a number, a string, true, false or null."
            yield Problem(code, message, number, None, shown)


def _deeper_than(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return any(isinstance(inner, dict | list) for inner in level)


def _describe(value: Any) -> str:
    if isinstance(value, Flaw):
        return value.message
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
