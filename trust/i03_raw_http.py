"""I3: what is not even HTTP gets a 4xx or a closed connection, and harms nobody."""

from __future__ import annotations

import re
from pathlib import Path

from trust.promise import Outcome, Promise, Size
from trust.raw_requests import Raw, answered, raw_requests
from trust.serving import Api, api
from trust.workspaces import trained_home

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Send each request over a socket to a served API, and see that it answers others afterwards."""
    faults: list[str] = []
    sent = 0
    trained_home(folder, 60, trees=5)
    with api(folder, broken=["trust.broken_api:leak"] if broken else []) as running:
        for raw in list(raw_requests()) * 5 if size.full else list(raw_requests())[::4]:
            sent += 1
            fault = wrong(running, raw)
            if fault:
                faults.append(f"{raw.title}: {fault}")
            if not running.is_well():
                faults.append(f"{raw.title}: nobody is answered afterwards")
                break
    return Outcome(f"{sent} requests: each a 4xx, a closed connection or, where it is right, an answer", tuple(faults))


def wrong(running: Api, raw: Raw) -> str | None:
    """Return what is wrong with the answer to ``raw``."""
    received = answered(running, raw)
    statuses = [int(status) for status in _STATUS.findall(received)]
    if not statuses:
        return None if raw.may_close else "no answer"
    if any(status >= 500 for status in statuses):
        return f"{statuses}"
    if statuses[0] not in raw.statuses or (raw.answers > 1 and len(statuses) != raw.answers):
        return f"{statuses}, not {sorted(raw.statuses)[:3]}"
    return None


PROMISE = Promise(
    name="I3",
    says="What is not HTTP harms nobody",
    asked="only 4xx or a closed connection, and the server goes on",
    breaks="the API fails on a body that it cannot read, and logs it",
    check=check,
)
