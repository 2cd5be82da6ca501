"""T2: who tries keys is slowed down, whatever address the requests claim to come from; neighbours are not harmed."""

from __future__ import annotations

from collections import Counter
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from detector.api import admission
from trust.guarded import keys_of_all_roles, workspace_in
from trust.promise import Outcome, Promise, Size
from trust.serving import api

#: Wrong keys that are looked at in a minute, by default.
LOOKED_AT = 10


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Try wrong secrets for a known key over a socket, each from another forged address."""
    tries, faults = size.choose(2_000, 60), []
    with workspace_in(folder) as ws:
        keys = keys_of_all_roles(ws)
    with api(folder, broken=["trust.t02_guessing:believe_forged_headers"] if broken else []) as running:
        wrong = keys["viewer"][:-10] + "0000000000"
        answers: Counter[int] = Counter()
        for number in range(tries):
            forged = f"198.51.{number // 250}.{number % 250}"
            headers = {"X-Forwarded-For": forged, "Forwarded": f"for={forged}", "X-Real-IP": forged}
            status, wait = _ask(running.port, wrong, headers)
            answers[status] += 1
            if status == 429 and not 1 <= wait <= 60:
                faults.append(f"429 with Retry-After {wait}")
        if answers[401] > LOOKED_AT or answers[401] + answers[429] != tries:
            faults.append(f"of {tries} tries {answers[401]} were looked at, not at most {LOOKED_AT}: {dict(answers)}")
        neighbour, _ = _ask(running.port, keys["lead"], {})
        if neighbour != 200:
            faults.append(f"a neighbour with a good key got {neighbour}")
    return Outcome(f"{answers[401]} of {tries} tries looked at", tuple(faults[:20]))


def _ask(port: int, key: str, headers: dict[str, str]) -> tuple[int, int]:
    """Return the status, and the seconds that the answer asks to wait."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/requests/recent", headers={"Authorization": f"Bearer {key}", **headers})
        answer = connection.getresponse()
        answer.read()
        return answer.status, int(answer.getheader("Retry-After", "0"))
    finally:
        connection.close()


def believe_forged_headers() -> None:
    """Break it: a request says itself where it comes from."""

    def said(scope: Any) -> str:
        return next((value.decode() for name, value in scope["headers"] if name == b"x-forwarded-for"), "127.0.0.1")

    admission._peer = said


PROMISE = Promise(
    name="T2",
    says="Guessing keys is slowed down per address of the socket; forged headers change nothing",
    asked=f"at most {LOOKED_AT} tries a minute looked at",
    breaks="the API believes X-Forwarded-For",
    check=check,
)
