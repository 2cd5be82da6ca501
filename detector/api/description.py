"""The OpenAPI description of endpoints that read and render by hand."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from detector.api.answers import JSON_TYPE
from detector.api.documents import ProblemDocument, TrainOptions
from detector.api.problems import PROBLEM_TYPE

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
_REF = "#/components/schemas/{model}"


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
    answer: type[BaseModel], *, untrained: bool, body: bool, unready: type[BaseModel] | None = None
) -> dict[int | str, dict[str, Any]]:
    """Return the description of what comes back.

    ``untrained``: also before any training, ``body``: for bodies too, ``unready``: a document of its own with 503.
    """
    problems = dict(_BODY_PROBLEMS) if body else {}
    busy = HTTPStatus.SERVICE_UNAVAILABLE.value
    problems[busy] = "No model has been trained yet, or the server is busy." if untrained else "The server is busy."
    content = {PROBLEM_TYPE: {"schema": {"$ref": _REF.format(model="ProblemDocument")}}}
    found: dict[int | str, dict[str, Any]] = {200: {"model": answer, "description": "Done."}}
    for status, description in problems.items():
        found[status] = {"description": description, "content": content}
    if unready is not None:
        found[busy] = {"model": unready, "description": "Not now."}
    return found
