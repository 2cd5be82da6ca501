"""Cutoff: what each would flag and catch, before it is applied."""

import streamlit as st

from detector.service import runs
from detector.service.cutoff import cutoffs, judged
from detector.ui.cutoff_history import history_panel
from detector.ui.cutoff_panels import (
    apply_panel,
    capacity_line,
    caught_panel,
    histogram_panel,
    segments_panel,
    tied_fields,
)
from detector.ui.first_steps import model_needed
from detector.ui.frame import opening
from detector.ui.runs_list import run_label, score_again
from detector.ui.states import nothing_yet
from detector.ui.work import follow

ws = opening("Cutoff", "Above which severity a row is flagged: try it on a scored file, then apply it.")
follow(ws, "cutoff", "sample", "score")
model_needed(ws, "cutoff", "A cutoff needs a model. Train one on your own file, or load the sample data.")

known = {run.id: run for run in runs.list_runs(ws) if run.rows}
if not known:
    if nothing_yet("A cutoff is tried on a scored file, and none has been scored yet.", "Score a file", key="cutoff"):
        st.switch_page("pages/analysis/score.py")
    st.stop()
chosen = st.selectbox(
    "Run", list(known), format_func=lambda run_id: run_label(known[run_id]), key="cutoff_run", persist_state="session"
)
run = known[chosen]
if run.stale and score_again(ws, run, key="cutoff"):
    st.rerun()

now = ws.current_champion().cutoff
spread = cutoffs.spread(ws, run)
plan = tied_fields(run, spread, now)
capacity_line(ws, spread, plan)
apply_panel(ws, now, plan)
histogram_panel(spread, now, plan)
decided = judged.decided_rows(ws, run)
caught_panel(spread, judged.judged_with(decided, ws, run, ())[0], now, plan)
segments_panel(ws, run, decided, now, plan)
history_panel(ws)
