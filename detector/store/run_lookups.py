"""Rows of a run by what is known of them: their numbers, a value that they share, how severe they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from detector.store.run_files import numbered, opened


def read_rows(path: Path, rows: Sequence[int], *, first: int = 0) -> pd.DataFrame:
    """Return data rows of a run by their numbers, counted from 1, and its ``first`` so many; the index holds numbers.

    They come in the order of the file, each once. Numbers that the run does not have are passed over.

    Raises
    ------
    NotFoundError
        When the file is gone.
    """
    listed = ",".join(str(int(row) - 1) for row in rows) or "-1"
    with opened(path) as connection:
        table = connection.sql(
            "SELECT * FROM read_parquet(?, file_row_number=true)"  # noqa: S608 - whole numbers
            f" WHERE file_row_number < {int(first)} OR file_row_number IN ({listed}) ORDER BY file_row_number",
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


def most_severe(path: Path, most: int) -> list[int]:
    """Return the numbers, counted from 1, of a run's ``most`` most severe flagged rows, in the order of the file.

    Raises
    ------
    NotFoundError
        When the file is gone.
    """
    with opened(path) as connection:
        found = connection.execute(
            "SELECT file_row_number + 1 FROM read_parquet(?, file_row_number=true) WHERE flagged"
            " ORDER BY severity DESC, file_row_number LIMIT ?",
            [str(path), most],
        ).fetchall()
    return sorted(int(row[0]) for row in found)


def evenly(path: Path, rows: int, most: int) -> pd.DataFrame:
    """Return at most ``most`` of a run's ``rows`` rows, at even distances from the first on; the index holds numbers.

    Raises
    ------
    NotFoundError
        When the file is gone.
    """
    step = max(1, -(-rows // most))
    with opened(path) as connection:
        table = connection.sql(
            f"SELECT * FROM read_parquet(?, file_row_number=true) WHERE file_row_number % {step} = 0"  # noqa: S608 - a whole number
            " ORDER BY file_row_number",
            params=[str(path)],
        ).to_arrow_table()
    return numbered(table.to_pandas())


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
