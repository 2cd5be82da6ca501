import numpy as np
import pytest

from detector.service import runs
from detector.service.versions import challenging, held, trying, updating
from detector.service.versions.trial import TrialCounts, add_counts
from tests.decisions import decide
from tests.pages.saying import labels, press, said


@pytest.fixture
def page(app, trained, files):
    """The page with two trained versions; the second is champion."""
    from detector.service import uploads
    from detector.service.versions.training import train_file

    train_file(trained, uploads.receive(trained, "week2.csv", files["week2.csv"], actor="test").id, actor="test")
    return app.switch_page("pages/detector/models.py").run()


@pytest.fixture
def challenged(page):
    page.selectbox(key="models_version_1").set_value(1).run()
    return press(page, "Make challenger")


def test_without_a_model_it_says_what_is_needed(app):
    at = app.switch_page("pages/detector/models.py").run()
    assert "There is no model yet" in said(at)
    assert "Load the sample data" in labels(at)


def test_versions_are_listed_with_what_they_are_and_learned(page):
    table = page.dataframe[0].value
    assert table["Open"].tolist() == ["Version 2", "Version 1"]
    assert table["Now"].tolist() == ["Champion", ""]
    assert table["Rows learned"].tolist() == ["400", "400"]
    text = said(page)
    assert "This version is the champion" in text
    assert "400 rows of week2.csv" in text
    assert "held out" in text
    assert "Version 2, trained" in text


def test_an_update_shows_from_what_it_came(app, trained, files):
    from detector.service import uploads
    from detector.service.versions.updating import accept_update, preview_update

    week = uploads.receive(trained, "week2.csv", files["week2.csv"], actor="test")
    accept_update(trained, preview_update(trained, week.id).token, actor="test")
    text = said(app.switch_page("pages/detector/models.py").run())
    assert "400 new rows of week2.csv, on top of version 1" in text
    assert "New columns: device_score" in text
    assert "1. Version 1, trained" in text
    assert "2. Version 2, updated" in text


def test_going_back_needs_a_reason(page, ws):
    page.selectbox(key="models_version_1").set_value(1).run()
    press(page, "Roll back to version 1")
    assert "Say why the champion changes" in said(page)
    assert ws.current_champion().version == 2
    page.text_input(key="models_reason").set_value("Too many alarms")
    press(page, "Roll back to version 1")
    assert ws.current_champion().version == 1
    assert "This version is the champion" in said(page)
    page.selectbox(key="models_version_1").set_value(2).run()
    page.text_input(key="models_reason").set_value("It was the holiday")
    press(page, "Promote version 2")
    assert ws.current_champion().version == 2


def test_a_champion_that_changed_in_the_meantime_is_not_replaced(page, ws):
    page.selectbox(key="models_version_1").set_value(1).run()
    page.text_input(key="models_reason").set_value("Too many alarms")
    for version, reason in ((1, "somebody else"), (2, "and back")):
        challenging.promote(ws, version, seen=challenging.standing(ws).champion, actor="bob", reason=reason)
    press(page, "Roll back to version 1")
    text = said(page)
    assert "Nothing was changed" in text
    assert "The champion has changed in the meantime" in text
    assert ws.current_champion().version == 2


def test_a_version_challenges_and_stops(challenged, ws):
    assert challenging.standing(ws).challenger.version == 1
    assert challenged.dataframe[0].value["Now"].tolist() == ["Champion", "Challenger"]
    assert "Not compared yet" in said(challenged)
    press(challenged, "Stop the challenge")
    assert challenging.standing(ws).challenger is None
    assert "No version challenges the champion" in said(challenged)


def test_champion_and_challenger_are_compared_on_the_same_rows(challenged, ws, finish):
    order = runs.run_rows(ws, 1).index.tolist()
    decide(ws, runs.get_run(ws, 1), {order[0]: "fraud", order[1]: "legitimate"})
    at = finish(press(challenged, "Compare"))
    text = said(at)
    assert "compared on all 400 rows" in text
    assert "Rank correlation:" in text
    assert len(at.get("plotly_chart")) == 1
    who = at.table[1].value
    assert who["Champion"].iloc[0].endswith(" of 1")
    disagreements = at.dataframe[1].value
    assert len(disagreements) == 20
    assert {"Row", "Champion", "Challenger", "Decision", "amount"} <= set(disagreements.columns)


def test_a_comparison_at_another_cutoff_is_said_to_be_stale(challenged, ws, finish):
    at = finish(press(challenged, "Compare"))
    assert "at other cutoffs" not in said(at)
    ws.set_cutoff(97.0, actor="test")
    at.run()
    assert "at other cutoffs" in said(at)
    finish(press(at, "Compare again"))
    assert "at other cutoffs" not in said(at)


def test_a_comparison_in_progress_can_be_cancelled(page, held):
    held("compare_versions")
    page.run()
    assert "Comparing two versions" in said(page)
    assert "Cancel" in labels(page)


def test_a_comparison_that_fails_says_why(challenged, ws, finish):
    for path in (ws.settings.data_folder / "runs").iterdir():
        path.unlink()
    at = finish(press(challenged, "Compare"))
    assert "The comparison failed" in said(at)
    assert "Score the file again" in said(at)


