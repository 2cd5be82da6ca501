from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from detector.core.model import DynamicAnomalyDetector
from detector.errors import ModelFileError
from detector.service import following, scoring, uploads
from detector.service.following import Following
from detector.service.loading import load
from detector.service.versions import previewing, training, updating
from detector.service.versions.training import TrainParameters
from detector.service.workspace import Workspace
from detector.store.observed_tables import observed_events
from tests.service.replicas import HABIT, LAST, LATER, ROLES, assert_alike, habit, payments


@pytest.fixture
def carded(ws: Workspace) -> Workspace:
    training.train_rows(ws, payments(), TrainParameters(n_estimators=20), ROLES, actor="test")
    return ws


def test_a_version_keeps_its_histories_in_a_file_beside_the_model(carded: Workspace) -> None:
    champion = carded.require_champion()
    files = list((carded.settings.home / "models" / "histories").iterdir())
    assert [path.suffix for path in files] == [".histories"]
    model = DynamicAnomalyDetector.from_bytes(carded.registry.get(champion.version))
    assert model.behaviour is not None
    assert len(model.behaviour.histories[0]) == 0
    assert len(champion.detector.behaviour.histories[0]) == 12
    assert HABIT not in training.train_result(carded, champion.version).features


def test_histories_that_were_changed_on_disk_are_refused(
    carded: Workspace, open_workspace: Callable[..., Workspace]
) -> None:
    path = next((carded.settings.home / "models" / "histories").iterdir())
    path.write_bytes(path.read_bytes() + b".")
    with pytest.raises(ModelFileError, match="not the ones that were registered"):
        open_workspace().champion()
    path.unlink()
    with pytest.raises(ModelFileError, match="cannot be read"):
        open_workspace().champion()


def test_scoring_looks_at_the_histories_and_only_observing_advances_them(carded: Workspace) -> None:
    detector = carded.require_champion().detector
    before = habit(detector)
    scoring.score_rows(carded, LATER)
    assert habit(detector) == before
    scoring.score_rows(carded, LATER, observe=True)
    assert habit(detector) < before
    after = habit(detector)
    scoring.score_rows(carded, LATER, observe=True)
    assert habit(detector) == after


def test_what_was_observed_survives_a_restart_and_enters_the_next_version(
    carded: Workspace, open_workspace: Callable[..., Workspace]
) -> None:
    before = habit(carded.require_champion().detector)
    scoring.score_rows(carded, LATER, observe=True)
    observed = habit(carded.require_champion().detector)
    carded.following.write()
    other = open_workspace()
    assert habit(other.require_champion().detector) == pytest.approx(observed, rel=1e-5)
    updating.update_rows(other, payments(60, seed=3, day=30), actor="test")
    updated = habit(other.require_champion().detector, LAST | {"at": "2026-05-01T13:00:00"})
    alone = DynamicAnomalyDetector.from_bytes(other.registry.get(1))
    assert before != observed
    fresh = alone.with_histories(other.registry.histories_of(1)).updated(payments(60, seed=3, day=30))
    assert updated != habit(fresh, LAST | {"at": "2026-05-01T13:00:00"})


def test_an_update_advances_the_histories_of_the_new_version_alone(carded: Workspace) -> None:
    first = carded.require_champion()
    rows = payments(80, seed=4, day=21)
    updating.update_rows(carded, rows, actor="test")
    probe = LAST | {"at": "2026-04-20T13:00:00"}
    assert habit(carded.current_champion().detector, probe) != habit(carded.detector(first.version), probe)
    updating.roll_back(carded, first.version, actor="test", reason="")
    assert habit(carded.current_champion().detector, probe) == habit(first.detector, probe)


