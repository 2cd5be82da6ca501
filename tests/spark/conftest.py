"""One Spark cluster for all tests: a master and two workers, each a process with executors of its own."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[2]
JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto"


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """Return a session on a cluster of two worker processes, which listen on this machine only."""
    patch = pytest.MonkeyPatch()
    patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    patch.setenv("PYSPARK_PYTHON", sys.executable)
    with tempfile.TemporaryDirectory() as folder:
        # Where the workers keep their logs and what they copy.
        patch.setenv("SPARK_WORKER_DIR", f"{folder}/work")
        patch.setenv("SPARK_LOCAL_DIRS", f"{folder}/local")
        session = (
            SparkSession.builder.master("local-cluster[2,1,1024]")
            .appName("tests")
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.memory", "512m")
            .config("spark.executor.memory", "512m")
            .config("spark.sql.shuffle.partitions", "3")
            .config("spark.sql.execution.arrow.maxRecordsPerBatch", "700")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.warehouse.dir", f"{folder}/warehouse")
            .config("spark.executorEnv.PYTHONPATH", os.pathsep.join([str(ROOT), *filter(None, sys.path)]))
            # Processes that live for a minute: what the just-in-time compiler would gain, it costs.
            .config("spark.driver.extraJavaOptions", JAVA)
            .config("spark.executor.extraJavaOptions", JAVA)
            .config("spark.sql.codegen.wholeStage", "false")
            .config("spark.sql.adaptive.enabled", "false")
            .config("spark.log.level", "ERROR")
            .getOrCreate()
        )
        yield session
        session.stop()
        patch.undo()


@pytest.fixture
def setting(spark: SparkSession) -> Iterator[Callable[[str, str], None]]:
    """Return what sets an option of the session until the test ends."""
    before: dict[str, str | None] = {}

    def change(name: str, value: str) -> None:
        before.setdefault(name, spark.conf.get(name))
        spark.conf.set(name, value)

    yield change
    for name, value in before.items():
        spark.conf.set(name, value)
