"""The estimator as people use it."""

from __future__ import annotations

import copy
import datetime as dt
import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

from detector.core.model import DynamicAnomalyDetector
from detector.errors import InputError, NoKnownColumnsError, NotTrainedError
from tests import tables
from tests.tables import a_model, small


def test_nothing_can_be_asked_before_training() -> None:
    model = small()
    assert not model.is_fitted
    assert model.get_model_info()["is_fitted"] is False
    questions = [
        lambda: model.score({"a": 1}), lambda: model.predict({"a": 1}), lambda: model.alignment({"a": 1}),
        lambda: model.observe({"a": 1}), lambda: model.updated(tables.numbers(5)), lambda: model.explain({"a": 1}),
        model.to_bytes, lambda: model.feature_stats, lambda: model.known_features, lambda: model.schema_,
        model.get_feature_importance, lambda: model.decision_function(tables.numbers(5)),
    ]  # fmt: skip
    for ask in questions:
        with pytest.raises(NotTrainedError, match=r"not trained yet\. Call fit"):
            ask()
        with pytest.raises(NotFittedError):
            ask()


# The three scenarios


def test_new_features_are_detected_registered_counted_and_reported_and_scoring_goes_on() -> None:
    model = a_model()
    fresh = tables.payments(60, seed=1)
    before = model.score(fresh)
    with_new = fresh.assign(risk_score=np.linspace(0.0, 1.0, 60), merchant=["shop", "bar", "fuel"] * 20)
    labels, scores = model.predict(with_new, return_scores=True)
    assert scores.tobytes() == before.scores.tobytes()
    assert labels.tolist() == before.labels.tolist()
    assert set(model.known_features) == {*fresh.columns, "risk_score", "merchant"}
    assert model.schema_.by_name["risk_score"].status == "observed"
    assert model.schema_.by_name["risk_score"].since == 400
    stats = model.feature_stats
    assert stats["risk_score"]["mean"] == pytest.approx(0.5)
    report = model.alignment(with_new)
    assert set(report.new) == {"risk_score", "merchant"}
    assert not report.missing
    model.partial_fit(with_new)
    assert model.schema_.by_name["risk_score"].status == "learned"
    after = model.score(with_new)
    assert {"risk_score", "merchant"} <= set(after.signatures[0])
    assert not after.report.new


def test_missing_features_are_scored_by_a_view_and_reported_with_the_default_that_stands_in() -> None:
    model = a_model(2_000, n_estimators=100)
    fresh = tables.payments(1_000, seed=1)
    result = model.score(fresh.drop(columns=["amount", "channel", "when"]))
    assert set(result.report.missing) == {"amount", "channel", "when"}
    assert result.signatures == (tuple(sorted(set(fresh) - {"amount", "channel", "when"})),)
    found = {column.name: column for column in result.report.columns}
    assert found["amount"].default == pytest.approx(fresh["amount"].median(), rel=0.1)
    assert found["channel"].default in ("web", "app", "shop")
    assert str(found["when"].default).startswith("2025-03-1")
    assert "without it" in found["amount"].action
    assert result.flagged_share == pytest.approx(0.1, abs=0.04)
    whole = model.score(fresh)
    assert np.corrcoef(result.scores, whole.scores)[0, 1] > 0.6


def test_a_model_goes_through_four_weeks_of_change_without_retraining() -> None:
    def week(number: int) -> tuple[pd.DataFrame, np.ndarray]:
        frame = tables.payments(800, seed=number)
        rng = np.random.default_rng(100 + number)
        fraud = rng.random(800) < 0.03
        frame["velocity"] = rng.poisson(2.0, 800) + np.where(fraud, 25, 0)
        frame["mismatch"] = rng.normal(size=800) + np.where(fraud, 6.0, 0.0)
        frame.loc[fraud, "amount"] *= 20.0
        frame.loc[fraud, "distance"] += 300.0
        return frame, fraud

    model = small(n_estimators=60).fit(week(1)[0].drop(columns=["velocity", "mismatch"]))
    assert len(model.known_features) == 10
    quality = {}
    for number, gone in ((2, ["mismatch"]), (3, []), (4, ["items", "device_age", "country"])):
        frame, fraud = week(number)
        frame = frame.drop(columns=gone)
        result = model.score(frame)
        quality[number] = roc_auc_score(fraud, result.scores)
        assert 0.03 < result.flagged_share < 0.2
        model = model.updated(frame)
    assert len(model.known_features) == 12
    assert (model.rows_seen, model.get_model_info()["updates"]) == (3_200, 3)
    assert min(quality.values()) > 0.8
    assert roc_auc_score(week(5)[1], model.score(week(5)[0]).scores) > 0.93  # with both new columns


