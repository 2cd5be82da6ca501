from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from detector.errors import ConflictError, InputError, NotFoundError
from detector.service import scoring
from detector.service.alerts import alerting, handling
from detector.service.alerts.rule_settings import rule_settings, set_rule
from detector.service.exports.log_words import in_words
from detector.service.uploads import Upload
from detector.service.versions.training import TrainResult
from detector.service.workspace import Workspace
from detector.store import audit
from detector.store.alert_tables import alerts
from tests.service.alerts.conftest import NOON, a_run, inputs
from tests.service.conftest import transactions

Look = Callable[..., list[tuple[str, str, str]]]
DRIFTING = inputs(run=a_run(drift="drifting", drifted_columns=2))


@pytest.fixture
def raised(ws: Workspace, look: Look) -> handling.Alert:
    look(DRIFTING)
    (alert,) = handling.open_alerts(ws)
    return alert


def told(ws: Workspace) -> list[str]:
    with ws.database.read() as connection:
        return [in_words(entry.action, entry.subject, entry.details) for entry in audit.entries(connection)]


def test_an_acknowledged_alert_waits_for_nobody_and_still_stands(ws: Workspace, raised: handling.Alert) -> None:
    assert handling.waiting_alerts(ws) == 1
    alert = handling.acknowledge(ws, raised.number, actor="ada")
    assert (alert.state, alert.acknowledged_by) == ("acknowledged", "ada")
    assert handling.waiting_alerts(ws) == 0
    assert len(handling.open_alerts(ws)) == 1
    assert told(ws)[0] == f"Alert {raised.number} was acknowledged."


def test_the_second_to_acknowledge_learns_who_was_first(ws: Workspace, raised: handling.Alert) -> None:
    handling.acknowledge(ws, raised.number, actor="ada")
    with pytest.raises(ConflictError, match="ada has acknowledged"):
        handling.acknowledge(ws, raised.number, actor="eve")


def test_an_alert_that_sleeps_is_not_counted_until_it_wakes(ws: Workspace, raised: handling.Alert) -> None:
    alert = handling.snooze(ws, raised.number, timedelta(hours=1), actor="ada")
    assert alert.is_snoozed()
    assert not alert.is_snoozed(datetime.now(UTC) + timedelta(hours=2))
    assert handling.waiting_alerts(ws) == 0
    handling.wake(ws, raised.number, actor="ada")
    assert handling.waiting_alerts(ws) == 1


@pytest.mark.parametrize("lasts", [timedelta(), timedelta(days=15)])
def test_nobody_sleeps_for_ever(ws: Workspace, raised: handling.Alert, lasts: timedelta) -> None:
    with pytest.raises(InputError, match="at most 14 days"):
        handling.snooze(ws, raised.number, lasts, actor="ada")


def test_what_a_person_closed_is_not_raised_by_the_same_file_again(
    ws: Workspace, raised: handling.Alert, look: Look
) -> None:
    handling.close(ws, raised.number, actor="ada")
    assert look(DRIFTING, NOON + timedelta(minutes=1)) == []
    assert look(inputs(run=a_run(id=8, drift="drifting")), NOON + timedelta(minutes=2))


def test_what_resolved_by_itself_is_raised_again(ws: Workspace, raised: handling.Alert, look: Look) -> None:
    assert look(inputs(run=a_run(id=8))) == []
    assert look(inputs(run=a_run(id=9, drift="drifting")))
    assert [alert.number for alert in handling.past_alerts(ws)] == [raised.number]


def test_a_resolved_alert_cannot_be_handled(ws: Workspace, raised: handling.Alert) -> None:
    handling.close(ws, raised.number, actor="ada")
    with pytest.raises(ConflictError, match="resolved already"):
        handling.acknowledge(ws, raised.number, actor="ada")
    with pytest.raises(NotFoundError):
        handling.close(ws, 99, actor="ada")


def test_the_database_itself_allows_one_open_alert_of_a_kind(ws: Workspace, raised: handling.Alert) -> None:
    with ws.database.read() as connection:
        row = dict(connection.execute(select(alerts)).mappings().one())
    row.pop("number")
    with pytest.raises(IntegrityError), ws.database.write() as connection:
        connection.execute(insert(alerts).values(**row))


def test_nothing_is_written_while_nothing_changes(ws: Workspace, raised: handling.Alert) -> None:
    calls: list[object] = []
    write = ws.database.write
    ws.database.write = lambda: calls.append(1) or write()  # type: ignore[method-assign, func-returns-value, return-value]
    alerting.evaluate(ws, NOON + timedelta(seconds=15), DRIFTING)
    assert calls == []
    alerting.evaluate(ws, NOON + timedelta(seconds=61), DRIFTING)
    assert len(calls) == 1


