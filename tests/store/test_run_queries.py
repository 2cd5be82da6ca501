from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from detector.errors import NotFoundError
from detector.store import run_queries
from detector.store.run_files import RunWriter
from detector.store.run_queries import Named

#: Names that would end a quotation, a statement, or mean something of their own.
HOSTILE = ['who "is" it', "when'; DROP TABLE runs; --", "how ? much", "select"]
ENTITY, TIME, AMOUNT, OTHER = HOSTILE
NAMED = Named(ENTITY, TIME, AMOUNT)


def at(second: int) -> pd.Timestamp:
    return pd.Timestamp("2026-03-01", tz="UTC") + pd.Timedelta(seconds=second)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    frame = pd.DataFrame(
        {
            ENTITY: ["a", "b", "a", "a", None, "a"],
            TIME: [at(0), at(10), at(50), at(100), at(60), None],
            AMOUNT: [1.0, 2.0, 4.0, None, 16.0, 32.0],
            OTHER: ["x", "x", "y", "it's", "it's", "x"],
        }
    )
    severity = [10.0, 20.0, 95.0, 40.0, 50.0, 60.0]
    scored = pd.DataFrame(
        {"score": 0.5, "severity": severity, "flagged": [s > 90 for s in severity], "version": 1, "cutoff": 90.0}
    )
    with RunWriter(tmp_path) as writer:
        writer.write(frame, scored)
        return writer.finish()


def test_rows_of_an_entity_come_in_the_order_of_time(run: Path) -> None:
    rows, total = run_queries.rows_where(run, NAMED, ENTITY, "a", near=None, limit=10)
    assert total == 4
    assert rows["row"].tolist() == [1, 3, 4, 6]
    assert list(rows.columns) == ["row", "time", "amount", "severity", "flagged"]
    assert rows["flagged"].tolist() == [False, True, False, False]


def test_of_many_rows_the_nearest_in_time_are_returned_and_all_are_counted(run: Path) -> None:
    rows, total = run_queries.rows_where(run, NAMED, ENTITY, "a", near=at(45).to_pydatetime(), limit=2)
    assert (rows["row"].tolist(), total) == ([1, 3], 4)
    rows, total = run_queries.rows_where(run, Named(ENTITY, None, None), ENTITY, "a", near=None, limit=2)
    assert (sorted(rows["row"].tolist()), total) == ([4, 6], 4)
    assert rows["time"].isna().all()


def test_an_entity_without_rows_has_none(run: Path) -> None:
    rows, total = run_queries.rows_where(run, NAMED, ENTITY, "' OR 1=1 --", near=None, limit=10)
    assert (len(rows), total) == (0, 0)


def test_a_span_counts_what_came_within_it_up_to_the_moment(run: Path) -> None:
    moment = datetime(2026, 3, 1, 0, 1, 40, tzinfo=UTC)
    assert run_queries.rows_before(run, NAMED, ENTITY, "a", moment, (50, 51, 1_000)) == [(1, 0.0), (2, 4.0), (3, 5.0)]


def test_it_is_counted_how_many_rows_share_each_value(run: Path) -> None:
    assert run_queries.how_many_share(run, {ENTITY: "a", OTHER: "it's"}) == ({ENTITY: 4, OTHER: 2}, 6)
    assert run_queries.how_many_share(run, {}) == ({}, 6)


def test_rows_that_share_most_come_first_then_the_most_severe(run: Path) -> None:
    rows = run_queries.rows_that_share(run, NAMED, {ENTITY: "a", OTHER: "x"}, but=1, limit=10)
    assert rows["row"].tolist() == [6, 3, 4, 2]
    assert rows["shared"].tolist() == [[ENTITY, OTHER], [ENTITY], [ENTITY], [OTHER]]
    assert rows["entity"].tolist() == ["a", "a", "a", "b"]
    assert list(rows.columns) == ["row", "shared", "entity", "time", "amount", "severity", "flagged"]
    assert run_queries.rows_that_share(run, NAMED, {OTHER: "x"}, but=1, limit=1)["row"].tolist() == [6]


def test_nothing_shared_is_an_empty_table(run: Path) -> None:
    rows = run_queries.rows_that_share(run, Named(None, None, None), {OTHER: "y"}, but=3, limit=10)
    assert len(rows) == 0
    assert "shared" in rows


def test_a_run_that_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="Score the file again"):
        run_queries.how_many_share(tmp_path / "gone.parquet", {ENTITY: "a"})
