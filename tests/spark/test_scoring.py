"""Scores on a cluster of two worker processes: those of one machine, whatever happens to rows, batches and workers."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sql

from detector import DynamicAnomalyDetector, InputError, NoKnownColumnsError
from detector.spark import score, survey, told
from tests.spark.tables import SCORES, collected, numbered, same_scores, spread, trained, write
from tests.tables import drifted

MODEL = trained()


def changed(n: int = 3_000) -> pd.DataFrame:
    """Rows of which much has changed."""
    return drifted(numbered(n, seed=9))


def test_scores_are_those_of_one_machine_bit_for_bit_and_all_columns_stay(spark: SparkSession, tmp_path: Path) -> None:
    frame = changed()
    rows = (
        spread(spark, frame, tmp_path)
        .withColumn("tags", sql.array(sql.lit("a"), sql.col("country")))
        .withColumn("of", sql.struct("number", sql.create_map(sql.lit("balance"), "balance").alias("map")))
        .withColumn("exact", sql.col("amount").cast("decimal(20,4)"))
        .withColumn("bytes", sql.encode("country", "utf-8"))
    )
    scored = score(rows, MODEL)
    assert scored.schema.fields[: len(rows.schema)] == rows.schema.fields
    found = collected(scored)
    same_scores(found, MODEL, frame)
    assert set(found["model_version"]) == {found["model_version"][0]}
    came = rows.orderBy("number").collect()
    left = scored.orderBy("number").select(*rows.columns).collect()
    assert left == came


def test_what_changed_is_told_of_the_table_and_of_each_row(spark: SparkSession, tmp_path: Path) -> None:
    rows = spread(spark, changed(), tmp_path)
    reading = survey(rows, MODEL)
    assert reading.report is not None
    assert reading.report.missing == ("distance",)
    assert reading.report.renamed == ("device_age",)
    assert reading.report.rescaled == ("balance",)
    assert reading.report.new == ("colour",)
    assert reading.report.retyped == ("tries",)
    scored = score(rows, MODEL, reading=reading)
    counts = {(row["what"], row["feature"]): row["rows"] for row in told(scored).collect()}
    frame = changed()
    assert counts["scored_without", "distance"] == 3_000
    assert counts["scored_without", "channel"] == frame["channel"].isna().sum()
    assert counts["unseen", "country"] == (frame["country"] == "PT").sum()
    assert counts["unreadable", "tries"] == 1


def test_neither_partitions_nor_batches_nor_their_order_change_a_score(spark: SparkSession, tmp_path: Path) -> None:
    frame = changed(1_500)
    rows = spread(spark, frame, tmp_path)
    reading = survey(rows, MODEL)
    for moved in (rows.coalesce(1), rows.orderBy(sql.desc("amount"))):
        same_scores(collected(score(moved, MODEL, reading=reading)), MODEL, frame)


def test_files_with_other_columns_are_one_table(spark: SparkSession, tmp_path: Path) -> None:
    """A column that some files lack is absent in their rows, and told of them."""
    frame = numbered(1_200, seed=3)
    write(frame.iloc[:700], tmp_path / "rows" / "a.parquet")
    write(frame.iloc[700:].drop(columns="distance").assign(colour="red"), tmp_path / "rows" / "b.parquet")
    rows = spark.read.option("mergeSchema", "true").parquet(str(tmp_path / "rows"))
    whole = frame.assign(distance=frame["distance"].where(frame["number"] < 700))
    found = collected(score(rows, MODEL))
    same_scores(found, MODEL, whole)
    assert found["scored_without"].map(lambda names: "distance" in names).tolist() == [False] * 700 + [True] * 500


@pytest.mark.parametrize("dies", ["python worker", "executor"])
def test_a_worker_that_dies_midway_changes_nothing(spark: SparkSession, tmp_path: Path, dies: str) -> None:
    frame = numbered(4_000, seed=5)
    rows = spread(spark, frame, tmp_path / "rows")
    reading = survey(rows, MODEL)
    mark = tmp_path / "died"

    def once(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for number, batch in enumerate(batches):
            yield batch
            if number == 0 and not mark.exists():
                mark.touch()
                python = psutil.Process()
                # A Python worker was forked by a daemon, and that one was started by the executor.
                victim = python.pid if dies == "python worker" else python.parent().parent().pid
                os.kill(victim, signal.SIGKILL)

    found = collected(score(rows, MODEL, reading=reading).mapInArrow(once, score(rows, MODEL, reading=reading).schema))
    assert mark.exists()
    same_scores(found, MODEL, frame)


def test_a_stream_of_files_with_changing_columns_is_scored_as_single_records_are(
    spark: SparkSession, tmp_path: Path
) -> None:
    weeks = [
        numbered(60, seed=week).assign(number=lambda frame, week=week: frame["number"] + 100 * week)
        for week in range(3)
    ]
    files = [weeks[0], weeks[1].drop(columns="distance"), weeks[2].assign(colour="red")]
    for week, frame in enumerate(files):
        write(frame, tmp_path / "in" / f"week{week}.parquet")
    schema = spark.read.parquet(str(tmp_path / "in" / "week2.parquet")).schema
    stream = spark.readStream.schema(schema).option("maxFilesPerTrigger", 1).parquet(str(tmp_path / "in"))
    query = (
        score(stream, MODEL, version="seven")
        .writeStream.format("parquet")
        .option("path", str(tmp_path / "out"))
        .option("checkpointLocation", str(tmp_path / "checkpoint"))
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()
    assert query.exception() is None
    found = collected(spark.read.parquet(str(tmp_path / "out")))
    assert len(found) == 180
    assert set(found["model_version"]) == {"seven"}
    records = pd.concat(files).astype(object).where(lambda frame: frame.notna(), None).to_dict("records")
    for row, record in enumerate(records):
        known = {name: value for name, value in record.items() if name != "colour"}
        result = MODEL.score(known)
        assert found.loc[row, SCORES].tolist() == [result.scores[0], result.severities[0], result.labels[0] == -1]


CARDS = {"card": "entity", "when": "time", "amount": "amount", "number": "id"}


def cards(n: int, seed: int, first: str) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "number": np.arange(n),
            "card": rng.integers(1, 40, n),
            "when": pd.Timestamp(first, tz="UTC") + pd.to_timedelta(rng.permutation(n) * 20_000, unit="s"),
            "amount": rng.lognormal(3.0, 1.0, n).round(2),
            "merchant": rng.choice([f"m{i}" for i in range(20)], n),
        }
    ).astype({"when": "datetime64[us, UTC]"})


def test_rows_of_entities_are_compared_as_known_or_in_order(spark: SparkSession, tmp_path: Path) -> None:
    model = DynamicAnomalyDetector(n_estimators=20, random_state=0, roles=CARDS).fit(cards(800, 1, "2025-01-01"))
    frame = cards(300, 2, "2025-08-01")
    rows = spread(spark, frame, tmp_path)
    in_order = score(rows, model, entities="in order")
    assert in_order.columns[: len(rows.columns)] == rows.columns
    same_scores(collected(in_order), model, frame)
    alone = collected(score(rows, model))
    for row in (0, 7, 299):
        same_scores(alone.iloc[[row]].reset_index(drop=True), model, frame.iloc[[row]])


def test_what_cannot_be_scored_is_refused_with_what_to_do(spark: SparkSession, tmp_path: Path) -> None:
    rows = spread(spark, numbered(100), tmp_path)
    with pytest.raises(InputError, match=r"'severity', as one that scoring adds\. Rename or drop it"):
        score(rows.withColumn("severity", sql.lit(1)), MODEL)
    with pytest.raises(InputError, match="Two columns are called 'amount'"):
        score(rows.select("*", "amount"), MODEL)
    with pytest.raises(NoKnownColumnsError):
        score(rows.select("number"), MODEL)
    with pytest.raises(ValueError, match="cutoff"):
        score(rows, MODEL, cutoff=101)
    stream = spark.readStream.schema(rows.schema).parquet(str(tmp_path))
    with pytest.raises(InputError, match="without a reading"):
        survey(stream, MODEL)
    model = DynamicAnomalyDetector(n_estimators=5, roles=CARDS).fit(cards(100, 1, "2025-01-01"))
    with pytest.raises(InputError, match="cannot be put in order"):
        score(stream.withColumn("card", sql.lit(1)), model, entities="in order")


def test_a_model_is_taken_from_its_file_as_well(spark: SparkSession, tmp_path: Path) -> None:
    MODEL.save(tmp_path / "model.joblib")
    rows = spread(spark, numbered(50), tmp_path / "rows", files=1)
    assert score(rows.limit(0), MODEL).collect() == []
    one: DataFrame = score(rows, tmp_path / "model.joblib", cutoff=50.0)
    found = collected(one)
    pd.testing.assert_frame_equal(found[SCORES], MODEL.score(numbered(50), cutoff=50.0).to_frame(), check_exact=True)
