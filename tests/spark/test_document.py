"""docs/spark.md: its code runs as it stands, one block after the other."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[2]


def test_the_code_of_the_document_runs(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "sample_data", tmp_path / "sample_data")
    (tmp_path / "models").mkdir()
    (tmp_path / "incoming").mkdir()
    shutil.copy(ROOT / "sample_data" / "week1.csv", tmp_path / "incoming")
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "spark.md").read_text(), re.DOTALL)
    # Spark resolves names of files by the folder in which its own process was started.
    told: dict[str, Any] = {}
    for block in blocks:
        exec(compile(_absolute(block, tmp_path), "docs/spark.md", "exec"), told)
    assert len(blocks) == 2
    assert (tmp_path / "models" / "from_spark.joblib").is_file()
    assert set(told["reading"].report.missing) == {"entry_mode"}
    assert told["reading"].report.new == ("ip_distance_km",)
    assert spark.read.parquet(str(tmp_path / "scored")).count() == told["week1"].count()


def _absolute(block: str, folder: Path) -> str:
    return re.sub(r'"(sample_data|incoming|scored|checkpoint)(?=["/])', rf'"{folder}/\1', block)
