"""The rows of cases as they were scored, wherever they are kept."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import select

from detector.store import queue_files, run_lookups, tables
from detector.store.database import Database
from detector.store.run_files import file_names


def rows_of(database: Database, data_folder: Path, cases: Iterable[tuple[int, int]]) -> tuple[pd.DataFrame, ...]:
    """Return rows of runs, as far as their files are there: for each run a table, whose index names the rows.

    ``4-1523`` is row 1523 of run 4.

    Those in the queue come with what was derived from earlier rows of their entities, the others without.

    Parameters
    ----------
    data_folder : holds ``runs`` and ``queues``.
    cases : (run, data row from 1) of each.
    """
    by_run: dict[int, list[int]] = {}
    for run, row in cases:
        by_run.setdefault(run, []).append(row)
    query = (
        select(tables.runs.c.id, tables.runs.c.file, tables.runs.c.columns, tables.queues.c.file.label("queued"))
        .join_from(tables.runs, tables.queues, tables.runs.c.id == tables.queues.c.run, isouter=True)
        .where(tables.runs.c.id.in_(by_run))
        .order_by(tables.runs.c.id)
    )
    with database.read() as connection:
        runs = [tuple(row) for row in connection.execute(query)]
    parts = []
    for run, file, columns, queued in runs:
        wanted = np.array(sorted(by_run[run]), np.int64)
        found = _queued(None if queued is None else data_folder / "queues" / queued, wanted)
        missing = wanted[~np.isin(wanted, found.index)]
        path = data_folder / "runs" / file
        if len(missing) and path.is_file():
            own = run_lookups.read_rows(path, missing.tolist())[columns].rename(columns=file_names(columns))
            found = pd.concat([found, own]) if len(found) else own
        if len(found):
            parts.append(found.set_axis([f"{run}-{row}" for row in found.index]))
    return tuple(parts)


def _queued(path: Path | None, wanted: NDArray[np.int64]) -> pd.DataFrame:
    if path is None or not path.is_file():
        return pd.DataFrame()
    rows = queue_files.read_row_numbers(path)
    places = np.flatnonzero(np.isin(rows, wanted))
    return queue_files.read_rows_at(path, places).set_axis(rows[places])
