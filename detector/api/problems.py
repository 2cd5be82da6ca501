"""Errors as ``application/problem+json`` (RFC 9457), all of one shape.

``errors`` lists what is wrong, place by place: ``{row, line, column, code, message, excerpt}``, the first hundred;
``total`` says how many there are. Rows count from 1. Values of the caller are repeated only as short, escaped excerpts,
so an answer is always JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from detector.errors import (
    Cancelled,
    ConflictError,
    DetectorError,
    ForbiddenError,
    InputError,
    ModelStoreError,
    NotFoundError,
    NotTrainedError,
    Problem,
)

#: Where the request id lies in the ASGI scope.
REQUEST_ID = "detector.request_id"

PROBLEM_TYPE = "application/problem+json"

#: The status of each error; a class that is not named answers as its nearest ancestor that is.
_STATUS: Mapping[type[DetectorError], HTTPStatus] = {
    NotTrainedError: HTTPStatus.SERVICE_UNAVAILABLE,
    InputError: HTTPStatus.UNPROCESSABLE_CONTENT if hasattr(HTTPStatus, "UNPROCESSABLE_CONTENT") else HTTPStatus(422),
    ModelStoreError: HTTPStatus.SERVICE_UNAVAILABLE,
    NotFoundError: HTTPStatus.NOT_FOUND,
    ConflictError: HTTPStatus.CONFLICT,
    ForbiddenError: HTTPStatus.FORBIDDEN,
    Cancelled: HTTPStatus.CONFLICT,
    DetectorError: HTTPStatus.INTERNAL_SERVER_ERROR,
}

NOT_TRAINED = "No model has been trained yet. Train one with POST /train or on the Train page of the dashboard."


class RequestError(InputError):
    """A request that cannot be read at all: wrong type, too large, not JSON. ``status`` is the answer's HTTP status."""

    def __init__(self, status: int, code: str, message: str, *problems: Problem) -> None:
        super().__init__(message, problems or (Problem(code=code, message=message),))
        self.status = HTTPStatus(status)
        self.code = code


def problem_response(
    status: int,
    code: str,
    detail: str,
    *,
    errors: tuple[Problem, ...] = (),
    total: int | None = None,
    headers: Mapping[str, str] | None = None,
    current: Mapping[str, Any] | None = None,
) -> Response:
    """Return a problem document; ``errors`` defaults to one entry that repeats ``code`` and ``detail``.

    ``current``: where a change came too late, the ``alias``, ``version`` and ``revision`` that it has now.
    """
    shown = errors or (Problem(code=code, message=detail),)
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "errors": [problem.to_dict() for problem in shown],
        "total": max(total or 0, len(shown)),
    }
    if current is not None:
        document["current"] = {name: current.get(name) for name in ("alias", "version", "revision")}
    return Response(orjson.dumps(document), status, dict(headers or {}), PROBLEM_TYPE)


async def answer_detector_error(_request: Request, error: Exception) -> Response:
    """Answer an error of this package."""
    if not isinstance(error, DetectorError):
        raise error
    if isinstance(error, NotTrainedError):
        return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, error.code, NOT_TRAINED)
    status = error.status if isinstance(error, RequestError) else _status_of(type(error))
    if isinstance(error, InputError):
        return problem_response(status, error.code, error.message, errors=error.problems, total=error.total)
    current = error.details if isinstance(error, ConflictError) and "revision" in error.details else None
    return problem_response(status, error.code, error.message, current=current)


async def answer_http_error(_request: Request, error: Exception) -> Response:
    """Answer an error of the framework: an unknown path, a method that a path does not have."""
    if not isinstance(error, HTTPException):
        raise error
    code = HTTPStatus(error.status_code).name.lower()
    return problem_response(error.status_code, code, str(error.detail), headers=error.headers)


async def answer_disconnect(_request: Request, error: Exception) -> Response:
    """Answer for the log's sake: the client has gone before its body was complete, nobody will read this."""
    if not isinstance(error, ClientDisconnect):
        raise error
    return problem_response(
        HTTPStatus.BAD_REQUEST, "client_disconnected", "The request ended before its body was complete."
    )


async def answer_unforeseen(request: Request, _error: Exception) -> Response:
    """Answer a fault of ours without telling its inside; the log has it under the request id."""
    request_id = request.scope.get(REQUEST_ID, "unknown")
    detail = f"The server failed to answer this request; its log names the cause under request id {request_id}."
    headers = {"X-Request-ID": request_id}
    return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", detail, headers=headers)


def _status_of(kind: type[DetectorError]) -> HTTPStatus:
    return next(_STATUS[ancestor] for ancestor in kind.__mro__ if ancestor in _STATUS)


def error_handlers() -> dict[int | type[Exception], Any]:
    """Return the handlers that turn every error into a problem document."""
    return {
        DetectorError: answer_detector_error,
        HTTPException: answer_http_error,
        ClientDisconnect: answer_disconnect,
        Exception: answer_unforeseen,
    }
