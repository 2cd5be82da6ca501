"""Decisions that a detector learns: they re-rank, outlive what changes, and leave no trace once taken back."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.core import decisions as deciding
from detector.core.model import DynamicAnomalyDetector
from detector.errors import InputError, NoKnownColumnsError, NotTrainedError
from tests import tables

ROWS = 1_200


@cache
def frame() -> pd.DataFrame:
    return tables.payments(ROWS)


@cache
def truth() -> np.ndarray:
    """Return a fraud that nothing about a row's rarity tells: middling amounts by shop."""
    rows = frame()
    return (rows["amount"].between(20, 60) & (rows["channel"] == "shop")).to_numpy().astype(int)


@cache
def plain() -> DynamicAnomalyDetector:
    return DynamicAnomalyDetector(n_estimators=40, random_state=3).fit(frame())


@cache
def some() -> tuple[pd.DataFrame, list[int], list[str]]:
    rows = np.sort(np.random.default_rng(1).choice(ROWS, 120, replace=False))
    return frame().iloc[rows], truth()[rows].tolist(), [f"case {row}" for row in rows]


@cache
def taught() -> DynamicAnomalyDetector:
    rows, labels, keys = some()
    return plain().taught(rows, labels, keys=keys)


def gain(before: DynamicAnomalyDetector, after: DynamicAnomalyDetector, rows: pd.DataFrame, fraud: np.ndarray) -> float:
    """Return how much higher frauds are ranked among the others after than before (0-1)."""

    def place(model: DynamicAnomalyDetector) -> float:
        severities = model.score(rows).severities
        return float((severities[fraud == 1][:, None] > severities[fraud == 0][None, :]).mean())

    return place(after) - place(before)


def test_rows_like_decided_frauds_rise() -> None:
    fresh = tables.payments(800, seed=5)
    fraud = (fresh["amount"].between(20, 60) & (fresh["channel"] == "shop")).to_numpy().astype(int)
    assert gain(plain(), taught(), fresh, fraud) > 0.2


def test_learn_is_taught_in_place() -> None:
    rows, labels, keys = some()
    model = DynamicAnomalyDetector.from_bytes(plain().to_bytes())
    assert model.learn(rows, labels, keys=keys) is model
    assert model.to_bytes() == taught().to_bytes()
    assert model.decided.keys == tuple(sorted(keys))
    assert model.get_model_info()["decisions"] == len(model.decided) == 120


def test_being_taught_leaves_the_original_alone() -> None:
    before = plain().to_bytes()
    severities = plain().score(frame()).severities
    taught()
    assert plain().to_bytes() == before
    np.testing.assert_array_equal(plain().score(frame()).severities, severities)
    assert len(plain().decided) == 0


def test_without_decisions_nothing_is_kept_of_them_in_the_file() -> None:
    assert taught().undecided().to_bytes() == plain().to_bytes()
    np.testing.assert_array_equal(taught().undecided().score(frame()).scores, plain().score(frame()).scores)


@given(st.sets(st.integers(0, 119), max_size=119))
@settings(max_examples=8, deadline=None)
def test_what_is_taken_back_has_never_been_said(gone: set[int]) -> None:
    rows, labels, keys = some()
    kept = [place for place in range(120) if place not in gone]
    never = plain().taught(rows.iloc[kept], [labels[p] for p in kept], keys=[keys[p] for p in kept])
    forgot = taught().taught(rows.iloc[:0], []).forget([keys[place] for place in gone] + ["nobody's case"])
    unsaid = taught().taught(rows.iloc[sorted(gone)], [None] * len(gone), keys=[keys[p] for p in sorted(gone)])
    assert forgot.to_bytes() == unsaid.to_bytes() == never.to_bytes()
    wanted = never.score(frame().iloc[:200]).scores
    np.testing.assert_array_equal(forgot.score(frame().iloc[:200]).scores, wanted)
    np.testing.assert_array_equal(unsaid.score(frame().iloc[:200]).scores, wanted)


@given(st.permutations(range(30)), st.integers(0, 30))
@settings(max_examples=8, deadline=None)
def test_neither_the_order_nor_the_number_of_calls_matters(order: list[int], cut: int) -> None:
    rows, labels, keys = some()

    def told(model: DynamicAnomalyDetector, places: list[int]) -> DynamicAnomalyDetector:
        return model.taught(rows.iloc[places], [labels[p] for p in places], keys=[keys[p] for p in places])

    once = told(plain(), list(range(30)))
    parts = told(told(plain(), order[:cut]), order[cut:])
    assert parts.to_bytes() == once.to_bytes()
    np.testing.assert_array_equal(parts.score(frame()[:100]).scores, once.score(frame()[:100]).scores)


