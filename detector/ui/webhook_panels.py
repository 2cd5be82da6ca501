"""Webhooks: where alerts are sent, what became of each message, and making and removing them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from detector.errors import DetectorError
from detector.service.alerts import outbox, webhooks
from detector.service.alerts.outbox import Delivery
from detector.service.alerts.rules import RULES
from detector.service.alerts.webhooks import WebhookInfo
from detector.service.workspace import Workspace
from detector.ui.frame import actor, allowed, may
from detector.ui.numbers import age, moment, plural
from detector.ui.states import error_panel, escaped

_FAILED, _SECRET = "webhook_failed", "webhook_secret"
_STATES = {"waiting": "waiting", "sent": "delivered", "dead": "given up"}


def webhooks_panel(ws: Workspace) -> None:
    """Show the webhooks with the state of their messages, and a form for another."""
    error = st.session_state.pop(_FAILED, None)
    if error is not None:
        error_panel("This was not done", error)
    manages = allowed("manage")
    if manages:
        _secret_once()
    found = webhooks.list_webhooks(ws)
    if not found:
        st.markdown(
            "No webhook yet: alerts are shown on this page only. With one, a message is sent whenever an alert is "
            "raised or resolved."
        )
    for hook in found:
        _webhook(ws, hook)
    if manages:
        with st.expander("Add a webhook", icon=":material/add:", expanded=not found):
            _form(ws)


def _secret_once() -> None:
    made = st.session_state.get(_SECRET)
    if made is None:
        return
    name, secret = made
    with st.container(border=True):
        st.markdown(f":material/key: **The secret of {escaped(name)}.** Copy it now; it is never shown again.")
        st.code(secret, language=None)
        st.caption(
            "The receiver checks with it that a message is ours (standardwebhooks.com). Lost it? Remove the webhook "
            "and add it anew."
        )
        st.button("I have copied it", type="primary", on_click=partial(st.session_state.pop, _SECRET, None))


def _webhook(ws: Workspace, hook: WebhookInfo) -> None:
    with st.container(border=True, gap="small", key=f"webhook_{hook.id}"):
        icon, colour = ("error", "red") if hook.dead else ("check_circle", "green")
        if not hook.dead and not hook.sent:
            icon, colour = "schedule", "gray"
        told = f"{hook.sent} delivered, {hook.waiting} waiting, {hook.dead} given up"
        st.markdown(f":{colour}[:material/{icon}:] **{escaped(hook.name)}** · `{hook.address}` · {told}")
        heard = "all rules" if not hook.rules else ", ".join(RULES[name].title for name in hook.rules if name in RULES)
        st.caption(f"Hears of {heard}. Added by {escaped(hook.created_by)}, {age(hook.created_at)}.")
        if may("manage"):
            _choices(ws, hook)
        _messages(ws, hook.id)


def _choices(ws: Workspace, hook: WebhookInfo) -> None:
    with st.container(horizontal=True):
        st.button(
            "Send a test",
            key=f"webhook_test_{hook.id}",
            on_click=partial(_do, partial(webhooks.send_test, ws, hook.id), "The test is on its way; see below."),
        )
        with st.popover("Remove"):
            st.markdown("What still waits for it is given up, and its secret is forgotten.")
            st.button(
                "Remove it",
                key=f"webhook_remove_{hook.id}",
                type="primary",
                on_click=partial(_do, partial(webhooks.remove_webhook, ws, hook.id)),
            )


@st.fragment(run_every=5.0)
def _messages(ws: Workspace, webhook: str) -> None:
    messages = outbox.list_deliveries(ws, webhook)
    if not messages:
        st.caption("No message yet.")
        return
    # Given-up ones first: they wait for a person.
    dead = [message for message in messages if message.state == "dead"]
    for message in dead[:3]:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f":red[:material/error:] {_named(message)}, given up after {plural(message.tries, 'try', 'tries')}. "
                f"{escaped(message.problem or '')}",
                width="stretch",
            )
            if may("manage"):
                st.button(
                    "Send again",
                    key=f"message_again_{message.number}",
                    on_click=partial(_do, partial(outbox.send_again, ws, message.number)),
                )
    held_up = [message for message in messages if message.state == "waiting" and message.problem]
    if held_up:
        next_try = moment(min(message.next_try_at for message in held_up))
        st.markdown(
            f":orange[:material/schedule:] {plural(len(held_up), 'message')} not taken yet; tried again by itself, "
            f"next {next_try}. {escaped(held_up[0].problem or '')}"
        )
    with st.expander(f"The last {plural(len(messages), 'message')}"):
        st.dataframe(
            {
                "Made": [moment(message.created_at) for message in messages],
                "Message": [_named(message) for message in messages],
                "State": [_STATES[message.state] for message in messages],
                "Tries": [message.tries for message in messages],
                "Answer": [str(message.status or "") for message in messages],
                "Problem": [message.problem or "" for message in messages],
                "Next try": [moment(message.next_try_at) if message.state == "waiting" else "" for message in messages],
                "Id": [message.id for message in messages],
            },
            hide_index=True,
            width="stretch",
            height="content" if len(messages) <= 8 else 320,
        )


def _named(message: Delivery) -> str:
    return "Test" if message.alert is None else f"Alert {message.alert}"


def _form(ws: Workspace) -> None:
    with st.form("webhook_add", border=False):
        st.text_input("Name", key="webhook_name", max_chars=60, placeholder="On-call")
        st.text_input(
            "Address",
            key="webhook_url",
            max_chars=2000,
            placeholder="https://example.com/alerts",
            help="HTTPS, and a public host. Hosts of the own network need DETECTOR_WEBHOOK_PRIVATE_HOSTS.",
        )
        st.multiselect(
            "Hears of",
            list(RULES),
            format_func=lambda name: RULES[name].title,
            key="webhook_rules",
            placeholder="All rules",
        )
        st.form_submit_button("Add the webhook", type="primary", on_click=_add, args=(ws,))


def _add(ws: Workspace) -> None:
    try:
        hook, secret = webhooks.add_webhook(
            ws,
            st.session_state["webhook_name"],
            st.session_state["webhook_url"],
            rules=st.session_state["webhook_rules"],
            actor=actor(),
        )
    except DetectorError as error:
        st.session_state[_FAILED] = error
    else:
        st.session_state[_SECRET] = (hook.name, secret)
        for name in ("webhook_name", "webhook_url"):
            st.session_state[name] = ""
        st.session_state["webhook_rules"] = []


def _do(act: Callable[..., object], told: str = "") -> None:
    try:
        act(actor=actor())
    except DetectorError as error:
        st.session_state[_FAILED] = error
    else:
        if told:
            st.toast(told, icon=":material/check:")
