"""Schema and drift: how a run's columns differ from training, what follows for its scores, and what to do about it."""

import streamlit as st

from detector.service import runs
from detector.service.drift import drifting, schema_history
from detector.ui.drift import columns_panel, headline, report_downloads, schema_table, timeline
from detector.ui.first_steps import model_needed
from detector.ui.frame import opening
from detector.ui.runs_list import run_label, score_again
from detector.ui.states import escaped, nothing_yet
from detector.ui.work import follow, forget, start

ws = opening("Schema and drift", "How the columns of a file differ from training, and what that does to its scores.")
if follow(ws, "drift", "drift", "score", "sample") is not None:
    forget("drift")
model_needed(ws, "drift", "There is no model to compare with yet. Train one on your own file, or load the sample data.")

known = {run.id: run for run in runs.list_runs(ws)}
if not known:
    if nothing_yet("No file has been scored yet, so there is nothing to compare.", "Score a file", key="drift"):
        st.switch_page("pages/analysis/score.py")
    st.subheader("The schema since the first training", anchor=False)
    timeline(schema_history.schema_timeline(ws))
    st.stop()

asked = st.query_params.get("run", "")
if asked.isdigit() and int(asked) in known:
    st.session_state["drift_run"] = int(asked)
    st.query_params.clear()
with st.container(horizontal=True, vertical_alignment="bottom"):
    chosen = st.selectbox(
        "Run",
        list(known),
        format_func=lambda run_id: run_label(known[run_id]),
        key="drift_run",
        persist_state="session",
    )
    run = known[chosen]
    others = [other for other in known if other != run.id]
    against = st.selectbox(
        "Compared with",
        [None, *others],
        format_func=lambda other: run_label(known[other]) if other else f"Training: what version {run.version} knew",
        key=f"drift_against_{run.id}",
    )
if run.stale and score_again(ws, run, key="drift"):
    st.rerun()

drift = drifting.drift_of_run(ws, run.id, against=against)
if drift is None:
    measured = drifting.drift_of_run(ws, run.id) is not None
    lacking = run if not measured or against is None else known[against]
    told = f"Run {lacking.id} was scored before columns were compared. Its rows have to be read once."
    if nothing_yet(told, "Compare its columns", key="drift_measure"):
        start(ws, "drift", "drift", {"run_id": lacking.id})
        st.rerun()
    st.stop()

headline(drift)
before, changes = drifting.changes_since(ws, run)
if changes:
    shown = "\n".join(f"- {escaped(sentence)}" for sentence in changes[:8])
    more = f"\n- and {len(changes) - 8} more" if len(changes) > 8 else ""
    st.info(f"**Since run {before}**\n\n{shown}{more}", icon=":material/compare_arrows:")
elif before is not None:
    st.caption(f"Nothing has changed since run {before}.")

with st.container(horizontal=True, vertical_alignment="center"):
    st.subheader("Columns that came otherwise", anchor=False, width="stretch")
    if any(change.action == "update" for change in drift.schema) and st.button(
        "Update the detector", key="drift_update", icon=":material/arrow_forward:"
    ):
        st.switch_page("pages/detector/update.py")
schema_table(drift.schema)

with st.container(horizontal=True, vertical_alignment="center"):
    st.subheader("How the columns have changed", anchor=False, width="stretch")
    report_downloads(drift)
columns_panel(drift)

st.subheader("The schema since the first training", anchor=False)
timeline(schema_history.schema_timeline(ws))
