"""The doors of the API: method, path, what a caller must be allowed to do, and what goes in and comes out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from detector.api import documents as docs
from detector.api.description import SCORE_QUERY, answers, request, train_query
from detector.api.routes import Endpoints
from detector.service.access import Right

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Door:
    """One documented way in.

    ``right``: what a caller must be allowed to do; ``None`` lets everybody in. ``untrained``: it answers 503 before the
    first training. ``unready``: what it answers with 503, where that is no problem document.
    """

    method: str
    path: str
    right: Right | None
    endpoint: Endpoint
    answer: type[BaseModel]
    tag: str
    body: type[BaseModel] | None = None
    query: Mapping[str, Any] = field(default_factory=dict)
    untrained: bool = False
    unready: type[BaseModel] | None = None


def doors(to: Endpoints) -> tuple[Door, ...]:
    """Return all doors, the busiest first, since routes are tried in this order."""
    return (
        Door("POST", "/predict", "score", to.predict, docs.PredictionDocument, "Score",
             docs.PredictBody, SCORE_QUERY, untrained=True),
        Door("POST", "/predict/batch", "score", to.predict_batch, docs.BatchDocument, "Score",
             docs.TransactionsBody, SCORE_QUERY, untrained=True),
        Door("POST", "/train", "manage", to.train, docs.TrainedDocument, "Learn", docs.TrainBody, train_query()),
        Door("POST", "/update", "manage", to.update, docs.UpdatedDocument, "Learn",
             docs.TransactionsBody, untrained=True),
        Door("GET", "/", None, to.root, docs.RootDocument, "State"),
        Door("GET", "/health", None, to.health, docs.HealthDocument, "State"),
        Door("GET", "/ready", None, to.readiness.answer, docs.ReadyDocument, "State",
             unready=docs.ReadyDocument),
        Door("GET", "/model/info", "score", to.model_info, docs.ModelDocument, "State"),
        Door("GET", "/requests/recent", "read", to.recent, docs.RecentDocument, "State"),
    )  # fmt: skip


class PlainRoute(APIRoute):
    """A route that FastAPI describes and that hands the request straight to its endpoint.

    FastAPI's own handling of parameters and answers costs as much as scoring a transaction; these endpoints read and
    render by hand.
    """

    def __init__(self, path: str, endpoint: Endpoint, **options: Any) -> None:
        super().__init__(path, endpoint, **options)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            response = await endpoint(Request(scope, receive, send))
            await response(scope, receive, send)

        self.app = answer


def open_doors(app: FastAPI, all_doors: tuple[Door, ...]) -> None:
    """Add a route for each door."""
    for door in all_doors:
        app.router.add_api_route(
            door.path,
            door.endpoint,
            methods=[door.method],
            tags=[door.tag],
            responses=answers(door.answer, untrained=door.untrained, body=door.body is not None, unready=door.unready),
            openapi_extra=None if door.body is None else request(door.body, door.query),
            route_class_override=PlainRoute,
        )
