"""Importance over a stated sample, swarms and dependence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from detector.core.studying import StudiedColumn, Study
from detector.errors import NotFoundError
from detector.service.reasons import explaining, importance
from detector.service.reasons.importance import SampleStudy
from detector.service.scoring import score_file
from tests.service.conftest import transactions


@pytest.fixture
def run(ws, trained, give):
    return score_file(ws, give(transactions(400, seed=1)).id, actor="ada")


@pytest.fixture
def sample(ws, run) -> SampleStudy:
    return importance.study_run(ws, run.id, 150)


def by_hand(column: StudiedColumn, contributions: list[float]) -> SampleStudy:
    study = Study((column,), np.array(contributions)[:, None], np.zeros(len(contributions)))
    return SampleStudy(1, None, 10, np.arange(1, len(contributions) + 1), study, importance._importance(study, {}))


def test_a_sample_is_taken_evenly_and_says_of_how_many_rows(sample, run):
    assert sample.rows.tolist() == list(range(1, 401, 3))
    assert (sample.of_rows, sample.version, sample.run_id) == (400, 1, run.id)


def test_importance_is_the_mean_size_of_contributions_beside_that_of_the_model(ws, sample, run):
    told = {item.feature: item for item in sample.importance}
    explained = explaining.reasons_of(ws, run.id, sample.rows.tolist())
    for name, item in told.items():
        sizes = [abs(part.contribution) for one in explained for part in one.parts if part.feature == name]
        assert item.mean_size == pytest.approx(np.mean(sizes))
        assert item.model_share == ws.detector(1).get_feature_importance()[name]
    assert sum(item.share for item in sample.importance) == pytest.approx(1.0)
    assert [item.mean_size for item in sample.importance] == sorted([item.mean_size for item in told.values()])[::-1]


def test_the_models_own_rows_can_be_studied_without_a_run(ws, trained):
    sample = importance.study_model(ws, 1, 100)
    assert (sample.run_id, sample.of_rows, len(sample.rows)) == (None, 300, 100)
    assert {item.feature for item in sample.importance} == {"amount", "items", "country", "at"}


def test_a_run_without_rows_cannot_be_studied(ws, trained, give):
    run = score_file(ws, give(transactions(10).head(0)).id, actor="ada")
    with pytest.raises(NotFoundError, match="no rows"):
        importance.study_run(ws, run.id)


def test_a_swarm_holds_the_contributions_of_the_most_important_columns(sample):
    swarms = importance.swarms(sample, 2)
    assert [swarm.feature for swarm in swarms] == [item.feature for item in sample.importance[:2]]
    names = [column.name for column in sample.study.columns]
    for swarm in swarms:
        own = sample.study.contributions[:, names.index(swarm.feature)]
        assert list(swarm.contributions) == own.tolist()
        assert list(swarm.rows) == sample.rows.tolist()
        assert max(map(abs, swarm.offsets)) <= 0.4


def test_a_swarm_never_has_more_points_than_a_browser_draws_at_once():
    column = StudiedColumn("x", "numeric", False, np.zeros(5_000))
    (swarm,) = importance.swarms(by_hand(column, [0.1] * 5_000))
    assert len(swarm.rows) == importance.SWARM_POINTS
    assert len(set(swarm.offsets)) > 1_000


def test_the_rank_of_a_value_is_its_place_among_the_others_and_categories_have_none():
    numbers = StudiedColumn("x", "numeric", False, np.array([3.0, 1.0, np.nan, 1.0]))
    (swarm,) = importance.swarms(by_hand(numbers, [0.1, 0.2, 0.3, 0.4]))
    assert swarm.ranks == (pytest.approx(5 / 6), pytest.approx(1 / 3), None, pytest.approx(1 / 3))
    assert swarm.shown == ("3", "1", "no value", "1")
    words = StudiedColumn("x", "categorical", False, np.array([1.0, 0.0]), ("a", "b"))
    (swarm,) = importance.swarms(by_hand(words, [0.1, 0.2]))
    assert (swarm.ranks, swarm.shown) == ((None, None), ("b", "a"))


def test_numbers_are_shown_point_by_point(sample):
    found = importance.dependence(sample, "amount")
    assert found.kind == "points"
    assert len(found.values) == len(found.contributions) == len(found.rows) == len(sample.rows)


def test_times_are_grouped_by_hour_and_by_weekday():
    times = pd.to_datetime(["2026-03-02T09:15", "2026-03-02T09:45", "2026-03-08T23:00"]).as_unit("s").astype("int64")
    column = StudiedColumn("at", "datetime", False, times.to_numpy(float))
    found = importance.dependence(by_hand(column, [0.1, 0.3, 0.5]), "at")
    (by_hour, hours), (by_day, days) = found.groups
    assert (by_hour, by_day) == ("Hour, UTC", "Weekday")
    assert [(group.name, group.rows, group.mean) for group in hours] == [("09", 2, pytest.approx(0.2)), ("23", 1, 0.5)]
    assert [group.name for group in days] == ["Mon", "Sun"]


def test_categories_beyond_the_most_frequent_are_one_group():
    places = np.repeat(np.arange(20), np.arange(20, 0, -1)).astype(float)
    column = StudiedColumn("shop", "categorical", False, places, tuple(f"s{place}" for place in range(20)))
    found = importance.dependence(by_hand(column, [0.5] * len(places)), "shop")
    ((_, groups),) = found.groups
    assert [group.name for group in groups] == [f"s{place}" for place in range(12)] + ["8 others"]
    assert sum(group.rows for group in groups) == len(places)


def test_flags_are_yes_and_no_and_a_column_without_values_has_no_groups():
    column = StudiedColumn("abroad", "boolean", False, np.array([1.0, 0.0, np.nan]))
    ((_, groups),) = importance.dependence(by_hand(column, [0.5, 0.1, 0.0]), "abroad").groups
    assert [(group.name, group.rows) for group in groups] == [("no", 1), ("yes", 1)]
    empty = StudiedColumn("at", "datetime", False, np.array([np.nan]))
    assert importance.dependence(by_hand(empty, [0.0]), "at").groups == ()


def test_an_unknown_column_has_no_dependence(sample):
    with pytest.raises(NotFoundError, match="'colour'"):
        importance.dependence(sample, "colour")
