"""The frame of every page: the workspace behind it, its opening lines, and the status strip in the sidebar."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, unquote

import streamlit as st

from detector.errors import DetectorError
from detector.exposure import require_closed_api
from detector.service import jobs, overview
from detector.service.access import Actor, Right
from detector.service.alerts.handling import waiting_alerts
from detector.service.alerts.watcher import Watcher
from detector.service.workspace import Workspace
from detector.serving import ensure_api
from detector.ui.numbers import age, count, plural, severity
from detector.ui.signing_in import not_allowed, only_for, sign_in_is_on, signed_in
from detector.ui.states import error_panel, escaped

#: Who acts where nobody signs in and nobody has given a name.
ANALYST = "analyst"
_NAME, _TOLD, _COOKIE, _NAME_LENGTH = "analyst_name", "analyst_name_told", "detector_analyst", 60

#: The word, the icon and the colour for each state of drift; the word is always shown.
_DRIFT = {
    "calm": ("calm", "check_circle", "green"),
    "watch": ("watch", "visibility", "orange"),
    "drifting": ("drifting", "warning", "red"),
    "unknown": ("not known yet", "help", "gray"),
}
#: The word and the colour for each state of the API.
_API = {"up": ("live", "green"), "starting": ("starting", "gray"), "down": ("not answering", "red")}


@st.cache_resource(show_spinner=False, max_entries=1, on_release=lambda ws: ws.close())
def workspace() -> Workspace:
    """Return the one workspace of this process."""
    ws = Workspace.open()
    jobs.watch_jobs(ws)
    return ws


@st.cache_resource(show_spinner=False, max_entries=1)
def api_process() -> object:
    """Start the API as a child of this process unless it runs already; once a process."""
    ws = workspace()
    if ws.settings.api_address is None:
        require_closed_api(ws.settings.api_host, ws.settings, keys_are_set=ws.keys.look().required)
    return ensure_api(ws.settings)


@st.cache_resource(show_spinner=False, max_entries=1)
def alert_watcher() -> object:
    """Watch for what is worth an alert, once a process; ends with the workspace."""
    watcher = Watcher(workspace())
    watcher.start()
    return watcher


def actor() -> Actor:
    """Return who acts, with a role: the signed-in person, or the name given in this browser where nobody signs in."""
    if sign_in_is_on():
        # A session whose sign-in has run out between two clicks may do nothing.
        return signed_in() or Actor("nobody", None)
    return Actor(str(st.session_state.get(_NAME) or _remembered() or ANALYST), "lead")


def may(right: Right) -> bool:
    """Whether who acts may do something; what the answer hides or disables is refused by the use cases as well."""
    return actor().may(right)


def allowed(right: Right) -> bool:
    """Whether who acts may do something; says in a sentence who may, where the answer is no."""
    if may(right):
        return True
    not_allowed(actor(), right)
    return False


def name_control() -> None:
    """Show who is signed in and the way out; where nobody signs in, let a person say who she is, for the log."""
    if sign_in_is_on():
        me = actor()
        with st.popover(escaped(me), icon=":material/person:", type="tertiary", help="Who decides here"):
            st.markdown(f"Signed in as **{escaped(me)}**, {me.role}.")
            st.button("Sign out", key="sign_out", icon=":material/logout:", on_click=st.logout)
        return
    st.session_state.setdefault(_NAME, _remembered() or ANALYST)
    with st.popover(escaped(actor()), icon=":material/person:", type="tertiary", help="Who decides here"):
        st.text_input(
            "Your name",
            key=_NAME,
            max_chars=_NAME_LENGTH,
            persist_state="session",
            on_change=_tidy_name,
            help="Stands beside what you decide. Two people need two names; this browser remembers yours.",
        )
    name = actor()
    if name not in (_remembered(), st.session_state.get(_TOLD)) and name != ANALYST:
        # Streamlit can read the browser's cookies and not write them.
        cookie = f"{_COOKIE}={quote(name)}; path=/; max-age=31536000; samesite=lax"
        st.html(f"<script>document.cookie = {json.dumps(cookie)}</script>", unsafe_allow_javascript=True)
        st.session_state[_TOLD] = name


def _remembered() -> str:
    return _tidied(unquote(st.context.cookies.get(_COOKIE, "")))


def _tidy_name() -> None:
    st.session_state[_NAME] = _tidied(st.session_state[_NAME]) or ANALYST


def _tidied(name: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())[:_NAME_LENGTH]


def opening(title: str, purpose: str, *, right: Right = "read") -> Workspace:
    """Begin a page with its title and one line on what it is for; return the workspace.

    A page that is for people with another ``right`` than to read ends here for the others, with a sentence.
    """
    st.title(title, anchor=False)
    st.caption(purpose)
    only_for(actor(), right)
    return workspace()


@contextmanager
def told_in_words(title: str = "This did not work") -> Iterator[None]:
    """Show any error of ours that a page did not expect as an error panel instead of a traceback."""
    try:
        yield
    except DetectorError as error:
        error_panel(title, error)


@st.fragment(run_every=15.0)
def status_strip() -> None:
    """Show which version scores, at which cutoff, whether the data drift, whether the API lives, and what waits."""
    # A fragment that repeats by itself runs outside whatever app.py wraps around it.
    with told_in_words("The status is not known"), st.container(key="status_strip", gap="xxsmall"):
        now = overview.status(workspace())
        if now.champion_version is None:
            _line("Champion", "none yet", "deployed_code", "gray")
        else:
            _line("Champion", f"version {now.champion_version}", "deployed_code")
            _line("Made", age(now.champion_trained_at), "schedule")
            _line("Cutoff", f"severity {severity(now.cutoff)}", "tune")
        word, icon, colour = _DRIFT[now.drift]
        columns = f", {plural(now.drifted_columns, 'column')}" if now.drift in {"watch", "drifting"} else ""
        _line("Drift", word + columns, icon, colour)
        word, colour = _API[now.api]
        _line("API", word, "bolt", colour)
        if now.open_cases is None:
            _line("Flagged", f"{count(now.open_flagged)} rows", "flag")
        else:
            _line("Open cases", count(now.open_cases), "inbox")
        waiting = waiting_alerts(workspace())
        _line("Alerts", count(waiting) if waiting else "none", "notifications", "red" if waiting else "green")
        if now.notice:
            st.caption(now.notice)


def _line(name: str, value: str, icon: str, colour: str = "") -> None:
    mark = f":material/{icon}:"
    st.caption(f"{f':{colour}[{mark}]' if colour else mark} {name}: **{value}**")
