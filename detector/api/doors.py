"""The doors of the API: method, path, what a caller must be allowed to do, and what goes in and comes out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from detector.api import documents as docs
from detector.api import version_documents as own
from detector.api.description import SCORE_QUERY, answers, request, security, train_query
from detector.api.routes import Endpoints
from detector.api.version_description import ABSENT, ALIAS, BATCH_QUERY, IF_MATCH, MOVED, NUMBER, PAGES, UNUSABLE
from detector.api.version_routes import VersionEndpoints
from detector.service.access import Right

_WORKING = {409: "The same request is still being carried out."}
_MOVED = {409: "Somebody else was first, or the same request is still being carried out."}
_NO_CASE = {404: "There is no such case in the queue.", 422: "The name of the case, or what was sent, cannot be used."}

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Door:
    """One documented way in.

    ``right``: what a caller must be allowed to do; ``None`` lets everybody in. ``untrained``: it answers 503 before the
    first training. ``answer``: what comes back as JSON, ``None`` for plain text. ``repeatable``: it takes an
    ``Idempotency-Key``. ``others``: what else it answers, by status. ``path_schema``, ``headers``: what stands in the
    path and in headers. ``unready``: what it answers with 503, where that is no problem document.
    """

    method: str
    path: str
    right: Right | None
    endpoint: Endpoint
    answer: type[BaseModel] | None
    tag: str
    body: type[BaseModel] | None = None
    query: Mapping[str, Any] = field(default_factory=dict)
    untrained: bool = False
    repeatable: bool = False
    others: Mapping[int, str] = field(default_factory=dict)
    path_schema: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, Any] = field(default_factory=dict)
    unready: type[BaseModel] | None = None


def doors(to: Endpoints) -> tuple[Door, ...]:
    """Return all doors, the busiest first, since routes are tried in this order."""
    models = VersionEndpoints(to)
    return (
        Door("POST", "/predict", "score", to.predict, docs.PredictionDocument, "Score",
             docs.PredictBody, SCORE_QUERY, untrained=True),
        Door("POST", "/predict/batch", "score", to.predict_batch, docs.BatchDocument, "Score",
             docs.TransactionsBody, BATCH_QUERY, untrained=True, others=ABSENT),
        Door("POST", "/train", "manage", to.train, docs.TrainedDocument, "Learn", docs.TrainBody, train_query(),
             repeatable=True, others=_WORKING),
        Door("POST", "/update", "manage", to.update, docs.UpdatedDocument, "Learn",
             docs.TransactionsBody, untrained=True, repeatable=True, others=_MOVED),
        Door("GET", "/cases/{case}", "read", to.cases.case, docs.CaseDocument, "Review", others=_NO_CASE),
        Door("POST", "/cases/{case}/decision", "decide", to.cases.decide, docs.StandingDocument, "Review",
             docs.DecisionBody, repeatable=True, others=_NO_CASE | _MOVED),
        Door("GET", "/", None, to.root, docs.RootDocument, "State"),
        Door("GET", "/health", None, to.health, docs.HealthDocument, "State"),
        Door("GET", "/ready", None, to.readiness.answer, docs.ReadyDocument, "State",
             unready=docs.ReadyDocument),
        Door("GET", "/model/info", "score", to.model_info, docs.ModelDocument, "State"),
        Door("GET", "/requests/recent", "read", to.recent, docs.RecentDocument, "State"),
        Door("GET", "/metrics", "read", to.metrics, None, "State"),
        Door("GET", "/models", "read", models.versions, own.VersionsDocument, "Versions",
             query=PAGES, others=UNUSABLE),
        Door("GET", "/models/aliases", "read", models.aliases, own.AliasesDocument, "Versions", others=UNUSABLE),
        Door("GET", "/models/aliases/{alias}", "read", models.alias, own.AliasDocument, "Versions",
             path_schema=ALIAS, others=UNUSABLE | ABSENT),
        Door("PUT", "/models/aliases/{alias}", "manage", models.move_alias, own.AliasDocument, "Versions",
             own.AliasBody, path_schema=ALIAS, headers=IF_MATCH, untrained=True, repeatable=True,
             others=ABSENT | MOVED),
        Door("DELETE", "/models/aliases/challenger", "manage", models.drop_challenger, own.DroppedDocument, "Versions",
             headers=IF_MATCH, others=UNUSABLE | MOVED),
        Door("GET", "/models/trial", "read", models.trial, own.TrialDocument, "Versions", others=UNUSABLE | ABSENT),
        Door("PUT", "/models/trial", "manage", models.start_trial, own.TrialDocument, "Versions",
             own.TrialBody, headers=IF_MATCH, untrained=True, others=ABSENT | MOVED),
        Door("DELETE", "/models/trial", "manage", models.stop_trial, own.DroppedDocument, "Versions",
             headers=IF_MATCH, others=UNUSABLE | ABSENT | MOVED),
        Door("GET", "/models/waiting", "read", models.waiting, own.VersionsDocument, "Versions", others=UNUSABLE),
        Door("DELETE", "/models/waiting/{version}", "manage", models.dismiss, own.VersionDocument, "Versions",
             path_schema=NUMBER, others=UNUSABLE | ABSENT),
        Door("GET", "/models/{version}", "read", models.version, own.VersionDocument, "Versions",
             path_schema=NUMBER, others=UNUSABLE | ABSENT),
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
            responses=answers(
                door.answer,
                door.path,
                door.right,
                untrained=door.untrained,
                body=door.body is not None,
                others=door.others,
                unready=door.unready,
            ),
            openapi_extra=(
                request(
                    door.path,
                    door.body,
                    door.query,
                    repeatable=door.repeatable,
                    path_schema=door.path_schema,
                    headers=door.headers,
                )
                or {}
            )
            | security(door.right),
            response_class=PlainTextResponse if door.answer is None else JSONResponse,
            route_class_override=PlainRoute,
        )
