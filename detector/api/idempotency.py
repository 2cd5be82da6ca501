"""``Idempotency-Key``: a request that is sent again, since its answer was lost, has no second effect.

An endpoint hands :meth:`Repeats.once` what it does as a function of an :class:`Effect`; the service calls back
``effect.also(...)`` in the transaction of the change, and the answer is made and kept there::

    def train(effect: Effect) -> None:
        train_rows(workspace, rows, actor=actor, also=effect.also(lambda result: json_response(...)))

    return await repeats.once(request, body, train)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from time import monotonic
from typing import Any, Protocol

import anyio
from anyio.to_thread import run_sync
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from detector.api.answers import JSON_TYPE
from detector.api.callers import caller_of
from detector.api.problems import RequestError, problem_response
from detector.errors import Problem
from detector.service.repeats import Answer, Claim, OvertakenError, Repeatable, claim
from detector.store.database import Database

#: The header by which a caller names a request, and the one that marks an answer as given before.
KEY, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
#: Seconds that a repetition waits for the request that is at work, before it is told to come back.
PATIENCE = 20.0
#: Seconds between two looks, at first and at most.
_PAUSE, _LONGEST_PAUSE = 0.02, 0.5

_is_key = re.compile(r"[!-~]{1,200}", re.ASCII).fullmatch


class Also(Protocol):
    """What a service calls in the transaction of a change, with its result and whatever else belongs to it."""

    def __call__(self, connection: Connection, /, *result: Any) -> None:
        """Take part in the transaction."""
        ...


class Effect:
    """What a request does, once, and what it is answered."""

    def __init__(self, claimed: Claim | None) -> None:
        self.response: Response | None = None
        self._claimed = claimed

    def also(self, answer_of: Callable[..., Response]) -> Also:
        """Return what the service calls in the transaction; ``answer_of`` makes the answer of its result."""

        def keep(connection: Connection, /, *result: Any) -> None:
            response = answer_of(*result)
            if self._claimed is not None:
                self._claimed.answer(connection, Answer(response.status_code, bytes(response.body)))
            self.response = response

        return keep


class Repeats:
    """Carries requests out once. ``database``: of the workspace, which is there from startup on."""

    def __init__(self, database: Callable[[], Database]) -> None:
        self._database = database

    async def once(self, request: Request, body: bytes, work: Callable[[Effect], None]) -> Response:
        """Run ``work`` in a thread and return its answer, or the one that the same request was given before.

        Raises
        ------
        RequestError, InputError
            When the key cannot be read, or was given to another request.
        """
        repeatable = _repeatable(request, body)
        if repeatable is None:
            return await run_sync(_carry_out, Effect(None), work)
        end, pause = monotonic() + PATIENCE, _PAUSE
        while True:
            # Claiming and carrying out are one piece of a thread, so that a client that goes leaves no claim behind.
            response = await run_sync(self._attempt, repeatable, work)
            if response is not None:
                return response
            if monotonic() >= end:
                return problem_response(
                    409,
                    "still_working",
                    "The same request is still being carried out. Send it again in a moment for its answer.",
                    headers={"Retry-After": "2"},
                )
            await anyio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _attempt(self, repeatable: Repeatable, work: Callable[[Effect], None]) -> Response | None:
        found = claim(self._database(), repeatable)
        if found is None:
            return None
        if isinstance(found, Answer):
            return Response(found.body, found.status, {REPLAYED: "true"}, JSON_TYPE)
        try:
            return _carry_out(Effect(found), work)
        except OvertakenError:
            # Whoever has it now gives the answer.
            return None
        except BaseException:
            found.let_go()
            raise


def _carry_out(effect: Effect, work: Callable[[Effect], None]) -> Response:
    work(effect)
    assert effect.response is not None
    return effect.response


def _repeatable(request: Request, body: bytes) -> Repeatable | None:
    keys = request.headers.getlist(KEY)
    if not keys:
        return None
    if len(keys) > 1 or not _is_key(keys[0]):
        message = f"{KEY} is one text of 1 to 200 visible ASCII characters, such as a UUID."
        raise RequestError(400, "bad_key", message, Problem("bad_key", message, column=KEY))
    scope = request.scope
    seen = request.headers.get("if-match", "").encode()
    line = f"{scope['method']} {scope['path']}?".encode() + scope["query_string"]
    asked = sha256(b"\n".join((line, seen, body))).hexdigest()
    return Repeatable(caller_of(request).name, keys[0], asked)
