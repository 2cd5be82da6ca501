"""Views: severity means what it says, in each of them, and they are kept within bounds."""

from __future__ import annotations

import gc
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.core.decisions import Decisions
from detector.core.fitted import Fitted
from detector.core.kept_views import VIEW_BYTES, Views
from detector.core.scoring import score_frame
from detector.core.views import Signature, build_view, severity
from tests import tables


@cache
def known() -> Fitted:
    return tables.learned(tables.numbers(4_000), n_estimators=100)


def honest(severities: np.ndarray, table: int) -> None:
    """Hold the share of fresh rows above each severity against what the severity says."""
    for above in (20.0, 50.0, 80.0, 90.0, 95.0, 99.0):
        fair = 1.0 - above / 100.0
        error = np.sqrt(fair * (1.0 - fair) * (1.0 / len(severities) + 1.0 / table))
        assert (severities > above).mean() == pytest.approx(fair, abs=4.0 * error + 0.004), above


@pytest.mark.parametrize("gone", [[], ["c3"], ["c0", "c1", "c2", "c3", "c4"], [f"c{j}" for j in range(1, 10)]])
def test_a_fresh_row_exceeds_a_severity_as_often_as_the_severity_says(gone: list[str]) -> None:
    fresh = tables.numbers(4_000, seed=9).drop(columns=gone)
    honest(score_frame(known(), fresh, 90.0).severities, 4_000)


def test_severity_is_honest_where_columns_of_all_kinds_are_absent_now_and_then() -> None:
    model = tables.learned(tables.payments(4_000), n_estimators=100)
    honest(score_frame(model, tables.payments(4_000, seed=9), 90.0).severities, 4_000)
    honest(score_frame(model, tables.payments(4_000, seed=9)[["amount", "when", "country"]], 90.0).severities, 4_000)


def test_the_models_own_rows_are_spread_evenly_when_their_trees_leave_them_out() -> None:
    view = known().views.get(known().everything)
    own = view.severities(view.paths)
    assert own.mean() == pytest.approx(50.0)
    assert np.abs(np.sort(own) - np.linspace(0.0, 100.0, len(own))).max() < 0.1


def test_severity_with_many_scattered_holes_flags_about_the_nominal_share() -> None:
    fresh = tables.numbers(4_000, seed=9)
    fresh = fresh.mask(np.random.default_rng(4).random(fresh.shape) < 0.3)
    result = score_frame(known(), fresh, 90.0)
    assert len(result.signatures) == 1
    assert result.flagged_share == pytest.approx(0.10, abs=0.02)
    assert (result.severities > 50.0).mean() == pytest.approx(0.5, abs=0.05)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=30), st.lists(st.integers(-1, 7), min_size=1, max_size=5))
@settings(max_examples=80, deadline=None)
def test_severity_counts_ties_half_and_never_reaches_its_ends(table: list[int], paths: list[int]) -> None:
    ordered = np.sort(np.array(table, float))
    found = severity(ordered, np.array(paths, float))
    for path, one in zip(paths, found, strict=True):
        shorter = sum(value < path for value in table)
        equal = sum(value == path for value in table)
        assert one == pytest.approx(100.0 * (1.0 - (shorter + (equal + 1) / 2) / (len(table) + 1)))
        assert 0.0 < one < 100.0


def test_one_path_has_the_severity_it_has_among_many() -> None:
    view = known().views.get(known().everything)
    paths = np.concatenate([view.paths[::97], view.paths[::97] + 1e-3, [0.0, 2.0]])
    assert view.severities(paths).tolist() == [view.severity_of(path) for path in paths.tolist()]


def views_of(most_bytes: int = VIEW_BYTES) -> Views:
    return Views(known().sample, known().schema.layout, most_bytes)


def decided(labels: str) -> Decisions:
    """Decisions on the first rows of the sample."""
    keys = tuple(f"row {place}" for place in range(len(labels)))
    return Decisions(keys, np.array([int(label) for label in labels], np.int8), known().sample.rows[: len(labels)])


def held_by(signatures: list[Signature], labels: str = "") -> int:
    """Bytes that views with these signatures take."""
    views = views_of().taught(decided(labels))
    for signature in signatures:
        views.get(signature)
    return views.held_bytes()


