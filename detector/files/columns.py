"""The columns of a table, and the types that their values have in batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

ColumnType = Literal["number", "text", "boolean", "time", "empty"]

#: The largest number accepted: that of float32, in which the model computes.
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Column:
    """A column as it is read, decided over the whole file.

    Attributes
    ----------
    name
        As the file has it, without blanks around it in CSV and Excel.
    type
        ========= ===================================================================================
        number    ``int64`` when ``whole`` and none is missing, else ``float64`` with NaN
        text      ``str``; empty text counts as missing
        boolean   ``bool``, or pandas' ``boolean`` when values are missing
        time      ``datetime64[us, UTC]``; without a zone in the file it is taken for UTC
        empty     no value at all: ``float64``, all NaN
        ========= ===================================================================================
    nulls
        Number of missing values among all rows of the file. Of a Parquet file that is read once it is what the file's
        end says, which leaves out NaN and empty texts.
    whole
        Whether the values are numbers that are all written without fraction.
    """

    name: str
    type: ColumnType
    nulls: int = 0
    whole: bool = False


def frame_type(column: Column) -> pa.DataType:
    """Return the Arrow type that the column has in batches."""
    if column.type == "number":
        return pa.int64() if column.whole and not column.nulls else pa.float64()
    fixed: dict[str, pa.DataType] = {
        "text": pa.string(),
        "boolean": pa.bool_(),
        "time": pa.timestamp("us", "UTC"),
        "empty": pa.float64(),
    }
    return fixed[column.type]
