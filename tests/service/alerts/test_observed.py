from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest

from detector.service import scoring
from detector.service.alerts import leasing
from detector.service.alerts.observed import Observed, read_observed, write_observed
from detector.service.alerts.watcher import LOOKS_PER_ROUND, WATCH, Watcher
from detector.service.measures import MOST_COLUMNS, SEVERITIES, Measures
from detector.service.versions.training import TrainResult
from detector.service.workspace import Workspace
from tests.service.alerts.conftest import NOON
from tests.service.conftest import transactions


def test_single_rows_and_a_batch_of_them_are_counted_alike() -> None:
    severities = np.append(np.random.default_rng(0).uniform(0, 100, 500), [0.0, 25.0, 90.0, 100.0])
    one, many = Measures(), Measures()
    for severity in severities:
        one.note(np.array([severity]), 90.0)
    many.note(severities, 90.0)
    assert one.scored["champion"].by_severity == many.scored["champion"].by_severity
    assert sum(one.scored["champion"].by_severity) == len(severities)
    assert one.scored["champion"].by_severity[-1] == np.count_nonzero(severities > SEVERITIES[-2])
    assert one.scored["champion"].flagged == many.scored["champion"].flagged == np.count_nonzero(severities > 90)
    assert one.take().expected == pytest.approx(many.take().expected) == pytest.approx(50.4)


def test_what_was_taken_is_not_told_twice() -> None:
    measures = Measures()
    measures.note(np.array([95.0]), 90.0, ("a",), ("b",))
    seen = measures.take()
    assert (seen.rows, seen.flagged, seen.missing, seen.new) == (1, 1, {"a": 1}, {"b": 1})
    assert measures.take().rows == 0


def test_ever_new_names_fill_no_memory() -> None:
    measures = Measures()
    for number in range(3_000):
        measures.note(np.array([1.0]), 90.0, (), (f"c{number}",))
    assert len(measures._sets) == 1_000
    seen = measures.take()
    assert (seen.rows, len(seen.new)) == (3_000, MOST_COLUMNS)


def test_a_challenger_is_counted_apart() -> None:
    measures = Measures()
    measures.note(np.array([95.0, 10.0]), 90.0, role="challenger")
    assert measures.take().rows == 0
    assert measures.scored["challenger"].rows == 2


def test_minutes_of_several_processes_add_up_and_old_ones_go(ws: Workspace) -> None:
    for process, minutes in (("a", 0), ("b", 0), ("a", 0), ("a", 90)):
        write_observed(
            ws.database,
            process,
            Observed(requests=10, errors=1, rows=5, flagged=1, expected=0.5, missing={"x": 2}),
            NOON - timedelta(minutes=minutes),
        )
    found = read_observed(ws.database, NOON - timedelta(minutes=60))
    assert (found.requests, found.errors, found.rows, found.missing) == (30, 3, 15, {"x": 6})
    write_observed(ws.database, "c", Observed(requests=1), NOON + timedelta(days=3))
    assert read_observed(ws.database, NOON - timedelta(days=9)).requests == 1


def test_a_lease_is_held_by_one_until_it_ends_or_is_given_up(ws: Workspace) -> None:
    lasts = timedelta(seconds=45)
    assert leasing.hold(ws.database, "x", "a", NOON, lasts)
    assert leasing.hold(ws.database, "x", "a", NOON + timedelta(seconds=40), lasts)
    assert not leasing.hold(ws.database, "x", "b", NOON + timedelta(seconds=50), lasts)
    assert leasing.hold(ws.database, "x", "b", NOON + timedelta(seconds=100), lasts)
    leasing.let_go(ws.database, "x", "a")
    assert leasing.is_held(ws.database, "x", NOON + timedelta(seconds=101))
    leasing.let_go(ws.database, "x", "b")
    assert not leasing.is_held(ws.database, "x", NOON + timedelta(seconds=101))


def test_the_watcher_writes_down_what_was_scored_and_requested(ws: Workspace, trained: TrainResult) -> None:
    from datetime import UTC, datetime

    answered = [(0, 0)]
    watcher = Watcher(ws, lambda: answered[0])
    scoring.score_rows(ws, transactions(50).drop(columns="country"))
    answered[0] = (60, 2)
    watcher.look()
    found = read_observed(ws.database, datetime.now(UTC) - timedelta(minutes=5))
    assert (found.requests, found.errors, found.rows, found.missing) == (60, 2, 50, {"country": 50})
    watcher.look()
    assert read_observed(ws.database, datetime.now(UTC) - timedelta(minutes=5)) == found


def test_of_two_watchers_one_applies_the_rules(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    applied: list[str] = []
    monkeypatch.setattr("detector.service.alerts.alerting.evaluate", lambda *_: applied.append("x"))
    watchers = [Watcher(ws), Watcher(ws)]
    for _ in range(LOOKS_PER_ROUND):
        for watcher in watchers:
            watcher.look()
    assert len(applied) == 1
    watchers[0].stop()
    for _ in range(LOOKS_PER_ROUND):
        watchers[1].look()
    assert len(applied) == 2


def test_what_a_database_that_is_away_could_not_take_is_written_later(
    ws: Workspace, trained: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import UTC, datetime

    watcher = Watcher(ws)
    scoring.score_rows(ws, transactions(20))
    with monkeypatch.context() as away:
        away.setattr("detector.service.alerts.watcher.write_observed", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            watcher.look()
    watcher.look()
    assert read_observed(ws.database, datetime.now(UTC) - timedelta(minutes=5)).rows == 20


def test_a_watcher_ends_with_its_workspace(open_workspace: Callable[..., Workspace]) -> None:
    ws = open_workspace()
    watcher = Watcher(ws)
    watcher.start()
    ws.close()
    assert watcher._stop.is_set()
    assert not any(thread.is_alive() for thread in watcher._threads)
    assert WATCH
