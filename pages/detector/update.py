"""Update: see what learning from new rows would change before it is accepted; go back to an earlier version."""

import streamlit as st

from detector.errors import DetectorError
from detector.service.versions import updating
from detector.ui.decisions_panel import decisions_panel
from detector.ui.faulty_rows import set_aside_line
from detector.ui.files import chosen_file, let_go
from detector.ui.first_steps import model_needed
from detector.ui.frame import actor, opening
from detector.ui.numbers import plural
from detector.ui.preview import preview_panel, waiting_preview
from detector.ui.report import report_table
from detector.ui.states import error_panel, stale
from detector.ui.verdict import verdict_on
from detector.ui.versions import versions_list
from detector.ui.work import follow, forget, start

ws = opening("Update", "Let the detector learn from new rows, after seeing what that would change.", right="manage")
if follow(ws, "update", "preview_update", "sample") is not None:
    forget("update")
model_needed(ws, "update", "There is no model to update yet. Train one on your own file, or load the sample data.")

preview = waiting_preview(ws)
if preview is not None:
    st.subheader(f"Preview: learning from {plural(preview.rows, 'row')}", anchor=False)
    if preview.stale:
        told = f"This preview began with version {preview.base_version}, which is not the champion any more."
        if stale(told, "Throw it away", key="update"):
            updating.reject_update(ws, preview.token, actor=actor())
            let_go("update")
            st.rerun()
    else:
        with st.container(horizontal=True):
            accepted = st.button("Accept", type="primary", key="update_accept", icon=":material/check:")
            rejected = st.button("Reject", key="update_reject", icon=":material/close:")
        try:
            if accepted:
                made = updating.accept_update(ws, preview.token, actor=actor())
                st.toast(f"Version {made.number} is the champion now.", icon=":material/check:")
            if rejected:
                updating.reject_update(ws, preview.token, actor=actor())
        except DetectorError as error:
            error_panel("The update was not accepted", error)
        if accepted or rejected:
            let_go("update")
            st.rerun()
    set_aside_line(ws, "update", preview.upload_id, preview.name, preview.rows, preview.set_aside, preview.base_version)
    preview_panel(preview)
    st.stop()

upload = chosen_file(ws, "update", "File with new rows")
if upload is not None:
    verdict = verdict_on(ws, "update", upload)
    if verdict is None:
        st.stop()
    if verdict.state != "blocked" and st.button("Preview the update", type="primary", key="update_preview"):
        start(ws, "update", "preview_update", {"upload_id": upload.id})
        st.rerun()
    report_table(verdict.report, key="update_verdict")
    st.stop()

decisions_panel(ws)
st.subheader("Versions", anchor=False)
versions_list(ws)
