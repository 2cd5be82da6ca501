"""Times, sizes and peak memory of works at one size of an axis."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Unit = Literal["s", "B"]

#: A work that took so long is not repeated for the sake of its best time.
LONG_ENOUGH = 1.0
_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


@dataclass(frozen=True)
class Figure:
    """What one work cost at one size.

    ``value``: seconds, or bytes, by ``unit``. ``peak``: bytes that the process held at most beyond what it held when
    the work began; ``None`` where the system does not tell.
    """

    work: str
    value: float
    unit: Unit = "s"
    peak: int | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Meter:
    """Collects the figures of one size. ``quick``: what stays the same is small too, to see only that all works."""

    def __init__(self, *, quick: bool = False) -> None:
        self.quick = quick
        self.figures: list[Figure] = []

    def time(self, work: str, do: Callable[[], Any], *, runs: int = 3, of: int = 1) -> Any:
        """Take the best time of ``runs``, and the peak memory of the first; return what the first returned.

        ``of``: how many equal works one call does; the time is that of one.
        """
        forget_peak()
        before = held()
        begin = time.perf_counter()
        given = do()
        best = time.perf_counter() - begin
        peak = peak_held()
        spent = best
        for _ in range(runs - 1):
            if spent > LONG_ENOUGH:
                break
            begin = time.perf_counter()
            do()
            took = time.perf_counter() - begin
            best, spent = min(best, took), spent + took
        grown = None if before is None or peak is None else max(0, peak - before)
        self.figures.append(Figure(work, best / of, "s", grown))
        return given

    def size(self, work: str, size: float) -> None:
        """Note how many bytes something takes."""
        self.figures.append(Figure(work, float(size), "B"))

    def add(self, work: str, seconds: float, peak: int | None = None) -> None:
        """Note a time that was taken elsewhere."""
        self.figures.append(Figure(work, seconds, "s", peak))


def forget_peak() -> None:
    """Let the peak of this process's memory begin anew, where Linux allows it."""
    with suppress(OSError):
        _CLEAR.write_text("5")


def held() -> int | None:
    """Return the bytes of memory that this process holds now."""
    return _status("VmRSS")


def peak_held() -> int | None:
    """Return the bytes that it held at most since :func:`forget_peak`."""
    return _status("VmHWM")


def _status(name: str) -> int | None:
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    except OSError:
        return None
    return None if found is None else 1024 * int(found[1])
