"""Column names: none empty, none twice."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from detector.errors import InputError, Problem, excerpt

_ADVICE = "Give every column a name of its own; blanks around it, capitals and the form of accents make no difference."

_TITLE_ADVICE = "Delete what stands above the line with the column names."


def fold(name: str) -> str:
    """Return what two names must differ in: the name without blanks around it, capitals and Unicode forms."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).strip()


def duplicates(names: Iterable[str]) -> list[tuple[int, int]]:
    """Return pairs of positions (from 1), first and later, of names that are the same when folded."""
    first: dict[str, int] = {}
    found = []
    for position, name in enumerate(names, 1):
        if first.setdefault(fold(name), position) != position:
            found.append((first[fold(name)], position))
    return found


def check_names(names: list[str], file: str, line: int | None = None) -> None:
    """Refuse empty and duplicate names.

    Raises
    ------
    InputError
        With one problem for each faulty column; the message names the positions, counted from 1.
    """
    named = [name for name in names if name.strip()]
    if len(named) == 1 < len(names) - 1:
        message = f'Only one of its cells has text, as in a title above a table: "{excerpt(named[0])}".'
        problem = Problem("empty_column_name", message, None, line)
        raise InputError(f"{file} has a faulty header. {message} {_TITLE_ADVICE}", [problem], file=file)
    problems = [
        Problem("empty_column_name", f"Column {position} has no name.", None, line)
        for position, name in enumerate(names, 1)
        if not name.strip()
    ]
    for one, two in duplicates(names):
        if names[two - 1].strip():
            pair = f'"{excerpt(names[one - 1])}" and "{excerpt(names[two - 1])}"'
            message = f"Columns {one} and {two} have the same name: {pair}."
            problems.append(Problem("duplicate_column", message, None, line, names[two - 1]))
    if problems:
        raise InputError(f"{file} has a faulty header. {problems[0].message} {_ADVICE}", problems, file=file)
