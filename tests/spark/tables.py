"""Tables for the tests on Spark, and the answers of one machine that they are held against."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from detector import DynamicAnomalyDetector
from tests.tables import payments

SCORES = ["anomaly_score", "severity", "flagged"]


def numbered(n: int, seed: int = 0) -> pd.DataFrame:
    """Return payments with a number that names each row."""
    frame = payments(n, seed=seed).assign(number=np.arange(n))
    return frame.assign(when=frame["when"].dt.tz_localize("UTC").dt.as_unit("us"))


def trained(frame: pd.DataFrame | None = None) -> DynamicAnomalyDetector:
    """Return a small detector."""
    frame = numbered(2_000) if frame is None else frame
    return DynamicAnomalyDetector(n_estimators=30, random_state=0, roles={"number": "id"}).fit(frame)


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write rows as one Parquet file, with times as Spark keeps them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path, coerce_timestamps="us")


def spread(spark: SparkSession, frame: pd.DataFrame, folder: Path, files: int = 5) -> DataFrame:
    """Return rows as a DataFrame over several files."""
    for number, part in enumerate(np.array_split(np.arange(len(frame)), files)):
        write(frame.iloc[part], folder / f"part{number}.parquet")
    return spark.read.parquet(str(folder))


def collected(scored: DataFrame) -> pd.DataFrame:
    """Return scored rows in the order of their numbers."""
    return scored.toArrow().to_pandas().sort_values("number").reset_index(drop=True)


def same_scores(found: pd.DataFrame, model: DynamicAnomalyDetector, frame: pd.DataFrame) -> None:
    """Hold scored rows, in the order of the frame, to what one machine says of the frame, bit for bit."""
    expected = model.score(frame.reset_index(drop=True)).to_frame()
    pd.testing.assert_frame_equal(found[SCORES], expected[SCORES], check_exact=True)
