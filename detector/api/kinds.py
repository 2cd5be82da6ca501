"""What the model's fields take. JSON knows numbers from text: a number field takes numbers only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from detector.api.payloads import Record
from detector.core.alignment import ROWS_FOR_RETYPED
from detector.core.schema import Schema
from detector.errors import PROBLEMS_SHOWN, InputError, NoKnownColumnsError, Problem, excerpt

_NOT_NUMBERS = frozenset({str, bool})


@dataclass(frozen=True)
class Fields:
    """The learned fields of a schema: all, those that hold numbers, and those whose absence is a value like others.

    ``numeric`` holds the other names of fields as well, and no flags, which may be sent as 0 and 1, true and false, or
    yes and no. ``aliases`` are the fields that have other names.
    """

    learned: tuple[str, ...]
    numeric: tuple[str, ...]
    absence_learned: frozenset[str]
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def names(self) -> frozenset[str]:
        """The learned fields as a set."""
        return frozenset(self.learned)


class FieldsMemo:
    """Keeps the fields of the schema asked for last; they change only with the model."""

    def __init__(self) -> None:
        self._last: tuple[Schema | None, Fields] = (None, Fields((), (), frozenset()))

    def of(self, schema: Schema) -> Fields:
        """Return the fields of ``schema``."""
        known, fields = self._last
        if known is not schema:
            learned = [feature for feature in schema.learned if not feature.derived]
            fields = Fields(
                tuple(feature.name for feature in learned),
                tuple(
                    name
                    for feature in learned
                    if feature.kind == "numeric" and not feature.flag
                    for name in (feature.name, *feature.aliases)
                ),
                frozenset(feature.name for feature in learned if feature.absence_is_state),
                {feature.name: feature.aliases for feature in learned if feature.aliases},
            )
            self._last = (schema, fields)
        return fields


def refuse_wrong_kinds(rows: Sequence[Record], numeric: Sequence[str]) -> None:
    """Refuse text, true and false in a number field, each by row and field.

    A field that is text in most of at least twenty rows has changed its type, which the alignment reports and handles.

    Raises
    ------
    InputError
        Naming the first hundred such values, and how many there are.
    """
    if all(_NOT_NUMBERS.isdisjoint(map(type, map(row.get, numeric))) for row in rows):
        return
    problems: list[Problem] = []
    total = 0
    for name in numeric:
        values = [row.get(name) for row in rows]
        if _NOT_NUMBERS.isdisjoint(map(type, values)) or _is_retyped(values):
            continue
        for number, value in enumerate(values, start=1):
            if type(value) in _NOT_NUMBERS:
                total += 1
                problems.append(_problem(number, name, value))
    if problems:
        problems.sort(key=lambda problem: problem.row or 0)
        more = f" ({total - 1:,} more)" if total > 1 else ""
        raise InputError(problems[0].message + more, problems[:PROBLEMS_SHOWN], total)


def refuse_empty(rows: Sequence[Record], fields: Fields) -> None:
    """Refuse rows that hold nothing that the model has learned: their score would say nothing about them.

    Raises
    ------
    NoKnownColumnsError
        Naming the first hundred such rows, and how many there are.
    """
    empty = [number for number, row in enumerate(rows, start=1) if not _says_something(row, fields)]
    if empty:
        known = ", ".join(excerpt(name) for name in fields.learned[:20])
        problems = [
            Problem("no_known_columns", f"Row {number} has a value in none of the fields that the model knows.", number)
            for number in empty[:PROBLEMS_SHOWN]
        ]
        message = f"{problems[0].message} It knows {known}{' and others' if len(fields.learned) > 20 else ''}."
        raise NoKnownColumnsError(message, problems, len(empty))


def is_plain(frame: pd.DataFrame, fields: Fields) -> bool:
    """Return whether the two checks above would pass every row, as far as whole columns can tell.

    Where they cannot, ``False``: the rows are then to be checked one by one.
    """
    numeric = [frame[name] for name in fields.numeric if name in frame]
    if not all(column.dtype.kind in "fi" or column.isna().all() for column in numeric):
        return False
    says = np.zeros(len(frame), bool)
    for name in (*fields.learned, *(alias for aliases in fields.aliases.values() for alias in aliases)):
        if name in frame:
            says |= frame[name].notna().to_numpy()
            if says.all():
                return True
    return False


def _says_something(row: Record, fields: Fields) -> bool:
    if any(row.get(name) is not None or (name in fields.absence_learned and name in row) for name in fields.learned):
        return True
    return any(row.get(alias) is not None for aliases in fields.aliases.values() for alias in aliases)


def _is_retyped(values: list[str | float | int | bool | None]) -> bool:
    present = sum(value is not None for value in values)
    return present >= ROWS_FOR_RETYPED and sum(type(value) is str for value in values) > 0.5 * present


def _problem(row: int, name: str, value: str | float | bool | None) -> Problem:
    shown = excerpt(name)
    kind = "the text" if isinstance(value, str) else "the truth value"
    given = excerpt(value) if isinstance(value, str) else str(value).lower()
    message = f"Row {row}, field {shown!r}: a number is expected, not {kind} {given!r}."
    return Problem("not_a_number", message, row, None, shown, given)