# Learning


def test_updating_in_place_is_updating_a_copy() -> None:
    one, other = a_model(), a_model()
    batch = tables.payments(200, seed=3).assign(new=np.arange(200) % 9)
    before = one.to_bytes()
    new = one.updated(batch)
    assert one.to_bytes() == before
    assert other.partial_fit(batch) is other
    assert other.to_bytes() == new.to_bytes() != before


def test_the_first_partial_fit_is_fit() -> None:
    frame = tables.payments(100)
    assert small().partial_fit(frame).to_bytes() == small().fit(frame).to_bytes()


def test_fit_forgets_what_was_known() -> None:
    model = a_model().partial_fit(tables.payments(50, seed=2))
    assert model.fit(tables.payments(100, seed=5)).to_bytes() == small().fit(tables.payments(100, seed=5)).to_bytes()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    def life(seed: int) -> bytes:
        return a_model(random_state=seed).partial_fit(tables.payments(100, seed=1)).to_bytes()

    assert life(7) == life(7) != life(8)


def test_a_short_half_life_adapts_sooner() -> None:
    start, moved = tables.numbers(2_000, d=4), tables.numbers(500, d=4, seed=1) + 12.0
    slow = small(half_life=1e6).fit(start).partial_fit(moved)
    fast = small(half_life=200.0).fit(start).partial_fit(moved)
    fresh = tables.numbers(500, d=4, seed=2) + 12.0
    assert fast.score(fresh).scores.mean() < slow.score(fresh).scores.mean() - 0.02


def test_the_cutoff_moves_without_retraining() -> None:
    model = a_model(2_000, n_estimators=100)
    fresh = tables.payments(2_000, seed=1)
    assert model.cutoff == 90.0
    assert model.score(fresh).flagged_share == pytest.approx(0.1, abs=0.03)
    assert model.score(fresh, cutoff=99.0).flagged_share == pytest.approx(0.01, abs=0.01)
    assert model.set_params(contamination=0.25).score(fresh).flagged_share == pytest.approx(0.25, abs=0.04)
    for cutoff in (-1.0, 100.5, float("nan")):
        with pytest.raises(ValueError, match="cutoff must be a severity from 0 to 100"):
            model.score(fresh, cutoff=cutoff)


def test_errors_of_training_leave_an_untrained_model_untrained() -> None:
    model = small(contamination=2.0)
    with pytest.raises(ValueError, match="contamination must be"):
        model.fit(tables.numbers(10))
    with pytest.raises(InputError):
        model.set_params(contamination=0.1).fit(pd.DataFrame({"a": [1, 1]}))
    assert not model.is_fitted


# Rows in every form


def test_rows_may_come_in_every_form_and_get_the_same_numbers() -> None:
    model = small().fit(tables.numbers(300, d=3))
    frame = tables.numbers(5, d=3, seed=1)
    wanted = model.score(frame).scores.tolist()
    assert model.score(frame.to_dict("records")).scores.tolist() == wanted
    assert model.score(frame.to_dict("list")).scores.tolist() == wanted
    assert [model.score(record).scores[0] for record in frame.to_dict("records")] == wanted
    assert model.score([]).scores.tolist() == []
    array = small().fit(tables.numbers(300, d=3).to_numpy())
    assert array.predict(frame.to_numpy()).shape == (5,)
    with pytest.raises(ValueError, match="X has 2 features, but DynamicAnomalyDetector is expecting 3 features"):
        array.score(frame.to_numpy()[:, :2])


