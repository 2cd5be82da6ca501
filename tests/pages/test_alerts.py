from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from detector.errors import ForbiddenError
from detector.service import uploads
from detector.service.alerts import alerting, handling, leasing, outbox, webhooks
from detector.service.alerts.rule_settings import rule_settings
from detector.service.alerts.watcher import LEASE, WATCH
from detector.service.scoring import score_file
from tests.pages.saying import labels, press, said

PAGE = "pages/system/alerts.py"


@pytest.fixture
def raised(trained, files):
    """The workspace with the alerts that week 4 raises: columns gone and new, drift."""
    week = uploads.receive(trained, "week4.csv", files["week4.csv"], actor="test")
    score_file(trained, week.id, actor="test")
    leasing.hold(trained.database, WATCH, "somebody", datetime.now(UTC), LEASE)
    return trained


@pytest.fixture
def page(app, raised):
    return app.switch_page(PAGE).run()


def show(at, view):
    at.segmented_control(key="alerts_view").set_value(view)
    return at.run()


def first(ws):
    return handling.open_alerts(ws)[0]


def test_before_there_is_anything_the_page_says_what_to_do_first(app):
    at = app.switch_page(PAGE).run()
    assert "Nothing can be watched yet" in said(at)
    assert {"Train a model", "Load the sample data"} <= set(labels(at))


def test_a_quiet_page_says_so(app, trained):
    leasing.hold(trained.database, WATCH, "somebody", datetime.now(UTC), LEASE)
    for alert in handling.open_alerts(trained):
        handling.close(trained, alert.number, actor="test")
    at = app.switch_page(PAGE).run()
    assert "All is quiet" in said(at)
    assert "Alerts: none" in said(at)
    assert "Nobody is watching" not in said(at)


def test_a_page_that_nobody_keeps_up_to_date_says_so(app, trained):
    at = app.switch_page(PAGE).run()
    assert "Nobody is watching at the moment" in said(at)


def test_an_alert_tells_what_since_when_and_what_to_do(page, raised):
    told = said(page)
    assert "entry_mode is missing from run 2, the newest file." in told
    assert "What to do. Ask who delivers the data" in told
    assert "wait for somebody" in told
    assert f"Alerts: {handling.waiting_alerts(raised)}" in told
    assert "Open Schema and drift" in [link.proto.label for link in page.get("page_link")]


def test_an_alert_is_acknowledged_and_stays(page, raised):
    alert, before = first(raised), handling.waiting_alerts(raised)
    page.button(key=f"alert_{alert.number}_Acknowledge").click()
    assert "looks after it" in said(page.run())
    assert handling.waiting_alerts(raised) == before - 1


def test_all_are_acknowledged_at_once(page, raised):
    press(page, "Acknowledge all")
    assert handling.waiting_alerts(raised) == 0
    assert "somebody looks after each" in said(page.run())


def test_an_alert_sleeps_and_wakes(page, raised):
    alert = first(raised)
    page.button(key=f"alert_{alert.number}_8 hours").click()
    assert "Asleep until" in said(page.run())
    page.button(key=f"alert_{alert.number}_Wake").click().run()
    assert "Asleep until" not in said(page)


def test_somebody_else_was_faster(page, raised):
    alert = first(raised)
    handling.acknowledge(raised, alert.number, actor="ada")
    page.button(key=f"alert_{alert.number}_Acknowledge").click()
    at = page.run()
    assert "This was not done. ada has acknowledged this alert already." in said(at)


def test_a_closed_alert_is_history(page, raised):
    alert = first(raised)
    page.button(key=f"alert_{alert.number}_Close").click().run()
    at = show(page, "History")
    said(at)
    assert at.dataframe[0].value.iloc[0]["Resolved by"] == "analyst"


def test_history_before_there_is_any(app, trained):
    at = show(app.switch_page(PAGE).run(), "History")
    assert "No alert has been resolved yet" in said(at)


def test_a_threshold_is_moved_with_a_trace(page, raised):
    at = show(page, "Rules")
    assert "Rules are applied" in said(at)
    at.number_input(key="rule_error_rate_share_0").set_value(5.0)
    form = next(b for b in at.button if b.label == "Change the rule" and "error_rate" in str(b.proto.form_id))
    form.click().run()
    said(at)
    known = next(found for found in rule_settings(raised) if found.rule.name == "error_rate")
    assert known.thresholds["share"] == pytest.approx(0.05)


def test_a_webhook_is_added_and_its_secret_shown_once(page, raised):
    at = show(page, "Webhooks")
    assert "No webhook yet" in said(at)
    at.text_input(key="webhook_name").set_value("On-call")
    at.text_input(key="webhook_url").set_value("https://hooks.example.com/T0/secret-path")
    at = press(at, "Add the webhook")
    assert at.code[0].value.startswith("whsec_")
    at = press(at, "I have copied it")
    assert not at.code
    assert "secret-path" not in said(at)
    assert "https://hooks.example.com" in said(at)


