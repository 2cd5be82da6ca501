"""T3: what was just installed has no key, no password and no way in for anybody else."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

from detector import exposure
from detector.api import admission
from detector.exposure import ExposureError, require_closed_api, require_closed_dashboard
from detector.service.keys import create_key, list_keys, revoke_key
from detector.settings import Settings
from trust.guarded import TABLE, caller_at, workspace_in
from trust.promise import Outcome, Promise, Size

HOSTS = ("0.0.0.0", "::", "", "10.0.0.7", "203.0.113.1", "example.org")  # noqa: S104 - to be refused
ELSEWHERE = ("203.0.113.9", "10.0.0.4", "172.17.0.1", "fe80::1", "2001:db8::1", "")
GUESSES = ("", "admin", "dak_", "dak_000000000000_" + "0" * 49, "password", "null", "undefined")
FORGED = ({"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"}, {"Host": "evil.example"})


def check(folder: Path, _size: Size, broken: bool) -> Outcome:
    """Try to listen beyond this machine, and to come in from elsewhere, without and after keys."""
    with ExitStack() as stack:
        if broken:
            stack.enter_context(patch.object(exposure, "is_loopback", lambda _host: True))
            stack.enter_context(patch.object(admission, "_LOOPBACK", admission.re.compile("")))
        # Whoever checks this may let people sign in; what was just installed does not.
        stack.enter_context(patch.object(exposure, "sign_in_files", lambda _settings: ()))
        ws = stack.enter_context(workspace_in(folder))
        settings = Settings(home=folder)
        faults = [f"listens on {host!r}" for host in HOSTS for what in _LISTEN if not _refused(what, host, settings)]
        if list_keys(ws, actor="trust"):
            faults.append("there is a key that nobody made")
        tried = 0
        for address in ELSEWHERE:
            with caller_at(ws, address) as client:
                for method, path in TABLE:
                    for key in GUESSES:
                        headers = {"Authorization": f"Bearer {key}"} if key else {}
                        status = client.request(method, path, headers=headers).status_code
                        tried += 1
                        if TABLE[method, path] is not None and status not in {401, 403, 429}:
                            faults.append(f"{address!r} with {key!r}: {method} {path} answered {status}")
        with caller_at(ws, "127.0.0.1") as client:
            for forged in FORGED:
                if client.get("/model/info", headers=forged).status_code != 403:
                    faults.append(f"taken for local: {forged}")
            made = create_key(ws, "first", "viewer", actor="trust")
            if client.get("/model/info").status_code != 401:
                faults.append("a key is set, and a request without one comes in")
            revoke_key(ws, made.info.id, actor="trust")
            answer = client.get("/requests/recent", headers={"Authorization": f"Bearer {made.key}"})
            if answer.status_code != 401:
                faults.append("a revoked key comes in")
    return Outcome(f"{2 * len(HOSTS)} addresses, {tried} requests from elsewhere, {len(faults)} wrong", tuple(faults))


def _api(host: str, settings: Settings) -> None:
    require_closed_api(host, settings, keys_are_set=False)


_LISTEN: tuple[Any, ...] = (_api, require_closed_dashboard)


def _refused(listen: Any, host: str, settings: Settings) -> bool:
    try:
        listen(host, settings)
    except ExposureError:
        return True
    return False


PROMISE = Promise(
    name="T3",
    says="No default credentials, and no listening or serving beyond this machine without a key",
    asked="0 ways in",
    breaks="every address passes for this machine's own",
    check=check,
)
