from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from detector.synthetic import COLUMN_STORY, WEEKS, generate_week

NOT_FEATURES = {"transaction_id", "is_fraud"}


@pytest.fixture(scope="module")
def weeks() -> dict[int, pd.DataFrame]:
    return {week: generate_week(week) for week in WEEKS}


def test_the_same_week_and_seed_give_the_same_frame(weeks: dict[int, pd.DataFrame]) -> None:
    pd.testing.assert_frame_equal(generate_week(3), weeks[3])


def test_another_seed_gives_other_transactions(weeks: dict[int, pd.DataFrame]) -> None:
    assert not generate_week(1, seed=8)["amount"].equals(weeks[1]["amount"])


def test_week_1_has_ten_features_an_id_and_a_label(weeks: dict[int, pd.DataFrame]) -> None:
    assert len(set(weeks[1].columns) - NOT_FEATURES) == 10
    assert set(weeks[1].columns) >= NOT_FEATURES


def test_each_week_changes_the_columns_as_its_story_says(weeks: dict[int, pd.DataFrame]) -> None:
    names = {week: set(frame.columns) for week, frame in weeks.items()}
    assert names[2] - names[1] == {"device_score"}
    assert names[1] <= names[2]
    assert names[3] - names[2] == {"ip_distance_km"}
    assert names[2] <= names[3]
    assert names[3] - names[4] == {"entry_mode", "device_score"}
    assert names[4] <= names[3]
    assert names[5] == names[4]
    assert pd.api.types.is_integer_dtype(weeks[4]["card_present"])
    assert set(weeks[5]["card_present"]) == {"yes", "no"}


def test_the_story_is_told_for_every_week() -> None:
    assert tuple(COLUMN_STORY) == WEEKS


def test_between_two_and_three_in_a_hundred_are_frauds(weeks: dict[int, pd.DataFrame]) -> None:
    for frame in weeks.values():
        assert 0.015 <= frame["is_fraud"].mean() <= 0.03


def test_customers_and_merchants_are_the_same_from_week_to_week(weeks: dict[int, pd.DataFrame]) -> None:
    for column, shared in (("customer_id", 0.95), ("merchant", 0.9)):
        assert weeks[5][column].isin(weeks[1][column]).mean() > shared


def test_ids_are_unique_over_all_weeks_and_stay_text(weeks: dict[int, pd.DataFrame]) -> None:
    ids = pd.concat([frame["transaction_id"] for frame in weeks.values()])
    assert ids.is_unique
    assert ids.str.fullmatch(r"T\d{8}").all()


def test_weeks_follow_one_another_and_rows_are_in_the_order_of_time(weeks: dict[int, pd.DataFrame]) -> None:
    times = pd.to_datetime(pd.concat([frame["timestamp"] for frame in weeks.values()]))
    assert times.is_monotonic_increasing
    assert times.max() - times.min() < pd.Timedelta(days=35)


def test_the_distance_is_absent_exactly_where_the_card_was_present(weeks: dict[int, pd.DataFrame]) -> None:
    assert (weeks[3]["ip_distance_km"].isna() == (weeks[3]["card_present"] == 1)).all()
    assert weeks[3].drop(columns="ip_distance_km").notna().all().all()


def test_earlier_transactions_are_counted_within_a_day(weeks: dict[int, pd.DataFrame]) -> None:
    frame = weeks[2].assign(time=pd.to_datetime(weeks[2]["timestamp"]))
    later = frame[frame["time"] >= frame["time"].min().normalize() + pd.Timedelta(days=1)]
    for row in later.sample(40, random_state=1).itertuples():
        own = frame[(frame["customer_id"] == row.customer_id) & (frame.index < row.Index)]
        assert row.transactions_24h == (own["time"] >= row.time - pd.Timedelta(days=1)).sum()


@pytest.mark.parametrize("column", ["device_score", "ip_distance_km"])
def test_a_column_that_appears_tells_frauds_apart(weeks: dict[int, pd.DataFrame], column: str) -> None:
    told = weeks[3][weeks[3][column].notna()]
    assert 0.75 < roc_auc_score(told["is_fraud"], told[column]) < 0.98


def test_a_plain_forest_finds_the_frauds_in_part_but_not_all(weeks: dict[int, pd.DataFrame]) -> None:
    frame = weeks[1]
    encoded = _encoded(frame)
    scores = -IsolationForest(random_state=0).fit(encoded).score_samples(encoded)
    flagged = scores >= np.quantile(scores, 0.9)
    assert 0.8 < roc_auc_score(frame["is_fraud"], scores) < 0.97
    assert 0.4 < flagged[frame["is_fraud"] == 1].mean() < 0.9


def test_amounts_have_a_tail(weeks: dict[int, pd.DataFrame]) -> None:
    ordinary = weeks[1].loc[weeks[1]["is_fraud"] == 0, "amount"]
    assert ordinary.quantile(0.999) > 20 * ordinary.median()
    assert ordinary.min() >= 0.5


@pytest.mark.parametrize("week", [0, 6])
def test_a_week_that_is_not_told_of_is_refused(week: int) -> None:
    with pytest.raises(ValueError, match=f"week must be one of 1 to 5, not {week}"):
        generate_week(week)


@pytest.mark.parametrize("rows", [99, 10_000_001])
def test_a_number_of_rows_out_of_range_is_refused(rows: int) -> None:
    with pytest.raises(ValueError, match="rows must be between 100 and 10,000,000"):
        generate_week(1, rows=rows)


@pytest.mark.parametrize("rows", [100, 777])
def test_the_frame_has_as_many_rows_as_asked(rows: int) -> None:
    assert len(generate_week(4, rows=rows)) == rows


def _encoded(frame: pd.DataFrame) -> np.ndarray:
    columns = {"hour": pd.to_datetime(frame["timestamp"]).dt.hour, "amount": np.log1p(frame["amount"])}
    for name in ("merchant", "merchant_category", "merchant_city", "country", "entry_mode"):
        columns[name] = -np.log(frame[name].map(frame[name].value_counts(normalize=True)))
    return pd.DataFrame({**columns, **frame[["card_present", "transactions_24h"]]}).to_numpy()
