"""Explanations against the model's own scores, against Shapley values by brute force, and read as sentences."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector import DynamicAnomalyDetector, NoKnownColumnsError
from detector.core import explain as explaining
from detector.core.forest import Choices, Forest
from detector.core.reasons import usual_text
from tests import shap_judge
from tests.naive_shap import shapley_values


def payments(n: int = 600, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    minutes = rng.integers(8 * 60, 20 * 60, n) + 1440 * rng.integers(0, 28, n)  # of days between eight and eight
    return pd.DataFrame(
        {
            "amount": rng.lognormal(4.0, 0.7, n).round(2),
            "items": rng.integers(1, 6, n),
            "merchant": rng.choice(["books", "food", "fuel", "travel"], n, p=[0.4, 0.3, 0.29, 0.01]),
            "abroad": rng.random(n) < 0.05,
            "at": pd.Timestamp("2024-03-04") + pd.to_timedelta(minutes, unit="min"),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def model() -> DynamicAnomalyDetector:
    return DynamicAnomalyDetector(n_estimators=60, random_state=1).fit(payments())


def only_reason(model: DynamicAnomalyDetector, row: dict[str, object], feature: str) -> str:
    return next(reason.sentence for reason in model.explain(row).reasons[0] if reason.feature == feature)


USUAL = {"amount": 55.0, "items": 3, "merchant": "books", "abroad": False, "at": "2024-03-13T14:10:00"}


def test_values_add_up_to_the_output_and_the_output_is_the_score(model: DynamicAnomalyDetector) -> None:
    rows = payments(50, seed=9)
    explanation = model.explain(rows)
    assert explanation.features == tuple(sorted(rows.columns))
    assert explanation.values.shape == (50, 5)
    total = explanation.base + explanation.values.sum(axis=1)
    np.testing.assert_allclose(total, explanation.output, atol=1e-6)
    np.testing.assert_allclose(2.0**explanation.output, model.score(rows).scores, atol=1e-6)
    assert explanation.unit == "log2 of the anomaly score"


@pytest.mark.parametrize(
    ("feature", "odd"),
    [
        ("amount", 90_000.0),
        ("items", 60),
        ("merchant", "casino"),
        ("at", "2024-03-13T03:00:00"),
    ],
)
def test_a_value_that_sticks_out_is_the_first_reason(model: DynamicAnomalyDetector, feature: str, odd: object) -> None:
    explanation = model.explain([USUAL | {feature: odd}, USUAL])
    assert explanation.reasons[0][0].feature == feature
    place = explanation.features.index(feature)
    assert explanation.values[0, place] > 0.0
    assert explanation.values[0, place] > explanation.values[1, place]
    assert explanation.output[0] > explanation.output[1]


def test_reasons_are_the_positive_contributions_strongest_first(model: DynamicAnomalyDetector) -> None:
    explanation = model.explain(payments(30, seed=5))
    for values, reasons in zip(explanation.values, explanation.reasons, strict=True):
        expected = sorted((value for value in values if value > 0.0), reverse=True)[:5]
        assert [reason.contribution for reason in reasons] == pytest.approx(expected)
        for reason in reasons:
            assert values[explanation.features.index(reason.feature)] == reason.contribution


def test_a_missing_column_contributes_nothing_and_its_view_explains(model: DynamicAnomalyDetector) -> None:
    rows = payments(40, seed=6).drop(columns=["merchant"])
    explanation = model.explain(rows)
    assert (explanation.values[:, explanation.features.index("merchant")] == 0.0).all()
    np.testing.assert_allclose(2.0**explanation.output, model.score(rows).scores, atol=1e-6)
    assert all(reason.feature != "merchant" for reasons in explanation.reasons for reason in reasons)


def test_a_row_with_a_gap_is_explained_as_it_is_scored(model: DynamicAnomalyDetector) -> None:
    rows = payments(30, seed=7).astype(object)
    rows.loc[0:9, "amount"] = None
    rows.loc[10:19, "items"] = None
    explanation = model.explain(rows)
    result = model.score(rows)
    np.testing.assert_allclose(2.0**explanation.output, result.scores, rtol=1e-12)
    np.testing.assert_array_equal(explanation.severities, result.severities)
    assert (explanation.values[:10, explanation.features.index("amount")] == 0.0).all()
    assert (explanation.values[10:20, explanation.features.index("items")] == 0.0).all()
    assert len(set(explanation.base)) == 1


def test_a_row_without_any_value_is_expected_and_has_no_reasons(model: DynamicAnomalyDetector) -> None:
    rows = payments(3, seed=8).astype(object)
    rows.loc[1] = None
    explanation = model.explain(rows)
    assert explanation.reasons[1] == ()
    assert not explanation.values[1].any()
    np.testing.assert_allclose(2.0**explanation.output, model.score(rows).scores, atol=1e-6)


def test_every_row_may_have_gaps_of_its_own() -> None:
    rng = np.random.default_rng(2)
    train = pd.DataFrame(rng.normal(size=(300, 6)), columns=list("abcdef"))
    model = DynamicAnomalyDetector(n_estimators=20, random_state=0).fit(train)
    rows = train.head(60).where(rng.random((60, 6)) > 0.4)
    explanation = model.explain(rows)
    assert (explanation.values[rows.isna().to_numpy()] == 0.0).all()
    np.testing.assert_allclose(explanation.base + explanation.values.sum(axis=1), explanation.output, atol=1e-6)


def test_no_rows_are_explained_by_nothing_and_unknown_columns_are_refused(model: DynamicAnomalyDetector) -> None:
    empty = model.explain(payments().head(0))
    assert empty.values.shape == (0, 5)
    assert empty.reasons == ()
    with pytest.raises(NoKnownColumnsError, match="None of the columns"):
        model.explain({"colour": "blue"})


def grown(rows: np.ndarray, trees: int, bag: int, seed: int) -> Forest:
    """A forest on all columns, each as likely as the others."""
    rng = np.random.default_rng(seed)
    columns = np.arange(rows.shape[1], dtype=np.uint32)
    choices = Choices(columns, columns * 77 + 5, columns * 0 + 9, np.ones(len(columns)))
    bags = np.stack([rng.permutation(len(rows))[:bag] for _ in range(trees)]).astype(np.int32)
    seeds = rng.integers(0, 2**32, trees, dtype=np.uint32)
    return Forest.grow(rows, bags, np.full(trees, bag, np.int32), choices, seeds)


def test_values_equal_shapley_values_by_brute_force() -> None:
    rows = payments(80, seed=4)[["amount", "merchant", "at"]]
    rows.loc[::7, "amount"] = np.nan  # absence is a state that the trees split on
    model = DynamicAnomalyDetector(n_estimators=5, max_samples=16, random_state=2).fit(rows)
    known = model._fitted()
    rows.loc[3, "merchant"] = None  # not known: training had no such row
    matrix = known.aligner.align(rows).matrix
    forest = known.views.get(known.everything).forest
    explanation = model.explain(rows.head(8))
    for row in range(8):
        by_column, base = shapley_values(forest, matrix[row], sorted(set(forest.columns.tolist())))
        summed = [sum(by_column.get(column, 0.0) for column in feature.columns) for feature in known.schema.learned]
        np.testing.assert_allclose(explanation.values[row], summed, atol=1e-12)
        assert explanation.base[row] == pytest.approx(base, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(2, 70), d=st.integers(1, 5), bag=st.integers(2, 40), levels=st.integers(1, 30),
    holes=st.floats(0.0, 0.6), seed=st.integers(0, 2**20),
)  # fmt: skip
def test_the_kernel_agrees_with_brute_force_whatever_the_trees(
    n: int, d: int, bag: int, levels: int, holes: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, levels, (n, d)).astype(np.float32)
    rows[rng.random((n, d)) < 0.1] = -np.inf
    forest = grown(rows, 3, min(bag, n), seed)
    # Leaf values need not be path lengths: decisions may have changed them.
    forest = replace(forest, leaf=_by_leaf(forest, rng))
    asked = rows[:4].copy()
    asked[rng.random(asked.shape) < holes] = np.nan
    values, base = explaining.shap_values(forest, asked)
    for row in range(len(asked)):
        by_column, expected = shapley_values(forest, asked[row], list(range(d)))
        np.testing.assert_allclose(values[row], [by_column[column] for column in range(d)], atol=1e-12)
        assert base == pytest.approx(expected, abs=1e-12)
    np.testing.assert_allclose(base + values.sum(axis=1), -forest.paths_through_holes(asked), atol=1e-6)


def _by_leaf(forest: Forest, rng: np.random.Generator) -> np.ndarray:
    """Values drawn for each leaf; those below a branch that ends early are one leaf."""
    trees, inner = forest.threshold.shape
    drawn = rng.random((trees, 2 * inner + 1)).astype(np.float32)
    for t in range(trees):
        for node in range(inner):
            if np.isposinf(forest.threshold[t, node]):
                drawn[t, 2 * node + 1] = drawn[t, 2 * node + 2] = drawn[t, node]
    return drawn[:, inner:].copy()


@pytest.mark.parametrize(("n", "d", "bag"), [(300, 30, 256), (200, 2, 128), (5000, 12, 4096), (130, 6, 3)])
def test_values_equal_those_of_the_shap_package(n: int, d: int, bag: int) -> None:
    rng = np.random.default_rng(d)
    rows = rng.lognormal(0.0, 1.0, (n, d)).astype(np.float32)
    rows[rng.random((n, d)) < 0.05] = -np.inf
    forest = grown(rows, 12, min(bag, n), 1)
    values, base = explaining.shap_values(forest, rows[:100])
    expected, expected_base = shap_judge.shap_values(forest, rows[:100])
    np.testing.assert_allclose(values, expected, atol=1e-9)
    assert base == pytest.approx(expected_base, abs=1e-9)


def test_many_rows_get_the_same_values_as_each_by_itself() -> None:
    rows = np.random.default_rng(0).normal(size=(1_500, 5)).astype(np.float32)  # two threads, two chunks
    forest = grown(rows, 4, 64, 3)
    values, _ = explaining.shap_values(forest, rows)
    alone = np.concatenate([explaining.shap_values(forest, rows[row : row + 1])[0] for row in range(0, 1_500, 37)])
    np.testing.assert_array_equal(values[::37], alone)


def test_without_words_there_are_the_same_values_and_no_reasons(model: DynamicAnomalyDetector) -> None:
    rows = payments(20, seed=2)
    plain = model.explain(rows, in_words=False)
    np.testing.assert_array_equal(plain.values, model.explain(rows).values)
    assert plain.reasons == ()


def test_the_last_piece_of_a_file_is_explained_as_the_pieces_before(model: DynamicAnomalyDetector) -> None:
    rows = payments(200, seed=2).rename(columns={"merchant": "MERCHANT"})
    report = model.alignment(rows)
    assert report.renamed == ("merchant",)
    last = rows.tail(3)
    assert not model.explain(last).values[:, list(model.known_features).index("merchant")].any()
    explanation = model.explain(last, after=report)
    np.testing.assert_allclose(2.0**explanation.output, model.score(last, after=report).scores, rtol=1e-12)
    assert explanation.values[:, explanation.features.index("merchant")].all()


def test_an_explanation_that_does_not_add_up_is_refused(
    model: DynamicAnomalyDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explaining, "shap_values", lambda forest, rows: (np.zeros(rows.shape), 0.0))
    with pytest.raises(ArithmeticError, match="misses the output"):
        model.explain(USUAL)


# ---------------------------------------------------------------- sentences


def test_a_high_number_is_told_beside_what_is_usual(model: DynamicAnomalyDetector) -> None:
    assert only_reason(model, USUAL | {"amount": 350.0}, "amount") == (
        "amount is 350, higher than 99.8% of values seen; usually 18.01 to 165.7."
    )
    assert only_reason(model, USUAL | {"amount": 90_000}, "amount") == (
        "amount is 90,000, higher than any value seen; usually 18.01 to 165.7."
    )
    assert only_reason(model, USUAL | {"amount": -5.0}, "amount").startswith("amount is -5, lower than any value seen")


def test_the_greatest_value_of_all_is_not_called_high_when_many_rows_have_it(model: DynamicAnomalyDetector) -> None:
    rows = pd.DataFrame({"n": [0] * 4 + [1] * 196, "x": np.random.default_rng(0).normal(size=200)})
    flags = DynamicAnomalyDetector(n_estimators=20, random_state=0).fit(rows)
    explanation = flags.explain(rows)
    told = {reason.sentence for reasons in explanation.reasons for reason in reasons if reason.feature == "n"}
    assert told <= {"n is 1, not unusual by itself; usually 1.", "n is 0, lower than 98% of values seen; usually 1."}
    assert any(sentence.startswith("n is 0, lower") for sentence in told)


def test_a_category_is_told_by_how_often_it_was_seen(model: DynamicAnomalyDetector) -> None:
    assert only_reason(model, USUAL | {"merchant": "casino"}, "merchant").startswith(
        "merchant is casino, never seen before; most often books ("
    )
    assert "merchant is travel, seen in " in only_reason(model, USUAL | {"merchant": "travel"}, "merchant")
    assert only_reason(model, USUAL | {"abroad": True}, "abroad").startswith("abroad is true, seen in ")


def test_a_time_is_told_by_its_weekday_and_hour(model: DynamicAnomalyDetector) -> None:
    told = only_reason(model, USUAL | {"at": "2024-03-13T03:00:00"}, "at")
    assert told == "at is Wednesday 2024-03-13 03:00 UTC; its hour and weekday count."
    feature, statistics = model.schema_.by_name["at"], model.statistics_["at"]
    assert usual_text(replace(feature, parts=("weekday sin", "weekday cos")), statistics) == "its weekday counts"


def test_codes_and_long_texts_are_shown_as_they_are() -> None:
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"mcc": rng.choice([5411, 5812, 5999], 100, p=[0.9, 0.09, 0.01]), "x": rng.normal(size=100)})
    model = DynamicAnomalyDetector(n_estimators=30, random_state=0).fit(rows)
    assert only_reason(model, {"mcc": 7995.0, "x": 0.0}, "mcc").startswith(
        "mcc is 7995, never seen before; most often "
    )
    assert len(only_reason(model, {"mcc": "z" * 5_000, "x": 0.0}, "mcc")) < 200


def test_an_absence_that_was_learned_is_a_reason_of_its_own() -> None:
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"device": rng.choice(["phone", "web"], 200).astype(object), "x": rng.normal(size=200)})
    rows.loc[:2, "device"] = None
    model = DynamicAnomalyDetector(n_estimators=30, random_state=0).fit(rows)
    reason = model.explain(rows.head(1)).reasons[0][0]
    assert (reason.feature, reason.value) == ("device", None)
    assert reason.sentence.startswith("device has no value, as 1.5% of rows; most often ")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (dt.datetime(2024, 3, 13, 3), "2024-03-13T03:00:00"),
        (dt.date(2024, 3, 13), "2024-03-13"),
        (np.datetime64("2024-03-13T03:00"), "2024-03-13T03:00:00"),
        ("2024-03-13", "2024-03-13"),
    ],
)
def test_reasons_hold_plain_values(model: DynamicAnomalyDetector, value: object, shown: str) -> None:
    reasons = model.explain(USUAL | {"at": value, "amount": np.float64(9e4), "items": np.int64(3)}).reasons[0]
    values = {reason.feature: reason.value for reason in reasons}
    assert type(values["amount"]) is float
    assert values["at"] == shown


def test_an_explanation_can_be_handed_to_the_plots_of_shap(model: DynamicAnomalyDetector) -> None:
    rows = pd.DataFrame([{"amount": 55.0, "items": 3, "merchant": "books"}, {"amount": 9_000.0, "merchant": "fuel"}])
    found = model.explain(rows)
    handed = found.to_shap(rows)
    assert handed.feature_names == list(found.features)
    assert handed.values.tolist() == found.values.tolist()
    assert handed.base_values + handed.values.sum(axis=1) == pytest.approx(found.output)
    assert handed.data.shape == found.values.shape
    assert handed.data[1, found.features.index("amount")] == 9_000.0
