"""The frame of every page: the workspace behind it, its opening lines, and the status strip in the sidebar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from detector.errors import DetectorError
from detector.service import overview
from detector.service.workspace import Workspace
from detector.serving import ensure_api
from detector.ui.numbers import age, count, plural, severity
from detector.ui.states import error_panel

#: The word, the icon and the colour for each state of drift; the word is always shown.
_DRIFT = {
    "calm": ("calm", "check_circle", "green"),
    "watch": ("watch", "visibility", "orange"),
    "drifting": ("drifting", "warning", "red"),
    "unknown": ("not known yet", "help", "gray"),
}


@st.cache_resource(show_spinner=False, max_entries=1, on_release=lambda ws: ws.close())
def workspace() -> Workspace:
    """Return the one workspace of this process."""
    return Workspace.open()


@st.cache_resource(show_spinner=False, max_entries=1)
def api_process() -> object:
    """Start the API as a child of this process unless it runs already; once a process."""
    return ensure_api(workspace().settings)


def actor() -> str:
    """Return who acts, for the audit log: the signed-in person, or the dashboard where nobody signs in."""
    return str(getattr(st.user, "email", None) or "dashboard")


def opening(title: str, purpose: str) -> Workspace:
    """Begin a page with its title and one line on what it is for; return the workspace."""
    st.title(title, anchor=False)
    st.caption(purpose)
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
        _line("API", *(("live", "bolt", "green") if now.api == "up" else ("not answering", "bolt", "red")))
        _line("Flagged", f"{count(now.open_flagged)} rows", "flag")
        if now.notice:
            st.caption(now.notice)


def _line(name: str, value: str, icon: str, colour: str = "") -> None:
    mark = f":material/{icon}:"
    st.caption(f"{f':{colour}[{mark}]' if colour else mark} {name}: **{value}**")
