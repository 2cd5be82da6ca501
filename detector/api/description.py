"""The OpenAPI description of endpoints that read and render by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from detector.api.answers import JSON_TYPE
from detector.api.documents import ProblemDocument, TrainOptions
from detector.api.idempotency import KEY
from detector.api.problems import PROBLEM_TYPE
from detector.service.access import Right

#: The query of endpoints that score: reasons, and remembering the rows in the histories of their entities.
SCORE_QUERY: Mapping[str, Any] = {
    "explain": {"type": "boolean", "default": False},
    "observe": {"type": "boolean", "default": False},
}

_BODY_PROBLEMS = {
    400: "The body is not JSON.",
    408: "The body did not arrive in time.",
    413: "The body is too large or has too many rows.",
    415: "The body is not declared as JSON in UTF-8.",
    422: "A row, field or parameter cannot be used; `errors` names it.",
}
#: The name of the way to sign in, in the description.
KEY_SCHEME = "key"
_KEY = {"type": "string", "pattern": "^[!-~]{1,200}$"}
_REPEATED = (
    "A name of the caller's own for this request. Sent again with the same name within 24 hours, the request has no "
    "second effect: it gets the answer it was given, with the header `Idempotency-Replayed: true`."
)
#: What every door may answer when more comes than can be done.
_BUSY = "Too much is going on at the moment; `Retry-After` says when to try again."
#: What doors that need a right may answer before a request reaches them.
_REFUSALS = {
    401: "A key is needed, or the one that came is not in force.",
    403: "The role of the key does not include this, or no key has been set and the request is not from this machine.",
    429: "Too many requests, or too many wrong keys; `Retry-After` says when to try again.",
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
            components = super().openapi()["components"]
            components["securitySchemes"] = {
                KEY_SCHEME: {"type": "http", "scheme": "bearer", "bearerFormat": "dak_<id>_<secret>"}
            }
            schemas = components["schemas"]
            problem = ProblemDocument.model_json_schema(ref_template=_REF)
            schemas.update(problem.pop("$defs"))
            schemas["ProblemDocument"] = problem
        return super().openapi()


def train_query() -> dict[str, Any]:
    """Return the query of a training: its parameters, but for the roles, which only a body can hold."""
    properties = TrainOptions.model_json_schema()["properties"]
    return {name: schema for name, schema in properties.items() if name != "roles"}


def request(
    path: str,
    body: type[BaseModel] | None,
    query: Mapping[str, Any],
    *,
    repeatable: bool,
    path_schema: Mapping[str, Any],
    headers: Mapping[str, Any],
) -> dict[str, Any] | None:
    """Return the description of a request with ``body`` and its parameters, by where they stand.

    Names in ``path`` that ``path_schema`` does not describe are texts.
    """
    named = {name: path_schema.get(name, {"type": "string"}) for name in re.findall(r"{(\w+)}", path)}
    parameters = [
        {"name": name, "in": place, "required": place == "path", "schema": schema}
        for place, given in (("path", named), ("query", query), ("header", headers))
        for name, schema in given.items()
    ]
    if repeatable:
        parameters.append({"name": KEY, "in": "header", "required": False, "schema": _KEY, "description": _REPEATED})
    described: dict[str, Any] = {"parameters": parameters} if parameters else {}
    if body is not None:
        described["requestBody"] = {"required": True, "content": {JSON_TYPE: {"schema": body.model_json_schema()}}}
    return described or None


def security(right: Right | None) -> dict[str, Any]:
    """Return the description of what a caller must be allowed to do; empty where everybody may come in."""
    return {} if right is None else {"security": [{KEY_SCHEME: []}], "x-right": right}


def answers(
    answer: type[BaseModel] | None,
    path: str,
    right: Right | None,
    *,
    untrained: bool,
    body: bool,
    others: Mapping[int, str],
    unready: type[BaseModel] | None = None,
) -> dict[int | str, dict[str, Any]]:
    """Return the description of what comes back from a door at ``path`` for callers with ``right``.

    ``untrained``: also before any training, ``body``: for bodies too, ``others``: statuses of this door alone,
    ``unready``: a document of its own with 503.
    """
    problems = {503: _BUSY} | (_BODY_PROBLEMS if body else {})
    if right is not None:
        problems |= _REFUSALS
    if untrained:
        problems[503] = f"{_NOT_TRAINED} {problems.get(503, '')}".strip()
    if right in {"manage", "decide"}:
        problems[409] = _CHANGED_MEANWHILE
    if "{" in path:
        problems[404] = _NO_SUCH_THING
    problems |= others
    content = {PROBLEM_TYPE: {"schema": {"$ref": _REF.format(model="ProblemDocument")}}}
    found: dict[int | str, dict[str, Any]] = {200: {"description": "Done."} | ({"model": answer} if answer else {})}
    if path in _LINKS:
        found[200]["links"] = _LINKS[path]
    for status in sorted(problems):
        found[status] = {"description": problems[status], "content": content}
        if status in _HEADERS:
            found[status]["headers"] = _HEADERS[status]
    if unready is not None:
        found[503] = {"model": unready, "description": "Not now."}
    return found
