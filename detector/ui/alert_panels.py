"""The alerts that stand, each with what to do, and those that were."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import streamlit as st

from detector.errors import DetectorError
from detector.service import runs
from detector.service.alerts import handling, leasing
from detector.service.alerts.handling import Alert
from detector.service.alerts.watcher import WATCH
from detector.service.workspace import Workspace
from detector.ui.first_steps import model_needed
from detector.ui.frame import actor, allowed, told_in_words
from detector.ui.numbers import age, moment, plural
from detector.ui.states import error_panel, escaped

#: Seconds after which the page looks again by itself.
_LOOK_AGAIN = 10.0
_SNOOZES = {
    "1 hour": timedelta(hours=1),
    "8 hours": timedelta(hours=8),
    "1 day": timedelta(days=1),
    "7 days": timedelta(days=7),
}
#: Pages that open on the run they are given.
_BY_RUN = {"pages/detector/schema_drift.py"}
_FAILED = "alerts_failed"


@st.fragment(run_every=_LOOK_AGAIN)
def open_panel(ws: Workspace) -> None:
    """Show what waits for somebody first, then what somebody looks after, then what is asleep."""
    with told_in_words("The alerts cannot be shown"):
        _failed()
        _watched(ws)
        standing = handling.open_alerts(ws)
        if not standing:
            _quiet(ws)
            return
        decides, now = allowed("decide"), datetime.now(UTC)
        waiting = [alert for alert in standing if alert.state == "open" and not alert.is_snoozed(now)]
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{_counted(waiting, len(standing))}**", width="stretch")
            if decides and len(waiting) > 1:
                st.button(
                    "Acknowledge all",
                    key="alerts_acknowledge_all",
                    on_click=partial(_each, waiting, partial(handling.acknowledge, ws)),
                    help="Says that you look after all of them. They stay here until they resolve.",
                )
        for alert in standing:
            _card(ws, alert, now, decides=decides)


def history_panel(ws: Workspace) -> None:
    """Show the alerts that were resolved, the latest first."""
    past = handling.past_alerts(ws)
    if not past:
        st.markdown("No alert has been resolved yet.")
        return
    st.dataframe(
        {
            "Resolved": [moment(alert.resolved_at) for alert in past],
            "Alert": [alert.number for alert in past],
            "What": [alert.rule.title for alert in past],
            "Lasted": [_lasted(alert) for alert in past],
            "Acknowledged by": [alert.acknowledged_by or "nobody" for alert in past],
            "Resolved by": [_by(alert) for alert in past],
            "Told": [alert.summary for alert in past],
        },
        hide_index=True,
        width="stretch",
        height="content" if len(past) <= 12 else 460,
        column_config={
            "Alert": st.column_config.NumberColumn(format="%d", width=60),
            "Told": st.column_config.TextColumn(width="large"),
        },
    )
    st.caption("The last 100. Who acknowledged, snoozed or closed what is in the audit log as well.")


def _watched(ws: Workspace) -> None:
    # A quiet page must not mean that nobody looks.
    if not leasing.is_held(ws.database, WATCH, datetime.now(UTC)):
        st.warning(
            "**Nobody is watching at the moment.** What stands here may be out of date. The dashboard and the API both "
            "watch, and one of them begins within half a minute after its start.",
            icon=":material/visibility_off:",
        )


def _quiet(ws: Workspace) -> None:
    if ws.champion() is None and not runs.list_runs(ws, limit=1):
        model_needed(ws, "alerts", "Nothing can be watched yet: there is no model, and nothing has been scored.")
    st.success("**All is quiet.** No alert is open.", icon=":material/check_circle:")
    last = handling.past_alerts(ws, limit=1)
    if last:
        st.caption(f"The last one, {escaped(last[0].rule.title.lower())}, was resolved {age(last[0].resolved_at)}.")


def _card(ws: Workspace, alert: Alert, now: datetime, *, decides: bool) -> None:
    asleep = alert.is_snoozed(now)
    urgent = alert.rule.level == "urgent"
    icon, colour = ("error", "red") if urgent else ("info", "orange")
    if asleep or alert.state == "acknowledged":
        icon, colour = ("snooze" if asleep else "person_check"), "gray"
    with st.container(border=True, gap="small", key=f"alert_{alert.number}"):
        # The subject is told in the summary; as part of the title it would be cut off first.
        st.markdown(
            f":{colour}[:material/{icon}:] **{alert.rule.title}** · {'urgent' if urgent else 'notice'} · "
            f"since {moment(alert.opened_at)}, {age(alert.opened_at)}"
        )
        st.markdown(escaped(alert.summary))
        st.markdown(f"**What to do.** {escaped(alert.rule.todo)}")
        told = _standing(alert, asleep)
        if told:
            st.caption(told)
        with st.container(horizontal=True, vertical_alignment="center"):
            if decides:
                _choices(ws, alert, asleep=asleep)
            if alert.rule.page != "pages/system/alerts.py":
                by_run = {"run": str(alert.run)} if alert.run and alert.rule.page in _BY_RUN else None
                st.page_link(
                    alert.rule.page,
                    label=f"Open {alert.rule.page_name}",
                    icon=":material/arrow_forward:",
                    query_params=by_run,
                )


def _choices(ws: Workspace, alert: Alert, *, asleep: bool) -> None:
    if alert.state == "open":
        _button(alert, "Acknowledge", partial(handling.acknowledge, ws), primary=not asleep)
    if asleep:
        _button(alert, "Wake", partial(handling.wake, ws))
    else:
        with st.popover("Snooze", icon=":material/snooze:"):
            st.caption("It does not count while it sleeps, and comes back afterwards if it still stands.")
            for label, lasts in _SNOOZES.items():
                _button(alert, label, partial(_snooze, ws, lasts))
    _button(
        alert,
        "Close",
        partial(handling.close, ws),
        told="Resolves it now. The same file or job raises it no more; requests do if they go on as they are.",
    )


def _standing(alert: Alert, asleep: bool) -> str:
    told = []
    if alert.state == "acknowledged":
        told.append(f"{escaped(alert.acknowledged_by or '')} looks after it since {moment(alert.acknowledged_at)}.")
    if asleep:
        told.append(f"Asleep until {moment(alert.snoozed_until)}, by {escaped(alert.snoozed_by or '')}.")
    if alert.calm_since is not None:
        told.append(f"Calm since {age(alert.calm_since)}; it resolves by itself if it stays so.")
    else:
        told.append(f"Last seen {age(alert.seen_at)}.")
    return " ".join(told)


def _button(
    alert: Alert, label: str, act: Callable[..., object], *, primary: bool = False, told: str | None = None
) -> None:
    st.button(
        label,
        key=f"alert_{alert.number}_{label}",
        type="primary" if primary else "secondary",
        on_click=partial(_each, [alert], act),
        help=told,
    )


def _snooze(ws: Workspace, lasts: timedelta, number: int, *, actor: str) -> Alert:
    return handling.snooze(ws, number, lasts, actor=actor)


def _each(chosen: list[Alert], act: Callable[..., object]) -> None:
    try:
        for alert in chosen:
            act(alert.number, actor=actor())
    except DetectorError as error:
        st.session_state[_FAILED] = error


def _failed() -> None:
    error = st.session_state.pop(_FAILED, None)
    if error is not None:
        error_panel("This was not done", error)


def _counted(waiting: list[Alert], standing: int) -> str:
    if not waiting:
        return f"{plural(standing, 'alert')}, and somebody looks after each."
    urgent = sum(alert.rule.level == "urgent" for alert in waiting)
    told = f"{plural(len(waiting), 'alert waits', 'alerts wait')} for somebody"
    return told + (f", {urgent} of them urgent." if urgent else ", none of them urgent.")


def _lasted(alert: Alert) -> str:
    if alert.resolved_at is None:
        return ""
    minutes = int((alert.resolved_at - alert.opened_at).total_seconds() // 60)
    if minutes < 1:
        return "under a minute"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


def _by(alert: Alert) -> str:
    return "itself" if alert.resolved_by == "system" else str(alert.resolved_by)