def test_an_address_of_the_own_network_is_refused_in_words(page):
    at = show(page, "Webhooks")
    at.text_input(key="webhook_name").set_value("x")
    at.text_input(key="webhook_url").set_value("http://169.254.169.254/")
    assert "A webhook goes over https://" in said(press(at, "Add the webhook"))


def test_a_message_that_was_given_up_can_be_sent_again(page, raised):
    hook, _ = webhooks.add_webhook(raised, "On-call", "https://hooks.example.com/", actor="lea")
    webhooks.send_test(raised, hook.id, actor="lea")
    (message,) = outbox.take(raised.database, "x", datetime.now(UTC))
    outbox.note(raised.database, "x", message, 410, "It answers 410.", datetime.now(UTC))
    at = show(page, "Webhooks")
    assert "given up after 1 try. It answers 410." in said(at)
    press(at, "Send again")
    (delivery,) = outbox.list_deliveries(raised, hook.id)
    assert delivery.state == "waiting"


def test_a_message_that_is_held_up_says_why_and_until_when(page, raised):
    hook, _ = webhooks.add_webhook(raised, "On-call", "https://hooks.example.com/", actor="lea")
    webhooks.send_test(raised, hook.id, actor="lea")
    (message,) = outbox.take(raised.database, "x", datetime.now(UTC))
    outbox.note(raised.database, "x", message, 500, "It answers 500.", datetime.now(UTC) + timedelta(hours=1))
    assert "1 message not taken yet; tried again by itself" in said(show(page, "Webhooks"))


def test_markup_in_a_column_name_is_shown_as_text(app, raised, files):
    name = "**bold** [x](http://evil) <b>"
    content = files["week1.csv"].decode().replace("amount", name, 1).encode()
    week = uploads.receive(raised, "odd.csv", content, actor="test")
    score_file(raised, week.id, actor="test")
    alerting.evaluate(raised)
    at = app.switch_page(PAGE).run()
    shown = [str(element.value) for element in at.markdown]
    assert any("\\*\\*bold\\*\\* \\[x\\]" in text for text in shown)
    assert not any("[x](http" in text for text in shown)


def test_a_viewer_sees_alerts_and_leaves_them_as_they_are(app, raised, come_as):
    come_as("vic@example.org", "viewer")
    at = app.switch_page(PAGE).run()
    assert "entry_mode is missing from run 2" in said(at)
    assert "Analysts and leads may decide on cases and alerts; you are here as viewer" in said(at)
    assert labels(at) == ["Sign out"]


def test_an_analyst_decides_on_alerts(app, raised, come_as):
    come_as("ann@example.org", "analyst")
    at = app.switch_page(PAGE).run()
    at.button(key=f"alert_{first(raised).number}_Acknowledge").click()
    assert "ann@example.org looks after it" in said(at.run()).replace("\\", "")


def test_before_there_is_a_model_a_viewer_is_told_who_makes_one(app, come_as):
    come_as("vic@example.org", "viewer")
    at = app.switch_page(PAGE).run()
    assert "A lead does that" in said(at)
    assert labels(at) == ["Sign out"]


@pytest.mark.parametrize("role", ["viewer", "analyst"])
def test_rules_are_read_by_all_and_changed_by_leads(app, raised, come_as, role):
    come_as("vic@example.org", role)
    at = show(app.switch_page(PAGE).run(), "Rules")
    assert f"alert rules and webhooks; you are here as {role}" in said(at)
    assert at.number_input
    controls = [*at.number_input, *at.toggle, *(b for b in at.button if b.label == "Change the rule")]
    assert all(control.disabled for control in controls)


@pytest.mark.parametrize("role", ["viewer", "analyst"])
def test_who_does_not_manage_webhooks_sees_how_they_do_and_no_secret(app, raised, come_as, role):
    hook, secret = webhooks.add_webhook(raised, "On-call", "https://hooks.example.com/T0/secret-path", actor="lea")
    webhooks.send_test(raised, hook.id, actor="lea")
    (message,) = outbox.take(raised.database, "x", datetime.now(UTC))
    outbox.note(raised.database, "x", message, 410, "It answers 410.", datetime.now(UTC))
    come_as("vic@example.org", role)
    at = app.switch_page(PAGE)
    at.session_state["webhook_secret"] = ("On-call", secret)
    at = show(at.run(), "Webhooks")
    told = said(at)
    assert "given up after 1 try. It answers 410." in told
    assert "alert rules and webhooks; you are here as" in told
    assert "secret-path" not in told
    assert not at.code
    assert not at.text_input
    assert labels(at) == ["Sign out"]


def test_a_handler_of_webhooks_that_is_called_all_the_same_is_refused(app, raised, come_as):
    from detector.ui import webhook_panels

    hook, _ = webhooks.add_webhook(raised, "On-call", "https://hooks.example.com/", actor="lea")
    come_as("vic@example.org", "viewer")
    webhook_panels._do(lambda *, actor: webhooks.remove_webhook(raised, hook.id, actor=actor))
    assert isinstance(webhook_panels.st.session_state[webhook_panels._FAILED], ForbiddenError)
    assert webhooks.list_webhooks(raised)
