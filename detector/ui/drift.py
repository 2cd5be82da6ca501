"""The parts of the page on schema and drift: what came otherwise, how columns have changed, the schema over time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

from detector.service.drift import drift_export
from detector.service.drift.drift_export import p_text
from detector.service.drift.drift_results import ColumnDrift, RunDrift
from detector.service.drift.schema_changes import SchemaChange
from detector.service.drift.schema_history import SchemaTimeline
from detector.ui.charts import COLUMN_STATES, column_grid
from detector.ui.drift_charts import overlaid
from detector.ui.numbers import NONE, count, moment, number, percent, plural
from detector.ui.report import status_badge
from detector.ui.states import escaped
from detector.ui.theme import CONFIG

#: The word, the mark that is read without colour, and the badge of each state.
STATES = {
    "drifting": ("drifting", "▲", ":orange-badge[:material/warning: drifting]"),
    "watch": ("to watch", "◆", ":violet-badge[:material/visibility: to watch]"),
    "calm": ("calm", "✓", ":blue-badge[:material/check: calm]"),
}
#: Up to so many lines a table is shown without scrolling.
_ALL_SHOWN = 10
#: So many of the newest steps are drawn.
_STEPS_DRAWN = 24

_P_NAMES = {"Kolmogorov-Smirnov": "p, KS test", "chi-square": "p, chi-square"}
_HELP = {
    "PSI": "Population stability index: how differently the rows spread over the bins of training. Below 0.1 they"
    " spread alike; from 0.25 on the column is drifting.",
    "JS": "Jensen-Shannon divergence: how well one could tell from a value whether it is from training or from now."
    " 0 not at all, 1 always.",
    "Wasserstein": "How far the values have moved on average, in units of the span of the middle half of training.",
    "Test": "How sure it is that this is not chance. Numbers: Kolmogorov-Smirnov, others: chi-square. The p-value"
    " allows for the number of columns, and is approximate, since only summaries of the rows are kept. Alone it is no"
    " alarm: among many rows even a tiny difference is certain.",
    "Weight": "How far beyond its limit the change is, times how much the scores rest on the column.",
    "Importance": "Share of what the scores rest on.",
}


def headline(drift: RunDrift) -> None:
    """Show in one line and five figures what has become of a run's columns."""
    _, _, badge = STATES[drift.state]
    told = f"what {drift.against} knew" if drift.against_run is None else drift.against
    st.markdown(f"{badge} {escaped(drift.sentence)} Compared with {escaped(told)}.")
    drifting = sum(column.state == "drifting" for column in drift.columns)
    watched = sum(column.state == "watch" for column in drift.columns)
    figures = st.columns(5)
    figures[0].metric(
        "Drifting",
        count(drifting),
        help=f"Columns that have changed beyond their limits. Another {count(watched)} to watch.",
    )
    figures[1].metric("Came otherwise", count(len(drift.schema)), help="Columns that came otherwise than learned.")
    figures[2].metric(
        "Importance here",
        percent(drift.importance_carried),
        help="How much of what the scores rest on is in this file.",
    )
    figures[3].metric(
        "Flagged",
        percent(drift.flagged_share),
        delta=f"{percent(drift.expected_share)} expected",
        delta_color="off",
        delta_arrow="off",
        help="Share of the rows that lie above the cutoff; rows like those of training would give what is expected.",
    )
    figures[4].metric(
        "Shift of severities",
        f"{drift.severity_shift:.2f}",
        help="Population stability index of the severities against those of training. From 0.1 on worth a look, from"
        " 0.25 on rows look different as a whole.",
    )


def schema_table(changes: Sequence[SchemaChange]) -> None:
    """Show the columns that came otherwise, with what was done, what follows for the scores, and what to do."""
    if not changes:
        st.caption("Every column came as the version that scored it knows it.")
        return
    st.table(
        {
            "Column": [escaped(change.column) for change in changes],
            "Change": [status_badge(change.status) for change in changes],
            "Training → now": [escaped(f"{change.training} → {change.now}") for change in changes],
            "What the detector did": [escaped(change.done) for change in changes],
            "Effect on scores": [escaped(change.effect) for change in changes],
            "What to do": [escaped(change.advice) for change in changes],
        },
        border="horizontal",
        hide_index=True,
        height="content" if len(changes) <= _ALL_SHOWN else 480,
    )


