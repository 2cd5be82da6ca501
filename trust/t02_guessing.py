"""T2: who tries keys is slowed down, whatever address the requests claim to come from; neighbours are not harmed."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from unittest.mock import patch

from detector.api import admission
from trust.guarded import keys_of_all_roles, workspace_in
from trust.guarded_server import running
from trust.promise import Outcome, Promise, Size

#: Wrong keys that are looked at in a minute, by default.
LOOKED_AT = 10


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Try wrong secrets for a known key over a socket, each from another forged address."""
    tries, faults = size.choose(2_000, 60), []
    with ExitStack() as stack:
        if broken:
            stack.enter_context(patch.object(admission, "_peer", _what_the_request_says))
        ws = stack.enter_context(workspace_in(folder))
        keys = keys_of_all_roles(ws)
        host, port = stack.enter_context(running(ws))
        wrong = keys["viewer"][:-10] + "0000000000"
        answers: Counter[int] = Counter()
        for number in range(tries):
            forged = f"198.51.{number // 250}.{number % 250}"
            headers = {"X-Forwarded-For": forged, "Forwarded": f"for={forged}", "X-Real-IP": forged}
            status, wait = _ask(host, port, wrong, headers)
            answers[status] += 1
            if status == 429 and not 1 <= wait <= 60:
                faults.append(f"429 with Retry-After {wait}")
        if answers[401] > LOOKED_AT or answers[401] + answers[429] != tries:
            faults.append(f"of {tries} tries {answers[401]} were looked at, not at most {LOOKED_AT}: {dict(answers)}")
        neighbour, _ = _ask(host, port, keys["lead"], {})
        if neighbour != 200:
            faults.append(f"a neighbour with a good key got {neighbour}")
    return Outcome(f"{answers[401]} of {tries} tries looked at", tuple(faults[:20]))


def _ask(host: str, port: int, key: str, headers: dict[str, str]) -> tuple[int, int]:
    """Return the status, and the seconds that the answer asks to wait."""
    connection = HTTPConnection(host, port, timeout=10)
    try:
        connection.request("GET", "/requests/recent", headers={"Authorization": f"Bearer {key}", **headers})
        answer = connection.getresponse()
        answer.read()
        return answer.status, int(answer.getheader("Retry-After", "0"))
    finally:
        connection.close()


def _what_the_request_says(scope: Any) -> str:
    return next((value.decode() for name, value in scope["headers"] if name == b"x-forwarded-for"), "127.0.0.1")


PROMISE = Promise(
    name="T2",
    says="Guessing keys is slowed down per address of the socket; forged headers change nothing",
    asked=f"at most {LOOKED_AT} tries a minute looked at",
    breaks="the API believes X-Forwarded-For",
    check=check,
)
