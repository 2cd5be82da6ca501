"""``GET /ready``: whether requests should be sent here, and if not, which part is not ready.

``/health`` says that the process lives, and nothing else: who restarts what does not answer must not restart it for a
database that is away. Readiness is for who decides where requests go.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from detector.api.answers import json_response, now
from detector.errors import DetectorError
from detector.service.champion import Champion
from detector.service.watching import DatabaseWatch

_READY = {"startup": ("done",), "database": ("answers",), "model": ("loaded", "none yet"), "intake": ("open",)}


class Readiness:
    """What this process has to say of itself."""

    def __init__(self) -> None:
        self.warm = False
        self.closing = False
        self._champion: Callable[[], Champion | None] = lambda: None
        self._database: DatabaseWatch | None = None

    def begin(self, champion: Callable[[], Champion | None], database: DatabaseWatch) -> None:
        """Note that the process is warm, and where its champion and its database are asked for."""
        self._champion, self._database, self.warm = champion, database, True

    def close(self) -> None:
        """Say from now on that no more requests should be sent here."""
        self.closing = True

    async def answer(self, _request: Request) -> Response:
        """Say whether requests should be sent here: 200 or 503, with the state of each part."""
        model, version = self._model()
        parts = {
            "startup": "done" if self.warm else "under way",
            "database": "answers" if self._database is not None and self._database.answers else "does not answer",
            "model": model,
            "intake": "closing" if self.closing else "open",
        }
        missing = [part for part, state in parts.items() if state not in _READY[part]]
        response = json_response(
            {
                "status": "not ready" if missing else "ready",
                "not_ready": missing,
                "parts": parts,
                "model_version": version,
                "timestamp": now(),
            }
        )
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE if missing else HTTPStatus.OK
        return response

    def _model(self) -> tuple[str, int | None]:
        try:
            champion = self._champion()
        except DetectorError:
            return "cannot be read", None
        except Exception:  # noqa: BLE001 - the database's word counts for that part
            return "not looked up yet", None
        return ("none yet", None) if champion is None else ("loaded", champion.version)
