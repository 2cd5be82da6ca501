"""The versions of the detector and the way back to each of them."""

from __future__ import annotations

from functools import partial

import streamlit as st

from detector.errors import DetectorError
from detector.service.versions import updating
from detector.service.workspace import Workspace
from detector.ui.frame import actor
from detector.ui.numbers import age, count, severity

_SHOWN = 20


def versions_list(ws: Workspace) -> None:
    """Show the newest versions; each that is not champion can become it again with one click."""
    versions = updating.list_versions(ws, limit=_SHOWN)
    champion = ws.champion()
    current = champion.version if champion else None
    failed = st.session_state.pop("update_roll_back_failed", None)
    if failed:
        st.error(failed, icon=":material/error:")
    widths = [1.0, 1.8, 1.2, 1.1, 1.0, 1.3, 2.6]
    header = st.columns(widths, gap="xsmall")
    for place, name in zip(
        header, ("Version", "How it came", "Rows seen", "Columns", "Cutoff", "Made", ""), strict=True
    ):
        place.caption(name)
    for version in versions:
        cells = st.columns(widths, gap="xsmall", vertical_alignment="center")
        parent = f" from {version.parent}" if version.parent else ""
        cells[0].markdown(f"**{version.number}**")
        cells[1].markdown(f"{version.origin}{parent}")
        cells[2].markdown(count(version.rows))
        cells[3].markdown(count(len(version.features)))
        cells[4].markdown(severity(version.cutoff))
        cells[5].markdown(age(version.created_at))
        if version.number == current:
            cells[6].badge("Champion", icon=":material/check:", color="green")
        else:
            cells[6].button(
                "Roll back to this",
                key=f"update_roll_back_{version.number}",
                on_click=partial(_roll_back, ws, version.number),
            )


def _roll_back(ws: Workspace, version: int) -> None:
    try:
        updating.roll_back(ws, version, actor=actor(), reason="Rolled back on the Update page")
    except DetectorError as error:
        st.session_state["update_roll_back_failed"] = error.message
    else:
        st.toast(f"Version {version} is the champion again.", icon=":material/check:")
