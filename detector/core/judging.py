"""The rules by which a column's role is found, from facts that a column tells, or a summary of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detector.core.names import Name
from detector.core.schema import SCORED_ROLES, Role
from detector.core.statistics import Kind

Floats = NDArray[np.float64]
#: Fewer rows say nothing about whether a column numbers its rows.
ROWS_TO_JUDGE = 20
#: A text that differs in so large a share of the rows identifies them.
ID_SHARE = 0.9
#: So many categories keep their identity beside their rarity.
IDENTITY_CATEGORIES = 50
#: Values looked at in a column of texts.
TEXTS_LOOKED_AT = 1_000
#: A whole number so great is no count: it is a card, an account or a phone number.
LONG_CODE = 1_000_000
#: Seconds since 1970 that a clock of today's systems can show.
CLOCK_SECONDS = 100_000_000
#: More texts than this, of which each stands for few rows, name whom a row belongs to and not what it is like.
MANY_TEXTS, MANY_TEXTS_SHARE = 1_000, 0.2


@dataclass(frozen=True)
class Finding:
    """What a column was found to be.

    Parameters
    ----------
    kind : numeric, categorical, boolean or datetime.
    role : see :data:`detector.core.schema.Role`.
    reason : a sentence that says how the role was found.
    revisit : it was left out only because it held nothing to learn from; more rows may change that.
    """

    kind: Kind
    role: Role
    reason: str
    revisit: bool = False


@dataclass(frozen=True)
class Steps:
    """How numbers go on from row to row: how many steps there are, and how many of them go down, or do not."""

    count: int = 0
    down: int = 0
    not_down: int = 0

    @classmethod
    def of(cls, numbers: Floats) -> Steps:
        """Return the steps between ``numbers`` (n,), in their order."""
        steps = np.diff(numbers)
        return cls(len(steps), int((steps < 0.0).sum()), int((steps >= 0.0).sum()))

    def merged(self, other: Steps) -> Steps:
        """Return the steps within both of two parts; the one from part to part is none."""
        return Steps(self.count + other.count, self.down + other.down, self.not_down + other.not_down)


class Facts(Protocol):
    """What is asked of a column to find what it is; of a summary of it as well as of the column itself."""

    @property
    def kind(self) -> Kind:
        """What its values look like."""

    @property
    def rows(self) -> int:
        """How many rows there are."""

    @property
    def present(self) -> int:
        """How many of them have a value."""

    @property
    def distinct(self) -> int:
        """How many different values there are."""

    @property
    def least(self) -> float:
        """The least of its numbers."""

    @property
    def greatest(self) -> float:
        """The greatest of its numbers."""

    @property
    def whole(self) -> bool:
        """Whether its numbers are all whole."""

    @property
    def steps(self) -> Steps:
        """How its numbers go on from row to row."""

    @property
    def texts(self) -> Sequence[object]:
        """Some of its values, 1,000 at most, as they came."""

    @property
    def mostly_numbers(self) -> bool:
        """Whether half of its values or more can be read as numbers."""


def judge(name: str, facts: Facts, *, amount_taken: bool = False) -> Finding:
    """Return the same from the facts of a column."""
    kind = facts.kind
    if not facts.present:
        return Finding(kind, "ignored", "It holds no value in any row.", revisit=True)
    said = Name(name)
    # Counting the values of a long column of fractions takes longer than all else here, and says nothing.
    counted = kind != "numeric" or said.asks_for_values or facts.whole
    distinct = facts.distinct if counted else facts.present
    if distinct <= said.most_outcomes:
        many = "one value" if distinct == 1 else f"only {distinct} different values"
        return Finding(kind, "label", f"Its name says that it is the outcome, and it has {many}.")
    if facts.present == facts.rows > 1 and (distinct == 1 or (not counted and facts.least == facts.greatest)):
        return Finding(kind, "ignored", "It holds the same value in every row.", revisit=True)
    if kind == "datetime":
        if said.birth:
            return Finding(kind, "ignored", "It is a date of birth, and the weekday of a birth says nothing.")
        return Finding(kind, "time", "Its values are times: the hour and the weekday are used.")
    if kind == "boolean":
        return Finding(kind, "input", "Its values are true and false.")
    identified = _identifier(said, facts, distinct)
    if identified is not None:
        return identified
    if kind != "numeric":
        return _text(facts, distinct)
    if said.amount:
        if amount_taken:
            return Finding(kind, "input", "Its values are numbers; another column is the amount.")
        return Finding(kind, "amount", "Its name says that it is the amount.")
    if said.clock and facts.least >= CLOCK_SECONDS:
        return Finding(kind, "ignored", "It counts the seconds of a clock, so later rows would always look unusual.")
    if _is_counter(said, facts, distinct if counted else None):
        return Finding(kind, "ignored", "It only grows from row to row, so later rows would always look unusual.")
    return Finding(kind, "input", "Its values are numbers.")


def _identifier(said: Name, facts: Facts, distinct: int) -> Finding | None:
    if not said.identifier and not said.code:
        return None
    kind, rows = facts.kind, facts.present
    if kind == "numeric" and not said.address and not (facts.whole and facts.least >= 0):
        return None
    if said.identifier and rows >= ROWS_TO_JUDGE and distinct >= ID_SHARE * rows:
        return Finding(
            "categorical", "id", "Its name says that it is an identifier, and it differs in almost every row."
        )
    if said.numbering and distinct > IDENTITY_CATEGORIES:
        return Finding(
            "categorical", "entity", f"Its name says whom a row belongs to ({distinct:,} of them in {rows:,} rows)."
        )
    if kind == "numeric" and (said.code or facts.least >= LONG_CODE):
        return Finding("categorical", "input", "Its name says that its numbers are codes, not quantities.")
    return None


def _is_counter(said: Name, facts: Facts, distinct: int | None) -> bool:
    """Whether numbers only grow; ``distinct`` is ``None`` for fractions, which count only where the name says so."""
    rows, steps = facts.present, facts.steps
    if rows < ROWS_TO_JUDGE or not steps.count or (distinct is None and not said.counter):
        return False
    if steps.not_down == steps.count:
        return said.counter or distinct is None or distinct > 0.5 * rows
    return distinct is not None and steps.down == steps.count


def _text(facts: Facts, distinct: int) -> Finding:
    rows = facts.present
    if rows >= ROWS_TO_JUDGE and distinct >= ID_SHARE * rows:
        if sum(str(text).count(" ") for text in facts.texts) >= 3 * min(rows, TEXTS_LOOKED_AT):
            return Finding("categorical", "ignored", "It is free text.")
        return Finding("categorical", "id", "It differs in almost every row, so it identifies rows.")
    if distinct > MANY_TEXTS and distinct > MANY_TEXTS_SHARE * rows:
        return Finding(
            "categorical", "entity", f"It has {distinct:,} values in {rows:,} rows, so it says whose a row is."
        )
    return Finding("categorical", "input", f"Its values are {distinct:,} categories.")


def are_whole(numbers: Floats) -> bool:
    """Return whether numbers (n,) are all whole."""
    return bool((numbers == np.floor(numbers)).all())


def chosen(facts: Facts, role: Role, found: Finding) -> Finding:
    """Return the same from the facts of a column, and from what was ``found`` of it."""
    kind = found.kind
    if role == "time" and kind != "datetime":
        return Finding(kind, "ignored", "You chose it as the time, but its values cannot be read as times.")
    if role == "amount":
        if not facts.mostly_numbers:
            return Finding(kind, "ignored", "You chose it as the amount, but its values cannot be read as numbers.")
        kind = "numeric"
    elif role in SCORED_ROLES and found.role not in SCORED_ROLES:
        kind = facts.kind
    return Finding(kind, role, "You chose this role.")
