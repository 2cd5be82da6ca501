"""Who moved the cutoff, when and why."""

from __future__ import annotations

import streamlit as st

from detector.service.cutoff import cutoffs
from detector.service.workspace import Workspace
from detector.ui.numbers import NONE, exact_cutoff, moment
from detector.ui.states import escaped


def history_panel(ws: Workspace) -> None:
    """Show who moved the cutoff, when and why."""
    st.subheader("Changes of the cutoff", anchor=False)
    changes = cutoffs.cutoff_history(ws)
    if not changes:
        st.caption("Nobody has moved it; it is what the model's share to flag implies.")
        return
    st.table(
        {
            "When": [moment(change.at) for change in changes],
            "Who": [escaped(change.actor) for change in changes],
            "From": [NONE if change.before is None else exact_cutoff(change.before) for change in changes],
            "To": ["the model's own" if change.cutoff is None else exact_cutoff(change.cutoff) for change in changes],
            "Reason": [escaped(change.reason) or NONE for change in changes],
        },
        border="horizontal",
        hide_index=True,
        height="content" if len(changes) <= 8 else 320,
    )
