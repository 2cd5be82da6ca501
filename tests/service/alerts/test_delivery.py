"""Messages to webhooks: written with the alert, signed, tried again, given up, and heard of once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from pytest_httpserver import HTTPServer
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from werkzeug import Request, Response

from detector.errors import ConflictError, InputError, NotFoundError
from detector.service.alerts import alerting, handling, outbox, webhooks
from detector.service.alerts.addresses import AddressRefusedError
from detector.service.alerts.delivering import deliver_due
from detector.service.alerts.webhooks import WebhookInfo
from detector.service.workspace import Workspace
from detector.store import audit, tables
from detector.store.alert_tables import deliveries
from tests.service.alerts.conftest import a_run, inputs

DRIFTING = inputs(run=a_run(drift="drifting"))


@pytest.fixture
def ws(open_workspace: Callable[..., Workspace]) -> Workspace:
    return open_workspace(webhook_private_hosts="localhost,127.0.0.1")


@pytest.fixture
def hooked(ws: Workspace, httpserver: HTTPServer) -> tuple[WebhookInfo, str]:
    return webhooks.add_webhook(ws, "On-call", httpserver.url_for("/hook"), actor="lea")


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


def drain(ws: Workspace, clock: Clock | None = None) -> int:
    tried = 0
    while count := deliver_due(ws, "me", clock or Clock()):
        tried += count
    return tried


def messages(ws: Workspace, hook: WebhookInfo) -> list[tuple[str, int, str | None]]:
    return [(one.state, one.tries, one.problem) for one in outbox.list_deliveries(ws, hook.id)]


def test_an_alert_reaches_its_webhook_signed_and_so_does_its_end(
    ws: Workspace, hooked: tuple[WebhookInfo, str], receiver: list[Request]
) -> None:
    _, secret = hooked
    alerting.evaluate(ws, inputs=DRIFTING)
    assert drain(ws) == 1
    told = Webhook(secret).verify(receiver[0].data, dict(receiver[0].headers))
    assert (told["type"], told["data"]["rule"], told["data"]["state"]) == ("alert.opened", "drifting", "open")
    assert told["data"]["what_to_do"].startswith("Open Schema and drift")
    alerting.evaluate(ws, inputs=inputs(run=a_run(id=8)))
    drain(ws)
    told = Webhook(secret).verify(receiver[1].data, dict(receiver[1].headers))
    assert (told["type"], told["data"]["state"]) == ("alert.resolved", "resolved")
    assert receiver[0].headers["webhook-id"] != receiver[1].headers["webhook-id"]
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(receiver[0].data + b" ", dict(receiver[0].headers))


def test_a_webhook_hears_only_of_the_rules_that_it_wants(
    ws: Workspace, httpserver: HTTPServer, receiver: list[Request]
) -> None:
    webhooks.add_webhook(ws, "Models", httpserver.url_for("/hook"), rules=["model_unreadable"], actor="lea")
    alerting.evaluate(ws, inputs=DRIFTING)
    assert drain(ws) == 0
    alerting.evaluate(ws, inputs=inputs(run=a_run(drift="drifting"), unreadable=(1, "Gone.")))
    assert drain(ws) == 1


def test_an_alert_and_its_message_stand_or_fall_together(
    ws: Workspace, hooked: tuple[WebhookInfo, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "write", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        alerting.evaluate(ws, inputs=DRIFTING)
    assert handling.open_alerts(ws) == ()


def test_a_message_is_tried_again_under_the_same_id_and_then_given_up(
    ws: Workspace, hooked: tuple[WebhookInfo, str], httpserver: HTTPServer
) -> None:
    ids: list[str] = []

    def fail(request: Request) -> Response:
        ids.append(request.headers["webhook-id"])
        return Response("no", 500)

    httpserver.expect_request("/hook").respond_with_handler(fail)
    webhooks.send_test(ws, hooked[0].id, actor="lea")
    clock = Clock()
    assert drain(ws, clock) == 1
    assert messages(ws, hooked[0]) == [("waiting", 1, "It answers 500.")]
    for wait in outbox.WAITS:
        clock.now += timedelta(seconds=wait - 1)
        assert drain(ws, clock) == 0
        clock.now += timedelta(seconds=1)
        assert drain(ws, clock) == 1
    assert messages(ws, hooked[0]) == [("dead", len(outbox.WAITS) + 1, "It answers 500.")]
    assert len(set(ids)) == 1
    assert len(ids) == len(outbox.WAITS) + 1
    (dead,) = outbox.list_deliveries(ws, hooked[0].id)
    outbox.send_again(ws, dead.number, actor="lea")
    assert messages(ws, hooked[0])[0][:2] == ("waiting", 0)
    with pytest.raises(ConflictError, match="not given up"):
        outbox.send_again(ws, dead.number, actor="lea")
    with pytest.raises(NotFoundError):
        outbox.send_again(ws, 99, actor="lea")


def test_a_webhook_that_takes_nothing_raises_an_alert_of_which_it_is_not_told(
    ws: Workspace, hooked: tuple[WebhookInfo, str], httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/hook").respond_with_response(Response("gone", 410))
    webhooks.send_test(ws, hooked[0].id, actor="lea")
    drain(ws)
    assert messages(ws, hooked[0]) == [("dead", 1, "It answers 410.")]
    alerting.evaluate(ws)
    assert [alert.subject for alert in handling.open_alerts(ws)] == ["On-call"]
    assert len(messages(ws, hooked[0])) == 1


def test_a_redirect_is_not_followed(ws: Workspace, hooked: tuple[WebhookInfo, str], httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_response(
        Response("", 302, {"Location": httpserver.url_for("/inner")})
    )
    inner: list[Request] = []
    httpserver.expect_request("/inner").respond_with_handler(lambda request: inner.append(request) or Response(""))
    webhooks.send_test(ws, hooked[0].id, actor="lea")
    drain(ws)
    assert inner == []
    assert "redirects are not followed" in str(messages(ws, hooked[0])[0][2])


def test_two_processes_do_not_both_send_and_one_takes_over_from_another_that_died(
    ws: Workspace, hooked: tuple[WebhookInfo, str]
) -> None:
    webhooks.send_test(ws, hooked[0].id, actor="lea")
    now = datetime.now(UTC)
    (message,) = outbox.take(ws.database, "one", now)
    assert outbox.take(ws.database, "two", now + timedelta(seconds=59)) == ()
    (again,) = outbox.take(ws.database, "two", now + outbox.HOLDS)
    assert again["id"] == message["id"]
    outbox.note(ws.database, "one", message, 200, None, now)
    assert messages(ws, hooked[0])[0][0] == "waiting"
    outbox.note(ws.database, "two", again, 200, None, now)
    assert messages(ws, hooked[0])[0][0] == "sent"


def test_a_secret_is_shown_once_and_kept_out_of_log_and_lists(
    ws: Workspace, hooked: tuple[WebhookInfo, str], capsys: pytest.CaptureFixture[str]
) -> None:
    from detector.service.logs import configure_logs

    configure_logs("DEBUG")
    hook, secret = hooked
    assert secret.startswith("whsec_")
    webhooks.send_test(ws, hook.id, actor="lea")
    drain(ws)
    with ws.database.read() as connection:
        log = str(connection.execute(select(tables.audit)).all())
        bodies = str(connection.execute(select(deliveries)).all())
    shown = log + bodies + repr(webhooks.list_webhooks(ws)) + repr(outbox.list_deliveries(ws, hook.id))
    out = capsys.readouterr()
    for text in (shown, out.err, out.out):
        assert secret.removeprefix("whsec_") not in text
        assert "/hook" not in text
    assert "a webhook did not take a message" in out.err


def test_a_removed_webhook_gets_nothing_more_and_its_secret_is_gone(
    ws: Workspace, hooked: tuple[WebhookInfo, str], receiver: list[Request]
) -> None:
    webhooks.send_test(ws, hooked[0].id, actor="lea")
    webhooks.remove_webhook(ws, hooked[0].id, actor="lea")
    assert drain(ws) == 0
    assert webhooks.list_webhooks(ws) == ()
    assert receiver == []
    with ws.database.read() as connection:
        assert "webhook removed" in [entry.action for entry in audit.entries(connection)]
        assert hooked[1] not in str(connection.execute(select(tables.metadata.tables["webhooks"])).all())
    with pytest.raises(NotFoundError):
        webhooks.remove_webhook(ws, hooked[0].id, actor="lea")


def test_a_webhook_that_cannot_be_used_is_refused(ws: Workspace) -> None:
    with pytest.raises(InputError, match="needs a name"):
        webhooks.add_webhook(ws, " \n", "https://example.com/", actor="lea")
    with pytest.raises(InputError, match="no alert rule 'x'"):
        webhooks.add_webhook(ws, "a", "https://example.com/", rules=["x"], actor="lea")
    with pytest.raises(AddressRefusedError):
        webhooks.add_webhook(ws, "a", "http://169.254.169.254/latest/meta-data", actor="lea")


def test_what_is_sent_is_json_of_a_stated_form(
    ws: Workspace, hooked: tuple[WebhookInfo, str], receiver: list[Request]
) -> None:
    webhooks.send_test(ws, hooked[0].id, actor="lea")
    drain(ws)
    assert receiver[0].headers["content-type"] == "application/json"
    told = json.loads(receiver[0].data)
    assert set(told) == {"type", "timestamp", "data"}
    assert told["type"] == "alert.test"