def test_a_preview_compares_both_models_against_the_same_past_and_its_acceptance_keeps_histories(
    carded: Workspace,
) -> None:
    rows = payments(120, seed=5, day=21)
    upload = uploads.receive(carded, "next.csv", rows.to_csv(index=False).encode(), actor="test")
    preview = previewing.preview_update(carded, upload.id)
    assert abs(preview.flagged_share_after - preview.flagged_share_before) < 0.2
    previewing.accept_update(carded, preview.token, actor="test")
    champion = carded.current_champion()
    assert champion.version == 2
    assert carded.registry.histories_of(2) is not None
    assert champion.detector.behaviour.histories[0].to_content()["times"].max() > 1.7745e9


def test_a_file_scored_in_batches_gets_the_scores_of_one_piece(
    carded: Workspace, open_workspace: Callable[..., Workspace], tmp_path: Path
) -> None:
    rows = payments(90, seed=6, day=21)
    path = tmp_path / "next.csv"
    rows.to_csv(path, index=False)
    small = open_workspace(batch_rows=25)
    scoring.score_path(small, path, tmp_path / "scored.csv")
    in_batches = pd.read_csv(tmp_path / "scored.csv")
    assert HABIT not in in_batches.columns
    whole = carded.require_champion().detector.score(rows)
    np.testing.assert_allclose(in_batches["score"], whole.scores)


def test_the_latest_rows_are_held_out_where_an_entity_is_named(carded: Workspace) -> None:
    told = training.train_result(carded, 1)
    assert told is not None
    assert told.held_out_rows == 80
    assert told.flagged_shares[10.0] < 0.35


def test_without_an_entity_observing_writes_nothing(ws: Workspace) -> None:
    training.train_rows(ws, payments(), TrainParameters(n_estimators=5), actor="test")
    scoring.score_rows(ws, LATER, observe=True)
    ws.following.write()
    assert log(ws) == []


