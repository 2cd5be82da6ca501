"""What accepting an update would change, as figures and as two histograms."""

from __future__ import annotations

import streamlit as st

from detector.errors import NotFoundError
from detector.service import jobs
from detector.service.versions import updating
from detector.service.versions.comparing import DecidedComparison
from detector.service.versions.updating import UpdatePreview
from detector.service.workspace import Workspace
from detector.ui.charts import before_and_after
from detector.ui.numbers import NBSP, count, listed, number, percent, plural, severity
from detector.ui.report import report_table
from detector.ui.states import escaped
from detector.ui.theme import CONFIG

#: Below this rank correlation an update changes what the detector takes for severe.
TURNED = 0.5


def waiting_preview(ws: Workspace) -> UpdatePreview | None:
    """Return the newest preview that still waits for a decision; it outlives the session that asked for it."""
    job = jobs.latest_job(ws, "preview_update")
    if job is None or job.state != "done" or job.result is None:
        return None
    try:
        return updating.get_preview(ws, str(job.result["token"]))
    except NotFoundError:
        return None


def preview_panel(preview: UpdatePreview) -> None:
    """Show the figures of a preview, the severities before and after, and the columns it would learn."""
    figures = st.columns(5)
    shift = preview.flagged_share_after - preview.flagged_share_before
    figures[0].metric(
        "Flagged share",
        percent(preview.flagged_share_after),
        delta=f"{shift * 100:+.1f}{NBSP}points",
        delta_color="off",
        help=f"{percent(preview.flagged_share_before)} with version {preview.base_version}.",
    )
    figures[1].metric("Newly flagged", count(preview.newly_flagged))
    figures[2].metric("No longer flagged", count(preview.no_longer_flagged))
    figures[3].metric(
        "Rank correlation",
        number(preview.rank_correlation),
        help="1 means that the rows keep their order of severity; 0 means that nothing of it is left.",
    )
    figures[4].metric("Mean severity", f"{preview.mean_shift:+.1f}", help="Points on the scale from 0 to 100.")
    st.caption(f"Measured on {plural(preview.compared_rows, 'row')} of {escaped(preview.name)}.")
    if preview.rank_correlation < TURNED:
        st.warning(
            "After this update the rows of this file would stand in quite another order: what is severe now may not be "
            "then. Look at the columns below, and at a scored file, before you accept it.",
            icon=":material/swap_vert:",
        )
    if preview.suspicions:
        told = "\n".join(f"- {escaped(reason)}" for reason in preview.suspicions)
        st.warning(
            f"This update is suspicious; nobody could make it without looking.\n\n{told}", icon=":material/gpp_maybe:"
        )
    if preview.decided is not None:
        _decided_panel(preview.decided, preview.base_version)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown("**Severity before and after**")
        st.plotly_chart(
            before_and_after(
                preview.histogram_before.edges,
                preview.histogram_before.counts,
                preview.histogram_after.counts,
                names=(f"Version {preview.base_version}", "After the update"),
                axis="Severity",
            ),
            config=CONFIG,
            key="update_histograms",
            alt="Rows by severity before and after the update",
        )
    with right:
        learned = preview.columns_to_learn
        st.markdown("**What it would learn**")
        st.markdown(f"New columns: {escaped(listed(learned, 8))}." if learned else "No new column.")
        st.markdown("And how the columns it knows are spread now.")
    st.markdown("**Columns of this file**")
    report_table(preview.report, key="update_report")


def _decided_panel(decided: DecidedComparison, base: int) -> None:
    st.markdown(
        f"**Cases you have decided.** Of {plural(decided.frauds, 'fraud')}, version {base} flags "
        f"{count(decided.frauds_before)}, the updated one {count(decided.frauds_after)}; of "
        f"{plural(decided.legitimate, 'legitimate row')}, {count(decided.legitimate_before)} and "
        f"{count(decided.legitimate_after)}."
    )
    if decided.flips:
        # More may flip than are kept: the figures above count all of them.
        shown = f"{plural(len(decided.flips), 'decided case')} that only one of the two would flag, largest shift first"
        with st.expander(shown):
            st.dataframe(
                {
                    "Case": [flip.case for flip in decided.flips],
                    "Decided": ["fraud" if flip.fraud else "legitimate" for flip in decided.flips],
                    f"Severity, version {base}": [severity(flip.severity_before) for flip in decided.flips],
                    "Severity, updated": [severity(flip.severity_after) for flip in decided.flips],
                },
                hide_index=True,
                width="stretch",
            )
