"""What is known of a table comes together in one pass over it, and never more at once than fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from detector import InputError
from detector.core.row_sample import RowSample
from detector.spark import aggregating, survey
from detector.spark.sampling import Sampler
from tests.spark.tables import numbered, spread
from tests.spark.test_scoring import MODEL


def test_rows_behind_a_shuffle_are_gone_through_once(
    spark: SparkSession, tmp_path: Path, setting: Callable[[str, str], None]
) -> None:
    rows = spread(spark, numbered(500), tmp_path, files=2)
    met = spark.sparkContext.accumulator(0)

    def counted(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            met.add(batch.num_rows)
            yield batch

    # Where plans adapt, asking a table for its partitions runs all that lies before its last shuffle.
    setting("spark.sql.adaptive.enabled", "true")
    reading = survey(rows.mapInArrow(counted, rows.schema).repartition(3, "country"), MODEL)
    assert reading.report is not None
    assert reading.report.rows == met.value == 500


def test_large_summaries_come_together_in_pairs_until_the_driver_can_take_what_is_left(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = spread(spark, numbered(500), tmp_path, files=3).select("number", "amount")
    sampler = Sampler(100, 0, ("number",))
    at_once = aggregating.merged(rows, sampler, RowSample)
    monkeypatch.setattr(aggregating, "BYTES_AT_ONCE", 1)
    monkeypatch.setattr(aggregating, "BYTES_COLLECTED", 1)
    in_pairs = aggregating.merged(rows, sampler, RowSample)
    assert in_pairs.table().equals(at_once.table())
    assert in_pairs.seen == at_once.seen == 500
    monkeypatch.setattr(aggregating, "_limit", lambda context: 1_000)
    with pytest.raises(InputError, match=r"more than spark\.driver\.maxResultSize .* Set it to 1m or more"):
        aggregating.merged(rows, sampler, RowSample)


@pytest.mark.parametrize(
    ("sizes", "most", "width"), [([10] * 40, 1_000, 16), ([10] * 40, 80, 8), ([10, 70, 10], 80, 2), ([500] * 9, 80, 2)]
)
def test_so_many_neighbours_come_together_as_fit(
    sizes: list[int], most: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aggregating, "BYTES_AT_ONCE", most)
    assert aggregating._width(sizes) == width
