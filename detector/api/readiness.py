"""``GET /ready``: whether requests should be sent here, and if not, which part is not ready.

``/health`` says that the process lives, and nothing else: who restarts what does not answer must not restart it for a
database that is away. Readiness is for who decides where requests go.
"""

from __future__ import annotations

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from detector.api.answers import json_response, now
from detector.errors import DetectorError
from detector.service.store_watch import StoreWatch
from detector.service.watching import DatabaseWatch
from detector.service.workspace import Workspace

#: The states of each part that are not in the way. A model store that is away is told and is not in the way: what is
#: loaded goes on, and where nothing could be loaded, the model says so.
_READY = {
    "startup": ("done",),
    "database": ("answers",),
    "model_store": ("answers", "not asked yet", "does not answer"),
    "model": ("loaded", "behind", "none yet"),
    "intake": ("open",),
}


class Readiness:
    """What this process has to say of itself."""

    def __init__(self) -> None:
        self.warm = False
        self.closing = False
        self._workspace: Workspace | None = None
        self._database: DatabaseWatch | None = None
        self._models: StoreWatch | None = None

    def begin(self, workspace: Workspace, database: DatabaseWatch, models: StoreWatch) -> None:
        """Note that the process is warm, and where its champion, its database and its model store are asked for."""
        self._workspace, self._database, self._models, self.warm = workspace, database, models, True

    def close(self) -> None:
        """Say from now on that no more requests should be sent here."""
        self.closing = True

    async def answer(self, _request: Request) -> Response:
        """Say whether requests should be sent here: 200 or 503, with the state of each part."""
        model, version, wanted = self._model()
        parts = {
            "startup": "done" if self.warm else "under way",
            "database": "answers" if self._database is not None and self._database.answers else "does not answer",
            "model_store": "not asked yet" if self._models is None else self._models.state,
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
                "champion_version": wanted,
                "timestamp": now(),
            }
        )
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE if missing else HTTPStatus.OK
        return response

    def _model(self) -> tuple[str, int | None, int | None]:
        """Return the state of the model, the version that answers here, and the one that is champion."""
        if self._workspace is None:
            return "none yet", None, None
        try:
            champion = self._workspace.champion()
        except DetectorError:
            return "cannot be read", None, None
        except Exception:  # noqa: BLE001 - the database's word counts for that part
            return "not looked up yet", None, None
        if champion is None:
            return "none yet", None, None
        behind = self._workspace.behind
        return (
            ("loaded", champion.version, champion.version)
            if behind is None
            else ("behind", champion.version, behind.version)
        )
