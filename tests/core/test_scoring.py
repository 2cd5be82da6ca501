"""Scoring: a record alone and in a table, holes, and rows that carry nothing."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from functools import cache, partial
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.core.fitted import Fitted
from detector.core.scoring import KEY_SETS_KEPT, RecordScorer, ScoreResult, score_frame
from detector.errors import NoKnownColumnsError
from tests import tables


@cache
def known() -> Fitted:
    """Return a model of ten columns, of which two know absence as a state."""
    return tables.learned(tables.payments(800))


@cache
def records() -> RecordScorer:
    return RecordScorer(known())


def as_plain(result: ScoreResult) -> dict[str, Any]:
    report = result.report
    return {
        "label": result.labels.tolist(), "score": result.scores.tobytes(), "severity": result.severities.tobytes(),
        "signatures": result.signatures, "of_row": result.signature_of_row.tolist(), "unseen": dict(report.unseen),
        "status": [(column.name, column.status, column.rows_affected) for column in report.columns],
        "unreadable": report.unreadable_total, "importance": report.importance_carried, "rows": report.rows,
    }  # fmt: skip


times = ["2025-03-05", "2025-03-05T10:30:00", "2025-03-05T10:30:00+02:00"]
words = ["", " ", "NL", "DE", "web", "Atlantis", "true", "no", "12.5", " 7 ", "1e3", "abc", "nan", "1,5", "\x00", "é"]
texts = st.sampled_from(words + times)
plain = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5000), st.floats(-1e6, 1e6), texts, st.just(np.nan), st.just(np.inf),
    st.sampled_from([1e31, -1e300, 10**40, 2**63, 2**64]),
)  # fmt: skip
scalars = st.one_of(
    st.sampled_from([np.float32(1.25), np.float64(3.5), np.int64(4), np.int8(1), np.uint64(2**60), np.bool_(True)]),
    st.sampled_from([pd.Timestamp("2025-03-05 10:30"), pd.Timestamp("2025-03-05 10:30", tz="Europe/Amsterdam")]),
    st.sampled_from([pd.NaT, pd.NA, np.datetime64("2025-03-05T10:30"), dt.date(2025, 3, 5), Decimal("12.50")]),
    st.sampled_from([dt.datetime(2025, 3, 5, 10, 30), dt.timedelta(hours=2), np.str_("NL"), np.float64("nan")]),
)
nested = st.sampled_from([[], [1, 2], {}, {"a": 1}, (1,), b"bytes", 1j, frozenset({1})])
names = st.sampled_from([*tables.payments(1).columns, "new", "other"])


def agree(record: dict[str, Any]) -> None:
    frame = pd.DataFrame([record])
    if set(record) & set(tables.payments(1).columns):
        assert as_plain(records().score(record, 90.0)) == as_plain(score_frame(known(), frame, 90.0))
    else:
        for score, rows in ((records().score, record), (partial(score_frame, known()), frame)):
            with pytest.raises(NoKnownColumnsError, match="None of the columns"):
                score(rows, 90.0)


@given(st.dictionaries(names, st.one_of(plain, scalars), max_size=10))
@settings(max_examples=120, deadline=None)
def test_a_record_gets_the_numbers_that_it_gets_as_a_row_of_a_table(record: dict[str, Any]) -> None:
    agree(record)


@given(st.integers(0, 199), st.dictionaries(names, st.one_of(plain, scalars), max_size=2), st.sets(names, max_size=3))
@settings(max_examples=50, deadline=None)
def test_an_ordinary_record_with_some_odd_values_gets_the_same_numbers_too(
    row: int, odd: dict[str, Any], gone: set[str]
) -> None:
    record = {**tables.payments(200, seed=3).iloc[row].to_dict(), **odd}
    agree({name: value for name, value in record.items() if name not in gone})


@given(st.dictionaries(names, nested, min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_nested_values_never_crash(record: dict[str, Any]) -> None:
    result = records().score({**tables.payments(1).iloc[0].to_dict(), **record}, 90.0)
    assert 0.0 < result.scores[0] < 1.0
    agree(record)


def test_the_rows_of_a_table_get_what_they_get_one_by_one() -> None:
    frame = tables.payments(200, seed=3)
    frame = frame.mask(np.random.default_rng(3).random(frame.shape) < 0.1)
    together = score_frame(known(), frame, 90.0)
    for row, record in enumerate(frame.to_dict("records")):
        alone = records().score(record, 90.0)
        assert alone.scores[0] == together.scores[row]
        assert alone.severities[0] == together.severities[row]


def test_the_order_of_columns_and_of_keys_makes_no_difference() -> None:
    frame = tables.payments(100, seed=3)
    turned = frame[frame.columns[::-1]]
    assert score_frame(known(), frame, 90.0).scores.tobytes() == score_frame(known(), turned, 90.0).scores.tobytes()
    record = frame.iloc[0].to_dict()
    backwards = dict(reversed(record.items()))
    assert records().score(record, 90.0).scores == records().score(backwards, 90.0).scores


def test_the_order_of_rows_makes_no_difference() -> None:
    frame = tables.payments(300, seed=3)
    frame = frame.mask(np.random.default_rng(3).random(frame.shape) < 0.1)
    order = np.random.default_rng(1).permutation(300)
    one, other = score_frame(known(), frame, 90.0), score_frame(known(), frame.iloc[order], 90.0)
    assert one.severities[order].tobytes() == other.severities.tobytes()


def test_rows_without_a_known_column_are_refused_by_name() -> None:
    with pytest.raises(NoKnownColumnsError, match=r"None of the columns .* It knows amount, balance, channel"):
        score_frame(known(), pd.DataFrame({"x": [1.0]}), 90.0)
    with pytest.raises(NoKnownColumnsError, match="It knows amount"):
        records().score({"x": 1.0}, 90.0)
    with pytest.raises(NoKnownColumnsError):
        records().score({}, 90.0)


def test_an_empty_table_gets_an_empty_result() -> None:
    for frame in (tables.payments(5).iloc[:0], pd.DataFrame(), pd.DataFrame({"x": []})):
        result = score_frame(known(), frame, 90.0)
        assert len(result) == len(result.scores) == len(result.severities) == len(result.to_frame()) == 0
        assert result.flagged_share == 0.0
        assert result.signatures == ()


def test_a_row_without_any_value_is_neither_ordinary_nor_anomalous() -> None:
    rows = tables.numbers(400, d=4)
    model = tables.learned(rows)
    holes = rows.iloc[:30].copy()
    holes.iloc[7] = np.nan
    result = score_frame(model, holes, 90.0)
    assert 25.0 < result.severities[7] < 75.0
    alone = RecordScorer(model).score(dict.fromkeys(rows.columns), 90.0)
    assert (alone.scores[0], alone.severities[0]) == (result.scores[7], result.severities[7])


def test_a_row_is_flagged_when_its_severity_is_above_the_cutoff() -> None:
    frame = tables.payments(300, seed=3)
    result = score_frame(known(), frame, 80.0)
    assert result.labels.dtype == np.int64
    assert ((result.labels == -1) == (result.severities > 80.0)).all()
    at = float(result.severities[0])
    assert score_frame(known(), frame, at).labels[0] == 1
    assert score_frame(known(), frame, np.nextafter(at, 0.0)).labels[0] == -1


def test_higher_scores_are_higher_severities_within_a_view() -> None:
    result = score_frame(known(), tables.payments(300, seed=3), 90.0)
    order = np.argsort(result.scores)
    assert (np.diff(result.severities[order]) >= 0.0).all()


def test_the_result_as_a_table_keeps_the_index() -> None:
    frame = tables.payments(5).set_axis(list("vwxyz"))
    shown = score_frame(known(), frame, 90.0).to_frame()
    assert shown.index.tolist() == list("vwxyz")
    assert shown.columns.tolist() == ["anomaly_score", "severity", "flagged"]


def test_missing_columns_are_reported_with_the_signature_that_was_used() -> None:
    frame = tables.payments(20, seed=3).drop(columns=["amount", "country"])
    result = score_frame(known(), frame, 90.0)
    assert set(result.report.missing) == {"amount", "country"}
    assert result.signatures == (tuple(sorted(frame.columns)),)
    assert 0.0 < result.report.importance_carried < 1.0


def test_keys_that_are_no_texts_are_taken_by_their_text() -> None:
    rows = pd.DataFrame({0: np.arange(60) % 7, 1: np.arange(60) % 5})
    model = tables.learned(rows.set_axis(["0", "1"], axis=1))
    alone = RecordScorer(model)
    assert alone.score({0: 3, 1: 2}, 90.0).scores == alone.score({"0": 3, "1": 2}, 90.0).scores
    assert alone.score({0: 3, 1: 2}, 90.0).index is None


def test_a_record_may_be_any_mapping() -> None:
    record = tables.payments(1, seed=3).iloc[0].to_dict()
    assert records().score(MappingProxyType(record), 90.0).scores == records().score(record, 90.0).scores


def test_what_is_remembered_of_keys_is_bounded() -> None:
    alone = RecordScorer(known())
    for i in range(2 * KEY_SETS_KEPT + 5):
        alone.score({"amount": 1.0, f"new {i}": 1.0}, 90.0)
    assert len(alone._key_sets) <= KEY_SETS_KEPT
