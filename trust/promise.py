"""A promise and what its check found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

#: Faults that a row of the table names; the number of all is always told.
FAULTS_SHOWN = 3


@dataclass(frozen=True)
class Size:
    """How much is tried. ``full`` is what the promise states; the short form is for every run of the tests.

    ``times``: where cases are drawn at random, so many times as many are, and other ones.
    """

    full: bool
    times: int = 1

    def choose(self, full: T, short: T) -> T:
        """Return what fits the size."""
        return full if self.full else short


@dataclass(frozen=True)
class Outcome:
    """What a check found: the figure that it measured, in words, and each way in which the promise was not kept."""

    figure: str
    faults: tuple[str, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether the promise was kept."""
        return not self.faults


#: ``check(folder, size, broken)``: try the promise inside the empty ``folder``. With ``broken`` the check breaks what
#: it relies on, by wrapping or replacing a part from outside, never by a switch in the product, and must find faults.
Check = Callable[[Path, Size, bool], Outcome]


@dataclass(frozen=True)
class Promise:
    """One promise, its check and how to break it.

    ``name`` such as ``P1``; ``says``: what is promised; ``asked``: the figure that it states; ``breaks``: what the
    deliberate break does.
    """

    name: str
    says: str
    asked: str
    breaks: str
    check: Check
