"""Explain: what the scores rest on, what each column does, and why a row stands out."""

import streamlit as st

from detector.service import runs
from detector.ui.explain_panels import (
    dependence_panel,
    overview_panel,
    row_panel,
    sample_line,
    sample_of,
)
from detector.ui.first_steps import model_needed
from detector.ui.frame import opening
from detector.ui.runs_list import run_label, score_again
from detector.ui.work import follow

ws = opening("Explain", "What scores rest on, what each column does to them, and why a row stands out.")
follow(ws, "explain", "score", "sample")
model_needed(
    ws, "explain", "There is nothing to explain before a model is trained. Train one, or load the sample data."
)

OWN = 0
champion = ws.require_champion()
known = {run.id: run for run in runs.list_runs(ws) if run.rows}
asked = st.query_params.get("run", "")
if asked.isdigit() and int(asked) in known:
    st.session_state["explain_run"] = int(asked)
    row = st.query_params.get("row", "")
    if row.isdigit() and 1 <= int(row) <= known[int(asked)].rows:
        st.session_state[f"explain_row_{asked}"] = int(row)
    st.query_params.clear()
chosen = st.selectbox(
    "Rows",
    [*known, OWN],
    format_func=lambda key: run_label(known[key]) if key else f"Rows that version {champion.version} learned from",
    key="explain_run",
    persist_state="session",
)
run = known.get(chosen)
if run is not None and run.stale and score_again(ws, run, key="explain"):
    st.rerun()

with st.spinner("Explaining a sample"):
    sample = sample_of(ws, run, champion.version if run is None else run.version)
sample_line(sample)
picked = [overview_panel(sample), dependence_panel(sample)]

st.subheader("One row", anchor=False)
if run is None:
    st.caption("The model keeps its own rows only as numbers for its trees. Score a file to open its rows one by one.")
else:
    row_panel(ws, run, picked)
