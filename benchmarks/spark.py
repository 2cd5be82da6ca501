"""Training and scoring on a Spark cluster of two worker processes on this machine, beside the same work without Spark.

    python -m benchmarks.spark --rows 2000000

Wants two processors, Java 17 and requirements-spark.txt. The rows lie in Parquet files, which both read: the local work
by batches of 65,536 rows and in one process; Spark by its own reader. Scores go nowhere in both. A job of the same kind
comes first, in which Spark's processes load the compiled kernels and the model. Work is done again, for the best of
three, only as long as it has taken less than ten seconds.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from benchmarks.common import arguments, best_of, report
from detector import DynamicAnomalyDetector
from detector.spark import fit, score, survey

ROOT = Path(__file__).parents[1]
ROWS_A_BATCH = 65_536
PARAMETERS: dict[str, Any] = {"random_state": 0, "roles": {"number": "id"}}


def main() -> None:
    """Measure, and print rows a second of both."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="work that has taken longer is not done again")
    options = parser.parse_args()
    with TemporaryDirectory() as folder, cluster(folder) as session:
        rows_in = Path(folder) / "rows"
        write(rows_in, options.rows, options.files)
        rows = session.read.parquet(str(rows_in))
        model = DynamicAnomalyDetector(**PARAMETERS).fit(pq.read_table(rows_in).slice(0, 100_000).to_pandas())
        reading = survey(rows, model)
        throw_away(score(rows.limit(10_000), model, reading=reading))
        fitted_locally = timed(options, lambda: fit_locally(rows_in))
        scored_locally = timed(options, lambda: score_locally(rows_in, model))
        lines = [
            line("fit", timed(options, lambda: fit(rows, **PARAMETERS)), fitted_locally),
            line(
                "score, reading known",
                timed(options, lambda: throw_away(score(rows, model, reading=reading))),
                scored_locally,
            ),
            line("score, surveyed first", timed(options, lambda: throw_away(score(rows, model))), scored_locally),
        ]
    report("spark", lines, options.out, notes={"rows": options.rows, "files": options.files}, peers=("pyspark",))


@contextmanager
def cluster(folder: str) -> Iterator[SparkSession]:
    """Yield a session on a master and two workers of one processor each, all on this machine."""
    os.environ |= {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    os.environ |= {"SPARK_WORKER_DIR": f"{folder}/work", "SPARK_LOCAL_DIRS": f"{folder}/local"}
    session = (
        SparkSession.builder.master("local-cluster[2,1,2048]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.executor.memory", "1536m")
        .config("spark.executorEnv.PYTHONPATH", str(ROOT))
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )
    try:
        yield session
    finally:
        session.stop()


def write(folder: Path, rows: int, files: int) -> None:
    """Write a table of ten columns as Parquet files."""
    folder.mkdir()
    for number, part in enumerate(np.array_split(np.arange(rows), files)):
        rng = np.random.default_rng(number)
        n = len(part)
        frame = pd.DataFrame({f"c{i}": rng.normal(size=n) for i in range(6)})
        frame["amount"] = rng.lognormal(3.0, 1.0, n).round(2)
        frame["country"] = rng.choice(["DE", "FR", "US", "GB"], n)
        frame["merchant"] = rng.integers(0, 500, n).astype(str)
        frame["number"] = part
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), folder / f"part{number}.parquet")


def throw_away(frame: DataFrame) -> None:
    """Run the job behind a DataFrame and keep nothing of it."""
    frame.write.format("noop").mode("overwrite").save()


def fit_locally(folder: Path) -> None:
    """Train on all rows in one frame."""
    DynamicAnomalyDetector(**PARAMETERS).fit(pq.read_table(folder).to_pandas())


def score_locally(folder: Path, model: DynamicAnomalyDetector) -> None:
    """Score all rows, batch by batch."""
    for path in sorted(folder.iterdir()):
        for batch in pq.ParquetFile(path).iter_batches(ROWS_A_BATCH):
            model.score(batch.to_pandas())


def timed(options: Any, work: Callable[[], Any]) -> float:
    """Return rows a second of the best run."""
    begin, best = perf_counter(), float("inf")
    for _ in range(options.runs):
        best = min(best, best_of(work, 1))
        if perf_counter() - begin > options.seconds:
            break
    return float(options.rows / best)


def line(work: str, spark: float, local: float) -> dict[str, Any]:
    """Return rows a second of both, and their ratio."""
    return {"work": work, "Spark, rows/s": spark, "without Spark, rows/s": local, "ratio": spark / local}


if __name__ == "__main__":
    main()
