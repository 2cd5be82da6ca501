"""Whether the API answers, asked seldom enough that every page may ask."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException, HTTPSConnection
from time import monotonic
from typing import Literal
from urllib.parse import urlsplit

#: Seconds for which an answer is believed.
BELIEVED = 3.0
#: Seconds that the API has to answer; a page waits no longer for it.
PATIENCE = 0.3

#: Seconds for which an API that has not answered yet may still be starting.
STARTING = 60.0

ApiState = Literal["up", "starting", "down"]


class ApiProbe:
    """Asks ``<url>/health``. Not for the API process itself: it would wait for its own answer."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._seen: tuple[float, ApiState] = (float("-inf"), "down")
        self._starting_until = monotonic() + STARTING

    def state(self) -> ApiState:
        """Return whether the API answered, at most three seconds ago; it counts as starting until it first does."""
        until, state = self._seen
        if monotonic() >= until:
            state = self._ask()
            self._seen = (monotonic() + BELIEVED, state)
        return state

    def _ask(self) -> ApiState:
        kind = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        connection = kind(self._url.hostname or "127.0.0.1", self._url.port, timeout=PATIENCE)
        try:
            connection.request("GET", f"{self._url.path}/health")
            state: ApiState = "up" if connection.getresponse().status == 200 else "down"
        except (OSError, HTTPException):
            return "starting" if monotonic() < self._starting_until else "down"
        finally:
            connection.close()
        self._starting_until = float("-inf")
        return state
