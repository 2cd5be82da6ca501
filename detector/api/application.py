"""The application: endpoints, their description, errors, traffic, and the life of the workspace."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from anyio.to_thread import run_sync
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from detector.api import documents as docs
from detector.api.description import SCORE_QUERY, DescribedApplication, answers, request, train_query
from detector.api.docs import add_docs
from detector.api.problems import error_handlers
from detector.api.routes import Endpoints
from detector.api.traffic import Traffic, TrafficMiddleware
from detector.service.logs import configure_logs
from detector.service.workspace import Workspace
from detector.settings import Settings
from detector.version import VERSION

Endpoint = Callable[[Request], Awaitable[Response]]

_DESCRIPTION = """Scores transactions whose fields keep changing: a missing field is scored without, a new one is
registered and learned by the next update. Values are numbers, strings, booleans or null. Errors are
`application/problem+json` and name row and field."""


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


def create_app(workspace: Workspace | None = None) -> FastAPI:
    """Return the API over ``workspace``, or over the environment's own, opened at startup and closed at the end.

    Raises
    ------
    pydantic.ValidationError
        When a setting in the environment cannot be read.
    """
    settings = Settings() if workspace is None else workspace.settings
    traffic = Traffic(logged=settings.log_level in {"DEBUG", "INFO"})
    endpoints = Endpoints(traffic)
    if workspace is not None:
        endpoints.workspace = workspace

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        if workspace is None:
            configure_logs(settings.log_level)
            endpoints.workspace = await run_sync(Workspace.open, settings)
        try:
            await run_sync(endpoints.warm)
            # What is loaded by now stays: the collector need not look through it again and again under load.
            gc.collect()
            gc.freeze()
            yield
        finally:
            traffic.write()
            if workspace is None:
                await run_sync(endpoints.workspace.close)

    app = DescribedApplication(
        title="Dynamic anomaly detection",
        version=VERSION,
        description=_DESCRIPTION,
        lifespan=life,
        # FastAPI would look for OpenTelemetry's settings at every request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        docs_url=None,
        redoc_url=None,
        exception_handlers=error_handlers(),
    )
    app.add_middleware(TrafficMiddleware, traffic=traffic)
    _add_routes(app, endpoints)
    add_docs(app)
    return app


def _add_routes(app: FastAPI, to: Endpoints) -> None:
    # The busiest first: routes are tried in this order.
    _post(app, "/predict", to.predict, docs.PredictionDocument, docs.PredictBody, SCORE_QUERY)
    _post(app, "/predict/batch", to.predict_batch, docs.BatchDocument, docs.TransactionsBody, SCORE_QUERY)
    _post(app, "/train", to.train, docs.TrainedDocument, docs.TrainBody, train_query())
    _post(app, "/update", to.update, docs.UpdatedDocument, docs.TransactionsBody, {})
    _get(app, "/", to.root, docs.RootDocument)
    _get(app, "/health", to.health, docs.HealthDocument)
    _get(app, "/model/info", to.model_info, docs.ModelDocument)
    _get(app, "/requests/recent", to.recent, docs.RecentDocument)


def _get(app: FastAPI, path: str, endpoint: Endpoint, answer: type[BaseModel]) -> None:
    app.router.add_api_route(
        path,
        endpoint,
        methods=["GET"],
        tags=["State"],
        responses=answers(answer, untrained=False, body=False),
        route_class_override=PlainRoute,
    )


def _post(
    app: FastAPI,
    path: str,
    endpoint: Endpoint,
    answer: type[BaseModel],
    body: type[BaseModel],
    query: Mapping[str, Any],
) -> None:
    app.router.add_api_route(
        path,
        endpoint,
        methods=["POST"],
        tags=["Score"] if path.startswith("/predict") else ["Learn"],
        responses=answers(answer, untrained=path != "/train", body=True),
        openapi_extra=request(body, query),
        route_class_override=PlainRoute,
    )