def test_urgent_alerts_that_nobody_has_seen_come_first(ws: Workspace, look: Look) -> None:
    look(inputs(run=a_run(drift="drifting", new=("a",), missing=("b",))))
    first = handling.open_alerts(ws)[0]
    handling.acknowledge(ws, first.number, actor="ada")
    order = [(alert.state, alert.rule.level) for alert in handling.open_alerts(ws)]
    assert order == [("open", "urgent"), ("open", "notice"), ("acknowledged", "urgent")]


def test_a_rule_is_changed_with_a_trace_and_its_threshold_counts_at_once(ws: Workspace, look: Look) -> None:
    before = next(known for known in rule_settings(ws) if known.rule.name == "flagged_high")
    noisy = inputs(run=a_run(flagged=360))
    assert look(noisy) == []
    changed = set_rule(
        ws, "flagged_high", enabled=True, thresholds=dict(before.thresholds) | {"factor": 1.2}, actor="lea", seen=0
    )
    assert changed.revision == 1
    assert look(noisy) == [("flagged_high", "the newest file", "open")]
    assert told(ws)[0] == "The alert rule flagged high was changed: factor from 2 to 1.2."
    set_rule(ws, "flagged_high", enabled=False, thresholds=changed.thresholds, actor="lea", seen=1)
    assert look(noisy) == []


def test_a_threshold_out_of_range_or_of_another_rule_is_refused(ws: Workspace) -> None:
    known = next(found for found in rule_settings(ws) if found.rule.name == "error_rate")
    with pytest.raises(InputError, match=r"Share of failed requests: a number from 0.001 to 1, not 7"):
        set_rule(ws, "error_rate", enabled=True, thresholds=dict(known.thresholds) | {"share": 7}, actor="l", seen=0)
    with pytest.raises(InputError, match="The thresholds of this rule are share"):
        set_rule(ws, "error_rate", enabled=True, thresholds={"nonsense": 1}, actor="l", seen=0)
    with pytest.raises(NotFoundError, match="no alert rule 'none'"):
        set_rule(ws, "none", enabled=True, thresholds={}, actor="l", seen=0)


def test_two_leads_do_not_overwrite_each_other(ws: Workspace) -> None:
    set_rule(ws, "drifting", enabled=False, thresholds={}, actor="lea", seen=0)
    with pytest.raises(ConflictError, match="Somebody else has changed this rule"):
        set_rule(ws, "drifting", enabled=True, thresholds={}, actor="leo", seen=0)


def test_a_scored_file_without_a_column_raises_an_alert_at_once(
    ws: Workspace, trained: TrainResult, give: Callable[..., Upload]
) -> None:
    run = scoring.score_file(ws, give(transactions(300, 1).drop(columns="country").assign(note="x")).id, actor="ada")
    found = {(alert.rule.name, alert.subject): alert for alert in handling.open_alerts(ws)}
    assert found["column_gone", "country"].run == run.id
    assert "country is missing from run 1" in found["column_gone", "country"].summary
    assert ("column_new", "note") in found
    scoring.score_file(ws, give(transactions(300, 2), "april.csv").id, actor="ada")
    assert not {("column_gone", "country"), ("column_new", "note")} & {
        (alert.rule.name, alert.subject) for alert in handling.open_alerts(ws)
    }


def test_a_fault_in_the_rules_does_not_touch_the_run(
    ws: Workspace, trained: TrainResult, give: Callable[..., Upload], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerting, "gather", lambda *_: 1 / 0)
    assert scoring.score_file(ws, give(transactions(300, 1)).id, actor="ada").rows == 300


def test_a_champion_whose_file_is_gone_raises_an_alert(ws: Workspace, trained: TrainResult) -> None:
    (file,) = ws.settings.models_folder.glob("versions/*.joblib")
    aside = file.rename(file.with_suffix(".aside"))
    alerting.evaluate(ws)
    (alert,) = handling.open_alerts(ws)
    assert alert.rule.name == "model_unreadable"
    aside.rename(file)
    alerting.evaluate(ws)
    assert handling.open_alerts(ws) == ()


def test_a_job_that_failed_raises_an_alert(ws: Workspace) -> None:
    from detector.service import jobs

    job = jobs.submit(ws, "score", {"upload_id": "none"}, actor="ada")
    jobs.wait_for_job(ws, job.id, 30)
    alerting.evaluate(ws)
    (alert,) = handling.open_alerts(ws)
    assert (alert.rule.name, alert.subject) == ("job_failed", "score")
    assert alert.summary.startswith("Score: ")


def test_no_value_of_a_row_gets_into_an_alert(ws: Workspace, trained: TrainResult, give: Callable[..., Upload]) -> None:
    frame = pd.DataFrame(transactions(300, 1)).drop(columns="country").assign(secret="4111111111111111")
    scoring.score_file(ws, give(frame).id, actor="ada")
    with ws.database.read() as connection:
        assert "4111111111111111" not in str(connection.execute(select(alerts)).all())
