"""Faulty rows that were set aside: how many, and as a file to correct them by."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pandas as pd

from detector.errors import NotFoundError
from detector.files import ScoredWriter, Table
from detector.service.sources import upload_source
from detector.service.workspace import Workspace


def rejected_rows(ws: Workspace, upload_id: str, *, version: int | None = None) -> Path:
    """Write the rows of an upload that were set aside to a CSV file for download and return its path.

    Its columns: row and line in the uploaded file, column, reason, and record (the row's text). Cells that a
    spreadsheet would run as formulas are made harmless. A second call returns the same file.

    Parameters
    ----------
    version
        The version that the file was read for: a model knows which columns are numeric, so it may reject more rows
        than the check does. ``None``: as the check reads the file.

    Raises
    ------
    NotFoundError
        When there is no such upload or version, or no row of the upload was set aside.
    InputError
        When the file cannot be read.
    """
    source = upload_source(ws, upload_id)
    detector = None if version is None else ws.detector(version)
    how = sha256(repr(source.options_for(detector)).encode()).hexdigest()[:16]
    path = ws.settings.data_folder / "rejected" / f"{upload_id}-{how}.csv"
    if path.is_file():
        return path
    nothing = NotFoundError("No row of this file was set aside.", upload=upload_id)
    if not source.sets_aside:
        raise nothing
    table = source.open(detector)
    if not table.set_aside:
        raise nothing
    write_rejected(table, path)
    return path


def write_rejected(table: Table, path: Path) -> None:
    """Write the rows that a table has set aside as CSV, which appears when it is complete; see :func:`rejected_rows`.

    Without such rows the file holds the names of the columns alone, so that none of an earlier run is left there.
    """
    with ScoredWriter(path, "csv") as writer:
        for frame in table.quarantined():
            writer.write(frame)
        if not writer.rows:
            writer.write(pd.DataFrame(columns=["row", "line", "column", "reason", "record"], dtype="str"))


def set_aside_note(table: Table) -> str | None:
    """Return how many rows were set aside, in a sentence; ``None`` without any."""
    if not table.set_aside:
        return None
    return f"{table.set_aside:,} of {table.rows + table.set_aside:,} rows could not be read and were set aside."


def nothing_left(table: Table, purpose: str) -> str:
    """Return why a table without rows cannot be used for ``purpose``, such as ``"learn from"``."""
    if table.set_aside:
        return f"{table.name}: all {table.set_aside:,} rows were set aside; there is nothing to {purpose}."
    return f"{table.name} has a header and no rows; there is nothing to {purpose}."
