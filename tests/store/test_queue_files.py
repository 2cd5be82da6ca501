from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from detector.errors import NotFoundError
from detector.store import queue_files


def written(folder: Path, number: int) -> Path:
    told = pd.DataFrame(
        {
            "row": np.arange(number) * 3 + 1,
            "severity": np.linspace(100, 50, number),
            "score": np.linspace(0.9, 0.5, number),
            "entity": [None if i % 7 == 0 else f"C{i}" for i in range(number)],
            "time": pd.Timestamp("2026-03-01", tz="UTC") + pd.to_timedelta(np.arange(number), unit="s"),
            "amount": [float("nan") if i % 5 == 0 else float(i) for i in range(number)],
            "group": "amount high",
            "reasons": [["amount"]] * number,
            "contributions": [[0.5]] * number,
            "badges": [["amount high"]] * number,
            "sentences": [["It is high."]] * number,
            "parts": [["amount", "country"]] * number,
            "values": [[0.5, -0.1]] * number,
        }
    )
    rows = pd.DataFrame({'odd "name"': np.arange(number), "text": [f"t{i}" for i in range(number)]})
    folder.mkdir(exist_ok=True)
    return folder / queue_files.write_queue(folder, told, rows)


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    return written(tmp_path / "queues", 2_500)


def test_what_is_kept_in_memory_comes_in_the_order_of_severity(queue: Path) -> None:
    kept = queue_files.read_kept(queue)
    assert kept.column_names == list(queue_files.KEPT)
    assert kept["row"].to_pylist()[:3] == [1, 4, 7]
    assert kept["entity"].to_pylist()[:2] == [None, "C1"]


@pytest.mark.parametrize("asked", [[0], [2_499], [999, 1_000], [2_400, 3, 1_500, 4, 3], []])
def test_single_cases_come_in_the_order_asked_for(queue: Path, asked: list[int]) -> None:
    whole, rows = queue_files.read_cases(queue, range(2_500)), queue_files.read_rows(queue)
    found, own = queue_files.read_cases(queue, asked), queue_files.read_rows_at(queue, asked)
    assert found["row"].tolist() == [3 * position + 1 for position in asked]
    assert found["time"].tolist() == whole["time"].iloc[asked].tolist()
    assert own['odd "name"'].tolist() == asked == rows['odd "name"'].iloc[asked].tolist()
    assert own["text"].tolist() == [f"t{position}" for position in asked]


def test_chosen_columns_alone_can_be_read(queue: Path) -> None:
    assert list(queue_files.read_rows(queue, ["text"]).columns) == ["text"]


def test_removing_leaves_nothing_and_may_be_done_twice(queue: Path) -> None:
    for _ in range(2):
        queue_files.remove_queue(queue)
        assert list(queue.parent.iterdir()) == []


@pytest.mark.parametrize("read", [queue_files.read_kept, queue_files.read_rows])
def test_a_file_that_is_gone_is_told_with_the_way_out(tmp_path: Path, read) -> None:
    with pytest.raises(NotFoundError, match="Send the run to the queue again"):
        read(tmp_path / "gone.parquet")
    with pytest.raises(NotFoundError):
        queue_files.read_cases(tmp_path / "gone.parquet", [0])


def test_a_write_that_fails_leaves_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "queues"
    folder.mkdir()
    with pytest.raises(KeyError):
        queue_files.write_queue(folder, pd.DataFrame({"row": [1]}), pd.DataFrame({"a": [1]}))
    assert list(folder.iterdir()) == []
