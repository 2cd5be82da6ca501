"""P11: at three times what the API can do it goes on doing it, and refuses the rest at once.

Capacity is what was measured a moment before and a moment after, in the same run, by clients that send as soon as they
are answered. In between requests come at three times that rate, whatever is answered, over connections that are kept.
That is done nine times over, and the median counts: what a shared machine gives drifts by a quarter within a minute.
The clients share the cores with the server: transactions are wide, so that most of the work is the server's, and what
it answers in the second part is compared by the processor time that it got, where that is less than before.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import sleep
from typing import Any

import uvloop

from detector.service.versions.training import train_rows
from trust.load import Tally, closed_loop, open_loop, percentile
from trust.promise import Outcome, Promise, Size
from trust.serving import Api, api, request
from trust.workspaces import opened

TIMES = 3
#: How often overload comes.
TURNS = 9
LEAST_GOODPUT = 0.8
MOST_MEMORY = 1.2
#: Connections of the clients that do not wait for answers.
CONNECTIONS = 400
#: Fields of a transaction.
COLUMNS = 60


@dataclass(frozen=True)
class _Load:
    """Requests answered in a second, and seconds of processor time in one."""

    goodput: float
    busy: float


@dataclass
class _Kind:
    name: str
    requests: Sequence[bytes]
    connections: int
    seconds: float


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Overload single transactions, then batches."""
    ws = opened(folder)
    train_rows(ws, wide(1_000, 1), actor="setup")
    ws.close()
    singles = [request("POST", "/predict", {"data": row}) for row in wide(256, 3)]
    batches = [request("POST", "/predict/batch", {"transactions": wide(1_000, seed)}) for seed in range(4)]
    kinds = [_Kind("single", singles, 32, size.choose(3.0, 0.6)), _Kind("batch", batches, 4, size.choose(3.0, 0.6))]
    if broken and not size.full:
        kinds = kinds[:1]
    told, faults = [], []
    with api(folder, broken=["trust.p11_overload:let_everything_in"] if broken else []) as running:
        uvloop.run(closed_loop(running.port, singles, 32, size.choose(2.0, 0.3)))
        for kind in kinds:
            figure, found = _overloaded(running, kind, size)
            told.append(figure)
            faults += found
    return Outcome("; ".join(told), tuple(faults))


def wide(count: int, seed: int) -> list[dict[str, float]]:
    """Return made-up transactions of many fields."""
    source = random.Random(seed)  # noqa: S311 - no secret
    return [{f"field_{number:02d}": round(source.gauss(0, 1), 4) for number in range(COLUMNS)} for _ in range(count)]


def _overloaded(running: Api, kind: _Kind, size: Size) -> tuple[str, list[str]]:
    calm = uvloop.run(closed_loop(running.port, kind.requests, 1, size.choose(2.0, 0.3)))
    peaks = [_peak(running, kind)]
    before, most = running.memory, [0]

    def watch() -> None:
        most[0] = max(most[0], running.memory)

    over, shares = Tally(), []
    for _ in range(size.choose(TURNS, 1)):
        with _Processor(running) as time:
            rate = TIMES * peaks[-1].goodput
            found = uvloop.run(open_loop(running.port, kind.requests, rate, kind.seconds, CONNECTIONS, watch))
        peaks.append(_peak(running, kind))
        shares.append(_share(peaks[-2], _Load(found.goodput, time.seconds / found.seconds), peaks[-1]))
        over = over.and_also(found)
    sleep(size.choose(2.0, 0.5))
    after = uvloop.run(closed_loop(running.port, kind.requests, 1, size.choose(2.0, 0.3)))

    share = median(shares)
    refused = over.refused()
    memory = most[0] / before
    slowest = percentile(refused, 0.99)
    figure = (
        f"{kind.name}: {median(peak.goodput for peak in peaks):,.0f}/s, at three times that {share:.0%} "
        f"({', '.join(f'{one:.0%}' for one in shares)}; {over.goodput:,.0f}/s), {len(refused):,} refused, 99 % within "
        f"{1e3 * slowest:.0f} ms, memory {memory - 1:+.0%}"
    )
    return figure, _faults(kind.name, over, after, share, memory, slowest, calm, size)


def _share(before: _Load, over: _Load, after: _Load) -> float:
    """Return what is left of the goodput, for as much processor time as before and after."""
    capacity = (before.goodput + after.goodput) / 2
    robbed = min(1.0, 2 * over.busy / max(1e-9, before.busy + after.busy))
    return over.goodput / capacity / max(robbed, 0.05)


def _peak(running: Api, kind: _Kind) -> _Load:
    """Return what the API can do, and the processor time that it takes for it."""
    with _Processor(running) as time:
        tally = uvloop.run(closed_loop(running.port, kind.requests, kind.connections, kind.seconds / 2))
    return _Load(tally.goodput, time.seconds / tally.seconds)


def _faults(
    kind: str, over: Tally, after: Tally, share: float, memory: float, slowest: float, calm: Tally, size: Size
) -> list[str]:
    faults = []
    if strange := sorted(set(over.latencies) - {200, 503, 429}):
        faults.append(f"{kind}: answers other than 200, 429 and 503: {strange}")
    if not over.refused():
        faults.append(f"{kind}: nothing was refused")
    if over.without_advice:
        faults.append(f"{kind}: {over.without_advice:,} refusals did not say when to come back")
    if memory > MOST_MEMORY:
        faults.append(f"{kind}: memory rose by {memory - 1:.0%}")
    if set(after.latencies) != {200}:
        faults.append(f"{kind}: two seconds later answers were {sorted(after.latencies)}")
    if not size.full:
        # How fast all this goes says in every run of the tests how busy the machine is otherwise.
        return faults
    if share < LEAST_GOODPUT:
        faults.append(f"{kind}: goodput fell to {share:.0%} of the peak")
    if over.unsent > 0.1 * (over.answered + over.unsent):
        faults.append(f"{kind}: {over.unsent:,} requests found all connections waiting")
    if slowest > 0.1:
        faults.append(f"{kind}: refusals took up to {1e3 * slowest:.0f} ms")
    if percentile(after.good(), 0.5) > 2.0 * percentile(calm.good(), 0.5):
        faults.append(f"{kind}: two seconds later an answer took {1e3 * percentile(after.good(), 0.5):.1f} ms")
    return faults


def let_everything_in() -> None:
    """Break it: nothing is refused, however much waits."""
    from detector.api import capacity, connections

    begin = connections.Guard.__init__

    def endless(self: connections.Guard, *arguments: Any) -> None:
        begin(self, *arguments)
        self.most_waiting = 10**9

    connections.Guard.__init__ = endless  # type: ignore[method-assign]
    capacity.Lane.full = False  # type: ignore[assignment,method-assign]


class _Processor:
    """The processor time that a server uses within the context, in seconds."""

    def __init__(self, running: Api) -> None:
        self._stat = Path(f"/proc/{running.process.pid}/stat")
        self.seconds = 0.0

    def __enter__(self) -> _Processor:
        self.seconds = -self._used()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += self._used()

    def _used(self) -> float:
        fields = self._stat.read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


PROMISE = Promise(
    name="P11",
    says="Overload is refused, not endured",
    asked="at three times capacity: goodput >= 80 % of peak, the rest refused with Retry-After in < 100 ms, memory "
    "within 20 %, normal 2 s later",
    breaks="the API lets everything in",
    check=check,
)
