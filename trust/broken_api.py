"""An API that is broken on purpose, for checks that have to notice it; the product knows nothing of it."""

from __future__ import annotations

import sys
from typing import Any

from detector.api import payloads, problems


def leak() -> None:
    """Let the API of this process fail on what it refuses, write it to its log, and tell where it lies."""

    class Leaks(Exception):  # noqa: N818 - stands in for an error
        def __init__(self, _status: int, _code: str, message: str, *_problems: Any) -> None:
            super().__init__(message)

    payloads.RequestError = Leaks  # type: ignore[assignment,misc]
    true = problems.problem_response
    parse = payloads.parse

    def loud(body: bytes) -> Any:
        print(body, file=sys.stderr, flush=True)
        return parse(body)

    def telling(status: int, code: str, detail: str, **more: Any) -> Any:
        return true(status, code, f"{detail} in {__file__}", **more)

    payloads.parse = loud
    problems.problem_response = telling
