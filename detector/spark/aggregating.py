"""A summary of a whole DataFrame: one of each partition, merged up a tree, always in the same order.

The rows are gone through once. What comes of their partitions is kept by the workers until all is merged, so that its
number and its sizes are known before more of it is brought together than a worker, or the driver, can take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from typing import Any, Protocol, Self, TypeVar

import pyarrow as pa
from pyspark import SparkContext, TaskContext
from pyspark.sql import DataFrame
from pyspark.sql import functions as sql

from detector.core import archive
from detector.errors import InputError
from detector.spark.tables import context_of

#: Summaries that are merged by one task, or by the driver, at most.
MERGED_AT_ONCE = 16
#: Bytes of summaries that one task brings together, unless two of them are more: an Arrow column holds 2 GB.
BYTES_AT_ONCE = 256 << 20
#: Bytes that the driver collects, unless one summary is more.
BYTES_COLLECTED = 64 << 20
_SETTING, _DEFAULT = "spark.driver.maxResultSize", "1g"
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

    Raises
    ------
    InputError
        When the summary is larger than what ``spark.driver.maxResultSize`` lets through; when the session is one of
        Spark Connect.
    """
    limit = _limit(context_of(rows.sparkSession))

    def summarised(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        context = TaskContext.get()
        place = 0 if context is None else context.partitionId()
        yield _packed(place, summarise(place, batches)).to_batches()[0]

    levels: list[DataFrame] = []
    try:
        levels.append(rows.mapInArrow(summarised, _SCHEMA).persist())
        sizes = _sizes(levels[-1])
        while len(sizes) > 1 and (len(sizes) > MERGED_AT_ONCE or sum(sizes) > min(BYTES_COLLECTED, limit // 2)):
            levels.append(_next(levels[-1], _width(sizes), kind).persist())
            sizes = _sizes(levels[-1])
        _check(sum(sizes), limit)
        collected = sorted(levels[-1].collect(), key=lambda row: row["place"])
    finally:
        for level in levels:
            level.unpersist()
    if not collected:
        return summarise(0, ())
    return _merged([bytes(row["summary"]) for row in collected], kind)


def _next(level: DataFrame, width: int, kind: type[S]) -> DataFrame:
    """Return the summaries of so many neighbours each."""

    def joined(table: pa.Table) -> pa.Table:
        pairs = sorted(zip(table["place"].to_pylist(), table["summary"].to_pylist(), strict=True))
        return _packed(pairs[0][0] // width, _merged([summary for _, summary in pairs], kind))

    return level.groupBy(sql.floor(sql.col("place") / width)).applyInArrow(joined, _SCHEMA)


def _sizes(level: DataFrame) -> list[int]:
    """Return the bytes of each summary, by place; makes the summaries."""
    found = level.select("place", sql.octet_length("summary").alias("bytes")).collect()
    return [row["bytes"] for row in sorted(found, key=lambda row: row["place"])]


def _width(sizes: list[int]) -> int:
    """Return how many neighbours are brought together: the more, the fewer levels; but not more than fit."""
    width = MERGED_AT_ONCE
    while width > 2 and max(sum(sizes[k : k + width]) for k in range(0, len(sizes), width)) > BYTES_AT_ONCE:
        width //= 2
    return width


def _limit(context: SparkContext) -> int:
    """Return how many bytes the driver takes as the result of a job."""
    limit = int(context._jsc.sc().conf().getSizeAsBytes(_SETTING, _DEFAULT))
    return limit or 1 << 62  # 0 stands for any number


def _check(size: int, limit: int) -> None:
    # Beside the result itself, what is told of each task counts as well.
    if size > 0.9 * limit:
        megabytes = -(-size * 5 // (4 << 20))
        raise InputError(
            f"What was learned of the rows takes {size / (1 << 20):,.0f} MB, more than {_SETTING} lets through to the"
            f" driver. Set it to {megabytes}m or more, where the session is started."
        )


def _merged(summaries: list[bytes], kind: type[S]) -> S:
    each = (kind.from_content(archive.from_bytes(summary)) for summary in summaries)
    return reduce(lambda one, other: one.merged(other), each)


def _packed(place: int, summary: Summary) -> pa.Table:
    return pa.table({"place": [place], "summary": [archive.to_bytes(summary.to_content())]}, _ARROW)