ODD = [None, "", "text", "12", True, 7, 2.5, float("inf"), float("nan"), 10**40, dt.datetime(2025, 1, 1), pd.NaT, pd.NA,
       [1, 2], {"a": 1}, (), b"b", 1j, np.float32(1), np.datetime64("2025-01-01"), frozenset()]  # fmt: skip


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_no_value_crashes_training_scoring_observing_or_learning(value: Any) -> None:
    n = 40
    frame = tables.payments(n)
    odd = pd.Series([value if i % 2 else None for i in range(n)], dtype=object)
    model = small(n_estimators=5).fit(frame.assign(odd=odd))
    model.predict(frame.assign(odd=odd, other=odd))
    record = {**frame.iloc[0].to_dict(), "odd": value, "other": value, "third": value}
    model.predict(record)
    for name in frame.columns:
        assert 0.0 < model.score({**record, name: value}).scores[0] < 1.0
        model.score(frame.astype(object).assign(**{name: odd}))
    model.partial_fit(frame.assign(odd=odd, other=odd)).partial_fit([record])
    json.dumps(model.feature_stats, allow_nan=False)
    json.dumps(model.get_model_info(), allow_nan=False)
    assert DynamicAnomalyDetector.from_bytes(model.to_bytes()).to_bytes() == model.to_bytes()


def test_rows_that_carry_nothing_known_are_refused() -> None:
    model = a_model()
    for rows in ({"x": 1}, [{"x": 1}], pd.DataFrame({"x": [1.0]})):
        with pytest.raises(NoKnownColumnsError):
            model.predict(rows)
    assert "x" not in model.known_features


# What is known


def test_statistics_and_info_are_ready_for_json() -> None:
    model = a_model()
    model.predict(tables.payments(5).assign(new=[1.0, np.nan, 1e300, -1e300, 0.0]))
    told = json.loads(json.dumps({"stats": model.feature_stats, "info": model.get_model_info()}, allow_nan=False))
    assert set(told["stats"]) == {*tables.payments(1).columns, "new"}
    assert told["info"]["num_features"] == 11
    assert told["info"]["features"] == list(model.known_features)
    importance = model.get_feature_importance()
    assert sum(importance.values()) == pytest.approx(1.0)
    assert list(importance.values()) == sorted(importance.values(), reverse=True)


def test_what_was_observed_is_not_lost_by_an_update_a_copy_or_a_file() -> None:
    for follow in (
        lambda model: model.updated(tables.payments(40, seed=1)),
        lambda model: model.partial_fit(tables.payments(40, seed=1)),
        lambda model: DynamicAnomalyDetector.from_bytes(model.to_bytes()),
        copy.deepcopy,
    ):
        model = a_model()
        for value in (1.0, 2.0, 6.0):
            model.predict({"amount": 1.0, "new": value})
        assert follow(model).feature_stats["new"]["mean"] == 3.0


def test_rows_that_change_after_they_were_observed_change_nothing() -> None:
    model = a_model()
    frame = tables.payments(10, seed=1).assign(new=1.0)
    model.predict(frame)
    frame["new"] = 50.0
    record = {"amount": 1.0, "new": 1.0}
    model.observe(record)
    record["new"] = 50.0
    assert model.feature_stats["new"]["mean"] == 1.0


def test_observed_rows_that_wait_to_be_counted_are_few() -> None:
    model = a_model()
    batch = tables.payments(100, seed=1).assign(new=1.0)
    for _ in range(10):
        model.observe(batch)
        assert sum(map(len, model._waiting)) < 256
    assert model.feature_stats["new"]["rows"] == 1_000


# Threads


def test_many_threads_score_and_observe_at_once() -> None:
    model = a_model()
    fresh = tables.payments(200, seed=1)
    wanted = model.score(fresh).scores.tobytes()
    start = Barrier(6)

    def work(thread: int) -> None:
        start.wait()
        for step in range(15):
            assert model.score(fresh).scores.tobytes() == wanted
            model.score(fresh.drop(columns=[fresh.columns[(thread + step) % 10]]))
            model.observe({"amount": 1.0, "shared": float(step), f"own {thread}": 1.0})

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    stats = model.feature_stats
    assert stats["shared"]["rows"] == 90
    assert [stats[f"own {thread}"]["rows"] for thread in range(6)] == [15] * 6


def test_what_other_threads_observe_during_updates_is_not_lost() -> None:
    model = a_model()
    start = Barrier(4)

    def observe(thread: int) -> None:
        start.wait()
        for _ in range(40):
            model.observe({"amount": 1.0, f"own {thread}": 1.0})

    def learn() -> None:
        start.wait()
        for step in range(5):
            model.partial_fit(tables.payments(20, seed=step))

    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(observe, thread) for thread in range(3)] + [pool.submit(learn)]
        for one in waiting:
            one.result()
    assert model.rows_seen == 500
    assert [model.feature_stats[f"own {thread}"]["rows"] for thread in range(3)] == [40] * 3
