"""Why one case scores as it does, column by column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from detector.service.case_ids import CaseId
from detector.service.workspace import Workspace
from detector.store import queue_files, tables


@dataclass(frozen=True)
class Part:
    """What one column contributes to a score, in log2 of the anomaly score; positive makes it more anomalous.

    ``value``: as the row has it, ``None`` where it has none.
    """

    feature: str
    value: Any
    contribution: float


def parts_of(ws: Workspace, case: CaseId) -> tuple[Part, ...]:
    """Return what each column contributes to a case's score, by the model that scored it, strongest first.

    They add up to the score; columns that contribute nothing are left out.

    Raises
    ------
    NotFoundError, ModelFileError
        When the case is not in the queue, or its files or its model are gone.
    """
    table, position = ws.inbox.find(case)
    frame = queue_files.read_rows_at(ws.inbox.folder / table.queue.file, [position]).reset_index(drop=True)
    with ws.database.read() as connection:
        report: Any = connection.scalar(select(tables.runs.c.report).where(tables.runs.c.id == case.run))
    came_as = {column["name"]: column.get("came_as") or column["name"] for column in report.get("columns", ())}
    found = ws.detector(table.queue.version).explain(frame, in_words=False)
    row = frame.iloc[0]
    parts = [
        Part(name, row.get(came_as.get(name, name)), float(value))
        for name, value in zip(found.features, found.values[0], strict=True)
        if value != 0.0
    ]
    return tuple(sorted(parts, key=lambda part: -abs(part.contribution)))
