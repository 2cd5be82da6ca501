"""Rows of one entity brought together, in the order in which the detector reads their times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as sql
from pyspark.sql import types as spark

from detector.core.arrow_reading import read_array
from detector.spark.tables import check_free, quoted

_SECONDS = "seconds of the row"


def in_order(rows: DataFrame, entity: str, time: str, ties: Sequence[str]) -> DataFrame:
    """Return the same rows, those of one ``entity`` in one partition, by ``time``; of equal times, by ``ties``.

    Times that came as texts are ordered by the moments that they name: as texts, "2026-01-01T01:00+02:00" would come
    after "2026-01-01T00:00Z". Rows whose time cannot be read come last.

    Raises
    ------
    InputError
        When a column has the name of the one that texts are ordered by.
    """
    written = isinstance(rows.schema[time].dataType, spark.StringType | spark.CharType | spark.VarcharType)
    dated = _with_seconds(rows, time) if written else rows
    first = sql.col(quoted(_SECONDS if written else time)).asc_nulls_last()
    together = dated.repartition(sql.col(quoted(entity)))
    ordered = together.sortWithinPartitions(first, *(sql.col(quoted(name)) for name in ties))
    return ordered.drop(_SECONDS) if written else ordered


def _with_seconds(rows: DataFrame, time: str) -> DataFrame:
    check_free([_SECONDS], rows, "one that texts of times are ordered by")
    schema = spark.StructType([*rows.schema.fields, spark.StructField(_SECONDS, spark.DoubleType(), False)])

    def dated(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            seconds = pa.array(read_array(batch.column(time), "datetime").values)
            yield pa.RecordBatch.from_arrays([*batch.columns, seconds], [*batch.schema.names, _SECONDS])

    return rows.mapInArrow(dated, schema)
