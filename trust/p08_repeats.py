"""P8: repeating a request repeats no effect."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from sqlalchemy import func, select

from detector.service.workspace import Workspace
from detector.store import tables
from trust.promise import Outcome, Promise, Size
from trust.serving import api
from trust.workspaces import opened, payments, small_workspace

#: Seconds after which a request counts as lost.
_PATIENCE = 120


@dataclass(frozen=True)
class Given:
    """An answer: its status, body, and whether it says that it was given before."""

    status: int
    body: bytes
    replayed: bool


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Send each request many times at once to two processes; count what was done and compare what was answered."""
    home = small_workspace(folder / "home")
    ws = opened(home)
    many = size.choose(100, 8) if not broken else 8
    case = f"1-{int(ws.inbox.table(1).rows[0])}"
    rows = {"transactions": json.loads(payments(40, seed=3).to_json(orient="records"))}
    decision = {"outcome": "fraud", "reason": "stolen_card", "revision": 0}
    asked: list[tuple[str, dict[str, Any], Callable[[Workspace], int]]] = [
        ("/train?n_estimators=8", rows, _versions("trained")),
        ("/update", rows, _versions("updated")),
        (f"/cases/{case}/decision", decision, _decisions),
    ]
    faults: list[str] = []
    answers = 0
    with ExitStack() as stack:
        breaks = ["trust.p08_repeats:forget"] if broken else []
        running = [stack.enter_context(api(home, broken=breaks)) for _ in range(2)]
        addresses = [f"http://127.0.0.1:{each.port}" for each in running]
        for path, body, effects in asked:
            before = effects(ws)
            given = _send(addresses, path, body, f"key of {path}".replace(" ", "-"), many)
            answers += len(given)
            done = effects(ws) - before
            if done != 1:
                faults.append(f"{many} times {path} with one key did it {done} times")
            faults += _unlike(path, given)
            faults += _refuses_another_body(addresses[1], path, body, f"key of {path}".replace(" ", "-"))
    if not broken:
        faults += _kept_for_a_day(ws)
    ws.close()
    return Outcome(f"{answers} requests to two processes, {len(asked)} keys: {len(faults)} faults", tuple(faults))


def forget() -> None:
    """Break it: no process remembers what was asked before."""
    from detector.api import idempotency

    class Unheeded:
        def answer(self, *_: Any) -> None:
            pass

        def let_go(self) -> None:
            pass

    idempotency.Claim = Unheeded  # type: ignore[assignment,misc]
    idempotency.claim = lambda *_: Unheeded()  # type: ignore[assignment,return-value]


def _send(addresses: list[str], path: str, body: Any, key: str, many: int) -> list[Given]:
    with ThreadPoolExecutor(many) as pool:
        return list(pool.map(lambda i: _post(addresses[i % len(addresses)] + path, body, key), range(many)))


def _post(url: str, body: Any, key: str) -> Given:
    content = json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    request = Request(url, content, headers, method="POST")  # noqa: S310 - our own address
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            with urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310 - our own address
                return Given(answer.status, answer.read(), answer.headers.get("Idempotency-Replayed") == "true")
        except HTTPError as error:
            with error:
                given = Given(error.code, error.read(), replayed=False)
            # Nothing was done, since others are at work: whoever wants the answer asks again, as every client does.
            if not (error.code == 503 and error.headers["Retry-After"]) or time.monotonic() > until:
                return given
            time.sleep(random.uniform(0.02, 0.2))  # noqa: S311 - no secret


def _unlike(path: str, given: list[Given]) -> list[str]:
    """Return what is wrong with the answers: one is new, the others repeat it, or say that it is still at work."""
    done = [each for each in given if each.status == 200]
    faults = [f"{path} was answered {each.status}" for each in given if each.status not in (200, 409)]
    if len({each.body for each in done}) != 1:
        faults.append(f"{path} with one key was answered in {len({each.body for each in done})} ways")
    if sum(not each.replayed for each in done) != 1:
        faults.append(f"{path}: {sum(not each.replayed for each in done)} answers do not say that they are repeated")
    return faults


def _refuses_another_body(address: str, path: str, body: dict[str, Any], key: str) -> list[str]:
    other = {**body, "note": "another"} if "outcome" in body else {"transactions": body["transactions"][:-1]}
    status = _post(address + path, other, key).status
    return [] if status == 422 else [f"{path} with the same key and another body was answered {status}, not 422"]


def _kept_for_a_day(ws: Workspace) -> list[str]:
    """Return what is wrong with keys that are a day old: they are forgotten, younger ones are not."""
    from detector.service import repeats

    request = repeats.Repeatable("p8", "old", "asked")
    claimed = repeats.claim(ws.database, request)
    assert isinstance(claimed, repeats.Claim)
    with ws.database.write() as connection:
        claimed.answer(connection, repeats.Answer(200, b"{}"))
    faults = []
    for age, forgotten in ((repeats.KEPT - timedelta(minutes=1), False), (repeats.KEPT + timedelta(minutes=1), True)):
        with ws.database.write() as connection:
            began = connection.scalar(select(func.max(tables.requests.c.begun_at)))
            assert began is not None
            connection.execute(
                tables.requests.update().where(tables.requests.c.key == "old").values(begun_at=began - age)
            )
        if isinstance(repeats.claim(ws.database, request), repeats.Claim) is not forgotten:
            faults.append(f"a key that is {age} old is {'still known' if forgotten else 'forgotten'}")
    return faults


def _versions(origin: str) -> Callable[[Workspace], int]:
    def count(ws: Workspace) -> int:
        return sum(info.origin == origin for info in ws.registry.list())

    return count


def _decisions(ws: Workspace) -> int:
    with ws.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(tables.decisions)) or 0


PROMISE = Promise(
    name="P8",
    says="repeating a request repeats no effect",
    asked="Idempotency-Key on train, update, decide: 100 parallel duplicates, 1 effect; another body 422",
    breaks="no process remembers what was asked before",
    check=check,
)
