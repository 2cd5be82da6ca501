"""The OpenAPI description of endpoints that read and render by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from detector.api.answers import JSON_TYPE
from detector.api.documents import ProblemDocument, TrainOptions
from detector.api.problems import PROBLEM_TYPE
from detector.service.access import Right

#: The query of endpoints that score: reasons, and remembering the rows in the histories of their entities.
SCORE_QUERY: Mapping[str, Any] = {
    "explain": {"type": "boolean", "default": False},
    "observe": {"type": "boolean", "default": False},
}

_BODY_PROBLEMS = {
    400: "The body is not JSON.",
    413: "The body is too large or has too many rows.",
    415: "The body is not declared as JSON in UTF-8.",
    422: "A row, field or parameter cannot be used; `errors` names it.",
}
#: What doors that need a right may answer before a request reaches them.
_GUARD_PROBLEMS = {
    401: "The request names no key, or one that is not known or was revoked.",
    403: "The key's role may not do this.",
    429: "Too many requests of this caller; `Retry-After` says when to try again.",
    503: "Too much is going on at the moment; `Retry-After` says when to try again.",
}
_NOT_TRAINED = "No model has been trained yet."
_CHANGED_MEANWHILE = "The model has changed in the meantime; nothing was kept. Send the request again."
_NO_SUCH_THING = "There is no such thing."
#: Headers that go with a status.
_HEADERS: Mapping[int, Mapping[str, Any]] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "How to name a key."}},
    429: {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}},
    503: {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds; not before the first training."}},
}
_REF = "#/components/schemas/{model}"
_SAME_ROWS = {"transactions": "$request.body#/transactions"}
#: What can be done next with an answer, by the path that gave it.
_LINKS: Mapping[str, Mapping[str, Any]] = {
    path: {
        "ScoreOneOfThem": {
            "operationRef": "#/paths/~1predict/post",
            "requestBody": {"data": "$request.body#/transactions/0"},
            "description": "Score the first of these transactions.",
        },
        "ScoreThem": {
            "operationRef": "#/paths/~1predict~1batch/post",
            "requestBody": _SAME_ROWS,
            "description": "Score these transactions.",
        },
        "LearnFromThem": {
            "operationRef": "#/paths/~1update/post",
            "requestBody": _SAME_ROWS,
            "description": "Learn from these transactions.",
        },
        "LookAtTheModel": {"operationRef": "#/paths/~1model~1info/get", "description": "Describe the model now."},
    }
    for path in ("/train", "/update")
}


class DescribedApplication(FastAPI):
    """FastAPI whose description holds the problem document that all errors share."""

    def openapi(self) -> dict[str, Any]:
        """Return the description."""
        if self.openapi_schema is None:
            schemas = super().openapi()["components"]["schemas"]
            problem = ProblemDocument.model_json_schema(ref_template=_REF)
            schemas.update(problem.pop("$defs"))
            schemas["ProblemDocument"] = problem
        return super().openapi()


def train_query() -> dict[str, Any]:
    """Return the query of a training: its parameters, but for the roles, which only a body can hold."""
    properties = TrainOptions.model_json_schema()["properties"]
    return {name: schema for name, schema in properties.items() if name != "roles"}


def request(body: type[BaseModel], query: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description of a request with ``body`` and the parameters ``query``."""
    return {
        "parameters": [{"name": name, "in": "query", "required": False, "schema": query[name]} for name in query],
        "requestBody": {"required": True, "content": {JSON_TYPE: {"schema": body.model_json_schema()}}},
    }


def answers(
    answer: type[BaseModel], path: str, right: Right | None, *, untrained: bool, body: bool
) -> dict[int | str, dict[str, Any]]:
    """Return the description of what comes back from a door at ``path`` for callers with ``right``.

    ``untrained``: also before any training, ``body``: for bodies too.
    """
    problems = dict(_BODY_PROBLEMS) if body else {}
    if right is not None:
        problems |= _GUARD_PROBLEMS
    if untrained:
        problems[503] = f"{_NOT_TRAINED} {problems.get(503, '')}".strip()
    if right in {"manage", "decide"}:
        problems[409] = _CHANGED_MEANWHILE
    if "{" in path:
        problems[404] = _NO_SUCH_THING
    content = {PROBLEM_TYPE: {"schema": {"$ref": _REF.format(model="ProblemDocument")}}}
    found: dict[int | str, dict[str, Any]] = {200: {"model": answer, "description": "Done."}}
    if path in _LINKS:
        found[200]["links"] = _LINKS[path]
    for status in sorted(problems):
        found[status] = {"description": problems[status], "content": content}
        if status in _HEADERS:
            found[status]["headers"] = _HEADERS[status]
    return found
