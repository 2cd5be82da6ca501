"""Who sent a request, as the layers in front of the endpoints found out."""

from __future__ import annotations

from starlette.requests import Request

from detector.service.access import Caller

#: Where the caller lies in the ASGI scope.
CALLER = "detector.caller"


def caller_of(request: Request) -> Caller:
    """Return who sent the request; there is somebody wherever a right is asked for."""
    caller: Caller = request.scope[CALLER]
    return caller
