from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from detector.service.alerts import alerting, handling
from detector.service.alerts.inputs import Inputs, NewestRun
from detector.service.alerts.observed import Observed
from detector.service.workspace import Workspace

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
#: How far back the rules look by default.
BACK = (60.0, 5.0)


def inputs(traffic: Observed | None = None, **given: object) -> Inputs:
    return Inputs(traffic=dict.fromkeys(BACK, traffic or Observed()), **given)


def a_run(**given: object) -> NewestRun:
    return NewestRun(
        **{
            "id": 7,
            "rows": 2_000,
            "flagged": 200,
            "expected": 0.1,
            "missing": (),
            "new": (),
            "drift": "calm",
            "drifted_columns": 0,
        }
        | given
    )


@pytest.fixture
def look(ws: Workspace) -> Callable[..., list[tuple[str, str, str]]]:
    """Apply the rules to inputs at a moment; return what stands: rule, subject, state."""

    def look(found: Inputs, at: datetime = NOON) -> list[tuple[str, str, str]]:
        alerting.evaluate(ws, at, found)
        return sorted((alert.rule.name, alert.subject, alert.state) for alert in handling.open_alerts(ws))

    return look


@pytest.fixture
def receiver(httpserver: HTTPServer) -> list[Request]:
    """What arrived at a receiver that takes everything."""
    got: list[Request] = []

    def take(request: Request) -> Response:
        got.append(request)
        return Response("thanks")

    httpserver.expect_request("/hook").respond_with_handler(take)
    return got
