"""Requests in plain counters: cheap ones, however many paths a caller makes up.

What is counted under a name of its own is what the application itself has: its routes with their methods, four classes
of status. All else is ``unknown``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping

from starlette.routing import BaseRoute, Route

#: Upper edges of the classes of time, in seconds; what takes longer is in one more.
SECONDS = (0.001, 0.005, 0.01, 0.05, 0.25, 1.0, 10.0)
#: Routes whose time is told apart.
TIMED = ("/predict", "/predict/batch", "/train", "/update")
#: Combinations of route, method and class of status that are told apart.
MOST_KEPT = 56
UNKNOWN, OTHER = "unknown", "other"

#: Why a request was not served, by its status.
REASONS: Mapping[int, str] = {
    400: "invalid",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "not_found",
    408: "too_slow",
    409: "conflict",
    413: "too_large",
    415: "invalid",
    422: "invalid",
    429: "too_many",
    503: "unavailable",
}
ALL_REASONS = tuple(dict.fromkeys([*REASONS.values(), OTHER]))


class Durations:
    """How long requests took: how many in each class, and seconds in all."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.seconds = 0.0


class RequestCounts:
    """The requests of one process. Written on the event loop, read from anywhere."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.requests = 0
        self.errors = 0
        #: (route, method, class of status) -> requests
        self.by_door: dict[tuple[str, str, int], int] = {}
        self.durations = {route: Durations() for route in (*TIMED, OTHER)}
        self.refused = dict.fromkeys(ALL_REASONS, 0)
        #: kind -> requests for which there was no room; who refuses them counts them
        self.overloaded: Mapping[str, int] = {}
        self._known: frozenset[tuple[str, str]] = frozenset()

    def know(self, routes: Iterable[BaseRoute]) -> None:
        """Learn which routes there are, with their methods."""
        self._known = frozenset(
            (route.path, method) for route in routes if isinstance(route, Route) for method in route.methods or ()
        )

    def begin(self) -> None:
        """Count a request that has come."""
        self.in_flight += 1

    def end(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self.in_flight -= 1
        self.requests += 1
        key = (route, method, status // 100)
        if key in self.by_door:
            self.by_door[key] += 1
        else:
            self._first_of(key)
        durations = self.durations.get(route) or self.durations[OTHER]
        durations.counts[bisect_left(SECONDS, seconds)] += 1
        durations.seconds += seconds
        if status >= 400:
            if status >= 500:
                self.errors += 1
            if status < 500 or status in REASONS:
                self.refused[REASONS.get(status, OTHER)] += 1

    def totals(self) -> tuple[int, int]:
        """Return how many requests were answered, and how many of them with a fault of the server."""
        return self.requests, self.errors

    def _first_of(self, key: tuple[str, str, int]) -> None:
        route, method, status_class = key
        status_class = min(max(status_class, 2), 5)
        if (route, method) not in self._known or len(self.by_door) >= MOST_KEPT:
            route, method = UNKNOWN, OTHER
        known = (route, method, status_class)
        self.by_door[known] = self.by_door.get(known, 0) + 1
