"""Exports and audit: scored files with their manifest, the evidence on a case, the log of changes."""

import streamlit as st

from detector.ui.audit_panel import audit_panel
from detector.ui.exports_panels import evidence_panel, scored_files
from detector.ui.first_steps import model_needed
from detector.ui.frame import opening
from detector.ui.work import follow, forget

ws = opening("Exports and audit", "Scored files and evidence to take away, and who changed what, when.")
if follow(ws, "exports", "export", "sample", "score") is not None:
    forget("exports")

view = st.segmented_control(
    "Shown",
    ["Scored files", "Evidence on a case", "Audit log"],
    default="Scored files",
    required=True,
    key="exports_view",
    persist_state="session",
    label_visibility="collapsed",
)
if view == "Audit log":
    audit_panel(ws)
    st.stop()
model_needed(ws, "exports", "There is nothing to take away yet. Train a model first, or load the sample data.")
if view == "Scored files":
    scored_files(ws)
else:
    evidence_panel(ws)
