"""A file as a user sends it, and what it must get."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MISSING = None


@dataclass(frozen=True)
class Reads:
    """The file is read: column -> type, some columns' values (``MISSING`` for none), words in the notes."""

    types: dict[str, str]
    rows: int
    values: dict[str, list[Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    format: str = "csv"
    encoding: str | None = "utf-8"
    set_aside: tuple[tuple[int, int | None], ...] = ()


@dataclass(frozen=True)
class Refused:
    """The file is refused: words in the message; the first problem's code, the first places, the total."""

    says: tuple[str, ...]
    code: str | None = None
    places: tuple[tuple[int | None, int | None, str | None], ...] = ()
    total: int | None = None
    whole_file: bool = False


@dataclass(frozen=True)
class Case:
    """A file and its outcome. ``options`` are arguments of ``ReadOptions``, its ``limits`` arguments of ``Limits``."""

    number: int
    title: str
    content: bytes
    outcome: Reads | Refused
    name: str = "rows.csv"
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.number} {self.title}"
