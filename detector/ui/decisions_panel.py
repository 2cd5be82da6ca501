"""Decisions that wait to become part of the model."""

from __future__ import annotations

import streamlit as st

from detector.errors import DetectorError
from detector.service.versions import teaching, updating
from detector.service.workspace import Workspace
from detector.ui.frame import actor
from detector.ui.numbers import plural
from detector.ui.states import error_panel


def decisions_panel(ws: Workspace) -> None:
    """Tell which decisions the champion has not learned from, if any, and offer a version that has.

    The queue learns from decisions at once. Files and requests are scored by a version, which never changes.
    """
    waiting = teaching.waiting(ws)
    if not (waiting.new or waiting.taken_back):
        return
    told = [plural(waiting.new, "decision")] if waiting.new else []
    if waiting.taken_back:
        told.append(f"{waiting.taken_back} that you took back")
    champion = ws.require_champion().version
    st.subheader("Decisions", anchor=False)
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="update_decisions"):
        st.markdown(
            f"Version {champion} does not know {' and '.join(told)} from the queue yet. The queue is ranked by them "
            "already; new files are scored by them once a version has learned them. The next update does so as well.",
            width="stretch",
        )
        pressed = st.button("Make a version that knows them", key="update_teach", icon=":material/school:")
    if not pressed:
        return
    try:
        made = updating.teach(ws, actor=actor())
    except DetectorError as error:
        error_panel("No version was made", error)
        return
    st.toast(f"Version {made.number} is the champion now; it has learned from your decisions.", icon=":material/check:")
    st.rerun()