def test_views_that_are_used_least_recently_go_first() -> None:
    views = views_of(held_by([(0,), (1,), (2,)]))
    for signature in [(0,), (1,), (2,), (0,), (3,)]:
        views.get(signature)
    assert [(place,) in views for place in range(4)] == [True, False, True, True]


def test_a_view_that_is_larger_than_all_may_be_is_kept_until_the_next_one_comes() -> None:
    for views in (views_of(1), views_of(1).taught(decided("01"))):
        assert views.get((0,)) is views.get((0,))
        views.get((1,))
        assert [(0,) in views, (0,) in views.undecided, (1,) in views] == [False, False, True]


def test_two_hundred_signatures_of_a_usual_model_are_kept_together() -> None:
    assert 200 * held_by([(0, 1)]) < VIEW_BYTES


def test_sixty_signatures_of_a_usual_model_are_kept_together_under_decisions() -> None:
    assert 60 * held_by([(0, 1)], "01" * 30) < VIEW_BYTES


@pytest.mark.parametrize("labels", ["", "01" * 30])
def test_what_views_take_is_counted_with_what_they_come_to_hold(labels: str) -> None:
    everything, decisions = known().sample.rows.shape[1], decided(labels)
    known().sample.calibration_in_bag  # noqa: B018 - of the sample, and so not the views'
    rows = known().sample.rows[:300]
    tracemalloc.start()
    try:
        views = views_of().taught(decisions)
        for place in range(everything - 1):
            view = views.get(tuple(range(everything - place)))
            view.severity_of(0.5)
            view.severities_through_holes(view.forest.paths(rows), np.arange(len(rows)) % 3 + 1)
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert views.held_bytes() == pytest.approx(taken, rel=0.05)


def test_views_that_come_to_hold_more_leave_room_for_fewer() -> None:
    signatures = [(place,) for place in range(6)]
    views = views_of(held_by(signatures))
    for view in [views.get(signature) for signature in signatures]:
        view.severity_of(0.5)
    assert all(signature in views for signature in signatures)
    views.get((6,))
    assert views.held_bytes() <= held_by(signatures)
    assert (0,) not in views
    assert (1,) not in views


def test_views_under_decisions_and_without_are_within_one_bound_together() -> None:
    signatures = [(place,) for place in range(6)]
    most = held_by(signatures, "01")
    plain = views_of(most)
    for signature in signatures:
        plain.get(signature)
    taught = plain.taught(decided("01"))
    for signature in [*signatures[1:], (7,), (8,)]:
        taught.get(signature)
        assert taught.held_bytes() <= most
    # What nobody asks for under decisions goes first, then what was asked for least lately.
    assert [place for place in range(9) if (place,) in taught] == [2, 3, 4, 5, 7, 8]
    assert [place for place in range(9) if (place,) in plain] == [2, 3, 4, 5, 7, 8]


def test_views_share_what_does_not_depend_on_their_columns() -> None:
    one, other = (build_view(known().sample, known().schema.layout, signature) for signature in [(0,), (1, 2)])
    assert np.shares_memory(one._in_bag, other._in_bag)


def test_a_view_is_grown_once_and_then_kept() -> None:
    views = Views(known().sample, known().schema.layout)
    assert views.get((0, 3)) is views.get((0, 3))


def test_threads_that_grow_the_same_view_get_the_same_trees() -> None:
    views = Views(known().sample, known().schema.layout)
    with ThreadPoolExecutor(4) as pool:
        grown = list(pool.map(views.get, [(1, 2, 5)] * 8))
    assert len({view.paths.tobytes() for view in grown}) == 1
    assert len({view.forest.threshold.tobytes() for view in grown}) == 1


def test_growing_and_scoring_change_nothing_in_the_sample() -> None:
    model = tables.learned(tables.payments(600))
    sample = model.sample
    before = {name: getattr(sample, name).tobytes() for name in ("rows", "numbers", "bags", "calibration", "seeds")}
    fresh = tables.payments(300, seed=2)
    score_frame(model, fresh, 90.0)
    score_frame(model, fresh.mask(np.random.default_rng(1).random(fresh.shape) < 0.4), 90.0)
    score_frame(model, fresh[["amount"]], 90.0)
    assert before == {name: getattr(sample, name).tobytes() for name in before}


