"""The case page around a case: its first line, opening another one, and what comes when none is left."""

from __future__ import annotations

import streamlit as st

from detector.errors import DetectorError
from detector.service.review import queue, queueing, review_figures
from detector.service.review.case_ids import CaseId
from detector.service.review.cases import Case
from detector.service.review.filters import Filters
from detector.service.workspace import Workspace
from detector.ui.case_decision import go
from detector.ui.frame import actor
from detector.ui.numbers import count, moment, money, plural
from detector.ui.queue_filters import QUEUE_PAGE
from detector.ui.queue_states import next_rows
from detector.ui.states import escaped, nothing_yet
from detector.ui.work import start


def summary(ws: Workspace, case: Case) -> None:
    """Say in one line what the case is, and whether the model that scored it is still the champion."""
    told = [
        *([f"**{money(case.amount)}**"] if case.amount is not None else []),
        *([f"{escaped(case.entity_column)} **{escaped(case.entity)}**"] if case.entity_column and case.entity else []),
        *([moment(case.time)] if case.time is not None else []),
        escaped(case.file),
    ]
    champion = ws.champion()
    if champion is not None and champion.version != case.version:
        told.append(
            f":orange[:material/history:] scored with version {case.version}, "
            f"the champion is version {champion.version}"
        )
    st.markdown(" · ".join(told))


def case_box(ws: Workspace) -> None:
    """Let a person open any case by its name."""
    st.text_input(
        "Open a case",
        key="case_box",
        max_chars=30,
        placeholder="Open a case: 4-1523",
        label_visibility="collapsed",
        width=200,
        on_change=_open_typed,
        args=(ws,),
    )
    failed = st.session_state.pop("case_box_failed", None)
    if failed is not None:
        st.error(escaped(failed), icon=":material/error:")


def exhausted(ws: Workspace, filters: Filters, *, worked: bool) -> None:
    """Say that no case is open: offer the next one, or tell what was done when none is left."""
    following = queue.next_case(ws, filters, actor=actor())
    if following is not None:
        waiting = plural(queue.place_of(ws, filters, following, actor=actor()).total, "case")
        if nothing_yet(f"{waiting} wait in the view *{filters.view}*.", "Continue review", key="case_next_one"):
            go(following)
            st.rerun()
        return
    today = review_figures.decided_today(ws, actor=actor())
    decided = today["fraud"] + today["legitimate"] + today["unclear"]
    if worked or decided:
        st.markdown(
            f"**{plural(decided, 'case')} decided by you today**: {count(today['fraud'])} fraud, "
            f"{count(today['legitimate'])} legitimate, {count(today['unclear'])} unclear."
        )
    if filters != Filters(run=filters.run, order=filters.order):
        if nothing_yet(f"No case is left in the view *{filters.view}*.", "Show the whole queue", key="case_done"):
            st.switch_page(QUEUE_PAGE)
        return
    more = next_rows(ws, filters.run)
    if more is None:
        if nothing_yet("The queue is worked through.", "Score another file", key="case_done"):
            st.switch_page("pages/analysis/score.py")
        return
    run, rows = more
    told = f"The queue is worked through. The next rows of {escaped(run.name)} are less severe."
    if nothing_yet(told, f"Send {count(rows)} more of run {run.id}", key="case_done"):
        have = queueing.get_queue(ws, run.id).rows
        start(ws, "case", "queue", {"run_id": run.id, "rows": have + rows})
        st.rerun()


def _open_typed(ws: Workspace) -> None:
    typed = st.session_state["case_box"]
    if not typed.strip():
        return
    try:
        case = CaseId.parse(typed)
        ws.inbox.find(case)
    except DetectorError as error:
        st.session_state["case_box_failed"] = error.message
        return
    st.session_state["case_box"] = ""
    go(case)