@st.fragment
def columns_panel(drift: RunDrift) -> None:
    """Show how the columns have changed, those first whose change weighs most, and one of them in detail."""
    if not drift.columns:
        st.caption("This run has no rows, so there is nothing to compare.")
        return
    key = f"drift_columns_{drift.run}_{drift.against_run}"
    chosen = st.dataframe(
        _lines(drift.columns),
        hide_index=True,
        width="stretch",
        height="content" if len(drift.columns) <= _ALL_SHOWN else 388,
        key=key,
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "State": st.column_config.TextColumn(width=95, pinned=True),
            "Column": st.column_config.TextColumn(width=_name_width(drift.columns), pinned=True),
            "Weight": st.column_config.ProgressColumn(
                width=100,
                format=" ",
                max_value=max((_weight(column) for column in drift.columns), default=1.0) or 1.0,
                help=_HELP["Weight"],
            ),
            "Importance": st.column_config.TextColumn(width=90, alignment="right", help=_HELP["Importance"]),
            "PSI": st.column_config.TextColumn(width=70, alignment="right", help=_HELP["PSI"]),
            "No value": st.column_config.TextColumn(
                width=120, alignment="right", help="Share of the rows without a value, before and now."
            ),
            "Unknown": st.column_config.TextColumn(
                width=85, alignment="right", help="Share of the values that are categories not known before."
            ),
            "What has changed": st.column_config.TextColumn(width=380),
        },
    )
    names = [column.name for column in drift.columns]
    marked = [place for place in chosen.selection.rows if place < len(names)]
    name = st.selectbox(
        "Column in detail. Select it above, or here",
        names,
        index=marked[0] if marked else 0,
        key=f"{key}_chosen_{marked[0] if marked else 'first'}",
        width=520,
    )
    column = drift.column(name)
    if column is not None:
        _detail(column, drift)


def _lines(columns: Sequence[ColumnDrift]) -> dict[str, list[Any]]:
    lines: dict[str, list[Any]] = {}
    for column in columns:
        drift, (word, mark, _) = column.drift, STATES[column.state]
        line = {
            "State": f"{mark} {word}",
            "Column": drift.name,
            "Weight": _weight(column),
            "What has changed": _without_name(drift.sentence, drift.name),
            "Importance": percent(column.importance),
            "PSI": f"{drift.psi:.2f}" if drift.test else NONE,
            "No value": f"{percent(drift.absent_before)} → {percent(drift.absent_now)}",
            "Unknown": percent(drift.unseen_share) if drift.kind == "categorical" else NONE,
        }
        for name, value in line.items():
            lines.setdefault(name, []).append(value)
    return lines


def _name_width(columns: Sequence[ColumnDrift]) -> int:
    """Return the pixels that the longest name takes; names of habits begin alike and differ in their last word."""
    return min(max(150, 7 * max(len(column.name) for column in columns)), 320)


def _without_name(sentence: str, name: str) -> str:
    """Return what is said of a column for a line that begins with its name."""
    return sentence.removeprefix(name).lstrip(": ")


def _weight(column: ColumnDrift) -> float:
    return column.drift.strength * column.importance


