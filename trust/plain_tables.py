"""Valid tables to put one fault into, and what has to be told of the file that comes of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

Cell = str | float | int | bool | None


@dataclass(frozen=True)
class Faulty:
    """A file with one fault. ``row``, ``line`` and ``column`` are what has to be reported, ``code`` its kind.

    ``noted``: nothing is refused, a note names the column. ``aside``: set aside, the row alone is missing.
    """

    title: str
    content: bytes
    name: str
    code: str
    row: int | None
    line: int | None
    column: str | None
    rows: int
    options: dict[str, Any] = field(default_factory=dict)
    noted: bool = False
    aside: bool = False


@dataclass
class Plain:
    """A valid table: names, their kinds, and rows of values."""

    names: list[str]
    kinds: list[str]
    rows: list[list[Cell]]

    def of_kind(self, kind: str) -> int:
        """Return the place of a column of a kind."""
        return self.kinds.index(kind)


_NAMES = (
    "amount", "Betrag (€)", "merchant id", "país", "цена", "a\u0301rea", "x", "note", "is_new", "at", "kommentar",
    "net-total", "'quoted'", "über;semikolon", "comma, name", "pipe|name", "<b>bold</b>", "=1+1",
    "long name " * 6 + "x",
)  # fmt: skip


_TEXTS = ("food", "books", "ação", "NA", "-", "naïve, really", 'say "hi"', "two\nlines", "semi;colon", "日本", "x" * 40)


PLAIN_TEXTS = ("food", "books", "travel", "fuel")


def plain_table(rng: random.Random, *, rows: int | None = None, texts: tuple[str, ...] = _TEXTS) -> Plain:
    """Return a table of 20 to 60 rows with a column of numbers, one of whole numbers, one of texts, and others."""
    kinds = ["number", "whole", "text", *rng.choices(["number", "text", "time", "flag"], k=rng.randint(0, 4))]
    rng.shuffle(kinds)
    names = rng.sample(_NAMES, len(kinds))
    begin = datetime(2025, 1, 1) + timedelta(days=rng.randint(0, 300))
    make: dict[str, Callable[[], Cell]] = {
        "number": lambda: round(rng.lognormvariate(3, 1), 2) + 0.25,
        "whole": lambda: rng.randint(1, 999),
        "text": lambda: rng.choice(texts),
        "time": lambda: (begin + timedelta(seconds=rng.randint(0, 10**6))).isoformat(" "),
        "flag": lambda: rng.random() < 0.5,
    }
    count = rng.randint(20, 60) if rows is None else rows
    return Plain(names, kinds, [[make[kind]() for kind in kinds] for _ in range(count)])
