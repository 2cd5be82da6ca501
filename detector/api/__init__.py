"""The HTTP API over a workspace: ``uvicorn --factory detector.api:create_app``."""

from detector.api.application import create_app

__all__ = ["create_app"]
