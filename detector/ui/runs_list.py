"""The list of runs: choose one to open it on the Score page."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from detector.service.runs import Run
from detector.service.workspace import Workspace
from detector.ui.frame import may
from detector.ui.numbers import age, count, percent, severity
from detector.ui.states import stale
from detector.ui.work import start


def run_label(run: Run) -> str:
    """Return a run as one line of a list."""
    return f"Run {run.id} · {run.name} · {count(run.rows)} rows · {age(run.created_at)}"


def runs_list(runs: Sequence[Run], *, key: str) -> None:
    """Show runs as a table, the newest first; a button in each row opens it."""
    event = f"{key}_open_run"
    st.dataframe(
        {
            "Open": [f"Run {run.id}" for run in runs],
            "File": [run.name for run in runs],
            "Rows": [count(run.rows) for run in runs],
            "Flagged": [count(run.flagged) for run in runs],
            "Share": [percent(run.flagged / run.rows if run.rows else 0.0) for run in runs],
            "Version": [f"{run.version}, not the champion" if run.stale else str(run.version) for run in runs],
            "Cutoff": [severity(run.cutoff) for run in runs],
            "Scored": [age(run.created_at) for run in runs],
        },
        hide_index=True,
        width="stretch",
        column_config={
            "Open": st.column_config.ButtonColumn(width=90, key=event),
            "Rows": st.column_config.TextColumn(alignment="right", width=90),
            "Flagged": st.column_config.TextColumn(alignment="right", width=90),
            "Share": st.column_config.TextColumn(alignment="right", width=80),
            "Cutoff": st.column_config.TextColumn(alignment="right", width=80),
        },
    )
    clicked = st.session_state.get(event)
    if clicked is not None:
        st.switch_page("pages/analysis/score.py", query_params={"run": str(runs[clicked.row].id)})


def score_again(ws: Workspace, run: Run, *, key: str) -> bool:
    """Say that ``run`` is out of date and offer to score its file with the champion; return whether that was begun."""
    champion = ws.champion()
    now = "there is no champion now" if champion is None else f"the champion is version {champion.version}"
    told = f"Run {run.id} was scored with version {run.version}; {now}."
    if run.upload_id is None or champion is None or not may("score"):
        st.caption(told)
        return False
    if not stale(told, "Score again", key=key):
        return False
    start(ws, "score", "score", {"upload_id": run.upload_id})
    return True
