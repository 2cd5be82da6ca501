"""A table that was summed up in parts, in any order, is learned from as the table itself is."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector import DynamicAnomalyDetector, InputError
from detector.core import archive
from detector.core.column_summary import ColumnSummary
from detector.core.fitted import Fitted
from detector.core.parameters import seed_from, settings_for
from detector.core.row_sample import RowSample, priorities_by_key
from detector.core.summarised import EntitySummary, begin
from detector.core.table_summary import TableSummary
from tests.tables import payments

SEED = seed_from(0)
PARAMETERS: dict[str, Any] = {"n_estimators": 10, "random_state": 0}
FRAME = payments(2_000, seed=2).assign(
    number=np.arange(2_000), note=[f"paid the bill of month {i} twice" for i in range(2_000)]
)
TABLE = pa.Table.from_pandas(FRAME, preserve_index=False)


def summed(table: pa.Table, most: int = 2_560, batch: int = 700, roles: dict[str, str] | None = None) -> TableSummary:
    summary = TableSummary({}, RowSample(most))
    for each in table.to_batches(max_chunksize=batch):
        part = pa.Table.from_batches([each])
        sample = summary.sample.with_rows(part, priorities_by_key(part, ("number",), 1))
        summary = summary.with_columns(part, sample, roles or {})
    return summary.finished()


def trained(summary: TableSummary, roles: dict[str, str] | None = None, **more: Any) -> DynamicAnomalyDetector:
    model = DynamicAnomalyDetector(**PARAMETERS, roles=roles, **more)
    chosen = settings_for(model.get_params(), summary.sample.seen, SEED)
    state = begin(summary, chosen, roles or {}).fitted(chosen, roles or {}, ())
    return model._begin_with(state, SEED, list(summary.names))


def locally(frame: pd.DataFrame, **more: Any) -> Fitted:
    return DynamicAnomalyDetector(**PARAMETERS, **more).fit(frame)._fitted()


@settings(max_examples=15)
@given(
    st.permutations(range(20)), st.lists(st.integers(1, 19), max_size=5, unique=True), st.integers(50, 2_000),
)  # fmt: skip
def test_parts_in_any_order_give_the_statistics_of_one_pass(order: list[int], cuts: list[int], batch: int) -> None:
    moved = TABLE.take(pa.array([row for block in order for row in range(100 * block, 100 * block + 100)]))
    edges = [0, *(100 * cut for cut in sorted(cuts)), 2_000]
    parts = [summed(moved.slice(a, b - a), 100, batch) for a, b in pairwise(edges)]
    found, whole = reduce(TableSummary.merged, parts), summed(TABLE, 100)
    assert found.sample.table().equals(whole.sample.table())
    for name in FRAME.columns:
        for kind, mine in found.columns[name].statistics.items():
            theirs = whole.columns[name].statistics[kind]
            assert (mine.rows, mine.absent, mine.distinct) == (theirs.rows, theirs.absent, theirs.distinct)
            assert dict(mine.weights) == dict(theirs.weights)
            if theirs.moments.weight:
                assert (mine.minimum, mine.maximum) == (theirs.minimum, theirs.maximum)
                assert mine.mean == pytest.approx(theirs.mean, rel=1e-12)
                assert mine.std == pytest.approx(theirs.std, rel=1e-9)
                points = np.array(theirs.quantile([0.05, 0.25, 0.5, 0.75, 0.95]))
                # Two sketches, each off by a bin at most.
                assert np.abs(mine.cdf(points) - theirs.cdf(points)).max() <= 0.016


def test_a_table_that_fits_in_the_sample_is_learned_as_its_rows_are_on_one_machine() -> None:
    summary = summed(TABLE)
    found, local = trained(summary), DynamicAnomalyDetector(**PARAMETERS).fit(summary.sample.table().to_pandas())
    for mine, theirs in zip(found.schema_, local.schema_, strict=True):
        # The scale is told by quantiles, within the error of their sketch; trees do not depend on it.
        told = [asdict(feature) | {"center": 0.0, "spread": 1.0} for feature in (mine, theirs)]
        assert told[0] == told[1]
    np.testing.assert_array_equal(found._fitted().sample.bags, local._fitted().sample.bags)
    np.testing.assert_array_equal(found._fitted().sample.calibration, local._fitted().sample.calibration)
    assert np.abs(found.score(FRAME).severities - local.score(FRAME).severities).max() < 1.0


def test_a_summary_comes_back_from_what_describes_it() -> None:
    one, other = summed(TABLE.slice(0, 900)), summed(TABLE.slice(900))
    sent = [TableSummary.from_content(archive.from_bytes(archive.to_bytes(each.to_content()))) for each in (one, other)]
    kept, came = trained(one.merged(other)), trained(sent[0].merged(sent[1]))
    assert kept.to_bytes() == came.to_bytes()


def test_roles_are_found_as_on_one_machine() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "txn_id": [f"t{i}" for i in range(400)],
            "customer_id": rng.integers(1, 200, 400),
            "mcc": rng.choice([5411, 5812, 7995], 400),
            "opened": [f"2025-01-{1 + i % 28:02d}" for i in range(400)],
            "agreed": rng.choice(["true", "false"], 400),
            "step": np.arange(400),
            "is_fraud": rng.integers(0, 2, 400),
            "amount": rng.lognormal(3, 1, 400),
            "total": rng.lognormal(3, 1, 400),
            "same": 1.0,
            "nothing": [None] * 400,
            "unix_time": rng.integers(1_600_000_000, 1_700_000_000, 400),
            "waited": [dt.timedelta(seconds=int(s)) for s in rng.integers(0, 90, 400)],
            "number": rng.integers(0, 1_000_000, 400) / 7.0,
        }
    ).astype({"nothing": object})
    table = pa.Table.from_pandas(frame, preserve_index=False).cast(
        pa.schema([
            pa.field(name, pa.string() if name == "nothing" else kind)
            for name, kind in zip(frame.columns, pa.Schema.from_pandas(frame, preserve_index=False).types, strict=True)
        ])
    )  # fmt: skip
    found, local = trained(summed(table))._fitted().schema, locally(frame).schema
    for mine, theirs in zip(found, local, strict=True):
        assert (mine.name, mine.kind, mine.role, mine.reason) == (
            theirs.name, theirs.kind, theirs.role, theirs.reason,
        )  # fmt: skip
        assert mine.parts == theirs.parts


def test_a_chosen_role_counts_also_for_numbers_in_texts() -> None:
    frame = pd.DataFrame({"paid": [f"{i}.50" for i in range(100)], "number": range(100)})
    roles = {"paid": "amount"}
    table = pa.Table.from_pandas(frame, preserve_index=False)
    feature = trained(summed(table, roles=roles), roles)._fitted().schema.by_name["paid"]
    assert (feature.kind, feature.role) == ("numeric", "amount")
    with pytest.raises(InputError, match="no such column"):
        trained(summed(table), {"pay": "amount"})


@pytest.mark.parametrize("nothing", [None, "", "  "])
@pytest.mark.parametrize("role", ["input", "amount", "entity", "time", None])
def test_a_column_of_texts_that_is_empty_throughout_is_taken_as_on_one_machine(
    nothing: str | None, role: str | None
) -> None:
    frame = FRAME[["number", "amount"]].iloc[:400].assign(gone=pd.Series([nothing] * 400, dtype="str"))
    table = pa.Table.from_pandas(frame, preserve_index=False)
    table = table.set_column(2, "gone", pa.array([nothing] * 400, pa.string()))
    roles = {"gone": role} if role is not None else {}
    found = trained(summed(table, roles=roles), roles=roles)._fitted()
    local = locally(frame, roles=roles)
    assert found.schema.by_name["gone"] == local.schema.by_name["gone"]
    assert found.statistics.keys() == local.statistics.keys()
    if "gone" in local.statistics:
        one, other = found.statistics["gone"], local.statistics["gone"]
        assert (one.kind, one.rows, one.absent) == (other.kind, other.rows, other.absent)


def test_a_half_life_in_time_counts_the_rows_by_those_of_the_sample() -> None:
    found = trained(summed(TABLE, 500), half_life="7d")._fitted().sample
    local = locally(FRAME, half_life="7d").sample
    assert found.seen == local.seen == 2_000
    assert found.weight == pytest.approx(local.weight, rel=0.15)
    assert found.numbers.max() < 2_000


def test_too_little_to_learn_from_is_refused() -> None:
    with pytest.raises(InputError, match="at least two rows"):
        trained(summed(TABLE.slice(0, 1)))
    with pytest.raises(InputError, match="No column is left"):
        trained(summed(pa.table({"number": range(50)})))


def test_columns_of_different_types_are_not_merged() -> None:
    numbers, texts = ColumnSummary.begun("a", pa.int64()), ColumnSummary.begun("a", pa.string())
    with pytest.raises(ValueError, match="different types"):
        numbers.merged(texts)


def test_what_rows_of_entities_were_compared_to_is_found_again_by_their_priority() -> None:
    frame = pd.DataFrame(
        {"card": [1, 1, 2, 2] * 10, "when": pd.date_range("2025-01-01", periods=40, freq="h"), "amount": range(40)}
    )
    roles = {"card": "entity", "when": "time", "amount": "amount"}
    table = pa.Table.from_pandas(frame.assign(number=range(40)), preserve_index=False)
    summary = summed(table, roles=roles)
    chosen = settings_for(DynamicAnomalyDetector(**PARAMETERS).get_params(), 40, SEED)
    begun = begin(summary, chosen, roles)
    (plan,) = begun.plans
    local = locally(frame.assign(number=range(40)), roles=roles)
    parts = []
    for card in (1, 2):
        rows = frame[frame["card"] == card]
        events = plan.events(rows)
        assert events is not None
        part = EntitySummary.begun(plan)
        values = part.histories.advance(events)[:, [each.place for each in plan.comparisons]]
        names = priorities_by_key(table, ("number",), 1)[rows.index]
        part = part.with_compared(values, names, np.zeros(len(rows), np.uint64), 2**63)
        parts.append(EntitySummary.from_content(archive.from_bytes(archive.to_bytes(part.to_content()))))
    both = parts[0].merged(parts[1])
    found = begun.fitted(chosen, roles, (both,))
    assert local.behaviour is not None
    assert found.behaviour is not None
    assert found.behaviour.histories[0].to_content()["times"].sum() == pytest.approx(
        local.behaviour.histories[0].to_content()["times"].sum()
    )
    for comparison in plan.comparisons:
        mine, theirs = found.statistics[comparison.name], local.statistics[comparison.name]
        assert (mine.rows, mine.absent) == (theirs.rows, theirs.absent)
        assert mine.mean == pytest.approx(theirs.mean)
    kept = both.of_rows(summary.sample.priorities, np.zeros(40, np.uint64))
    # Of each entity the first row has nothing to be compared with; rows of a greater priority were not kept.
    known = np.isin(summary.sample.priorities, np.concatenate([part.priorities for part in parts]))
    assert 0 < known.sum() < 40
    assert np.isnan(kept[~known]).all()
    assert np.isnan(kept[known]).all(axis=1).sum() <= 2
