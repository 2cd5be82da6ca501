"""Score a file: what the model makes of its columns first, then the run and its flagged rows."""

import streamlit as st

from detector.service import runs
from detector.ui.charts import flagged_per_period, severity_histogram
from detector.ui.downloads import run_downloads
from detector.ui.faulty_rows import set_aside_line
from detector.ui.files import chosen_file, let_go
from detector.ui.first_steps import model_needed
from detector.ui.frame import allowed, opening
from detector.ui.numbers import age, count, day_label, percent, severity
from detector.ui.queue_states import queue_offer
from detector.ui.report import report_table
from detector.ui.runs_list import run_label, score_again
from detector.ui.tables import run_table
from detector.ui.theme import CONFIG
from detector.ui.verdict import verdict_on
from detector.ui.work import follow, forget, start

ws = opening("Score", "Upload transactions and see which of them stand out.")
finished = follow(ws, "score", "score", "sample", "queue")
if finished is not None:
    forget("score")
    let_go("score")
    st.session_state["score_run"] = finished.result["run_id"]
model_needed(ws, "score", "Scoring needs a model. Train one on your own file, or try it with the sample data.")

upload = chosen_file(ws, "score", "File to score") if allowed("score") else None
if upload is not None:
    earlier = upload.earlier_run
    if earlier is not None:
        st.info(
            f"This very file was scored before with the present champion: run {earlier}.", icon=":material/history:"
        )
    verdict = verdict_on(ws, "score", upload)
    with st.container(horizontal=True):
        if earlier is not None and st.button(f"Open run {earlier}", type="primary", key="score_open_earlier"):
            st.session_state["score_run"] = earlier
            let_go("score")
            st.rerun()
        if verdict is not None and verdict.state != "blocked":
            label, weight = ("Score this file", "primary") if earlier is None else ("Score it again", "secondary")
            if st.button(label, type=weight, key="score_start"):
                start(ws, "score", "score", {"upload_id": upload.id})
                st.rerun()
    if verdict is not None:
        report_table(verdict.report, key="score_verdict")
    st.stop()

known = {run.id: run for run in runs.list_runs(ws)}
if not known:
    st.caption(
        "Nothing has been scored yet. Choose a file above; nothing runs before you have seen how its columns compare."
    )
    st.stop()
asked = st.query_params.get("run", "")
if asked.isdecimal() and int(asked) in known:
    st.session_state["score_run"] = int(asked)
    st.query_params.clear()
chosen = st.selectbox(
    "Run", list(known), format_func=lambda run_id: run_label(known[run_id]), key="score_run", persist_state="session"
)
run = known[chosen]
if run.stale and score_again(ws, run, key="score"):
    st.rerun()

queue_offer(ws, run)
figures = st.columns(5)
figures[0].metric("Rows", count(run.rows))
figures[1].metric("Flagged", count(run.flagged))
figures[2].metric("Flagged share", percent(run.flagged / run.rows if run.rows else None))
figures[3].metric("Cutoff", severity(run.cutoff), help="Rows with a severity above this are flagged.")
figures[4].metric("Version", run.version, help=f"Scored {age(run.created_at)} by {run.actor}.")

set_aside_line(ws, "score", run.upload_id, run.name, run.rows, run.set_aside, run.version)
left, right = st.columns(2, gap="large")
with left:
    st.markdown("**How severe the rows are**")
    st.plotly_chart(
        severity_histogram(run.histogram.edges, run.histogram.counts, cutoff=run.cutoff),
        config=CONFIG,
        key="score_histogram",
        alt="Rows by severity, with the cutoff",
    )
with right:
    if len(run.periods) > 1:
        st.markdown("**Flagged per day**")
        st.plotly_chart(
            flagged_per_period(
                [day_label(day) for day, _, _ in run.periods],
                [rows for _, rows, _ in run.periods],
                [flagged for _, _, flagged in run.periods],
            ),
            config=CONFIG,
            key="score_periods",
            alt="Flagged rows per day",
        )
    else:
        st.markdown("**Columns of this file**")
        report_table(run.report, key="score_columns")

with st.container(horizontal=True, vertical_alignment="bottom"):
    st.markdown("**Rows that stand out**", width="stretch")
    run_downloads(ws, run)
run_table(ws, run)
if len(run.periods) > 1:
    st.markdown("**Columns of this file**")
    report_table(run.report, key="score_columns")
