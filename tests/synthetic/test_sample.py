from __future__ import annotations

from pathlib import Path

import pytest

from detector.synthetic import generate_week, sample_files, write_sample

SAMPLE = Path(__file__).parents[2] / "sample_data"


def test_the_files_in_the_repository_are_what_the_generator_makes() -> None:
    made = sample_files()
    assert {path.name for path in SAMPLE.iterdir()} == set(made)
    for name, content in made.items():
        assert (SAMPLE / name).read_bytes() == content, f"sample_data/{name} differs; run `make sample`"


def test_the_sample_is_small_enough_for_a_repository() -> None:
    assert sum(len(content) for content in sample_files().values()) < 1_500_000


def test_writing_makes_the_folder_and_returns_every_path(tmp_path: Path) -> None:
    paths = write_sample(tmp_path / "new" / "folder", rows=100, seed=1)
    assert [path.name for path in paths] == [*(f"week{week}.csv" for week in range(1, 6)), "README.md"]
    assert all(path.is_file() for path in paths)


def test_the_note_counts_rows_and_frauds_of_each_file() -> None:
    files = sample_files(rows=200, seed=3)
    frauds = int(generate_week(1, rows=200, seed=3)["is_fraud"].sum())
    assert f"| `week1.csv` | 12 | 200 | {frauds} |" in files["README.md"].decode()


def test_a_number_of_rows_out_of_range_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="rows must be between"):
        write_sample(tmp_path / "out", rows=1)
    assert not (tmp_path / "out").exists()
