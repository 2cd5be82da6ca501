"""Collecting what is wrong with a file, and saying it."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import merge
from itertools import islice

import pandas as pd

from detector.errors import PROBLEMS_SHOWN, InputError, Problem, excerpt
from detector.files.cells import BadRow

#: How much of a file name is shown.
_NAME_SHOWN = 80


def shown_name(name: str) -> str:
    """Return what the user called a file: its last part, control characters escaped, and at most 80 characters."""
    last = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] or "file"
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in last[:_NAME_SHOWN])
    return shown if len(shown) <= _NAME_SHOWN and len(last) <= _NAME_SHOWN else shown[: _NAME_SHOWN - 1] + "…"


def where(problem: Problem) -> str:
    """Return the place of a problem in words: ``Row 5 (line 6), column "amount"``."""
    parts = []
    if problem.row is not None:
        parts.append(f"row {problem.row:,}" + (f" (line {problem.line:,})" if problem.line is not None else ""))
    elif problem.line is not None:
        parts.append(f"line {problem.line:,}")
    if problem.column is not None:
        parts.append(f'column "{excerpt(problem.column)}"')
    place = ", ".join(parts)
    return place[:1].upper() + place[1:]


class Faults:
    """The first hundred problems in the order of the rows, and how many there are in all."""

    def __init__(self) -> None:
        self._found: list[Problem] = []
        self.total = 0

    def __bool__(self) -> bool:
        return self.total > 0

    def add_many(self, first: Iterable[Problem], total: int) -> None:
        """Count ``total`` problems, of which ``first`` are the first, in the order of the rows."""
        self._found = list(islice(merge(self._found, first, key=_order), PROBLEMS_SHOWN))
        self.total += total

    def error(self, name: str, advice: str) -> InputError:
        """Return the error that names the file, the number of problems, the first of them, and what to do.

        Its detail ``can_set_aside`` tells it from errors that no other way of treating rows would heal.
        """
        first = self._found[0]
        many = "1 problem" if self.total == 1 else f"{self.total:,} problems"
        place = where(first)
        begin = f"{place}: " if place else ""
        return InputError(
            f"{name} has {many}. {begin}{first.message} {advice}",
            self._found,
            self.total,
            file=name,
            can_set_aside=True,
        )


def aside_frame(rows: Iterable[BadRow]) -> pd.DataFrame:
    """Return rows set aside as a frame: row, line, column, reason, and record (the row's text, as in the file)."""
    ordered = sorted(rows, key=lambda bad: _order(bad.problem))
    return pd.DataFrame(
        {
            "row": pd.array([bad.problem.row for bad in ordered], dtype="Int64"),
            "line": pd.array([bad.problem.line for bad in ordered], dtype="Int64"),
            "column": pd.array([bad.problem.column for bad in ordered], dtype="str"),
            "reason": pd.array([bad.problem.message for bad in ordered], dtype="str"),
            "record": pd.array([bad.record for bad in ordered], dtype="str"),
        }
    )


def _order(problem: Problem) -> tuple[int, int]:
    return (problem.row or 0, problem.line or 0)
