"""A first training on a cluster: what one machine would have learned, however the rows lie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as sql
from pyspark.sql import types as spark_types

from detector import DynamicAnomalyDetector, InputError
from detector.spark import fit
from tests.spark.tables import numbered, spread
from tests.spark.test_scoring import CARDS, cards

PARAMETERS = {"n_estimators": 20, "random_state": 0}
ROLES = {"number": "id"}
DRAWN = spark_types.StructField("drawn", spark_types.LongType())


def test_a_cluster_learns_what_one_machine_learns(spark: SparkSession, tmp_path: Path) -> None:
    frame = numbered(4_000, seed=1)
    rows = spread(spark, frame, tmp_path).withColumn("of", sql.struct("number"))
    found = fit(rows, roles=ROLES, **PARAMETERS)
    local = DynamicAnomalyDetector(roles=ROLES, **PARAMETERS).fit(frame)
    for mine, theirs in zip(found.schema_, local.schema_, strict=True):
        told = [asdict(feature) | {"center": 0.0, "spread": 1.0} for feature in (mine, theirs)]
        assert told[0] == told[1]
    for name, known in local._fitted().statistics.items():
        mine = found._fitted().statistics[name]
        assert (mine.rows, mine.absent, mine.distinct) == (known.rows, known.absent, known.distinct)
        assert dict(mine.weights) == dict(known.weights)
        if known.moments.weight:
            assert (mine.minimum, mine.maximum) == (known.minimum, known.maximum)
            assert mine.mean == pytest.approx(known.mean)
            quantiles = np.array(known.quantile([0.05, 0.5, 0.95]))
            assert np.abs(mine.cdf(quantiles) - known.cdf(quantiles)).max() <= 0.016
    fresh = numbered(1_000, seed=77)
    assert np.corrcoef(found.score(fresh).severities, local.score(fresh).severities)[0, 1] > 0.9
    assert found.score(fresh).flagged_share == pytest.approx(0.1, abs=0.03)


def test_rows_that_a_key_names_give_the_same_sample_however_they_lie(spark: SparkSession, tmp_path: Path) -> None:
    rows = spread(spark, numbered(3_000, seed=2), tmp_path)
    few = PARAMETERS | {"max_samples": 64, "n_estimators": 10, "roles": {"when": "ignored"}}
    moved = rows.orderBy(sql.desc("amount")).repartition(18)
    models = [fit(each, key=("number",), **few) for each in (rows, moved)]
    samples = [model._fitted().sample for model in models]
    assert samples[0].seen == 3_000
    assert len(samples[0].rows) < 3_000
    np.testing.assert_array_equal(samples[1].bags, samples[0].bags)
    # The same rows; their scale is told by sketches that merged in another order.
    np.testing.assert_allclose(samples[1].rows, samples[0].rows, rtol=0.05, atol=0.05)


def test_a_job_that_is_run_again_gives_the_same_model_byte_for_byte(spark: SparkSession, tmp_path: Path) -> None:
    rows = spread(spark, numbered(1_000, seed=4), tmp_path)
    assert fit(rows, **PARAMETERS).to_bytes() == fit(rows, **PARAMETERS).to_bytes()


def test_entities_are_learned_as_on_one_machine(spark: SparkSession, tmp_path: Path) -> None:
    frame = cards(900, 1, "2025-01-01")
    found = fit(spread(spark, frame, tmp_path), roles=CARDS, **PARAMETERS)
    local = DynamicAnomalyDetector(roles=CARDS, **PARAMETERS).fit(frame)
    assert found.behaviour is not None
    assert local.behaviour is not None
    mine, theirs = (
        pd.DataFrame({name: part[name].reshape(len(part["keys"]), -1)[:, -1] for name in ("keys", "times", "recent")})
        .sort_values("keys")
        .reset_index(drop=True)
        for part in (model.behaviour.histories[0].to_content() for model in (found, local) if model.behaviour)
    )
    pd.testing.assert_frame_equal(mine, theirs)
    for name in local.behaviour.names:
        one, other = found._fitted().statistics[name], local._fitted().statistics[name]
        assert (one.rows, one.absent, one.minimum, one.maximum) == (
            other.rows, other.absent, other.minimum, other.maximum,
        )  # fmt: skip
    fresh = cards(200, 5, "2025-12-01")
    assert np.corrcoef(found.score(fresh).severities, local.score(fresh).severities)[0, 1] > 0.85


def test_rows_that_are_not_met_again_are_learned_without_a_comparison_and_counted(
    spark: SparkSession, tmp_path: Path
) -> None:
    def otherwise(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            # Every fourth row holds something else each time that somebody asks.
            drawn = [None if number % 4 else uuid4().int % 10**9 for number in batch["number"].to_pylist()]
            yield pa.RecordBatch.from_arrays([*batch.columns, pa.array(drawn)], [*batch.schema.names, "drawn"])

    rows = spread(spark, cards(400, 1, "2025-01-01"), tmp_path)
    moving = rows.mapInArrow(otherwise, spark_types.StructType([*rows.schema.fields, DRAWN]))
    named = {"card": "entity", "when": "time", "amount": "amount"}
    with pytest.warns(UserWarning, match=r"^100 of the 400 sampled rows were not met again .* each card .*\(key=\)"):
        found = fit(moving, roles=named, **PARAMETERS)
    assert found.behaviour is not None
    assert len(found.behaviour.histories[0]) == 39


def test_what_cannot_be_learned_from_is_refused_with_what_to_do(spark: SparkSession, tmp_path: Path) -> None:
    rows = spread(spark, numbered(50), tmp_path, files=1)
    with pytest.raises(InputError, match=r"The key names 'numbr', but there is no such column\. Did you mean 'number'"):
        fit(rows, key="numbr")
    with pytest.raises(InputError, match="'AMOUNT', which Spark takes for one name"):
        fit(rows.select("*", sql.col("amount").alias("AMOUNT")))
    with pytest.raises(InputError, match="'Tie of the row', which Spark takes for 'tie of the row'"):
        fit(rows.withColumn("Tie of the row", sql.lit(1)))
    with pytest.raises(InputError, match="A role is given for 'paid'"):
        fit(rows, roles={"paid": "amount"})
    with pytest.raises(InputError, match="at least two rows"):
        fit(rows.limit(1))
    with pytest.raises(InputError, match="A stream has no end"):
        fit(spark.readStream.schema(rows.schema).parquet(str(tmp_path)))
    with pytest.raises(ValueError, match="contamination"):
        fit(rows, contamination=2)
