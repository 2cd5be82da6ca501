"""What is in a file: one reading of the whole, column by column."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types
from sqlalchemy import update

from detector.core.distinct_sketch import DistinctSketch
from detector.core.inference import Finding, infer
from detector.errors import excerpt
from detector.files import ReadOptions
from detector.service.progress import Progress, no_progress
from detector.service.repeated_ids import RepeatedIds
from detector.service.sources import Source, told_batches, upload_source
from detector.service.workspace import Workspace
from detector.store import tables

#: Values shown of each column.
EXAMPLES = 3
#: Fewer rows make a poor model.
FEW_ROWS = 100
#: A greater share of faulty rows speaks against the way the file is read rather than against the rows.
MANY_SET_ASIDE = 0.1


@dataclass(frozen=True)
class ColumnCheck:
    """What one column holds.

    ``type``: number, text, boolean, time or empty, as read from the file. ``kind`` and ``role`` as a training would
    take it, ``role_reason`` says why. ``distinct`` is exact up to 2,048, above an estimate. ``examples``: up to three
    values.
    """

    name: str
    type: str
    kind: str
    role: str
    role_reason: str
    nulls: int
    distinct: int
    constant: bool
    examples: tuple[str, ...]


@dataclass(frozen=True)
class FileCheck:
    """What a file holds.

    ``notes``: what was recognised or assumed; ``warnings``: what a person should look at; both in sentences.
    ``duplicates``: rows that repeat an earlier one in every column. ``rows`` is without the ``set_aside`` faulty ones.
    """

    name: str
    format: str
    encoding: str | None
    delimiter: str | None
    rows: int
    columns: tuple[ColumnCheck, ...]
    duplicates: int
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    set_aside: int


def check(
    ws: Workspace,
    upload_id: str,
    *,
    sheet: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    decimal: Literal[".", ","] | None = None,
    day_first: bool | None = None,
    header: bool | None = None,
    set_aside: bool | None = None,
    afresh: bool = False,
    progress: Progress = no_progress,
) -> FileCheck:
    """Read the whole upload once and say what is in it.

    The options are remembered with the upload: training, scoring and updating read it the same way. One that is
    ``None`` stays as it was remembered, or, ``afresh``, is recognised from the content again. With ``set_aside`` faulty
    rows are set aside instead of refusing the file; :func:`~detector.service.rejected.rejected_rows` gives them.

    Raises
    ------
    NotFoundError
        When there is no such upload.
    InputError
        When the file cannot be read; names row and column.
    """
    source = upload_source(ws, upload_id)
    known = ReadOptions(limits=source.options.limits) if afresh else source.options
    options = replace(
        known,
        sheet=sheet or known.sheet,
        encoding=encoding or known.encoding,
        delimiter=delimiter or known.delimiter,
        decimal=decimal or known.decimal,
        day_first=known.day_first if day_first is None else day_first,
        header=known.header if header is None else header,
        on_error=known.on_error if set_aside is None else "quarantine" if set_aside else "refuse",
    )
    source = replace(source, options=options)
    found = check_source(source, ws.settings.batch_rows, progress)
    _remember(ws, upload_id, source.options)
    return found


def check_source(source: Source, batch_rows: int, progress: Progress) -> FileCheck:
    """Read a whole file once and say what is in it."""
    table = source.open(progress=progress)
    tallies = {column.name: _Tally() for column in table.columns}
    hashes: list[NDArray[np.uint64]] = []
    findings = _findings(table.frame(limit=0))
    ids = RepeatedIds(())
    rows = 0
    for batch in told_batches(table, batch_rows, progress, f"Checking {table.name}"):
        if not rows:
            findings = _findings(batch)
            ids = RepeatedIds(name for name, finding in findings.items() if finding.role == "id")
        ids.add(batch)
        hashes.append(np.asarray(pd.util.hash_pandas_object(batch, index=False), dtype=np.uint64))
        for name, tally in tallies.items():
            tally.add(batch[name])
        rows += len(batch)
    repeated = rows - len(np.unique(np.concatenate(hashes))) if hashes else 0
    columns = tuple(
        ColumnCheck(
            name=column.name,
            type=column.type,
            kind=findings[column.name].kind,
            role=findings[column.name].role,
            role_reason=findings[column.name].reason,
            nulls=tallies[column.name].nulls,
            distinct=tallies[column.name].sketch.estimate,
            constant=rows > 1 and tallies[column.name].sketch.estimate == 1 and tallies[column.name].nulls == 0,
            examples=tuple(tallies[column.name].examples),
        )
        for column in table.columns
    )
    return FileCheck(
        name=table.name,
        format=table.format,
        encoding=table.encoding,
        delimiter=table.delimiter,
        rows=rows,
        columns=columns,
        duplicates=repeated,
        notes=tuple(table.notes),
        warnings=(
            *_warnings(rows, table.set_aside, repeated, columns),
            *ids.warnings(numbered=not table.set_aside),
        ),
        set_aside=table.set_aside,
    )


@dataclass
class _Tally:
    nulls: int = 0
    sketch: DistinctSketch = field(default_factory=DistinctSketch)
    examples: list[str] = field(default_factory=list)

    def add(self, column: pd.Series) -> None:
        present = column.dropna()
        self.nulls += len(column) - len(present)
        different = present.drop_duplicates()
        if types.is_datetime64_any_dtype(different.dtype):
            self.sketch = self.sketch.with_numbers(np.asarray(different.astype(np.int64), dtype=np.float64))
        elif types.is_numeric_dtype(different.dtype) and not types.is_bool_dtype(different.dtype):
            numbers = different.to_numpy(np.float64)
            self.sketch = self.sketch.with_numbers(numbers[np.isfinite(numbers)] + 0.0)
        else:
            self.sketch = self.sketch.with_texts(different.astype(str))
        for value in different.iloc[:EXAMPLES]:
            shown = excerpt(value)
            if len(self.examples) < EXAMPLES and shown not in self.examples:
                self.examples.append(shown)


def _findings(frame: pd.DataFrame) -> dict[str, Finding]:
    findings: dict[str, Finding] = {}
    for name in frame.columns:
        taken = any(finding.role == "amount" for finding in findings.values())
        findings[name] = infer(name, frame[name], amount_taken=taken)
    return findings


def _warnings(rows: int, set_aside: int, duplicates: int, columns: tuple[ColumnCheck, ...]) -> tuple[str, ...]:
    warnings = []
    share = set_aside / max(rows + set_aside, 1)
    if share > MANY_SET_ASIDE:
        warnings.append(f"{share:.0%} of the rows were set aside: is the file read the right way?")
    if rows == 0 and set_aside:
        warnings.append("No row is left.")
    elif rows == 0:
        warnings.append("The file has a header and no rows.")
    elif rows < FEW_ROWS:
        warnings.append(f"Only {rows} rows: a model of so few is a rough one.")
    if duplicates:
        warnings.append(f"{duplicates:,} of {rows:,} rows repeat an earlier row in every column.")
    empty = [column.name for column in columns if rows and column.nulls == rows]
    constant = [column.name for column in columns if column.constant]
    sparse = [column.name for column in columns if rows and rows > column.nulls > rows / 2]
    for names, what in (
        (empty, "no value at all"),
        (constant, "the same value in every row"),
        (sparse, "no value in more than half of the rows"),
    ):
        if names:
            warnings.append(f"{_listed(names)}: {what}.")
    return tuple(warnings)


def _listed(names: list[str]) -> str:
    shown = ", ".join(excerpt(name) for name in names[:10])
    return shown if len(names) <= 10 else f"{shown} and {len(names) - 10} more"


def _remember(ws: Workspace, upload_id: str, options: ReadOptions) -> None:
    told = {
        name: getattr(options, name) for name in ("sheet", "encoding", "delimiter", "decimal", "day_first", "header")
    }
    chosen: dict[str, object] = {name: value for name, value in told.items() if value is not None}
    if options.on_error == "quarantine":
        chosen["on_error"] = options.on_error
    with ws.database.write() as connection:
        connection.execute(update(tables.uploads).where(tables.uploads.c.id == upload_id).values(options=chosen))