def test_what_is_said_again_replaces_what_was_said() -> None:
    rows, labels, keys = some()
    wrong = plain().taught(rows, [1 - label for label in labels], keys=keys)
    assert wrong.taught(rows, labels, keys=keys).to_bytes() == taught().to_bytes()
    twice = plain().taught(pd.concat([rows, rows]), [0] * 120 + labels, keys=[*keys, *keys])
    assert twice.to_bytes() == taught().to_bytes()


def test_undecided_rows_are_no_decisions() -> None:
    rows, labels, keys = some()
    unclear: list[object] = [None, float("nan"), pd.NA, *labels[3:]]
    model = plain().taught(rows, unclear, keys=keys)
    assert len(model.decided) == 117
    assert not set(keys[:3]) & set(model.decided.keys)


def test_without_keys_a_row_is_named_by_what_it_holds() -> None:
    rows, labels, _ = some()
    model = plain().taught(rows, labels)
    assert len(model.decided) == 120
    turned = rows[list(reversed(rows.columns))].astype({"items": float})
    assert len(model.taught(turned, [None] * 120).decided) == 0
    assert len(model.taught(rows.iloc[0].to_dict(), [None]).decided) == 119


def test_severities_stay_honest_after_teaching() -> None:
    fresh = tables.payments(4_000, seed=9)
    for above in (50.0, 80.0, 90.0, 95.0):
        share = (taught().score(fresh).severities > above).mean()
        assert share == pytest.approx(1.0 - above / 100.0, abs=0.035), above


def test_severities_stay_honest_where_most_rows_are_decided_on() -> None:
    rows = tables.numbers(300)
    model = DynamicAnomalyDetector(random_state=0).fit(rows)
    highest = np.argsort(-model.score(rows).severities)[:150]
    labels = (np.random.default_rng(0).random(150) < 0.2).astype(int)
    after = model.taught(rows.iloc[highest], labels)
    fresh = after.score(tables.numbers(4_000, seed=8))
    assert fresh.flagged_share == pytest.approx(0.1, abs=0.06)


def test_scores_stay_between_0_and_1_and_rank_as_severities_do() -> None:
    result = taught().score(frame())
    assert 0.0 < result.scores.min() < result.scores.max() < 1.0
    order = np.argsort(result.scores)
    assert (np.diff(result.severities[order]) >= 0.0).all()


@pytest.mark.parametrize("gone", [["amount"], ["country", "when", "balance"], ["device_age"]])
def test_decisions_hold_where_columns_are_missing(gone: list[str]) -> None:
    rows = frame().drop(columns=gone)
    before, after = plain().score(rows).severities, taught().score(rows).severities
    assert not np.array_equal(before, after)
    if "amount" not in gone:
        assert gain(plain(), taught(), rows, truth()) > 0.1


def test_decisions_hold_for_rows_with_scattered_holes() -> None:
    holed = frame().mask(np.random.default_rng(2).random(frame().shape) < 0.1)
    assert gain(plain(), taught(), holed, truth()) > 0.1
    assert taught().score(holed).flagged_share == pytest.approx(0.1, abs=0.04)


def test_rows_that_lack_values_teach_as_well() -> None:
    rows, labels, keys = some()
    lacking = rows.copy()
    lacking.loc[lacking.index[::2], ["balance", "distance"]] = np.nan
    model = plain().taught(lacking, labels, keys=keys)
    assert gain(plain(), model, frame(), truth()) > 0.1


def test_rows_that_carry_little_of_a_view_teach_it_nothing() -> None:
    rows, labels, keys = some()
    model = plain().taught(rows[["amount", "items"]], labels, keys=keys)
    np.testing.assert_array_equal(model.score(frame()).severities, plain().score(frame()).severities)
    two = frame()[["amount", "items"]]
    assert not np.array_equal(model.score(two).severities, plain().score(two).severities)


def test_decisions_outlive_updates_and_new_columns() -> None:
    more = tables.payments(600, seed=4)
    model = taught().updated(more)
    assert model.decided == taught().decided
    assert gain(plain().updated(more), model, frame(), truth()) > 0.2
    wide = more.assign(risk=np.random.default_rng(0).normal(size=600))
    for _ in range(2):
        model = model.updated(wide)
    assert "risk" in [feature.name for feature in model.schema_.learned]
    assert model.decided == taught().decided
    fraud = (wide["amount"].between(20, 60) & (wide["channel"] == "shop")).to_numpy().astype(int)
    assert gain(model.undecided(), model, wide, fraud) > 0.1
    never = plain().updated(more).updated(wide).updated(wide)
    assert model.forget(some()[2]).to_bytes() == never.to_bytes()


