"""Long work as a page shows it: progress with rows, a way to cancel, and what came of it.

The work is a job of the service layer and its progress is in the database, so that the panel finds it again after a
page switch, a reload of the browser, or in another window.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from detector.service import jobs
from detector.service.jobs import Job, JobKind
from detector.service.workspace import Workspace
from detector.ui.frame import actor, may
from detector.ui.numbers import count
from detector.ui.states import error_panel

_NAMES = {
    "train": "Training",
    "score": "Scoring",
    "preview_update": "Preparing the preview",
    "sample": "Loading the sample data",
    "queue": "Filling the queue",
    "drift": "Comparing the columns",
    "compare_versions": "Comparing two versions",
    "export": "Writing the file",
}
_FAILED = {
    "train": "Training failed",
    "score": "Scoring failed",
    "preview_update": "The preview failed",
    "sample": "The sample data could not be loaded",
    "queue": "The queue could not be filled",
    "drift": "The comparison failed",
    "compare_versions": "The comparison failed",
    "export": "The file could not be written",
}


def job_in_progress(ws: Workspace, *kinds: JobKind) -> Job | None:
    """Return the newest job of these kinds that is still going, or ``None``."""
    for kind in kinds:
        job = jobs.latest_job(ws, kind)
        if job is not None and not job.is_over:
            return job
    return None


def start(ws: Workspace, page: str, kind: JobKind, arguments: Mapping[str, Any] | None = None) -> None:
    """Begin a job and remember, for this session, that ``page`` began it."""
    st.session_state[f"{page}_job"] = jobs.submit(ws, kind, arguments or {}, actor=actor()).id


def forget(page: str) -> None:
    """Forget the job that ``page`` began in this session; the job itself stays in the database."""
    st.session_state.pop(f"{page}_job", None)


def follow(ws: Workspace, page: str, *kinds: JobKind) -> Job | None:
    """Show the job that is going on, if any, and end the page there; else return the finished job of this session.

    A failed job is shown as an error panel above the rest of the page, a cancelled one as a sentence, until dismissed.
    """
    running = job_in_progress(ws, *kinds)
    if running is not None:
        _progress_panel(ws, running.id)
        st.stop()
    mine = st.session_state.get(f"{page}_job")
    if mine is None:
        return None
    job = jobs.get_job(ws, mine)
    if job.kind not in kinds or job.state == "done":
        return job if job.kind in kinds else None
    if job.state == "cancelled":
        st.info("You stopped this. Nothing was changed.", icon=":material/block:")
    else:
        error = job.error or {"code": "interrupted", "message": "The program was stopped while it worked."}
        error_panel(_FAILED.get(job.kind, "This failed"), error)
    st.button("Dismiss", key=f"{page}_dismiss", on_click=forget, args=(page,))
    return None


def progress_text(done: int, total: int | None) -> str:
    """Return how far the work is, in rows: ``12,000 of 50,000 rows``."""
    if total:
        return f"{count(min(done, total))} of {count(total)} rows"
    return f"{count(done)} rows" if done else "starting"


@st.fragment(run_every=1.0)
def _progress_panel(ws: Workspace, job_id: str) -> None:
    job = jobs.get_job(ws, job_id)
    if job.is_over:
        st.rerun()
    with st.container(border=True, key="work_panel"):
        share = min(job.done_rows / job.total_rows, 1.0) if job.total_rows else 0.0
        st.markdown(f"**{_NAMES.get(job.kind, 'Working')}** · {progress_text(job.done_rows, job.total_rows)}")
        st.progress(share, text=job.message or "Waiting for its turn")
        with st.container(horizontal=True, vertical_alignment="center"):
            stopping = st.session_state.get("work_stopping") == job_id
            st.button("Cancel", key="work_cancel", on_click=_cancel, args=(ws, job_id),
                      disabled=stopping or not may(jobs.right_of(job.kind)))  # fmt: skip
            st.caption("Stopping." if stopping else _going_on(job))


def _going_on(job: Job) -> str:
    if job.attempts > 1:
        return "The program was stopped meanwhile. This goes on behind what was done already; nothing is done twice."
    return "You can leave this page; the work goes on."


def _cancel(ws: Workspace, job_id: str) -> None:
    jobs.cancel_job(ws, job_id, actor=actor())
    st.session_state["work_stopping"] = job_id
