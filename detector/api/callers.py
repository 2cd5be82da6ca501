"""Who sent a request, as the layers in front of the endpoints found out."""

from __future__ import annotations

from starlette.requests import Request

from detector.service.access import LOCAL_API, Caller

#: Where the caller lies in the ASGI scope.
CALLER = "detector.caller"


def caller_of(request: Request) -> Caller:
    """Return who sent the request; on a machine that only listens to itself and has no keys, ``api``."""
    caller: Caller = request.scope.get(CALLER, LOCAL_API)
    return caller
