"""Rows of a run by what is known of them: their numbers, a value that they share, how severe they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from detector.store.run_files import numbered, opened


def read_rows(path: Path, rows: Sequence[int], *, beside: range = range(0)) -> pd.DataFrame:
    """Return data rows of a run by their numbers, counted from 1, and those of a range; the index holds numbers.

    They come in the order of the file, each once. Numbers that the run does not have are passed over.

    Raises
    ------
    NotFoundError
        When the file is gone.
    """
    listed = ",".join(str(int(row) - 1) for row in rows) or "-1"
    first, stop, step = beside.start - 1, beside.stop - 1, beside.step
    with opened(path) as connection:
        table = connection.sql(
            "SELECT * FROM read_parquet(?, file_row_number=true)"  # noqa: S608 - whole numbers
            f" WHERE file_row_number IN ({listed})"
            f" OR (file_row_number BETWEEN {first} AND {stop - 1} AND (file_row_number - {first}) % {step} = 0)"
            " ORDER BY file_row_number",
            params=[str(path)],
        ).to_arrow_table()
    return numbered(table.to_pandas())


def read_alike(
    path: Path, column: str, values: Sequence[Any], columns: Sequence[str], *, up_to: int, most: int
) -> pd.DataFrame:
    """Return some columns of the rows that hold one of ``values`` in ``column``, the last ``most`` up to row ``up_to``.

    They come in the order of the file; the index holds their numbers, counted from 1.

    Raises
    ------
    NotFoundError
        When the file is gone.
    """
    if not values:
        return read_rows(path, [])[list(columns)]
    wanted = pa.table({"value": pa.array(values)})
    chosen = ", ".join(_quoted(name) for name in columns)
    with opened(path) as connection:
        connection.register("wanted", wanted)
        table = connection.sql(
            f"SELECT {chosen}, file_row_number FROM read_parquet(?, file_row_number=true)"  # noqa: S608 - quoted names
            f" WHERE {_quoted(column)} IN (SELECT value FROM wanted) AND file_row_number < {int(up_to)}"
            f" ORDER BY file_row_number DESC LIMIT {int(most)}",
            params=[str(path)],
        ).to_arrow_table()
    return numbered(table.to_pandas()).iloc[::-1]


def evenly(first: int, last: int, most: int) -> range:
    """Return at most ``most`` numbers from ``first`` to ``last`` at even distances."""
    return range(first, last + 1, max(1, -(-(last + 1 - first) // most)))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
