from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from detector.errors import NotFoundError
from detector.store.run_files import RunWriter
from detector.store.run_lookups import evenly, read_alike, read_rows


@pytest.fixture
def run(tmp_path: Path) -> Path:
    severity = np.array([10.0, 95.0, 50.0, 99.0, 91.0])
    rows = pd.DataFrame({"name": list("abcde"), 'the "card"': [1, 2, 1, 2, 1], "at": pd.Timestamp("2026-03-01")})
    scored = pd.DataFrame(
        {"score": severity / 100, "severity": severity, "flagged": severity > 90, "version": 3, "cutoff": 90.0}
    )
    with RunWriter(tmp_path / "runs") as writer:
        writer.write(rows[:3], scored[:3])
        writer.write(rows[3:], scored[3:])
        return writer.finish()


def test_rows_are_found_by_number_in_the_order_of_the_file_with_those_of_a_range(run: Path) -> None:
    found = read_rows(run, [5, 3, 3, 77])
    assert (found.index.tolist(), found["name"].tolist()) == ([3, 5], ["c", "e"])
    assert read_rows(run, [5, 1], beside=range(2, 5, 2))["name"].tolist() == ["a", "b", "d", "e"]
    assert read_rows(run, []).empty


def test_rows_that_share_a_value_are_the_last_ones_up_to_a_row(run: Path) -> None:
    found = read_alike(run, 'the "card"', [1], ["name"], up_to=5, most=2)
    assert (found.index.tolist(), found["name"].tolist()) == ([3, 5], ["c", "e"])
    assert read_alike(run, 'the "card"', [1], ["name"], up_to=4, most=9)["name"].tolist() == ["a", "c"]
    assert read_alike(run, 'the "card"', [], ["name"], up_to=4, most=9).empty


@pytest.mark.parametrize(("most", "numbers"), [(9, [3, 4, 5, 6, 7]), (2, [3, 6]), (3, [3, 5, 7]), (1, [3])])
def test_numbers_are_taken_evenly(most: int, numbers: list[int]) -> None:
    assert list(evenly(3, 7, most)) == numbers


def test_a_run_whose_rows_are_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="gone"):
        read_rows(tmp_path / "nothing.parquet", [1])
