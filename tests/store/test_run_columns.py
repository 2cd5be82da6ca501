from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from detector.errors import NotFoundError
from detector.store import run_columns
from detector.store.run_columns import NO_VALUE, OTHERS
from detector.store.run_files import RunWriter


@pytest.fixture
def frame() -> pd.DataFrame:
    random = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "amount": np.where(random.random(500) < 0.1, np.nan, random.gamma(2.0, 30.0, 500).round(2)),
            'a "quoted" name': random.choice(["DE", "FR", "it's", None], 500),
            "many": [f"v{value}" for value in random.integers(0, 40, 500)],
            "file_row_number ": random.integers(0, 3, 500),
            "yes": random.random(500) < 0.5,
            "severity_": np.round(random.random(500) * 100, 1),
        }
    )


@pytest.fixture
def path(frame: pd.DataFrame, tmp_path: Path) -> Path:
    scored = pd.DataFrame(
        {
            "score": 0.5,
            "severity": frame["severity_"],
            "flagged": False,
            "version": np.int32(1),
            "cutoff": 90.0,
        }
    )
    with RunWriter(tmp_path) as writer:
        writer.write(frame, scored)
        return writer.finish()


def test_rows_are_counted_at_every_severity_as_one_would_by_hand(path: Path, frame: pd.DataFrame) -> None:
    counts = run_columns.severity_counts(path)
    by_hand = frame["severity_"].value_counts().sort_index()
    assert counts.severities.tolist() == by_hand.index.tolist()
    assert counts.counts.tolist() == by_hand.tolist()
    for cutoff in (0.0, 33.3, float(frame["severity_"].iloc[7]), 99.9, 100.0):
        assert counts.above(cutoff) == (frame["severity_"] > cutoff).sum()


def test_each_value_of_a_column_is_counted_as_one_would_by_hand(path: Path, frame: pd.DataFrame) -> None:
    found = run_columns.counts_by_value(path, 'a "quoted" name', 12)
    values = frame['a "quoted" name'].fillna(NO_VALUE)
    assert set(found) == set(values)
    for name, counts in found.items():
        assert counts.rows == (values == name).sum()
        assert counts.above(50.0) == ((values == name) & (frame["severity_"] > 50.0)).sum()


def test_rare_values_are_counted_together(path: Path, frame: pd.DataFrame) -> None:
    found = run_columns.counts_by_value(path, "many", 5)
    assert len(found) == 6
    frequent = frame["many"].value_counts()
    assert found[OTHERS].rows == 500 - sum(found[name].rows for name in found if name != OTHERS)
    assert min(found[name].rows for name in found if name != OTHERS) >= frequent.iloc[5]


def test_bands_are_counted_as_one_would_by_hand(path: Path, frame: pd.DataFrame) -> None:
    amount = frame["amount"]
    found = run_columns.counts_by_band(path, "amount", (20.0, 80.0))
    by_hand = [amount.isna(), amount <= 20, (amount > 20) & (amount <= 80), amount > 80]
    assert [counts.rows for counts in found] == [int(mask.sum()) for mask in by_hand]


def test_quantiles_are_values_of_the_column(path: Path, frame: pd.DataFrame) -> None:
    (middle,) = run_columns.quantiles(path, "amount", (0.5,))
    assert middle in set(frame["amount"].dropna())
    assert middle == pytest.approx(frame["amount"].median(), rel=0.05)


def test_chosen_rows_come_with_their_numbers_whatever_the_columns_are_called(path: Path, frame: pd.DataFrame) -> None:
    found = run_columns.rows_at(path, [400, 2, 9], ["file_row_number ", 'a "quoted" name'])
    assert found.index.tolist() == [2, 9, 400]
    assert found["file_row_number "].tolist() == frame["file_row_number "].iloc[[1, 8, 399]].tolist()
    assert run_columns.rows_at(path, [], ["amount"]).empty


def test_columns_tell_what_they_hold(path: Path) -> None:
    kinds = run_columns.column_kinds(path)
    assert (kinds["amount"], kinds["many"], kinds["yes"]) == ("number", "text", "yes or no")


def test_a_file_that_is_gone_says_what_to_do(path: Path) -> None:
    path.unlink()
    with pytest.raises(NotFoundError, match="Score the file again"):
        run_columns.severity_counts(path)
    with pytest.raises(NotFoundError, match="Score the file again"):
        run_columns.column_kinds(path)


def test_rows_of_one_entity_are_found_as_one_would_by_hand(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    n = 300
    frame = pd.DataFrame(
        {
            "card": random.choice(["a", "b", None], n),
            "at": pd.Timestamp("2026-03-01") + pd.to_timedelta(random.integers(0, 60, n), unit="h"),
        }
    )
    frame.loc[random.random(n) < 0.1, "at"] = None
    scored = pd.DataFrame(
        {"score": 0.5, "severity": 50.0, "flagged": False, "version": np.int32(1), "cutoff": 90.0}, index=frame.index
    )
    with RunWriter(tmp_path) as writer:
        writer.write(frame, scored)
        path = writer.finish()
    row = int(np.flatnonzero((frame["card"] == "a") & frame["at"].notna())[150 // 3]) + 1
    same = frame[frame["card"] == "a"]
    before = same[same.index < row][::-1]
    assert run_columns.rows_sharing(path, row, "card", ["at"], most=5).index.tolist() == (before.index[:5] + 1).tolist()
    case = same.loc[row - 1, "at"]
    earlier = same[(same["at"] < case) | ((same["at"] == case) & (same.index < row))].reset_index(names="place")
    by_hand = earlier.sort_values(["at", "place"], ascending=False)["place"] + 1
    found = run_columns.rows_sharing(path, row, "card", ["card", "at"], most=500, time="at")
    assert found.index.tolist() == by_hand.tolist()
    assert set(found["card"]) == {"a"}
    nobody = int(np.flatnonzero(frame["card"].isna())[0]) + 1
    assert run_columns.rows_sharing(path, nobody, "card", [], most=5).empty
