from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from detector.errors import InputError, NotFoundError
from detector.store.run_files import SCORED_COLUMNS, RunWriter, batches, file_names, own_names, read_page


def scored(severities: list[float]) -> pd.DataFrame:
    severity = np.asarray(severities, dtype=float)
    return pd.DataFrame(
        {"score": severity / 100, "severity": severity, "flagged": severity > 90, "version": 3, "cutoff": 90.0}
    )


def rows(names: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"name": names, "amount": [1.5] * len(names), "at": pd.Timestamp("2026-03-01", tz="UTC")})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with RunWriter(tmp_path / "runs") as writer:
        writer.write(rows(["a", "b", "c"]), scored([10, 95, 50]))
        writer.write(rows(["d", "e"]), scored([99, 50]))
        return writer.finish()


def test_a_page_has_the_most_severe_rows_first_and_knows_their_places(run: Path) -> None:
    page = read_page(run, offset=0, limit=3)
    assert page["name"].tolist() == ["d", "b", "c"]
    assert page.index.tolist() == [4, 2, 3]
    assert page.index.name == "row"
    assert tuple(page.columns[-5:]) == SCORED_COLUMNS
    assert str(page["at"].dt.tz) == "UTC"


def test_pages_follow_each_other_without_gaps(run: Path) -> None:
    whole = read_page(run, offset=0, limit=5)
    parts = [read_page(run, offset=offset, limit=2) for offset in (0, 2, 4)]
    pd.testing.assert_frame_equal(pd.concat(parts), whole)


def test_flagged_rows_alone_in_the_order_of_the_file(run: Path) -> None:
    page = read_page(run, offset=0, limit=10, flagged_only=True, order="row")
    assert page["name"].tolist() == ["b", "d"]


def test_a_page_beyond_the_end_is_empty_and_keeps_its_columns(run: Path) -> None:
    page = read_page(run, offset=50, limit=10)
    assert len(page) == 0
    assert list(page.columns)[:3] == ["name", "amount", "at"]


def test_batches_give_all_rows_in_the_order_of_the_file(run: Path) -> None:
    assert [name for batch in batches(run, 2) for name in batch["name"]] == ["a", "b", "c", "d", "e"]


def test_leaving_early_leaves_no_file(tmp_path: Path) -> None:
    with RunWriter(tmp_path) as writer:
        writer.write(rows(["a"]), scored([1]))
    assert list(tmp_path.iterdir()) == []


def test_finishing_without_a_batch_is_an_error(tmp_path: Path) -> None:
    with RunWriter(tmp_path) as writer, pytest.raises(ValueError, match="nothing was written"):
        writer.finish()


def test_a_run_without_rows_can_be_read(tmp_path: Path) -> None:
    with RunWriter(tmp_path) as writer:
        writer.write(rows([]), scored([]))
        path = writer.finish()
    assert len(read_page(path, offset=0, limit=10)) == 0
    assert [len(batch) for batch in batches(path)] == [0]


def test_a_file_that_was_scored_before_keeps_its_own_columns(tmp_path: Path) -> None:
    frame = pd.DataFrame({"Score": [0.1], "severity": [2.0], "severity (file)": [3.0], "row": [7]})
    with RunWriter(tmp_path) as writer:
        writer.write(frame, scored([95]))
        page = read_page(writer.finish(), offset=0, limit=1)
    assert page.loc[1, "severity"] == 95
    assert page.loc[1, "severity (file) (file)"] == 2.0
    assert page.loc[1, "Score (file)"] == 0.1
    assert page.loc[1, "row (file)"] == 7


def test_other_names_stay_as_they_are() -> None:
    assert own_names(["amount", "flag"]) == {"amount": "amount", "flag": "flag"}


def test_a_column_that_is_empty_at_first_may_hold_text_later(tmp_path: Path) -> None:
    with RunWriter(tmp_path) as writer:
        writer.write(pd.DataFrame({"note": [None, None]}, dtype=object), scored([1, 2]))
        writer.write(pd.DataFrame({"note": ["late"]}), scored([3]))
        page = read_page(writer.finish(), offset=0, limit=3)
    assert page["note"].isna().tolist() == [False, True, True]


def test_a_column_that_changes_its_type_is_named_with_its_row(tmp_path: Path) -> None:
    with RunWriter(tmp_path) as writer:
        writer.write(pd.DataFrame({"amount": [1.0, 2.0]}), scored([1, 2]))
        with pytest.raises(InputError, match="'amount' changes its type after row 2"):
            writer.write(pd.DataFrame({"amount": ["x"]}), scored([3]))


def test_a_run_whose_rows_are_gone_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="Score the file again"):
        read_page(tmp_path / "gone.parquet", offset=0, limit=1)
    with pytest.raises(NotFoundError, match="Score the file again"):
        next(batches(tmp_path / "gone.parquet"))


def test_columns_are_told_by_the_names_that_they_have_in_the_file() -> None:
    for names in (
        ["amount", "score", "Row", "note (file)"],
        ["score", "score (file)"],
        ["severity", "name"],
        ["file_row_number", "a"],
    ):
        assert list(file_names(list(own_names(names).values())).values()) == names
