"""The HTTP API over a workspace: ``python -m detector.api``, or ``create_app()`` for another server."""

from detector.api.application import create_app

__all__ = ["create_app"]