def test_a_view_is_a_pure_function_of_its_sample_and_its_signature() -> None:
    one, other = tables.learned(tables.numbers(500)), tables.learned(tables.numbers(500))
    for signature in [(0, 1, 2), (4,)]:
        views = [build_view(model.sample, model.schema.layout, signature) for model in (one, other)]
        assert views[0].forest.threshold.tobytes() == views[1].forest.threshold.tobytes()
        assert views[0].paths.tobytes() == views[1].paths.tobytes()


def with_new_column(rows: int) -> Fitted:
    from detector.core import fitted

    model = tables.learned(tables.numbers(3_000, d=4), n_estimators=100)
    batch = tables.numbers(rows, d=4, seed=3).assign(new=np.random.default_rng(3).normal(size=rows))
    return fitted.update(model, batch, tables.settings(n_estimators=100), {})


def test_a_view_with_a_young_column_keeps_its_bags_and_fills_what_old_rows_lack() -> None:
    model = with_new_column(200)
    view = model.views.get(model.everything)
    assert len(model.everything) == 5
    assert (view.forest.count[:, 0] == model.sample.bags.shape[1]).all()
    new = model.schema.by_name["new"].first_column
    assert (view.forest.split_column[np.isfinite(view.forest.threshold)] == new).mean() > 0.1
    recorded = ~np.isnan(model.sample.rows[:, new])
    assert len(view.paths) == recorded.sum() == 200


def test_a_view_grows_from_the_rows_that_recorded_a_column_once_they_fill_a_bag() -> None:
    model = with_new_column(600)
    recorded = ~np.isnan(model.sample.rows[:, model.schema.by_name["new"].first_column])
    assert 405 < recorded.sum() <= 600
    view = model.views.get(model.everything)
    assert (view.forest.count[:, 0] <= model.sample.bags.shape[1]).all()


def test_columns_that_come_piecemeal_are_learned_and_flag_about_the_nominal_share() -> None:
    from detector.core import fitted

    model = tables.learned(tables.numbers(3_000, d=10)[["c0", "c1", "c2", "c3"]], n_estimators=100)
    batch = tables.numbers(256, d=10, seed=3)
    young = [f"c{j}" for j in range(4, 10)]
    batch[young] = batch[young].mask(np.random.default_rng(1).random((256, 6)) < 0.5)
    model = fitted.update(model, batch, tables.settings(n_estimators=100), {})
    assert not model.schema.by_name["c7"].absence_is_state
    assert len(model.everything) == 10
    fresh = tables.numbers(4_000, d=10, seed=9)
    result = score_frame(model, fresh, 90.0)
    assert result.flagged_share == pytest.approx(0.10, abs=0.05)
    far = fresh.assign(c7=fresh["c7"] + 8 * fresh["c7"].std())
    assert score_frame(model, far, 90.0).severities.mean() > result.severities.mean() + 15.0


def test_a_view_with_a_young_column_is_calibrated_on_rows_that_recorded_it() -> None:
    model = with_new_column(400)
    fresh = tables.numbers(4_000, d=4, seed=11).assign(new=np.random.default_rng(12).normal(size=4_000))
    honest(score_frame(model, fresh, 90.0).severities, 400)
    honest(score_frame(model, fresh.drop(columns="new"), 90.0).severities, 3_400)


def test_columns_that_never_came_together_are_scored_together_all_the_same() -> None:
    from detector.core import fitted

    model = tables.learned(tables.numbers(300, d=2))
    other = pd.DataFrame({"late": np.random.default_rng(1).normal(size=300)})
    model = fitted.update(model, other, tables.settings(), {})
    assert [feature.name for feature in model.schema.learned] == ["c0", "c1", "late"]
    fresh = tables.numbers(50, d=2, seed=3).assign(late=0.0)
    result = score_frame(model, fresh, 90.0)
    assert np.isfinite(result.severities).all()
    assert ((result.scores > 0.0) & (result.scores < 1.0)).all()
    view = model.views.get(model.everything)
    # A row that is in the sample has the path that it was calibrated with: unknown is absent in both.
    assert not np.isnan(view.calibration_rows()).any()
