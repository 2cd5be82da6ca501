"""Updates that wait for a person, on the Models page: why, and what becomes of them."""

from __future__ import annotations

from functools import partial

import streamlit as st

from detector.errors import DetectorError
from detector.service.versions import challenging, held
from detector.service.versions.challenging import Standing
from detector.service.versions.held import Held
from detector.service.workspace import Workspace
from detector.ui.frame import actor, may
from detector.ui.models_panels import keep_failure
from detector.ui.numbers import age, plural
from detector.ui.states import escaped

#: As many as are shown at once; the others come when these are decided.
SHOWN = 5


def waiting_panel(ws: Workspace, now: Standing) -> None:
    """Show the updates that were held back, if any; each is promoted with a reason, or dismissed."""
    found = held.waiting_versions(ws)
    if not found:
        return
    decides = "you decide" if may("manage") else "a lead decides"
    st.subheader(f"{plural(len(found), 'update')} waiting for {'you' if may('manage') else 'a lead'}", anchor=False)
    st.caption(f"Nobody looked at these updates, and they are suspicious. The champion goes on until {decides}.")
    for one in found[:SHOWN]:
        _waiting(ws, one, now)


def _waiting(ws: Workspace, one: Held, now: Standing) -> None:
    info = ws.registry.info(one.version)
    with st.container(border=True):
        st.markdown(
            f"**Version {one.version}**, an update of version {info.parent} by {escaped(info.created_by)}, "
            f"{age(one.held_at)}."
        )
        st.markdown("\n".join(f"- {escaped(reason)}" for reason in one.reasons))
        if info.parent != now.champion.version:
            st.caption(f"Version {now.champion.version} is champion now; what it learned since is not in this update.")
        if not may("manage"):
            return
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input(
                f"Reason to promote version {one.version} all the same",
                key=f"models_waiting_reason_{one.version}",
                max_chars=500,
                placeholder="Kept in the log",
            )
            st.button(
                f"Promote version {one.version}",
                key=f"models_waiting_promote_{one.version}",
                on_click=partial(_promote, ws, one.version, now),
            )
            st.button(
                f"Dismiss version {one.version}",
                key=f"models_waiting_dismiss_{one.version}",
                on_click=partial(_dismiss, ws, one.version),
            )


def _promote(ws: Workspace, version: int, seen: Standing) -> None:
    reason = st.session_state.get(f"models_waiting_reason_{version}", "")
    try:
        challenging.promote(ws, version, seen=seen.champion, actor=actor(), reason=reason)
    except DetectorError as error:
        keep_failure(error)


def _dismiss(ws: Workspace, version: int) -> None:
    try:
        held.dismiss(ws, version, actor=actor())
    except DetectorError as error:
        keep_failure(error)
