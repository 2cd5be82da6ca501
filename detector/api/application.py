"""The application: endpoints, their description, errors, traffic, and the life of the workspace."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio.to_thread import run_sync
from fastapi import FastAPI

from detector.api.admission import AdmissionMiddleware
from detector.api.capacity import Capacity, CapacityMiddleware
from detector.api.description import DescribedApplication
from detector.api.docs import add_docs
from detector.api.doors import PlainRoute, doors, open_doors
from detector.api.problems import error_handlers
from detector.api.routes import Endpoints
from detector.api.straight import StraightWay, straight_routes
from detector.api.traffic import Traffic, TrafficMiddleware
from detector.service.alerts.watcher import Watcher
from detector.service.logs import configure_logs
from detector.service.store_watch import StoreWatch
from detector.service.tracing import configure_traces
from detector.service.watching import DatabaseWatch
from detector.service.workspace import Workspace
from detector.settings import Settings
from detector.version import VERSION

_DESCRIPTION = """Scores transactions whose fields keep changing: a missing field is scored without, a new one is
registered and learned by the next update. Values are numbers, strings, booleans or null. Errors are
`application/problem+json` and name row and field."""


def create_app(workspace: Workspace | None = None, *, settings: Settings | None = None) -> FastAPI:
    """Return the API over ``workspace``, or over one opened at startup and closed at the end.

    ``settings``: which one that is; by default the environment's.

    Raises
    ------
    pydantic.ValidationError
        When a setting in the environment cannot be read.
    """
    settings = (settings or Settings()) if workspace is None else workspace.settings
    traffic = Traffic(logged=settings.log_level in {"DEBUG", "INFO"})
    capacity = Capacity(settings)
    endpoints = Endpoints(traffic)
    readiness = endpoints.readiness
    traffic.counts.overloaded = capacity.refused
    if workspace is not None:
        endpoints.workspace = workspace

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        if workspace is None:
            configure_logs(settings.log_level)
            configure_traces()
            endpoints.workspace = await run_sync(Workspace.open, settings)
            Watcher(endpoints.workspace, traffic.counts.totals).start()
        watch: DatabaseWatch | None = None
        stores: StoreWatch | None = None
        try:
            await run_sync(endpoints.warm)
            await run_sync(endpoints.workspace.keys.look)
            watch = DatabaseWatch(endpoints.workspace)
            await run_sync(watch.start)
            stores = StoreWatch(endpoints.workspace.models)
            stores.start()
            readiness.begin(endpoints.workspace, watch, stores)
            # What is loaded by now stays: the collector need not look through it again and again under load.
            gc.collect()
            gc.freeze()
            yield
        finally:
            readiness.close()
            if stores is not None:
                stores.close()
            if watch is not None:
                await run_sync(watch.close)
            traffic.write()
            await run_sync(endpoints.workspace.keys.write_use)
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
    app.state.readiness, app.state.capacity = readiness, capacity
    all_doors = doors(endpoints)
    # Each one that is added stands before those that were: the last sees a request first.
    app.add_middleware(StraightWay, routes=lambda: straight_routes(app, PlainRoute))
    app.add_middleware(CapacityMiddleware, capacity=capacity)
    app.add_middleware(AdmissionMiddleware, doors=all_doors, keys=lambda: endpoints.workspace.keys, settings=settings)
    app.add_middleware(TrafficMiddleware, traffic=traffic)
    open_doors(app, all_doors)
    add_docs(app)
    traffic.counts.know(app.routes)
    return app
