"""Checks of what stands in the query, and of the parameters of a training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from pydantic import ValidationError
from starlette.requests import Request

from detector.api.documents import TrainOptions
from detector.api.payloads import refuse_unknown
from detector.api.strict_json import Flaw
from detector.errors import InputError, Problem, excerpt

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})


def read_query(request: Request, known: tuple[str, ...]) -> dict[str, str]:
    """Return the query's parameters; raises ``InputError`` for one that is unknown or given twice."""
    text = request.scope["query_string"]
    if not text:
        return {}
    found: dict[str, str] = {}
    for name, value in parse_qsl(text.decode("latin-1"), keep_blank_values=True):
        if name in found:
            raise _refused("duplicate_field", name, "is given more than once")
        found[name] = value
    refuse_unknown(found, known)
    return found


def read_flag(query: Mapping[str, str], name: str) -> bool:
    """Return a query parameter that says yes or no (absent: no); raises ``InputError``."""
    value = query.get(name, "false").strip().casefold()
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise _refused("bad_value", name, "must be true or false", value)


def read_whole(query: Mapping[str, str], name: str, least: int, most: int | None = None) -> int | None:
    """Return a query parameter that is a whole number, ``None`` where it is absent; raises ``InputError``."""
    value = query.get(name)
    if value is None:
        return None
    # Longer numbers are none that a database holds.
    if value.isascii() and value.isdecimal() and len(value) <= 9:
        number = int(value)
        if number >= least and (most is None or number <= most):
            return number
    told = f"from {least}" if most is None else f"from {least} to {most}"
    raise _refused("bad_value", name, f"must be a whole number {told}", value)


def read_train_options(query: Mapping[str, str], body: Mapping[str, Any]) -> TrainOptions:
    """Return the parameters of a training, given in the query, in the body or left out; raises ``InputError``."""
    for name in query:
        if name in body:
            raise _refused("duplicate_field", name, "is given in the query and in the body")
    try:
        TrainOptions.model_validate(dict(body), strict=True)
        return TrainOptions.model_validate({**query, **body})
    except ValidationError as error:
        raise as_input_error(error) from error


def as_input_error(error: ValidationError) -> InputError:
    """Return what pydantic found wrong in a body as an error of ours, one problem a field."""
    found: dict[str, Problem] = {}
    for entry in error.errors(include_url=False, include_context=False):
        name = excerpt(entry["loc"][0]) if entry["loc"] else "body"
        given = entry["input"].text if isinstance(entry["input"], Flaw) else entry["input"]
        shown = None if isinstance(given, dict | list) else excerpt(given)
        found.setdefault(name, Problem("bad_value", f"{name}: {entry['msg']}.", column=name, excerpt=shown))
    return InputError(next(iter(found.values())).message, found.values())


def _refused(code: str, name: str, what: str, value: str | None = None) -> InputError:
    message = f"{excerpt(name)!r} {what}."
    return InputError(
        message, (Problem(code, message, None, None, excerpt(name), None if value is None else excerpt(value)),)
    )
