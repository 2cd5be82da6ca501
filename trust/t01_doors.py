"""T1: no door of the API opens without the right that the table asks for."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

from detector.api.admission import Rights
from trust.guarded import MAY, TABLE, caller_at, keys_of_all_roles, workspace_in
from trust.promise import Outcome, Promise, Size

REFUSED = {401, 403}


def check(folder: Path, _size: Size, broken: bool) -> Outcome:
    """Try every method and path of the description, as nobody and in each role, and hold it against the table."""
    tried, faults = 0, []
    with ExitStack() as stack:
        if broken:
            stack.enter_context(_a_door_without_a_lock())
        ws = stack.enter_context(workspace_in(folder))
        client = stack.enter_context(caller_at(ws, "127.0.0.1"))
        described = client.get("/openapi.json").json()["paths"]
        keys = {"nobody": "", "somebody with a wrong key": "dak_wrong", **keys_of_all_roles(ws)}
        found = {(method.upper(), path) for path, methods in described.items() for method in methods}
        faults += [f"{method} {path} is in no table of rights" for method, path in sorted(found - TABLE.keys())]
        faults += [f"{method} {path} is not described" for method, path in sorted(TABLE.keys() - found)]
        for who, key in keys.items():
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            for method, path in sorted(found & TABLE.keys()):
                right = TABLE[method, path]
                status = client.request(
                    method, path, headers=headers, json={} if method == "POST" else None
                ).status_code
                tried += 1
                expected = right is None or who in MAY[right]
                if (status not in REFUSED | {429}) is not expected:
                    faults.append(
                        f"{who}: {method} {path} answered {status}, and may {'' if expected else 'not '}come in"
                    )
            for path in ("/nothing", "/predict/", "/metrics-that-nobody-made"):
                tried += 1
                status = client.get(path, headers=headers, follow_redirects=False).status_code
                if who not in MAY["read"] | {"service"} and status not in REFUSED | {429}:
                    faults.append(f"{who}: GET {path} answered {status}")
    return Outcome(f"{len(found)} doors, {len(keys)} callers, {tried} requests, {len(faults)} wrong", tuple(faults))


def _a_door_without_a_lock() -> Any:
    right_at = Rights.at

    def at(self: Rights, path: str) -> Any:
        return {"GET": None} if path == "/requests/recent" else right_at(self, path)

    return patch.object(Rights, "at", at)


PROMISE = Promise(
    name="T1",
    says="No door opens without the right that it asks for",
    asked="every door x every role as in the table",
    breaks="one door of the API lets everybody in",
    check=check,
)