@pytest.fixture
def tried(page):
    """The page with version 1 tried on live requests in shadow."""
    page.selectbox(key="models_version_1").set_value(1).run()
    return press(page, "Try version 1 on live requests")


def count_some(ws, **lost):
    """Count as an API process would have after 400 requests."""
    rng = np.random.default_rng(0)
    champion, challenger = rng.uniform(0, 100, 400), rng.uniform(0, 100, 400)
    counts = TrialCounts.of(champion, challenger, (95.0, 90.0), 40)
    trial = trying.trial_state(ws).trial
    with ws.database.write() as connection:
        add_counts(connection, trial.id, 2, counts.plus(TrialCounts.none(**lost)))


def test_the_champion_itself_is_not_tried(page):
    assert "Choose another one above to try it" in said(page)


def test_a_challenger_is_tried_on_live_requests_and_its_figures_are_shown(tried, ws):
    assert "Version 1 is tried beside version 2: the champion answers all requests" in said(tried)
    assert "No request has been scored by both versions yet" in said(tried)
    assert tried.dataframe[0].value["Now"].tolist() == ["Champion", "Challenger"]
    count_some(ws, dropped=3, failed=2)
    text = said(tried.run())
    assert "Requests scored by both: 400" in text
    assert "(95 %)" in text
    assert "3 requests answered but not compared" in text
    assert "could not score 2 requests" in text


def test_a_trial_is_stopped(tried, ws):
    press(tried, "Stop the trial")
    assert trying.trial_state(ws) is None
    assert "Let version 1 score the same live requests" in said(tried)


def test_a_challenger_is_promoted_after_its_trial_with_a_reason(tried, ws):
    press(tried, "Promote the challenger")
    assert "Say why the champion changes" in said(tried)
    tried.text_input(key="models_trial_reason").set_value("As good, and half the alarms")
    press(tried, "Promote the challenger")
    assert ws.current_champion().version == 1
    assert trying.trial_state(ws) is None


def test_a_challenger_answers_a_share(page, ws):
    page.selectbox(key="models_version_1").set_value(1).run()
    page.radio(key="models_trial_mode").set_value("share")
    page.slider(key="models_trial_share").set_value(25)
    press(page, "Try version 1 on live requests")
    assert (trying.trial_state(ws).trial.mode, trying.trial_state(ws).trial.share) == ("share", 0.25)
    assert "the challenger answers 25.0% of the requests, by transaction_id" in said(page)
    count_some(ws)
    assert "The challenger answered 40 requests of these" in said(page.run())


def test_a_trial_that_somebody_else_has_started_is_not_replaced(page, ws):
    page.selectbox(key="models_version_1").set_value(1).run()
    trying.start_trial(ws, 1, mode="share", share=0.5, expected_revision=0, actor="bob")
    press(page, "Try version 1 on live requests")
    assert "The challenger has changed in the meantime" in said(page)
    assert trying.trial_state(ws).trial.share == 0.5


@pytest.fixture
def suspicious(trained, ws):
    """A second version that waits for a person."""
    champion = ws.require_champion()
    columns = list(runs.get_run(ws, 1).columns)
    worst = runs.run_rows(ws, 1, limit=20, flagged_only=True)[columns]
    updating.update_rows(ws, worst.loc[worst.index.repeat(4)], actor="api")
    assert [one.version for one in held.waiting_versions(ws)] == [champion.version + 1]


def test_an_update_that_waits_is_promoted_with_a_reason(suspicious, app, ws):
    at = app.switch_page("pages/detector/models.py").run()
    text = said(at)
    assert "1 update waiting for you" in text
    assert "The champion flags" in text
    press(at, "Promote version 2")
    assert "Say why the champion changes" in said(at)
    at.text_input(key="models_waiting_reason_2").set_value("A sale at night")
    press(at, "Promote version 2")
    assert ws.current_champion().version == 2
    assert "waiting for you" not in said(at)


def test_an_update_that_waits_is_dismissed(suspicious, app, ws):
    at = app.switch_page("pages/detector/models.py").run()
    press(at, "Dismiss version 2")
    assert held.waiting_versions(ws) == ()
    assert ws.current_champion().version == 1
    assert "waiting for you" not in said(at)


def test_an_update_that_waits_is_shown_to_all_and_decided_by_leads(suspicious, app, come_as):
    come_as("vic@example.org", "analyst")
    at = app.switch_page("pages/detector/models.py").run()
    text = said(at)
    assert "1 update waiting for a lead" in text
    assert "The champion goes on until a lead decides" in text
    assert not {"Promote version 2", "Dismiss version 2"} & set(labels(at))


@pytest.mark.parametrize("role", ["viewer", "analyst"])
def test_who_is_no_lead_follows_a_trial_and_neither_starts_nor_ends_one(page, ws, come_as, role):
    come_as("vic@example.org", role)
    at = page.run()
    at.selectbox(key="models_version_1").set_value(1).run()
    assert "No version is tried on live requests. Only leads may start and end trials." in said(at)
    assert not [label for label in labels(at) if label.startswith(("Try", "Promote", "Roll back", "Make challenger"))]
    trying.start_trial(ws, 1, mode="shadow", expected_revision=0, actor="lea")
    at.run()
    assert "Version 1 is tried beside version 2" in said(at)
    assert "Only leads may start and end trials" in said(at)
    assert not {"Promote the challenger", "Stop the trial"} & set(labels(at))
