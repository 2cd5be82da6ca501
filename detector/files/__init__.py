"""Files in and out: CSV, Parquet, JSON and Excel as typed batches, every fault named by row, line and column.

>>> from detector.files import open_table
>>> table = open_table("transactions.csv")          # doctest: +SKIP
>>> for frame in table.batches():                   # doctest: +SKIP
...     model.score(frame)
"""

from detector.files.apart import read_alone
from detector.files.columns import Column
from detector.files.options import UNLIMITED, Limits, ReadOptions
from detector.files.table import Progress, Table, open_table, warm_up
from detector.files.writing import ScoredWriter, write_scored

__all__ = [
    "UNLIMITED",
    "Column",
    "Limits",
    "Progress",
    "ReadOptions",
    "ScoredWriter",
    "Table",
    "open_table",
    "read_alone",
    "warm_up",
    "write_scored",
]
