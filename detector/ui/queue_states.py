"""The queue when there is nothing to show, when it is worked through, and when its scores are out of date."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import streamlit as st

from detector.service import runs
from detector.service.review import queue, queueing
from detector.service.review.filters import Filters
from detector.service.runs import Run
from detector.service.workspace import Workspace
from detector.ui.frame import actor, may
from detector.ui.numbers import count, plural
from detector.ui.queue_filters import ask_for
from detector.ui.runs_list import score_again
from detector.ui.states import escaped, nothing_yet
from detector.ui.work import start

#: Cases that a worked-through queue is offered in addition.
MORE = 25
#: Rows of a run that are offered to the queue at first, at most.
OFFERED = 1_000

_NOTHING = {
    "unreviewed": "No open case is left.",
    "critical": "No open case has a severity of 99 or more.",
    "mine": "No case is assigned to you.",
    "escalated": "Nothing is escalated.",
    "snoozed": "Nothing is snoozed.",
    "decided": "Nothing has been decided yet.",
    "all": "There are no cases.",
}


def lost_queues(ws: Workspace) -> None:
    """Say which queues have lost their files, and offer to take each out of the queue; decisions stay."""
    ws.inbox.tables()
    for lost in ws.inbox.lost:
        with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"queue_lost_{lost.run}"):
            st.markdown(
                f":orange[:material/error:] The cases of run {lost.run} ({escaped(lost.name)}) are gone from the disk. "
                "Send the run to the queue again on the Score page, or take it out of the queue; decisions stay.",
                width="stretch",
            )
            st.button(
                "Take it out",
                key=f"queue_close_{lost.run}",
                disabled=not may("decide"),
                on_click=partial(queueing.close_queue, ws, lost.run, actor=actor()),
            )


def emptied(ws: Workspace, filters: Filters) -> None:
    """Say why no case is shown, and offer what to do next."""
    plain = Filters(view=filters.view, run=filters.run, order=filters.order)
    if filters != plain:
        if nothing_yet("No case matches what you asked for.", "Show the whole view", key="queue_none"):
            ask_for(plain)
            st.rerun()
        return
    counts = queue.view_counts(ws, actor=actor(), run=filters.run)
    if filters.view != "unreviewed":
        if nothing_yet(_NOTHING[filters.view], "Show what is unreviewed", key="queue_none"):
            ask_for(replace(plain, view="unreviewed"))
            st.rerun()
        return
    told = f"All {plural(counts['all'], 'case')} are decided."
    if counts["decided"] < counts["all"]:
        rest = [f"{count(counts[view])} {view}" for view in ("decided", "escalated", "snoozed") if counts[view]]
        told = f"No open case is left: {', '.join(rest)}."
    more = next_rows(ws, filters.run)
    if more is None or not may("decide"):
        if nothing_yet(told, "Score another file", key="queue_done"):
            st.switch_page("pages/analysis/score.py")
        return
    run, rows = more
    words = f"Send {count(rows)} more of run {run.id}"
    if nothing_yet(f"{told} The next rows of {escaped(run.name)} are less severe.", words, key="queue_done"):
        have = queueing.get_queue(ws, run.id).rows
        start(ws, "queue", "queue", {"run_id": run.id, "rows": have + rows})
        st.rerun()


def next_rows(ws: Workspace, run: int | None) -> tuple[Run, int] | None:
    """Return the newest run in the queue that has rows left, and how many of them to send next."""
    for found in queueing.list_queues(ws):
        if run in (None, found.run):
            whole = runs.get_run(ws, found.run)
            left = min(whole.rows, queueing.MOST_CASES) - found.rows
            if left > 0:
                return whole, min(MORE, left)
    return None


def out_of_date(ws: Workspace) -> None:
    """Say that the newest run in the queue was not scored by the champion, and offer to do it again."""
    run = runs.get_run(ws, queueing.list_queues(ws)[0].run)
    if run.stale and score_again(ws, run, key="queue"):
        st.switch_page("pages/analysis/score.py")


def queue_offer(ws: Workspace, run: Run) -> None:
    """Offer to send the most severe rows of a run to the queue, or lead to them when they are there."""
    known = {found.run: found for found in queueing.list_queues(ws)}.get(run.id)
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="score_queue"):
        if known is not None:
            waiting = queue.view_counts(ws, actor=actor(), run=run.id)
            st.markdown(
                f":material/inbox: {plural(known.rows, 'row')} of this run are in the queue, "
                f"{count(waiting['decided'])} decided.",
                width="stretch",
            )
            if st.button("Open in the queue", type="primary", key="score_open_queue"):
                st.switch_page("pages/analysis/queue.py", query_params={"run": str(run.id)})
        most = min(run.rows, queueing.MOST_CASES)
        if not may("decide") or run.rows == 0 or (known is not None and known.rows >= most):
            return
        if known is None:
            st.markdown(":material/inbox: Review rows one by one: send the most severe to the queue.", width="stretch")
        least = 1 if known is None else known.rows + 1
        rows = st.number_input(
            "Most severe rows",
            min_value=least,
            max_value=most,
            value=min(max(least, min(run.flagged, OFFERED) if known is None else known.rows + MORE), most),
            step=1,
            key=f"score_queue_rows_{run.id}_{least}",
            label_visibility="collapsed",
            width=150,
        )
        label = f"Send the top {count(rows)} to the queue" if known is None else f"Send {count(rows - known.rows)} more"
        if st.button(label, type="primary" if known is None else "secondary", key="score_send"):
            start(ws, "score", "queue", {"run_id": run.id, "rows": rows})
            st.rerun()
