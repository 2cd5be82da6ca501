"""From which state a change begins: ``expected_revision`` in the body, or ``If-Match`` with an ``ETag``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from detector.api import payloads
from detector.api.problems import RequestError
from detector.api.strict_json import Flaw, parse_exactly
from detector.errors import InputError, Problem, excerpt

Document = TypeVar("Document", bound=BaseModel)

_ETAG = re.compile(r'(?:W/)?"(\d{1,18})"')


def etag(revision: int) -> dict[str, str]:
    """Return the header that tells a revision."""
    return {"ETag": f'"{revision}"'}


def expected_revision(request: Request, given: int | None) -> int:
    """Return the revision that the caller has seen.

    Raises
    ------
    RequestError
        428 when neither the body nor the header says one.
    InputError
        When they contradict each other, or the header holds no revision.
    """
    header = request.headers.get("if-match")
    if header is None:
        if given is None:
            message = (
                "Say which revision you have seen: expected_revision in the body, or If-Match with the ETag of a GET; "
                "0 where there is none yet."
            )
            raise RequestError(
                428, "precondition_required", message, Problem("missing_field", message, column="expected_revision")
            )
        return given
    found = _ETAG.fullmatch(header.strip())
    if found is None:
        message = f'If-Match must hold one ETag such as "3", not {excerpt(header)}.'
        raise InputError(message, (Problem("bad_value", message, column="If-Match", excerpt=excerpt(header)),))
    revision = int(found[1])
    if given is not None and given != revision:
        message = f"If-Match says revision {revision}, expected_revision says {given}."
        raise InputError(message, (Problem("bad_value", message, column="expected_revision"),))
    return revision


def document_of(content: bytes, model: type[Document]) -> Document:
    """Return a body as ``model`` describes it; raises ``RequestError`` and ``InputError`` that name the field."""
    body = parse_exactly(content)
    if not isinstance(body, Mapping):
        message = f"The body must be a JSON object with {', '.join(model.model_fields)}."
        raise InputError(message, (Problem("not_an_object", message),))
    payloads.refuse_unknown(body, tuple(model.model_fields))
    try:
        return model.model_validate(dict(body), strict=True)
    except ValidationError as error:
        problems = [_problem(entry) for entry in error.errors(include_url=False, include_context=False)]
        raise InputError(problems[0].message, problems) from error


def _problem(entry: Mapping[str, Any]) -> Problem:
    name = excerpt(entry["loc"][0]) if entry["loc"] else "body"
    if entry["type"] == "missing":
        return Problem("missing_field", f"The body lacks {name!r}.", column=name)
    given = entry["input"].text if isinstance(entry["input"], Flaw) else entry["input"]
    shown = None if isinstance(given, dict | list) else excerpt(given)
    return Problem("bad_value", f"{name}: {entry['msg']}.", column=name, excerpt=shown)
