"""Overview: what waits, how the review goes, how much was flagged, when, and for which reasons."""

import streamlit as st

from detector.service import overview, runs
from detector.service.review import queue
from detector.service.review.filters import Filters
from detector.ui.charts import flagged_per_period, ranked_bars
from detector.ui.first_steps import model_needed
from detector.ui.frame import actor, opening
from detector.ui.numbers import age, day_label
from detector.ui.overview_figures import five_figures
from detector.ui.queue_tables import open_case, open_queue
from detector.ui.runs_list import runs_list, score_again
from detector.ui.states import nothing_yet
from detector.ui.theme import CONFIG
from detector.ui.work import follow

ws = opening("Overview", "What waits for you, what was flagged, and why.")
follow(ws, "overview", "sample")
model_needed(
    ws, "overview", "There is no model yet. Train one on your own file, or see flagged transactions within a minute."
)

now = overview.overview(ws)
if now.latest_run is None:
    if nothing_yet("A model is trained, but nothing has been scored with it yet.", "Score a file", key="overview"):
        st.switch_page("pages/analysis/score.py")
    st.stop()

latest = now.latest_run
if latest.stale and score_again(ws, latest, key="overview"):
    st.switch_page("pages/analysis/score.py")

periods = now.flagged_per_period
five_figures(now)
if now.open_cases is None:
    if st.button("Send a file to the queue", type="primary", key="overview_review", icon=":material/arrow_forward:"):
        st.switch_page("pages/analysis/score.py", query_params={"run": str(latest.id)})
elif st.button("Continue review", type="primary", key="overview_review", icon=":material/arrow_forward:"):
    following = queue.next_case(ws, Filters(), actor=actor())
    if following is None:
        open_queue(Filters())
    else:
        open_case(following, Filters())

left, right = st.columns([3, 2], gap="large")
with left:
    st.subheader("Flagged per day", anchor=False)
    if periods:
        st.plotly_chart(
            flagged_per_period(
                [day_label(day) for day, _, _ in periods], [n for _, n, _ in periods], [n for _, _, n in periods]
            ),
            config=CONFIG,
            key="overview_periods",
            alt="Flagged rows per day",
        )
    else:
        st.caption("No scored file has a time column, so nothing can be shown by day.")
with right:
    st.subheader("Most frequent reasons", anchor=False)
    if now.reasons:
        st.plotly_chart(
            ranked_bars([name for name, _ in now.reasons[:8]], [n for _, n in now.reasons[:8]], axis="Flagged rows"),
            config=CONFIG,
            key="overview_reasons",
            alt="Columns that most often made a row stand out",
        )
    else:
        st.caption("No flagged rows yet.")

st.subheader("Runs", anchor=False)
runs_list(runs.list_runs(ws, limit=20), key="overview")
st.caption(f"Newest run {age(latest.created_at)}.")
