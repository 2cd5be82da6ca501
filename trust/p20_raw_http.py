"""I3: what is not even HTTP gets a 4xx or a closed connection, and harms nobody."""

from __future__ import annotations

import re
from pathlib import Path

from detector.service.versions.training import TrainParameters, train_rows
from detector.service.workspace import Workspace
from detector.settings import Settings
from trust.api_process import FACTORY, ApiProcess, api_process
from trust.promise import Outcome, Promise, Size
from trust.raw_requests import Raw, answered, raw_requests

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


def trained_home(home: Path) -> Path:
    """Make a workspace with a small model in ``home``."""
    ws = Workspace.open(Settings(home=home, model_path=None, database_url=None, log_level="ERROR"))
    rows = [{"amount": 10.0 + (7 * n) % 31, "country": ("NL", "DE", "FR")[n % 3]} for n in range(60)]
    train_rows(ws, rows, TrainParameters(n_estimators=5), actor="trust")
    ws.close()
    return home


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Send each request over a socket to a served API, and see that it answers others afterwards."""
    faults: list[str] = []
    sent = 0
    with api_process(trained_home(folder), "trust.broken_api:leaking" if broken else FACTORY) as api:
        for raw in list(raw_requests()) * 5 if size.full else list(raw_requests())[::4]:
            sent += 1
            fault = wrong(api, raw)
            if fault:
                faults.append(f"{raw.title}: {fault}")
            if not api.is_well():
                faults.append(f"{raw.title}: nobody is answered afterwards")
                break
    return Outcome(f"{sent} requests: each a 4xx, a closed connection or, where it is right, an answer", tuple(faults))


def wrong(api: ApiProcess, raw: Raw) -> str | None:
    """Return what is wrong with the answer to ``raw``."""
    received = answered(api, raw)
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
