"""Registering new columns without learning from them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from detector.core import fitted
from detector.core.observing import observed, worth_counting
from detector.core.scoring import score_frame
from tests import tables


def test_new_columns_are_registered_and_counted_and_nothing_is_grown_again() -> None:
    known = tables.learned(tables.numbers(200, d=3))
    view = known.views.get(known.everything)
    after = observed(known, [pd.DataFrame({"new": [1.0, 2.0], "text": ["a", "b"]}), pd.DataFrame({"new": [3.0]})], {})
    assert [after.schema.by_name[name].status for name in ("new", "text")] == ["observed", "observed"]
    assert [after.schema.by_name[name].kind for name in ("new", "text")] == ["numeric", "categorical"]
    assert (after.statistics["new"].rows, after.statistics["new"].mean) == (3, 2.0)
    assert after.views.get(after.everything) is view
    assert after.sample is known.sample
    assert "new" not in known.schema.by_name


def test_observing_changes_no_score() -> None:
    known = tables.learned(tables.payments(200))
    fresh = tables.payments(50, seed=2).assign(new=1.0)
    after = observed(known, [fresh[["new"]]], {})
    assert score_frame(known, fresh, 90.0).scores.tobytes() == score_frame(after, fresh, 90.0).scores.tobytes()


def test_a_role_that_keeps_a_column_out_is_kept_and_nothing_is_counted() -> None:
    known = tables.learned(tables.numbers(200, d=3))
    after = observed(known, [pd.DataFrame({"txn": ["a", "b"], "sum": [1.0, 2.0]})], {"txn": "id", "sum": "amount"})
    assert (after.schema.by_name["txn"].role, after.schema.by_name["txn"].status) == ("id", "left out")
    assert "txn" not in after.statistics
    assert after.schema.by_name["sum"].role == "amount"


def test_columns_that_an_update_has_given_a_place_are_not_counted_again() -> None:
    known = tables.learned(tables.numbers(200, d=3))
    known = fitted.update(known, tables.numbers(10, d=3, seed=1).assign(new=np.arange(10) % 7.0), tables.settings(), {})
    assert known.schema.by_name["new"].status == "observed"
    assert worth_counting(known.schema, ["new", "c0", "other"]) == ["other"]
    assert observed(known, [pd.DataFrame({"new": [1.0]})], {}).statistics["new"].rows == 10


def test_values_of_every_sort_can_be_observed() -> None:
    known = tables.learned(tables.numbers(200, d=3))
    values = [None, 1, 2.5, "x", True, [1], {"a": 1}, pd.Timestamp("2025-01-01"), b"b", 10**40, float("inf")]
    batches = [pd.DataFrame({"odd": pd.Series([value], dtype=object)}) for value in values]
    for batch in batches:
        known = observed(known, [batch], {})
    known = observed(known, batches, {})
    assert known.statistics["odd"].rows == 2 * len(values)


def test_what_looked_like_another_kind_at_first_is_learned_as_what_it_is() -> None:
    known = tables.learned(tables.numbers(200, d=3))
    known = observed(known, [pd.DataFrame({"new": [7]})], {})
    assert known.schema.by_name["new"].kind == "numeric"
    words = np.random.default_rng(0).choice(["a", "b", "c"], 100)
    known = fitted.update(known, tables.numbers(100, d=3, seed=1).assign(new=words), tables.settings(), {})
    assert (known.schema.by_name["new"].kind, known.schema.by_name["new"].status) == ("categorical", "learned")
    assert known.statistics["new"].rows == 100


def test_what_turns_out_to_identify_rows_is_left_out_with_its_statistics() -> None:
    known = tables.learned(tables.numbers(200, d=3))
    known = observed(known, [pd.DataFrame({"reference": ["a1", "a2"]})], {})
    assert known.schema.by_name["reference"].status == "observed"
    batch = tables.numbers(100, d=3, seed=1).assign(reference=[f"r{i}" for i in range(100)])
    known = fitted.update(known, batch, tables.settings(), {})
    assert known.schema.by_name["reference"].status == "left out"
    assert "reference" not in known.statistics
