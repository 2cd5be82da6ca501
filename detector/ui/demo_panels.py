"""The parts of the drift demo: both detectors side by side, the schema as it changes, one week in detail."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from detector.service.demo import CONTAMINATION, WeekOutcome, WeekStory
from detector.ui.charts import column_grid, two_lines
from detector.ui.numbers import count, percent
from detector.ui.report import report_table
from detector.ui.states import escaped
from detector.ui.theme import CONFIG


def figures_so_far(played: Sequence[WeekOutcome]) -> None:
    """Show, week by week, the flagged share and the frauds caught of both detectors."""
    weeks = [outcome.week for outcome in played]
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Share of rows flagged**")
        st.plotly_chart(
            two_lines(
                weeks,
                [outcome.flagged_share for outcome in played],
                [outcome.peer_flagged_share for outcome in played],
                axis="Flagged",
                reference=(CONTAMINATION, "meant"),
                share=True,
            ),
            config=CONFIG,
            key="demo_shares",
            alt="Share of rows flagged each week by this detector and by a plain forest",
        )
    with right:
        st.markdown("**Frauds caught**")
        st.plotly_chart(
            two_lines(
                weeks,
                [outcome.frauds_caught / outcome.frauds if outcome.frauds else None for outcome in played],
                [outcome.peer_frauds_caught / outcome.frauds if outcome.frauds else None for outcome in played],
                axis="Of the week's frauds",
                share=True,
            ),
            config=CONFIG,
            key="demo_frauds",
            alt="Share of the frauds of each week that was caught by this detector and by a plain forest",
        )
    st.caption(
        "Plain forest: scikit-learn's isolation forest, trained on week 1 alone; "
        "missing columns are filled with the median."
    )


def schema_so_far(weeks: Sequence[WeekStory], played: Sequence[WeekOutcome]) -> None:
    """Show every column that was ever seen against the weeks."""
    names = dict.fromkeys(name for outcome in played for name in (*outcome.columns, *outcome.missing_columns))
    lines = {name: [_state(name, played, index) for index in range(len(weeks))] for name in names}
    # Ids and labels take no part in scores; a line for each would only push the others apart.
    lines = {name: states for name, states in lines.items() if not set(states) <= {"left out", "absent"}}
    st.markdown("**Columns as they came**")
    st.plotly_chart(
        column_grid(list(lines), [f"Week {one.week}" for one in weeks], list(lines.values())),
        config=CONFIG,
        key="demo_columns",
        alt="Which columns each weekly file held, and which were new, missing or of another type",
    )
    st.caption("Marks: **+** new, **–** missing, **≠** type changed, **~** partly missing. Without a mark: as learned.")


def week_panels(weeks: Sequence[WeekStory], played: Sequence[WeekOutcome]) -> None:
    """Show one played week, the newest unless another is chosen."""
    chosen = st.segmented_control(
        "Week",
        [outcome.week for outcome in played],
        format_func=lambda week: f"Week {week}",
        default=played[-1].week,
        required=True,
        # A new week brings a new control, which opens at that week.
        key=f"demo_week_of_{len(played)}",
        label_visibility="collapsed",
    )
    outcome = next(one for one in played if one.week == chosen)
    story = weeks[outcome.week - 1]
    st.markdown(f"**{escaped(story.story)}** {escaped(outcome.detector_note)}")
    figures = st.columns(5)
    figures[0].metric("Rows", count(outcome.rows))
    figures[1].metric("Flagged", percent(outcome.flagged_share))
    figures[2].metric("Frauds caught", f"{count(outcome.frauds_caught)} of {count(outcome.frauds)}")
    figures[3].metric("Plain forest flagged", percent(outcome.peer_flagged_share))
    figures[4].metric("Plain forest caught", f"{count(outcome.peer_frauds_caught)} of {count(outcome.frauds)}")
    report_table(outcome.report, key=f"demo_report_{outcome.week}")


def _state(name: str, played: Sequence[WeekOutcome], index: int) -> str:
    if index >= len(played):
        return "absent"
    outcome = played[index]
    for column in outcome.report.get("columns", ()):
        if column["name"] == name:
            return str(column["status"])
    return "matched" if name in outcome.columns else "absent"
