"""What is learned from a first table and from each batch after it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from detector.core import fitted
from detector.core.fitted import RETIRED_SHARE, ROWS_TO_LEARN, Fitted
from detector.core.forest import Forest
from detector.core.model import DynamicAnomalyDetector
from detector.core.scoring import score_frame
from detector.errors import InputError
from tests import tables


def update(known: Fitted, frame: pd.DataFrame, roles: dict[str, str] | None = None, **changed: float) -> Fitted:
    return fitted.update(known, frame, tables.settings(**changed), roles or {})


def status(known: Fitted, name: str) -> str:
    return known.schema.by_name[name].status


def with_ids(n: int, seed: int = 0, first: int = 0) -> pd.DataFrame:
    ids = [f"T{i:06d}" for i in range(first, first + n)]
    return tables.numbers(n, d=3, seed=seed).assign(transaction_id=ids, seq=np.arange(first, first + n), empty=None)


# The first table


@pytest.mark.parametrize("rows", [0, 1])
def test_fewer_than_two_rows_are_refused(rows: int) -> None:
    with pytest.raises(InputError, match=f"at least two rows; there (is|are) {rows}"):
        tables.learned(tables.numbers(5).iloc[:rows])


def test_a_table_without_anything_to_learn_from_says_why_column_by_column() -> None:
    frame = pd.DataFrame({"same": [1, 1, 1], "none": [None, None, None]})
    with pytest.raises(InputError) as error:
        tables.learned(frame)
    assert "none: It holds no value in any row.; same: It holds the same value in every row." in error.value.message


def test_a_role_for_a_column_that_is_not_there_names_the_nearest_one() -> None:
    with pytest.raises(InputError, match=r"for 'C_0', but there is no such column. Did you mean 'c0'\?"):
        tables.learned(tables.numbers(5), {"C_0": "amount"})


def test_the_order_of_columns_makes_no_difference_bit_for_bit() -> None:
    frame = tables.payments(300)
    one, other = tables.learned(frame), tables.learned(frame[frame.columns[::-1]])
    assert one.schema == other.schema
    assert one.sample.rows.tobytes() == other.sample.rows.tobytes()
    fresh = tables.payments(50, seed=4)
    assert score_frame(one, fresh, 90.0).severities.tobytes() == score_frame(other, fresh, 90.0).severities.tobytes()


def test_roles_override_what_is_inferred() -> None:
    frame = tables.payments(100)
    roles = {"amount": "ignored", "items": "id", "tries": "label", "channel": "entity", "balance": "amount"}
    known = tables.learned(frame, roles)
    for name in ("amount", "items", "tries", "channel"):
        assert status(known, name) == "left out"
        assert known.schema.by_name[name].reason == "You chose this role."
    assert known.schema.by_name["balance"].role == "amount"
    assert status(known, "balance") == "learned"


def test_importance_sums_to_one_and_is_least_for_a_column_that_hardly_varies() -> None:
    frame = tables.numbers(1_000, d=4)
    frame["flat"] = np.where(np.arange(1_000) % 200 == 0, 1.5, 1.0)
    importance = tables.learned(frame).importance
    assert sum(importance.values()) == pytest.approx(1.0)
    assert min(importance, key=importance.__getitem__) == "flat"
    assert importance["flat"] < 0.1


# Updates


def test_an_update_leaves_the_model_it_began_with_as_it_was() -> None:
    known = tables.learned(tables.payments(300))
    before = (known.sample.rows.tobytes(), known.schema, {name: item.rows for name, item in known.statistics.items()})
    update(known, tables.payments(300, seed=2).assign(new=1.5))
    after = (known.sample.rows.tobytes(), known.schema, {name: item.rows for name, item in known.statistics.items()})
    assert before == after


def test_an_update_without_rows_is_refused() -> None:
    with pytest.raises(InputError, match="An update needs at least one row"):
        update(tables.learned(tables.numbers(50)), tables.numbers(50).iloc[:0])


def test_an_update_with_nothing_to_learn_from_is_refused() -> None:
    known = tables.learned(with_ids(100))
    with pytest.raises(InputError, match="None of the columns in these rows can be learned from"):
        update(known, with_ids(50, first=100)[["transaction_id"]])


def test_a_new_column_is_learned_once_enough_rows_carry_it() -> None:
    known = tables.learned(tables.numbers(500))
    rng = np.random.default_rng(5)
    few = tables.numbers(ROWS_TO_LEARN - 1, seed=2).assign(new=rng.normal(size=ROWS_TO_LEARN - 1))
    known = update(known, few)
    assert status(known, "new") == "observed"
    assert known.schema.by_name["new"].reason == "Registered; learned once 32 rows carry it (31 so far)."
    assert "new" not in score_frame(known, few, 90.0).signatures[0]
    known = update(known, few.iloc[:1])
    assert status(known, "new") == "learned"
    assert known.schema.by_name["new"].since == 500
    assert "new" in score_frame(known, few, 90.0).signatures[0]


def test_what_identifies_rows_stays_left_out_however_small_the_batches() -> None:
    known = tables.learned(with_ids(200))
    before = {name: known.schema.by_name[name] for name in ("transaction_id", "seq")}
    for step in range(40):
        known = update(known, with_ids(2, seed=step, first=200 + 2 * step))
    assert {name: known.schema.by_name[name] for name in before} == before
    assert [feature.name for feature in known.schema.learned] == ["c0", "c1", "c2"]


def test_a_column_that_held_nothing_is_looked_at_again() -> None:
    frame = tables.numbers(200, d=3)
    known = tables.learned(frame.assign(empty=None, same=5.0))
    assert [status(known, name) for name in ("empty", "same")] == ["left out", "left out"]
    rng = np.random.default_rng(2)
    batch = tables.numbers(100, d=3, seed=1).assign(empty=rng.normal(size=100), same=rng.normal(size=100))
    known = update(known, batch)
    assert [status(known, name) for name in ("empty", "same")] == ["learned", "learned"]


def test_a_role_that_is_chosen_later_takes_effect_with_the_next_update() -> None:
    known = tables.learned(with_ids(200))
    known = update(known, with_ids(100, seed=1, first=200), {"seq": "input"})
    assert status(known, "seq") == "learned"
    known = update(known, with_ids(100, seed=2, first=300).assign(memo=1.5), {"memo": "ignored"})
    assert status(known, "memo") == "left out"


def test_a_column_that_comes_as_another_type_is_not_learned_from() -> None:
    known = tables.learned(tables.numbers(300, d=3))
    after = update(known, tables.numbers(100, d=3, seed=1).assign(c1="text"))
    assert after.statistics["c1"].rows == known.statistics["c1"].rows
    assert after.statistics["c0"].rows == 400
    assert status(after, "c1") == "learned"


def test_a_column_that_does_not_come_any_more_is_retired() -> None:
    known = tables.learned(tables.numbers(600, d=3))
    for step in range(12):
        known = update(known, tables.numbers(200, d=3, seed=step).drop(columns="c1"), half_life=100.0)
    assert status(known, "c1") == "retired"
    assert "c1" not in score_frame(known, tables.numbers(20, d=3), 90.0).report.missing
    calibrated = known.sample.rows[known.sample.calibration, known.schema.by_name["c1"].first_column]
    assert (~np.isnan(calibrated)).mean() < RETIRED_SHARE


def test_a_retired_column_that_comes_back_is_learned_again() -> None:
    known = tables.learned(tables.numbers(600, d=3))
    for step in range(12):
        known = update(known, tables.numbers(200, d=3, seed=step).drop(columns="c1"), half_life=100.0)
    known = update(known, tables.numbers(200, d=3, seed=50), half_life=100.0)
    assert status(known, "c1") == "learned"


def test_the_last_learned_column_is_never_retired() -> None:
    known = tables.learned(pd.DataFrame({"a": np.random.default_rng(0).normal(size=100)}))
    for _ in range(60):
        known = update(known, pd.DataFrame({"a": [None] * 15}), half_life=5.0)
    assert [feature.name for feature in known.schema.learned] == ["a"]
    assert len(score_frame(known, pd.DataFrame({"a": [0.5, None]}), 90.0)) == 2


def test_statistics_fade_by_the_half_life_and_counts_of_rows_do_not() -> None:
    known = tables.learned(pd.DataFrame({"a": np.zeros(100) + np.arange(100) % 2, "b": np.arange(100) % 7}))
    after = update(known, pd.DataFrame({"a": np.full(100, 10.5), "b": np.arange(100) % 7}), half_life=100.0)
    assert after.statistics["a"].rows == 200
    assert after.statistics["a"].mean == pytest.approx((0.5 * 50 + 10.5 * 100) / 150)


def test_absence_becomes_a_state_when_it_has_become_usual() -> None:
    known = tables.learned(tables.numbers(300, d=3))
    assert not known.schema.by_name["c0"].absence_is_state
    batch = tables.numbers(300, d=3, seed=1)
    batch.loc[::3, "c0"] = np.nan
    after = update(known, batch)
    assert after.schema.by_name["c0"].absence_is_state
    result = score_frame(after, batch, 90.0)
    assert result.signatures == (("c0", "c1", "c2"),)


def test_categories_of_an_update_move_the_rarity_of_rows_already_kept() -> None:
    frame = tables.numbers(300, d=2).assign(kind=["common"] * 290 + ["rare"] * 5 + ["other"] * 5)
    known = tables.learned(frame)
    after = update(known, tables.numbers(300, d=2, seed=1).assign(kind="rare"))
    column = known.schema.by_name["kind"].first_column

    def rarities(model: Fitted) -> np.ndarray:
        return np.unique(model.sample.rows[:, column][~np.isnan(model.sample.rows[:, column])])

    assert rarities(known).round().tolist() == [0.0, 6.0]  # of 300, 290 are common; 5 each are rare and other
    assert rarities(after).round().tolist() == [1.0, 1.0, 7.0]  # of 600, 305 are rare, 290 common
    score = score_frame(after, pd.DataFrame({"kind": ["rare"]}), 90.0).scores
    assert score[0] < score_frame(known, pd.DataFrame({"kind": ["rare"]}), 90.0).scores[0]


def test_what_an_update_changes_is_small_when_the_batch_is_small() -> None:
    known = tables.learned(tables.numbers(5_000), n_estimators=100)
    after = fitted.update(known, tables.numbers(50, seed=2), tables.settings(n_estimators=100), {})
    fresh = tables.numbers(1_000, seed=3)
    before, now = score_frame(known, fresh, 90.0), score_frame(after, fresh, 90.0)
    assert np.corrcoef(before.scores, now.scores)[0, 1] > 0.98
    assert ((before.labels == -1) & (now.labels == -1)).sum() > 0.8 * (before.labels == -1).sum()


# What waits until somebody asks


def grown(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets the columns of every forest grown from now on."""
    columns: list[int] = []
    grow = Forest.grow.__func__

    def counting(kind: type[Forest], *arguments: Any) -> Forest:
        columns.append(len(arguments[3].columns))
        return grow(kind, *arguments)

    monkeypatch.setattr(Forest, "grow", classmethod(counting))
    return columns


def test_neither_learning_nor_registering_a_column_grows_a_forest(monkeypatch: pytest.MonkeyPatch) -> None:
    forests = grown(monkeypatch)
    model = DynamicAnomalyDetector(n_estimators=10).fit(tables.payments(300))
    for seed in range(1, 4):
        model.partial_fit(tables.payments(100, seed=seed))
        model.observe(tables.payments(20).assign(risk=0.5))
    assert forests == []


def test_rows_with_all_columns_need_one_forest_and_importance_is_asked_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    known = tables.learned(tables.payments(300))
    forests = grown(monkeypatch)
    assert score_frame(known, tables.payments(50), 90.0).report.importance_carried == 1.0
    assert "importance" not in known.__dict__
    known.importance  # noqa: B018  # asked for what it does
    assert len(forests) == 1


def test_an_observed_column_takes_along_what_was_grown_and_measured() -> None:
    known = tables.learned(tables.payments(300))
    importance, view = known.importance, known.views.get(known.everything)
    other = known.with_observed(known.schema, known.statistics)
    assert other.importance is importance
    assert other.views.get(other.everything) is view
