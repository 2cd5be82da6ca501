"""A summary of a whole DataFrame: one of each partition, merged by sixteens up a tree, always in the same order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from typing import Any, Protocol, Self, TypeVar

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame
from pyspark.sql import functions as sql

from detector.core import archive

#: Summaries that are merged by one task.
MERGED_AT_ONCE = 16
_SCHEMA = "place long, summary binary"
_ARROW = pa.schema([("place", pa.int64()), ("summary", pa.binary())])


class Summary(Protocol):
    """What is known of a part of a table, and adds up."""

    def merged(self, other: Any) -> Any:
        """Return what is known of both parts."""

    def to_content(self) -> dict[str, Any]:
        """Return the summary as builtins and arrays."""

    @classmethod
    def from_content(cls, content: object) -> Self:
        """Return the summary that :meth:`to_content` described."""


S = TypeVar("S", bound=Summary)


def merged(rows: DataFrame, summarise: Callable[[int, Iterable[pa.RecordBatch]], S], kind: type[S]) -> S:
    """Return the summary of all ``rows``: that of no rows, were there no partition.

    Parameters
    ----------
    summarise : makes the summary of one partition from its number and its batches.
    kind : the summaries' class.
    """
    parts = rows.rdd.getNumPartitions()

    def summarised(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        context = TaskContext.get()
        place = 0 if context is None else context.partitionId()
        yield _packed(place, summarise(place, batches)).to_batches()[0]

    def joined(table: pa.Table) -> pa.Table:
        pairs = sorted(zip(table["place"].to_pylist(), table["summary"].to_pylist(), strict=True))
        return _packed(pairs[0][0] // MERGED_AT_ONCE, _merged([summary for _, summary in pairs], kind))

    found = rows.mapInArrow(summarised, _SCHEMA)
    while parts > MERGED_AT_ONCE:
        found = found.groupBy(sql.floor(sql.col("place") / MERGED_AT_ONCE)).applyInArrow(joined, _SCHEMA)
        parts = -(-parts // MERGED_AT_ONCE)
    collected = sorted(found.collect(), key=lambda row: row["place"])
    if not collected:
        return summarise(0, ())
    return _merged([bytes(row["summary"]) for row in collected], kind)


def _merged(summaries: list[bytes], kind: type[S]) -> S:
    each = (kind.from_content(archive.from_bytes(summary)) for summary in summaries)
    return reduce(lambda one, other: one.merged(other), each)


def _packed(place: int, summary: Summary) -> pa.Table:
    return pa.table({"place": [place], "summary": [archive.to_bytes(summary.to_content())]}, _ARROW)
