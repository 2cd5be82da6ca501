"""I1: the row, the line and the column that are reported are those of the fault."""

from __future__ import annotations

import random
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

from detector.errors import InputError
from detector.files import Limits, ReadOptions, kernels, open_table
from trust.faulty_tables import KINDS
from trust.plain_tables import Faulty
from trust.promise import Outcome, Promise, Size


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Read tables with one fault each, and compare the place told with the true one."""
    path = folder / "rows"
    tried = size.choose(5_000, 72)
    faults: list[str] = []
    wrong: AbstractContextManager[Any] = nullcontext()
    if broken:
        wrong = patch.object(kernels, "split_records", _one_line_off(kernels.split_records))
    with wrong:
        for number in range(tried):
            faulty = KINDS[number % len(KINDS)](random.Random(number))  # noqa: S311 - to be made again
            path.write_bytes(faulty.content)
            fault = _wrong(path, faulty)
            if fault is not None:
                faults.append(f"{number} {faulty.title}: {fault}")
    return Outcome(
        f"{tried - len(faults):,} of {tried:,} faults of {len(set(KINDS))} kinds told with their row, line and column",
        tuple(faults),
    )


def _wrong(path: Path, faulty: Faulty) -> str | None:
    options = ReadOptions(limits=Limits(**faulty.options))
    try:
        table = open_table(path, name=faulty.name, options=options)
    except InputError as error:
        if faulty.noted:
            return f"refused: {error.message}"
        problem = error.problems[0]
        found = (problem.code, problem.row, problem.line, problem.column)
        expected = (faulty.code, faulty.row, faulty.line, faulty.column)
        if found != expected:
            return f"told {found}, not {expected}"
        if error.total != 1:
            return f"told {error.total} problems, not one"
        return _wrong_aside(path, faulty) if faulty.aside else None
    if faulty.noted and any(f'"{faulty.column}"' in note for note in table.notes):
        return None
    return "nothing was said"


def _wrong_aside(path: Path, faulty: Faulty) -> str | None:
    """Set aside, the one row is missing and every other one is there."""
    options = ReadOptions(limits=Limits(**faulty.options), on_error="quarantine")
    table = open_table(path, name=faulty.name, options=options)
    aside = [
        (int(row), line if line is None else int(line))
        for frame in table.quarantined()
        for row, line in zip(frame["row"], frame["line"].astype(object).where(frame["line"].notna(), None), strict=True)
    ]
    if aside != [(faulty.row, faulty.line)]:
        return f"set aside {aside}, not {(faulty.row, faulty.line)}"
    if table.rows != faulty.rows - 1 or len(table.frame()) != table.rows:
        return f"{table.rows} rows are left of {faulty.rows}"
    return None


def _one_line_off(true: Any) -> Any:
    """Return a splitter that counts the lines of records from 0."""

    def wrong(*arguments: Any) -> Any:
        found = true(*arguments)
        good, bad = arguments[-2:]
        good[: found[0], 1] -= 1
        bad[: found[1], 1] -= 1
        return found

    return wrong


PROMISE = Promise(
    name="I1",
    says="A fault is told with its row, line and column",
    asked="5,000 tables with one fault: the reported row and column are right in all",
    breaks="the reader counts the lines of a text file from 0",
    check=check,
)
