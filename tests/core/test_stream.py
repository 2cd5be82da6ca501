"""Streams: every row is scored by what was learned before its chunk, and then learned."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from detector.core import stream as streaming
from detector.core.model import DynamicAnomalyDetector
from detector.core.scoring import ScoreResult
from detector.errors import InputError, NoKnownColumnsError
from tests import tables


def small(**changed: object) -> DynamicAnomalyDetector:
    return DynamicAnomalyDetector(**({"n_estimators": 20, "random_state": 3} | changed))


def alike(one: ScoreResult, other: ScoreResult) -> bool:
    return all(
        getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in ("labels", "scores", "severities")
    )


def test_a_stream_says_something_of_every_row_and_learns_all() -> None:
    frame = tables.payments(2_350)
    model = small()
    result = model.stream(frame)
    assert len(result) == model.rows_seen == result.report.rows == 2_350
    assert result.index is frame.index
    assert ((result.scores > 0.0) & (result.scores < 1.0)).all()
    assert ((result.severities >= 0.0) & (result.severities <= 100.0)).all()
    assert (result.labels == np.where(result.severities > result.cutoff, -1, 1)).all()
    assert model.statistics_["amount"].rows == 2_350
    assert model.get_model_info()["updates"] == 2


def test_the_same_stream_gives_the_same_bytes() -> None:
    frame = tables.payments(1_500)
    one, other = small(), small()
    assert alike(one.stream(frame), other.stream(frame))
    assert one.to_bytes() == other.to_bytes()


def test_a_chunk_is_scored_before_any_of_its_rows_is_learned() -> None:
    start, more = tables.numbers(1_000), tables.numbers(400, seed=1)
    changed = more.copy()
    changed.iloc[250:] += 50.0
    one, other = (small().fit(start).stream(rows, chunk=50) for rows in (more, changed))
    assert one.scores[:250].tobytes() == other.scores[:250].tobytes()
    assert one.severities[:250].tobytes() == other.severities[:250].tobytes()
    # The first rows that have moved are as strange to the model as they would be without the others.
    assert (
        other.scores[250:300].tobytes()
        == small().fit(start).stream(changed.iloc[:300], chunk=50).scores[-50:].tobytes()
    )


def test_the_first_chunk_is_scored_as_score_does() -> None:
    model = small().fit(tables.payments(1_000))
    fresh = tables.payments(300, seed=5)
    wanted = model.score(fresh.iloc[:100])
    assert model.stream(fresh).scores[:100].tobytes() == wanted.scores.tobytes()


def test_after_a_stream_the_model_scores_as_one_that_was_updated() -> None:
    start, more = tables.numbers(1_000), tables.numbers(3_000, seed=1)
    fresh = tables.numbers(500, seed=2)
    streamed, updated = small(n_estimators=100).fit(start), small(n_estimators=100).fit(start)
    streamed.stream(more)
    updated.partial_fit(more)
    assert np.corrcoef(streamed.score(fresh).scores, updated.score(fresh).scores)[0, 1] > 0.9
    assert streamed._state.sample.weight == pytest.approx(updated._state.sample.weight, rel=1e-3)


def test_new_columns_are_learned_on_the_way_and_lost_ones_are_done_without() -> None:
    start = tables.payments(500)
    model = small().fit(start.drop(columns="distance"))
    result = model.stream(tables.payments(7_000, seed=1).drop(columns="balance"))
    assert "distance" in model.known_features
    assert model.schema_.by_name["distance"].status == "learned"
    assert all("balance" not in names for names in result.signatures)
    assert "balance" in result.report.missing
    assert any("distance" in names for names in result.signatures)


def test_where_many_rows_have_holes_chunks_go_one_by_one() -> None:
    start, more = tables.numbers(600), tables.numbers(300, seed=1)
    more.iloc[::4, 2] = np.nan
    model, by_hand = small().fit(start), small().fit(start)
    result = model.stream(more)
    parts = []
    for begin in range(0, 300, 100):
        part = more.iloc[begin : begin + 100]
        parts.append(by_hand.score(part).severities)
        by_hand.partial_fit(part)
    assert result.severities.tobytes() == np.concatenate(parts).tobytes()
    assert model.to_bytes() == by_hand.to_bytes()


def test_few_rows_with_holes_hold_up_nobody() -> None:
    start, more = tables.numbers(1_000), tables.numbers(2_000, seed=1)
    more.iloc[::50, 2] = np.nan
    model = small().fit(start)
    wanted = model.score(more)
    result = model.stream(more)
    assert result.severities[::50].tobytes() == wanted.severities[::50].tobytes()
    assert {len(result.signatures[place]) for place in result.signature_of_row} == {10}
    assert model.rows_seen == 3_000
    assert model._state.sample.updates == 2


def test_a_column_that_old_rows_lack_holds_up_nobody_and_makes_nothing_forgotten() -> None:
    narrow, wide = tables.numbers(4_000, d=4), tables.numbers(1_000, seed=1, d=6)
    model = small().fit(narrow)
    model.partial_fit(wide)
    assert "c5" in {feature.name for feature in model.schema_.learned}
    updates = model._state.sample.updates
    fresh = tables.numbers(6_000, seed=2, d=6)
    result = model.stream(fresh)
    assert model._state.sample.updates == updates + 1
    assert len(result.signatures[0]) == 6
    assert (result.severities > 90.0).mean() == pytest.approx(0.1, abs=0.03)
    old = (model._state.sample.numbers[model._state.sample.bags] < 4_000).mean()
    assert old == pytest.approx(4_000 / 11_000, abs=0.05)


@pytest.mark.parametrize("half_life", [200.0, 1e6])
def test_severities_in_a_stream_are_honest(half_life: float) -> None:
    result = small(n_estimators=50, half_life=half_life).stream(tables.numbers(6_000))
    for limit in (50.0, 90.0, 95.0):
        share = (result.severities[1_000:] > limit).mean()
        fair = 1.0 - limit / 100.0
        # A calibration on 512 rows, which follows rows within a short half-life, has an error of its own.
        assert share == pytest.approx(fair, abs=4.0 * np.sqrt(fair * (1 - fair) * (1 / 5_000 + 1 / 512)))


def test_a_stream_follows_a_change_within_a_half_life() -> None:
    before, after = tables.numbers(4_000), tables.numbers(4_000, seed=1) + 30.0
    result = small(half_life=1_000.0).stream(pd.concat([before, after], ignore_index=True))
    assert (result.severities[4_000:4_100] > 90.0).mean() > 0.9
    assert (result.severities[6_000:] > 90.0).mean() < 0.2


def test_half_lives_shorter_than_a_chunk_do_no_harm() -> None:
    model = small(half_life=20.0)
    result = model.stream(tables.numbers(3_000))
    assert np.isfinite(result.severities).all()
    assert (model._state.sample.numbers > 2_000).mean() > 0.9


def test_what_a_stream_costs_does_not_grow_with_the_history() -> None:
    def grown(rows: int) -> int:
        model = small(n_estimators=100, half_life=10_000.0).fit(tables.numbers(rows))
        before = model._state
        choices = before.schema.layout.choices(before.everything, before.sample.weights)
        live = streaming.LiveForest(before.sample, np.zeros((1_000, 10), np.float32), choices, 256, 1)
        for _ in range(10):
            live.learn(live.said(np.zeros((100, 10), np.float32)), 0.5**0.01, 99.0)
        return live.grown

    assert grown(120_000) <= grown(20_000) + 5 < 200


@pytest.mark.parametrize("chunk", [1, 0, -5, 2.5])
def test_a_chunk_must_be_a_number_of_rows(chunk: int) -> None:
    with pytest.raises(ValueError, match="chunk must be a whole number of at least 2"):
        small().stream(tables.numbers(10), chunk=chunk)


def test_what_cannot_be_streamed_says_so() -> None:
    model = small().fit(tables.numbers(100))
    with pytest.raises(InputError, match="A stream needs at least one row"):
        model.stream(tables.numbers(10).iloc[:0])
    with pytest.raises(NoKnownColumnsError):
        model.stream(pd.DataFrame({"other": [1.0, 2.0, 3.0]}))
    with pytest.raises(ValueError, match="cutoff must be a severity"):
        model.stream(tables.numbers(10), cutoff=101.0)


def test_an_array_may_be_streamed_from_nothing() -> None:
    rows = tables.numbers(500).to_numpy()
    model = small()
    assert len(model.stream(rows)) == 500
    assert not hasattr(model, "feature_names_in_")
    with pytest.raises(ValueError, match="X has 3 features"):
        model.stream(rows[:, :3])
