"""One size of one axis in a process of its own, whose memory no other size has touched.

Processes are forked from one that has imported everything and done nothing, so that they begin at once and alike.
"""

from __future__ import annotations

import multiprocessing
import time
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext

from benchmarks.scaling.axes import AXES
from benchmarks.scaling.measuring import Figure, Meter


class NotMeasuredError(Exception):
    """A process did not come to its end; says why."""


def measured(axis: str, size: int, *, quick: bool = False) -> list[Figure]:
    """Return the figures of one size, measured in this process."""
    meter = Meter(quick=quick)
    AXES[axis].measure(size, meter)
    return meter.figures


def measured_apart(axis: str, size: int, timeout: float) -> tuple[list[Figure], float]:
    """Return the figures of one size from a process of its own, and how many seconds it worked on them.

    Raises
    ------
    NotMeasuredError
        When it takes longer than ``timeout`` seconds, or dies.
    """
    receiver, sender = _processes().Pipe(duplex=False)
    child = _processes().Process(target=_measure, args=(axis, size, sender), daemon=True)
    child.start()
    sender.close()
    try:
        if not receiver.poll(timeout):
            raise NotMeasuredError(f"{size:,} took more than {timeout:,.0f} s")
        found: tuple[list[Figure], float] = receiver.recv()
    except EOFError:
        child.join()
        raise NotMeasuredError(f"at {size:,} the process ended with code {child.exitcode}") from None
    finally:
        child.kill()
        child.join()
        receiver.close()
    return found


def _measure(axis: str, size: int, sender: Connection) -> None:
    # A small run comes first: compiled code is loaded, and what libraries keep for good is there.
    measured(axis, AXES[axis].quick[-1], quick=True)
    begin = time.monotonic()
    figures = measured(axis, size)
    sender.send((figures, time.monotonic() - begin))


@cache
def _processes() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.scaling.axes", "alembic.command"])
    return context
