"""The cases of a queue as two Parquet files: what is told of each, and their rows as they were scored.

Both are written most severe first, so that a page, or the first hundred, is read from their beginning.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from detector.durable import begin_beside, flush_folder
from detector.errors import NotFoundError

#: What is told of each case. ``row`` is the data row of the run, from 1; ``group`` what cases of one pattern share;
#: ``reasons`` the features that contribute most, ``contributions`` by how much, ``badges`` what each is about in two
#: or three words, ``sentences`` in a sentence. ``parts``, ``values``: all
#: features that contribute, and by how much; they add up to the score.
CASES = pa.schema(
    [
        ("row", pa.int64()),
        ("severity", pa.float64()),
        ("score", pa.float64()),
        ("entity", pa.string()),
        ("time", pa.timestamp("us", tz="UTC")),
        ("amount", pa.float64()),
        ("group", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("contributions", pa.list_(pa.float64())),
        ("badges", pa.list_(pa.string())),
        ("sentences", pa.list_(pa.string())),
        ("parts", pa.list_(pa.string())),
        ("values", pa.list_(pa.float64())),
    ]
)
#: Rows that are read to get at one.
ROWS_A_GROUP = 1_000
#: Columns that a process keeps in memory for as long as the queue is open.
KEPT = ("row", "severity", "entity", "time", "amount", "group", "badges")


def write_queue(folder: Path, cases: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Write both files, flushed to disk, and return the name of the first.

    Parameters
    ----------
    cases : n rows of :data:`CASES`.
    rows : n rows, the columns that were scored and those derived from them.
    """
    name = f"{uuid4().hex}.parquet"
    for path, table in (
        (rows_path(folder / name), pa.Table.from_pandas(rows, preserve_index=False)),
        (folder / name, pa.Table.from_pandas(cases[CASES.names], schema=CASES, preserve_index=False)),
    ):
        handle, temporary = begin_beside(path)
        try:
            with os.fdopen(handle, "wb") as file:
                pq.write_table(table, file, compression="zstd", row_group_size=ROWS_A_GROUP)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    flush_folder(folder)
    return name


def rows_path(path: Path) -> Path:
    """Return where the scored rows of a queue's file lie."""
    return path.with_suffix(".rows.parquet")


def remove_queue(path: Path) -> None:
    """Remove both files, if they are there."""
    for each in (path, rows_path(path)):
        each.unlink(missing_ok=True)


def read_kept(path: Path) -> pa.Table:
    """Return :data:`KEPT` of all cases, most severe first; raises ``NotFoundError`` when the file is gone."""
    return pq.read_table(_there(path), columns=list(KEPT))


def read_row_numbers(path: Path) -> NDArray[np.int64]:
    """Return the data rows of all cases, most severe first; raises ``NotFoundError`` when the file is gone."""
    numbers: NDArray[np.int64] = pq.read_table(_there(path), columns=["row"])["row"].to_numpy()
    return numbers


def read_rows(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the scored rows of all cases, most severe first; raises ``NotFoundError`` when the file is gone."""
    frame: pd.DataFrame = pq.read_table(_there(rows_path(path)), columns=columns).to_pandas()
    return frame


def read_cases(path: Path, positions: NDArray[np.int64] | Sequence[int]) -> pd.DataFrame:
    """Return what is told of the cases at some positions (0 is the most severe), in the order asked for.

    Raises
    ------
    NotFoundError
        When the file is gone.
    """
    return _at(_there(path), positions)


def read_rows_at(path: Path, positions: NDArray[np.int64] | Sequence[int]) -> pd.DataFrame:
    """Return the scored rows of the cases at some positions, in the order asked for; raises ``NotFoundError``."""
    return _at(_there(rows_path(path)), positions)


def _at(path: Path, positions: NDArray[np.int64] | Sequence[int]) -> pd.DataFrame:
    asked = np.asarray(positions, np.int64)
    with pq.ParquetFile(path) as file:
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        ends = np.cumsum(sizes)
        groups, which = np.unique(np.searchsorted(ends, asked, side="right"), return_inverse=True)
        found = file.read_row_groups(groups.tolist())
    # Where the groups that were read begin, in the file and in what was read of it.
    begins, read = ends[groups] - np.take(sizes, groups), np.cumsum([0, *np.take(sizes, groups)])[:-1]
    frame: pd.DataFrame = found.take(asked - begins[which] + read[which]).to_pandas()
    return frame


def _there(path: Path) -> Path:
    if not path.is_file():
        raise NotFoundError("The cases of this queue are gone from data/queues. Send the run to the queue again.")
    return path
