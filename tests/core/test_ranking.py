"""A table that is ranked again after each decision says what a detector that was taught them says."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.core import ranking as ranked
from detector.core.model import DynamicAnomalyDetector
from detector.core.ranking import Ranking
from detector.errors import InputError, NoKnownColumnsError
from tests import tables

ROWS = 500


@cache
def frame() -> pd.DataFrame:
    """Return rows of which some lack values that training rows never lacked."""
    rows = tables.payments(ROWS, seed=2).drop(columns="distance")
    rows.loc[rows.index[::7], "balance"] = np.nan
    rows.loc[rows.index[3::11], ["items", "amount"]] = np.nan
    return rows


@cache
def model() -> DynamicAnomalyDetector:
    return DynamicAnomalyDetector(n_estimators=40, random_state=3).fit(tables.payments(1_500))


@cache
def keys() -> list[str]:
    return [f"case {row}" for row in range(ROWS)]


@cache
def ranking() -> Ranking:
    return model().ranking(frame(), keys=keys())


decisions = st.dictionaries(st.integers(0, ROWS - 1), st.sampled_from([0, 1, None]), max_size=40)


@given(decisions)
@settings(max_examples=15, deadline=None)
def test_priorities_are_the_severities_of_a_detector_that_was_taught(said: dict[int, int | None]) -> None:
    order = ranking().after(said)
    rows = list(said)
    taught = model().taught(
        frame().iloc[rows], [said[row] for row in rows], keys=[keys()[row] for row in rows], after=ranking().report
    )
    result = taught.score(frame())
    np.testing.assert_array_equal(order.priority, result.severities)
    np.testing.assert_array_equal(order.scores, result.scores)


def test_before_any_decision_it_is_what_the_model_says() -> None:
    order = ranking().after({})
    np.testing.assert_array_equal(order.priority, model().score(frame()).severities)
    assert order.kin(4) == ()


def test_what_the_model_was_taught_counts_as_well_and_is_replaced_by_key() -> None:
    taught = model().taught(frame().iloc[:30], [0, 1] * 15, keys=keys()[:30])
    table = taught.ranking(frame(), keys=keys())
    np.testing.assert_array_equal(table.after({}).priority, taught.score(frame()).severities)
    undone = table.after(dict.fromkeys(range(30)))
    np.testing.assert_array_equal(undone.priority, model().score(frame()).severities)
    brought = table.after({40: 1}).kin(41, k=31)
    assert {kin.position for kin in brought} == {None, 40}


def test_rows_without_keys_are_named_by_what_they_hold() -> None:
    table = model().ranking(frame())
    said = {5: 1, 9: 0, 40: 0}
    taught = model().taught(frame().iloc[list(said)], list(said.values()), after=table.report)
    np.testing.assert_array_equal(table.after(said).priority, taught.score(frame()).severities)


def test_rows_are_in_order_of_severity_then_score_then_place() -> None:
    order = ranking().after({3: 1, 8: 0})
    positions = order.positions
    assert sorted(positions) == list(range(ROWS))
    assert (np.diff(order.priority[positions]) <= 0.0).all()
    ties = np.diff(order.priority[positions]) == 0.0
    assert (np.diff(order.paths[positions])[ties] >= 0.0).all()


def test_kin_are_the_decided_rows_that_move_a_row_most() -> None:
    twin = pd.concat([frame(), frame().iloc[[10]]])
    table = model().ranking(twin, keys=[*keys(), "the twin of case 10"])
    said = {10: 1, **dict.fromkeys(range(20, 60), 0)}
    order = table.after(said)
    first, *others = order.kin(ROWS, k=5)
    assert (first.key, first.position, first.label) == ("case 10", 10, 1)
    assert first.similarity == pytest.approx(1.0)
    assert first.contribution > 0.0
    assert len(others) == 4
    moves = [abs(kin.contribution) for kin in (first, *others)]
    assert moves == sorted(moves, reverse=True)
    assert all(0.0 <= kin.similarity <= 1.0 for kin in others)
    assert 10 not in [kin.position for kin in order.kin(10, k=50)]


def test_contributions_and_the_score_make_up_the_rank() -> None:
    whole = tables.payments(300, seed=4)
    table = model().ranking(whole)
    said = {row: row % 2 for row in range(0, 80, 4)}
    before, after = table.after({}), table.after(said)
    moved = np.array([sum(kin.contribution for kin in after.kin(row, k=100)) for row in range(100, 160)])
    view = table._view
    unit = view.paths.std() / 0.08
    long_way = before.paths[100:160] - unit * moved
    assert np.corrcoef(long_way, after.paths[100:160])[0, 1] == pytest.approx(1.0, abs=1e-9)


def test_a_table_too_large_to_remember_its_leaves_is_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranked, "MOST_BYTES", 100)
    table = model().ranking(frame(), keys=keys())
    np.testing.assert_array_equal(table.after({3: 1}).priority, ranking().after({3: 1}).priority)
    assert table._places is None


def test_rows_that_cannot_be_ranked_are_refused() -> None:
    with pytest.raises(NoKnownColumnsError):
        model().ranking({"nothing": [1.0]})
    with pytest.raises(IndexError, match="rows 0 to 499"):
        ranking().after({ROWS: 1})
    with pytest.raises(InputError, match="must be 1 for fraud"):
        ranking().after({0: 3})
    with pytest.raises(InputError, match="one key for each"):
        model().ranking(frame(), keys=["a"])


def test_no_rows_have_no_order() -> None:
    assert len(model().ranking(frame().iloc[:0]).after({}).positions) == 0