def _detail(column: ColumnDrift, drift: RunDrift) -> None:
    found, before = column.drift, "Training" if drift.against_run is None else f"Run {drift.against_run}"
    st.markdown(f"{STATES[found.state][2]} {escaped(found.sentence)}")
    left, right = st.columns([3, 2], gap="large")
    with left:
        if column.overlay.labels:
            st.plotly_chart(
                overlaid(column.overlay, (before, f"Run {drift.run}"), numbers=found.kind == "numeric"),
                config=CONFIG,
                key=f"drift_overlay_{drift.run}_{drift.against_run}",
                alt=f"Values of {column.name} before and now, in shares",
            )
        elif found.kind == "datetime":
            st.caption("Time moves on, so times are not compared. Only rows without one count.")
        else:
            st.caption("There is nothing to draw: the column did not come, or too few rows have a value.")
    with right:
        lines = st.columns(2)
        tested = found.test is not None
        lines[0].metric("PSI", f"{found.psi:.3f}" if tested else NONE, help=_HELP["PSI"])
        lines[1].metric("Jensen-Shannon", f"{found.jensen_shannon:.3f}" if tested else NONE, help=_HELP["JS"])
        lines[0].metric("Wasserstein", number(found.wasserstein), help=_HELP["Wasserstein"])
        lines[1].metric(
            _P_NAMES.get(found.test or "", "p-value"),
            NONE if found.p_adjusted is None else p_text(found.p_adjusted),
            help=_HELP["Test"],
        )
        _sides(column, before, f"Run {drift.run}")


def _sides(column: ColumnDrift, before: str, now: str) -> None:
    names = {
        "absent": "No value",
        "low": "5 % lie below",
        "median": "Half lie below",
        "high": "95 % lie below",
        "most_frequent": "Most frequent",
        "share": "Its share",
        "distinct": "Different values",
    }
    shown = {key: name for key, name in names.items() if key in column.before or key in column.now}
    st.table(
        {
            "": list(shown.values()),
            before: [_side(column.before, key) for key in shown],
            now: [_side(column.now, key) for key in shown],
        },
        border="horizontal",
        hide_index=True,
    )


def _side(figures: Any, key: str) -> str:
    value = figures.get(key)
    if value is None:
        return NONE
    if key in ("absent", "share"):
        return percent(value)
    if key == "distinct":
        return count(value)
    return number(value) if isinstance(value, int | float) else escaped(str(value))


def timeline(history: SchemaTimeline) -> None:
    """Show which columns each version and run had, and in which state; and what happened, newest first."""
    steps = history.steps[-_STEPS_DRAWN:]
    lines = {name: [step.states.get(name, "absent") for step in steps] for name in history.columns}
    # What never takes part would only push the others apart.
    lines = {name: states for name, states in lines.items() if not set(states) <= {"left out", "absent"}}
    if lines:
        st.plotly_chart(
            column_grid(list(lines), [step.label for step in steps], list(lines.values())),
            config=CONFIG,
            key="drift_timeline",
            alt="Which columns each version and each run had, and which were new, missing or changed",
        )
    used = {state for states in lines.values() for state in states}
    marks = [f"**{mark}** {word}" for state, (word, mark, _) in COLUMN_STATES.items() if mark and state in used]
    hidden = len(history.steps) - len(steps)
    earlier = f" {plural(hidden, 'earlier step')} not drawn." if hidden > 0 else ""
    st.caption(f"v: a version that was made. Marks: {', '.join(marks) or 'none'}. Without a mark: as learned.{earlier}")
    with st.expander(f"All that happened to columns, newest first ({count(len(history.events))})"):
        events = history.events[::-1]
        st.dataframe(
            {
                "When": [moment(event.at) for event in events],
                "At": [event.step for event in events],
                "Column": [event.column for event in events],
                "What happened": [event.sentence for event in events],
            },
            hide_index=True,
            width="stretch",
            column_config={"What happened": st.column_config.TextColumn(width=520)},
        )


def report_downloads(drift: RunDrift) -> None:
    """Offer the comparison as HTML and as JSON."""
    for kind, label, mime, made in (
        ("html", "Download HTML", "text/html", drift_export.report_html),
        ("json", "Download JSON", "application/json", drift_export.report_json),
    ):
        st.download_button(
            label,
            data=partial(made, drift),
            file_name=drift_export.file_name(drift, kind),
            mime=mime,
            key=f"drift_download_{kind}",
            icon=":material/download:",
            on_click="ignore",
            help=drift_export.CONTENTS,
        )
