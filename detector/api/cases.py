"""The endpoints about cases: how one stands, and saying what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from anyio.to_thread import run_sync
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from detector.api import payloads
from detector.api.answers import json_response, now
from detector.api.callers import caller_of
from detector.api.documents import DecisionBody
from detector.api.idempotency import Effect, Repeats
from detector.api.parameters import as_input_error, read_query
from detector.api.strict_json import parse_exactly
from detector.errors import InputError, Problem
from detector.service.review.case_changes import Change, States
from detector.service.review.case_ids import CaseId
from detector.service.review.cases import get_case
from detector.service.review.deciding import decide
from detector.service.review.inbox import CaseState
from detector.service.workspace import Workspace

_FIELDS = tuple(DecisionBody.model_fields)


class CaseEndpoints:
    """The endpoints over the cases of one workspace."""

    def __init__(self, workspace: Callable[[], Workspace], repeats: Repeats) -> None:
        self._workspace = workspace
        self._repeats = repeats

    async def case(self, request: Request) -> Response:
        """Tell what a case is and how it stands; ``revision`` is what a decision on it has to name."""
        read_query(request, ())
        return await run_sync(self._case, _case_of(request))

    async def decide(self, request: Request) -> Response:
        """Say what a case is, on the revision that the caller has seen; 409 when it has moved on since."""
        read_query(request, ())
        case, actor = _case_of(request), caller_of(request).name
        content = await payloads.read_body(request, self._workspace().settings.max_request_bytes)
        body = _decision(content)

        def work(effect: Effect) -> None:
            def answer(_change: Change, states: States) -> Response:
                return json_response(_standing(case, states[case]) | {"timestamp": now()})

            seen = {case: body.revision}
            decide(
                self._workspace(), [case], body.outcome, body.reason,
                actor=actor, note=body.note, seen=seen, also=effect.also(answer),
            )  # fmt: skip

        return await self._repeats.once(request, content, work)

    def _case(self, case: CaseId) -> Response:
        found = get_case(self._workspace(), case)
        return json_response(
            _standing(case, found.state)
            | {
                "file": found.file,
                "model_version": found.version,
                "cutoff": found.cutoff,
                "severity": found.severity,
                "anomaly_score": found.score,
                "priority": found.priority,
                "values": {name: _plain(value) for name, value in found.values.items()},
                "reasons": [
                    {"feature": reason.feature, "contribution": reason.contribution, "sentence": reason.sentence}
                    for reason in found.reasons
                ],
                "timestamp": now(),
            }
        )


def _standing(case: CaseId, state: CaseState) -> dict[str, Any]:
    return {
        "case": str(case),
        "status": state.status,
        "outcome": state.outcome,
        "reason": state.reason,
        "assignee": state.assignee,
        "revision": state.revision,
        "changed_at": None if state.changed_at is None else state.changed_at.isoformat(),
        "changed_by": state.changed_by,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _case_of(request: Request) -> CaseId:
    return CaseId.parse(str(request.path_params["case"]))


def _decision(content: bytes) -> DecisionBody:
    document = parse_exactly(content)
    if not isinstance(document, Mapping):
        message = 'The body must be an object, as in {"outcome": "fraud", "reason": "stolen_card", "revision": 0}.'
        raise InputError(message, (Problem("not_an_object", message),))
    payloads.refuse_unknown(document, _FIELDS)
    try:
        return DecisionBody.model_validate(document, strict=True)
    except ValidationError as error:
        raise as_input_error(error) from error