@pytest.fixture
def by_hand(carded: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace that writes down what is observed when it is told to, and not by itself."""
    monkeypatch.setattr(following, "PAUSE", 3_600.0)
    return carded


def observe(ws: Workspace, many: int = 1, first: int = 0) -> None:
    hours = range(first, first + many)
    rows = pd.DataFrame([LATER | {"at": f"2026-03-{25 + hour // 24}T{hour % 24:02d}:00:00"} for hour in hours])
    ws.following.note(ws.require_champion(), rows)


@contextmanager
def away(count: list[int] | None = None) -> Iterator[None]:
    """Let the database refuse what was observed."""

    def refuse(*_: object) -> None:
        if count is not None:
            count[0] += 1
        raise OperationalError("INSERT", {}, Exception("server closed the connection"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(following, "append_events", refuse)
        yield


def test_a_database_that_is_away_is_told_once_and_does_not_stop_scoring(by_hand: Workspace) -> None:
    with away(), capture_logs() as logs:
        scoring.score_rows(by_hand, LATER, observe=True)
        for _ in range(3):
            by_hand.following.write()
    assert [entry["event"] for entry in logs] == ["what was observed could not be written yet"]
    with capture_logs() as logs:
        by_hand.following.write()
    assert [entry["event"] for entry in logs] == ["what was observed is written again"]
    assert len(log(by_hand)) == 1


def test_what_waits_for_a_database_is_written_in_rows_and_transactions_of_bounded_size_in_its_order(
    by_hand: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("MOST_IN_ROW", 5), ("MOST_AT_ONCE", 12), ("ROWS_AT_ONCE", 4)):
        monkeypatch.setattr(following, name, value)
    with away():
        observe(by_hand, 17)
        for hour in range(17, 24):
            observe(by_hand, first=hour)
            by_hand.following.write()
        observe(by_hand, 7, first=24)
    transactions: list[list[int]] = []
    write = by_hand.database.write

    @contextmanager
    def counted() -> Iterator[object]:
        transactions.append([])
        with write() as connection:
            yield connection

    append = following.append_events

    def appended(connection: Connection, entities: str, observer: str, events: int, content: bytes) -> int:
        transactions[-1].append(events)
        return append(connection, entities, observer, events, content)

    monkeypatch.setattr(by_hand.database, "write", counted)
    monkeypatch.setattr(following, "append_events", appended)
    by_hand.following.write()
    assert transactions == [[5, 5], [5, 3, 1, 1], [1, 1, 1, 1], [5, 2]]
    fresh = by_hand.require_champion().detector.with_histories(by_hand.registry.histories_of(1) or b"")
    with by_hand.database.read() as connection:
        for content in connection.scalars(select(observed_events.c.content).order_by(observed_events.c.number)):
            fresh.take_in(content)
    assert_alike(fresh, by_hand.require_champion().detector)


@pytest.mark.parametrize("stands", [True, False])
def test_what_was_committed_though_the_answer_was_lost_is_not_written_again(by_hand: Workspace, stands: bool) -> None:
    write = by_hand.database.write

    @contextmanager
    def cut_off() -> Iterator[Connection]:
        with write() as connection:
            yield connection
            if not stands:
                connection.rollback()
        raise OSError("the connection is gone")

    observe(by_hand, 12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_hand.database, "write", cut_off)
        for _ in range(2):
            by_hand.following.write()
    assert [events for _, events in log(by_hand)] == ([12] if stands else [])
    observe(by_hand, 12, first=12)
    by_hand.following.write()
    assert [events for _, events in log(by_hand)] == [12, 12]
    assert_alike(load(by_hand.registry, 1).detector, by_hand.require_champion().detector)


def test_a_database_that_is_away_is_tried_less_and_less_often(carded: Workspace) -> None:
    class ByHand(Following):
        def _begin_timer(self) -> None:
            pass

    now, tried = [0.0], [0]
    waiting = ByHand(carded.database, clock=lambda: now[0])
    waiting.note(carded.require_champion(), LATER)
    tries = []
    with away(tried):
        for _ in range(240):
            waiting._when_due()
            tries.append(tried[0])
            now[0] += following.PAUSE
    assert tries[:10] == [1, 2, 2, 3, 3, 3, 3, 4, 4, 4]
    assert tries[-1] == 12
    now[0] += following.LONGEST_PAUSE
    waiting._when_due()
    waiting.close()
    assert len(log(carded)) == 1


def test_what_waits_long_is_kept_as_bytes_in_few_pieces(by_hand: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "MOST_IN_ROW", 6)
    with away():
        by_hand.following.write()
        observe(by_hand)
        for _ in range(2):
            by_hand.following.write()
        for hour in range(1, 16):
            observe(by_hand, first=hour)
            by_hand.following._when_due()
    assert [packed.events for packed in by_hand.following._packed] == [1, 6, 6]
    by_hand.following.write()
    assert [events for _, events in log(by_hand)] == [1, 6, 6, 3]


def test_what_cannot_be_written_does_not_fill_the_memory_and_what_is_dropped_is_counted(
    by_hand: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "MOST_WAITING", 2)
    with away(), capture_logs() as logs:
        for hour in range(5):
            observe(by_hand, first=hour)
        by_hand.following.write()
    assert [entry["event"] for entry in logs] == [
        "what is observed cannot be written, and no more of it is kept",
        "what was observed could not be written yet",
    ]
    with capture_logs() as logs:
        by_hand.following.write()
    assert logs[0]["never_written"] == by_hand.following.dropped == 3
    assert sum(events for _, events in log(by_hand)) == 2
    observe(by_hand, first=6)
    by_hand.following.write()
    assert sum(events for _, events in log(by_hand)) == 3


def test_what_cannot_be_written_at_the_end_is_told_to_be_lost(by_hand: Workspace) -> None:
    with away(), capture_logs() as logs:
        observe(by_hand, 3)
        by_hand.following.close()
    assert (logs[-1]["event"], logs[-1]["events"]) == ("what was observed last is lost to the others", 3)
    assert log(by_hand) == []


def log(ws: Workspace) -> list[tuple[int, int]]:
    with ws.database.read() as connection:
        rows = connection.execute(select(observed_events.c.number, observed_events.c.events))
        return [(row.number, row.events) for row in rows]
