"""The straight way to an endpoint.

Between the outer layers and an endpoint a framework asks every route whether it fits, opens a stack of exits, and looks
for the handler of an error that did not occur. For one transaction all this takes as long as to score it. A request
whose method and path are those of a door goes past it; any other takes the framework's way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from detector.api.problems import answer_detector_error, answer_disconnect, answer_http_error
from detector.errors import DetectorError


class StraightWay:
    """Hands a request straight to its route, found by method and path; the innermost layer."""

    def __init__(self, app: ASGIApp, routes: Callable[[], Mapping[tuple[str, str], APIRoute]]) -> None:
        self.app = app
        self._routes = routes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        route = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None or scope.get("root_path"):
            await self.app(scope, receive, send)
            return
        scope["route"], scope["endpoint"], scope["path_params"] = route, route.endpoint, {}
        try:
            await route.app(scope, receive, send)
        except DetectorError as error:
            await (await answer_detector_error(Request(scope), error))(scope, receive, send)
        except ClientDisconnect as error:
            await (await answer_disconnect(Request(scope), error))(scope, receive, send)
        except HTTPException as error:
            await (await answer_http_error(Request(scope), error))(scope, receive, send)


def straight_routes(app: FastAPI, route_class: type[APIRoute]) -> dict[tuple[str, str], APIRoute]:
    """Return, by method and path, the routes of ``route_class`` whose path has no variable part."""
    return {
        (method, route.path): route
        for route in app.routes
        if isinstance(route, route_class) and "{" not in route.path
        for method in sorted(route.methods or ())
    }
