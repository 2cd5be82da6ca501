"""Case: one flagged transaction, why it stands out, and the decision."""

import streamlit as st

from detector.errors import DetectorError, NotFoundError
from detector.service.review import cases, locking, queueing
from detector.service.review.case_ids import CaseId
from detector.ui.case_decision import begin, decision_panel, finished, keep_holding
from detector.ui.case_panels import around, details, timeline, why, why_it_ranks_here
from detector.ui.case_states import case_box, exhausted, summary
from detector.ui.first_steps import model_needed
from detector.ui.frame import actor, opening, workspace
from detector.ui.queue_filters import asked_for
from detector.ui.queue_tables import open_queue
from detector.ui.states import error_panel, nothing_yet
from detector.ui.work import follow

PURPOSE = "One flagged transaction, why it stands out, and the decision."
ws = workspace()
filters = asked_for()
named = st.query_params.get("case", "")
try:
    case = cases.get_case(ws, CaseId.parse(named)) if named else None
except DetectorError as error:
    opening("Case", PURPOSE)
    follow(ws, "case", "queue", "sample")
    model_needed(ws, "case", "There is no model yet, so there are no cases.")
    error_panel("This case cannot be opened", error)
    if isinstance(error, NotFoundError) and st.button("Open the queue", type="primary", key="case_open_queue"):
        open_queue(filters)
    case_box(ws)
    st.stop()

if case is None:
    opening("Case", PURPOSE)
    follow(ws, "case", "queue", "sample")
    model_needed(ws, "case", "There is no model yet, so there are no cases. Train one, or load the sample data.")
    if not queueing.list_queues(ws):
        if nothing_yet("No scored file has been sent to the queue yet.", "Choose a scored file", key="case"):
            st.switch_page("pages/analysis/score.py")
        st.stop()
    exhausted(ws, filters, worked=finished())
    case_box(ws)
    st.stop()

lock = begin(ws, case.id)
with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    st.title(f"Case {case.id}", anchor=False, width="content")
    case_box(ws)
    if st.button("Back to the queue", key="case_back", icon=":material/arrow_back:"):
        locking.release(ws, case.id, actor=actor())
        open_queue(filters)
summary(ws, case)
keep_holding(ws, case.id)
left, right = st.columns([1.7, 1], gap="medium")
with right:
    decision_panel(ws, case, lock, filters)
# What is known scrolls by itself, so that the decision stays in view.
with left.container(height=690, border=False, key=f"case_known_{case.id}"):
    why_it_ranks_here(ws, case)
    why(case)
    around(ws, case, filters)
    st.subheader("Details", anchor=False)
    details(case)
    st.subheader("Notes and timeline", anchor=False)
    timeline(ws, case)
