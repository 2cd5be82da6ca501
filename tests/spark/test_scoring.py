"""Scores on a cluster of two worker processes: those of one machine, whatever happens to rows, batches and workers."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sql
from pyspark.sql import types as spark_types

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
    scored = score(rows.withColumn("file", sql.regexp_extract("_metadata.file_path", "[^/]+$", 0)), MODEL)
    found = collected(scored)
    same_scores(found, MODEL, whole)
    counts = {tuple(row)[:3]: row["rows"] for row in told(scored, by="file").collect()}
    assert counts["a.parquet", "scored", None] == 700
    assert counts["b.parquet", "scored", None] == counts["b.parquet", "scored_without", "distance"] == 500
    assert ("a.parquet", "scored_without", "distance") not in counts
    assert found["scored_without"].map(lambda names: "distance" in names).tolist() == [False] * 700 + [True] * 500


def test_values_of_every_type_are_read_as_on_one_machine(
    spark: SparkSession, tmp_path: Path, setting: Callable[[str, str], None]
) -> None:
    frame = every_type(600)
    model = DynamicAnomalyDetector(n_estimators=20, random_state=0, roles=EVERY_TYPE).fit(every_type(900, seed=1))
    assert {feature.name for feature in model.schema_ if feature.status == "learned"} == {*frame.columns} - {"number"}
    # All other than by default.
    setting("spark.sql.ansi.enabled", "false")
    setting("spark.sql.session.timeZone", "Asia/Tokyo")
    setting("spark.sql.caseSensitive", "TRUE")
    rows = spread(spark, frame, tmp_path, files=1)
    # There is a partition without rows as well.
    same_scores(collected(score(rows.union(rows.where("number < 0")), model)), model, frame)


EVERY_TYPE = {"number": "id", "empty": "input"}


def every_type(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    moments = pd.Timestamp("2025-03-01") + pd.to_timedelta(rng.integers(0, 10**8, n), unit="s")
    amounts = rng.lognormal(3.0, 1.0, n)
    frame = pd.DataFrame({"number": np.arange(n), "amount": amounts.astype(np.float32)})
    frame["exact"] = [None if k % 9 == 0 else Decimal(f"{amount:.4f}") for k, amount in enumerate(amounts)]
    frame["gaps"] = np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n))
    frame["beyond"] = np.where(rng.random(n) < 0.02, np.inf, rng.normal(size=n))
    frame["with_zone"] = moments.tz_localize("UTC").as_unit("us")
    frame["without_zone"] = moments.as_unit("us")
    frame["day"] = [None if k % 50 == 0 else moment.date() for k, moment in enumerate(moments)]
    frame["few"] = pd.array(rng.integers(0, 5, n), "Int8")
    frame["told"] = [None if k % 20 == 0 else bool(k % 3) for k in range(n)]
    frame["text"] = rng.choice(["DE", "FR", "", " ", "NaN"], n)
    frame["empty"] = pd.Series([None] * n, dtype="str")
    frame["Amount"] = rng.normal(size=n)
    return frame


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
    # The third comes after a stop, and the query goes on from its checkpoint with a schema that has its new column.
    write(files[2], tmp_path / "ready" / "week2.parquet")
    whole = spark.read.parquet(str(tmp_path / "ready")).schema
    for comes, names in (([0, 1], set(files[0].columns)), ([2], set(files[2].columns))):
        for week in comes:
            write(files[week], tmp_path / "in" / f"week{week}.parquet")
        schema = spark_types.StructType([field for field in whole.fields if field.name in names])
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
    found = collected(spark.read.schema(score(stream, MODEL).schema).parquet(str(tmp_path / "out")))
    assert found["colour"].notna().sum() == 60
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


def written_otherwise(times: pd.Series) -> list[str]:
    """Return times as texts: in Berlin's clock, in Universal Time, with an offset of eleven hours, each the next."""
    zones = ["Europe/Berlin", "UTC", "Etc/GMT-11"]
    return [
        str(time.tz_convert(zones[k % 3])) if k % 3 != 1 else time.strftime("%Y-%m-%dT%H:%M:%SZ")
        for k, time in enumerate(times)
    ]


def test_rows_of_entities_are_compared_as_known_or_in_order(
    spark: SparkSession, tmp_path: Path, setting: Callable[[str, str], None]
) -> None:
    model = DynamicAnomalyDetector(n_estimators=20, random_state=0, roles=CARDS).fit(cards(800, 1, "2025-01-01"))
    frame = cards(300, 2, "2025-08-01")
    # All within a day, so that the order of the moments that texts name is not the order of the texts.
    first = frame["when"].min()
    frame = frame.assign(when=written_otherwise(first + (frame["when"] - first) / 100))
    rows = spread(spark, frame, tmp_path)
    setting("spark.sql.execution.arrow.maxRecordsPerBatch", "20")  # within a batch order makes no difference
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
    with pytest.raises(InputError, match=r"'Severity', which Spark takes for 'severity', as one that scoring adds"):
        score(rows.withColumn("Severity", sql.lit(1)), MODEL)
    with pytest.raises(InputError, match="Two columns are called 'amount'"):
        score(rows.select("*", "amount"), MODEL)
    with pytest.raises(InputError, match=r"Two columns are called 'amount' and 'Amount', which Spark takes for one"):
        score(rows.select("*", sql.col("amount").alias("Amount")), MODEL)
    with pytest.raises(InputError, match=r"Column 'age' holds spans of months"):
        score(rows.withColumn("age", sql.array(sql.expr("interval '1' year"))), MODEL)
    with pytest.raises(InputError, match=r"told by 'fil', but there is no such column"):
        told(rows, by="fil")
    with pytest.raises(InputError, match=r"called 'Rows', which Spark takes for 'rows', as one that is returned"):
        told(rows.withColumn("Rows", sql.lit(1)), by="Rows")
    with pytest.raises(NoKnownColumnsError):
        score(rows.select("number"), MODEL)
    with pytest.raises(ValueError, match="cutoff"):
        score(rows, MODEL, cutoff=101)
    with pytest.raises(ValueError, match="entities must be 'as known' or 'in order', not 'in-order'"):
        score(rows, MODEL, entities="in-order")  # type: ignore[arg-type]
    stream = spark.readStream.schema(rows.schema).parquet(str(tmp_path))
    with pytest.raises(InputError, match="without a reading"):
        survey(stream, MODEL)
    model = DynamicAnomalyDetector(n_estimators=5, roles=CARDS).fit(cards(100, 1, "2025-01-01"))
    with pytest.raises(InputError, match="cannot be put in order"):
        score(stream.withColumn("card", sql.lit(1)), model, entities="in order")
    taken = rows.withColumn("card", sql.lit(1)).withColumn("CARD: rows within a day", sql.lit(1))
    with pytest.raises(InputError, match=r"which Spark takes for 'card: rows within a day', as a feature"):
        score(taken, model, entities="in order")


def test_a_model_is_taken_from_its_file_as_well(spark: SparkSession, tmp_path: Path) -> None:
    MODEL.save(tmp_path / "model.joblib")
    rows = spread(spark, numbered(50), tmp_path / "rows", files=1)
    assert score(rows.limit(0), MODEL).collect() == []
    one: DataFrame = score(rows, tmp_path / "model.joblib", cutoff=50.0)
    found = collected(one)
    pd.testing.assert_frame_equal(found[SCORES], MODEL.score(numbered(50), cutoff=50.0).to_frame(), check_exact=True)
