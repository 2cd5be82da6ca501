"""What a person at a terminal sees beside the result: progress and errors, both on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from detector.errors import DetectorError, InputError, Problem
from detector.service.progress import Progress

#: How many single problems of an input are printed; the rest are counted.
PROBLEMS_PRINTED = 10
_SECONDS_BETWEEN_DRAWINGS = 0.2


def say(text: str) -> None:
    """Print a line on standard error."""
    print(text, file=sys.stderr, flush=True)


def print_error(error: DetectorError) -> None:
    """Print what is wrong in one sentence and, for an input, where: its first problems and how many more there are."""
    say(f"error: {error.message}")
    if not isinstance(error, InputError):
        return
    for problem in error.problems[:PROBLEMS_PRINTED]:
        say(f"  {_where(problem)}{problem.message}{f' ({problem.excerpt})' if problem.excerpt else ''}")
    if error.total > PROBLEMS_PRINTED:
        say(f"  and {error.total - PROBLEMS_PRINTED:,} more")


@contextmanager
def progress_line() -> Iterator[Progress]:
    """Give a progress that redraws one line where standard error is a terminal, and stays silent elsewhere."""
    line = _Line(shown=sys.stderr.isatty())
    try:
        yield line
    finally:
        line.clear()


class _Line:
    """One line of a terminal, redrawn at most five times a second."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._next = 0.0
        self._width = 0

    def __call__(self, done_rows: int, total_rows: int | None, message: str) -> None:
        now = time.monotonic()
        if not self._shown or now < self._next:
            return
        self._next = now + _SECONDS_BETWEEN_DRAWINGS
        of = f" of {total_rows:,} ({done_rows / total_rows:.0%})" if total_rows else ""
        text = f"{message}: {done_rows:,}{of} rows"
        print(f"\r{text:<{self._width}}", end="", file=sys.stderr, flush=True)
        self._width = len(text)

    def clear(self) -> None:
        """Wipe the line, so that what follows starts clean."""
        if self._width:
            print(f"\r{'':<{self._width}}\r", end="", file=sys.stderr, flush=True)


def _where(problem: Problem) -> str:
    places = (("row", problem.row), ("line", problem.line), ("column", problem.column))
    named = ", ".join(f"{name} {value}" for name, value in places if value is not None)
    return f"{named}: " if named else ""
