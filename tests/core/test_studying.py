"""What rows hold and contribute, of rows that came and of the model's own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from detector import DynamicAnomalyDetector


def payments(n: int = 500, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "amount": rng.lognormal(4.0, 0.7, n).round(2),
            "merchant": rng.choice(["books", "food", "fuel"], n),
            "abroad": rng.random(n) < 0.1,
            "at": pd.Timestamp("2024-03-04") + pd.to_timedelta(rng.integers(0, 28 * 86_400, n), unit="s"),
        }
    )


@pytest.fixture(scope="module")
def model() -> DynamicAnomalyDetector:
    return DynamicAnomalyDetector(n_estimators=40, random_state=1).fit(payments())


def test_rows_are_told_as_they_are_read_and_contribute_what_explains_them(model: DynamicAnomalyDetector) -> None:
    rows = payments(80, seed=3)
    study = model.study(rows)
    columns = {column.name: column for column in study.columns}
    np.testing.assert_array_equal(columns["amount"].values, rows["amount"])
    merchants = [columns["merchant"].categories[int(place)] for place in columns["merchant"].values]
    assert merchants == rows["merchant"].tolist()
    np.testing.assert_array_equal(columns["abroad"].values, rows["abroad"].astype(float))
    np.testing.assert_allclose(
        columns["at"].values, rows["at"].astype("int64") // 10 ** (9 if rows["at"].dt.unit == "ns" else 6)
    )
    np.testing.assert_array_equal(study.contributions, model.explain(rows).values)
    np.testing.assert_array_equal(study.severities, model.score(rows).severities)


def test_values_are_told_in_the_unit_and_under_the_name_of_training(model: DynamicAnomalyDetector) -> None:
    rows = payments(200, seed=3)
    changed = rows.assign(amount=100.0 * rows["amount"]).rename(columns={"merchant": "MERCHANT"})
    columns = {column.name: column for column in model.study(changed).columns}
    np.testing.assert_allclose(columns["amount"].values, rows["amount"])
    assert len(columns["merchant"].categories) == 3


def test_a_column_that_did_not_come_holds_nothing_and_contributes_nothing(model: DynamicAnomalyDetector) -> None:
    study = model.study(payments(50, seed=3).drop(columns="amount"))
    place = [column.name for column in study.columns].index("amount")
    assert np.isnan(study.columns[place].values).all()
    assert not study.contributions[:, place].any()


def test_the_models_own_rows_tell_the_values_they_were_encoded_from(model: DynamicAnomalyDetector) -> None:
    study = model.study_own_rows(200)
    rows = payments()
    columns = {column.name: column for column in study.columns}
    assert study.contributions.shape == (200, 4)
    for value in columns["amount"].values:
        assert np.abs(rows["amount"] - value).min() < 1e-3
    known = {
        (int(place), round(amount, 2))
        for place, amount in zip(columns["merchant"].values, columns["amount"].values, strict=True)
    }
    names = columns["merchant"].categories
    assert known <= {(names.index(name), amount) for name, amount in zip(rows["merchant"], rows["amount"], strict=True)}
    by_amount = rows.set_index("amount")["at"]
    for seconds, amount in zip(columns["at"].values, columns["amount"].values, strict=True):
        time = pd.Timestamp(seconds, unit="s")
        came = by_amount[round(amount, 2)]
        for one in [came] if isinstance(came, pd.Timestamp) else list(came):
            if (
                one.weekday() == time.weekday()
                and abs((one - time.normalize()).total_seconds() % 86_400 - seconds % 86_400) < 1.0
            ):
                break
        else:
            raise AssertionError(f"{time} is not when {amount} was paid")


def test_more_own_rows_than_there_are_cannot_be_studied(model: DynamicAnomalyDetector) -> None:
    study = model.study_own_rows(10**6)
    assert len(study.severities) == len(study.contributions) <= 500
    assert 30.0 < study.severities.mean() < 70.0


def test_own_rows_are_those_that_recorded_a_younger_column_where_enough_did(model: DynamicAnomalyDetector) -> None:
    newer = payments(300, seed=8)
    newer["device"] = np.random.default_rng(0).random(300)
    study = model.updated(newer).study_own_rows(10**6)
    (device,) = (column for column in study.columns if column.name == "device")
    assert len(device.values) <= 300
    assert not np.isnan(device.values).any()


def test_derived_columns_of_own_rows_are_told_as_ratios_to_the_habit() -> None:
    rng = np.random.default_rng(1)
    rows = payments(600)
    rows["card"] = rng.integers(0, 30, 600)
    model = DynamicAnomalyDetector(n_estimators=10, random_state=1, roles={"card": "entity", "at": "time"}).fit(rows)
    derived = [column for column in model.study_own_rows(300).columns if column.derived]
    assert derived
    assert all(np.nanmin(column.values) >= 1.0 for column in derived)


def test_only_some_rows_are_explained_while_all_decide_how_columns_are_read(model: DynamicAnomalyDetector) -> None:
    rows = payments(200, seed=3)
    cents = rows.assign(amount=100.0 * rows["amount"])
    whole, few = model.explain(cents), model.explain(cents, only=np.array([3, 150]))
    np.testing.assert_array_equal(few.values, whole.values[[3, 150]])
    assert few.reasons == (whole.reasons[3], whole.reasons[150])
    assert few.report.rescaled == ("amount",)