def test_rarities_of_decided_rows_follow_the_counts() -> None:
    more = tables.payments(600, seed=4).assign(country="US")
    model = taught().updated(more)
    rows, labels, keys = some()
    again = plain().updated(more).taught(rows, labels, keys=keys)
    np.testing.assert_allclose(model._state.decisions.rows, again._state.decisions.rows, rtol=1e-6)


def test_a_stream_goes_by_decisions_and_keeps_them() -> None:
    model = DynamicAnomalyDetector.from_bytes(taught().to_bytes())
    rows = tables.payments(150, seed=6)
    result = model.stream(rows, chunk=50)
    by_hand = DynamicAnomalyDetector.from_bytes(taught().to_bytes())
    expected = []
    for begin in range(0, 150, 50):
        expected.append(by_hand.score(rows.iloc[begin : begin + 50]).severities)
        by_hand.partial_fit(rows.iloc[begin : begin + 50])
    np.testing.assert_array_equal(result.severities[:50], expected[0])
    np.testing.assert_allclose(result.severities, np.concatenate(expected), atol=3.0)
    assert model.decided == taught().decided


def test_a_file_keeps_decisions(tmp_path: Path) -> None:
    taught().save(tmp_path / "model.joblib")
    back = DynamicAnomalyDetector().load(tmp_path / "model.joblib")
    assert back.decided == taught().decided
    assert back.to_bytes() == taught().to_bytes()
    np.testing.assert_array_equal(back.score(frame()).scores, taught().score(frame()).scores)


def test_a_record_alone_gets_what_a_frame_of_it_gets() -> None:
    for row in range(5):
        record = frame().iloc[row].dropna().to_dict()
        alone, framed = taught().score(record), taught().score([record])
        assert alone.scores[0] == framed.scores[0]
        assert alone.severities[0] == framed.severities[0]


def test_an_explanation_adds_up_to_the_score_that_was_taught() -> None:
    rows = frame().dropna().iloc[:20]
    explanation = taught().explain(rows)
    np.testing.assert_allclose(explanation.base + explanation.values.sum(axis=1), explanation.output, atol=1e-6)
    np.testing.assert_allclose(np.exp2(explanation.output), taught().score(rows).scores, rtol=1e-6)


def test_importance_and_forests_are_shared_with_the_original() -> None:
    known, other = plain()._state, taught()._state
    assert other.importance == known.importance
    assert other.views.undecided is known.views
    one, two = (state.views.get(state.everything).forest for state in (known, other))
    assert np.shares_memory(one.threshold, two.threshold)


def test_training_anew_forgets_decisions() -> None:
    model = DynamicAnomalyDetector.from_bytes(taught().to_bytes())
    assert len(model.fit(frame()).decided) == 0


def test_nothing_can_be_decided_before_training() -> None:
    with pytest.raises(NotTrainedError):
        DynamicAnomalyDetector().learn(frame(), [0] * ROWS)
    with pytest.raises(NotTrainedError):
        DynamicAnomalyDetector().forget(["case 1"])


def test_what_is_no_decision_or_no_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = frame().iloc[:2]
    with pytest.raises(InputError, match="one decision for each of 2 rows; 1 came"):
        plain().taught(rows, [1])
    with pytest.raises(
        InputError, match=r"The decision on row 1 is 2\. It must be 1 for fraud, 0 for legitimate or None"
    ):
        plain().taught(rows, [1, 2])
    with pytest.raises(InputError, match="'yes'"):
        plain().taught(rows, ["yes", 0])
    with pytest.raises(InputError, match="one key for each of 2 rows; 1 came"):
        plain().taught(rows, [1, 0], keys=["a"])
    with pytest.raises(InputError, match="a text of 1 to 256 characters; '' does not"):
        plain().taught(rows, [1, 0], keys=["a", ""])
    with pytest.raises(NoKnownColumnsError):
        plain().taught({"nothing": [1.0, 2.0]}, [1, 0])
    monkeypatch.setattr(deciding, "MOST_DECISIONS", 1)
    with pytest.raises(InputError, match="at most 1 decisions"):
        plain().taught(rows, [1, 0])
