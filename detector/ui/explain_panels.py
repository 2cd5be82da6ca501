"""The parts of the page Explain: what the scores of a sample rest on, what one column does, one row and its what-if."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

from detector.service import runs
from detector.service.reasons import importance, what_if
from detector.service.reasons.explaining import RowReasons
from detector.service.reasons.importance import SampleStudy
from detector.service.reasons.run_context import RunRows, run_rows_in_context
from detector.service.reasons.what_if import Control, Value, WhatIf
from detector.service.runs import Run
from detector.service.workspace import Workspace
from detector.ui.explain_charts import (
    beeswarm,
    dependence_groups,
    dependence_points,
    importance_bars,
    signed_bars,
    value_shown,
)
from detector.ui.frame import told_in_words
from detector.ui.numbers import count, plural, severity
from detector.ui.states import escaped
from detector.ui.theme import CONFIG

#: Controls that are shown without unfolding the others, those of the strongest columns.
_FIRST_CONTROLS = 6
_UNIT = (
    "Contributions add up: one of +0.1 multiplies the anomaly score by 1.07, one of +1 by 2; negative ones lower it."
)


def sample_of(ws: Workspace, run: Run | None, version: int) -> SampleStudy:
    """Return the study of a sample of a run, or of the model's own rows; kept, since neither ever changes."""
    return _sample(ws, None if run is None else run.id, version)


def _home(ws: Workspace) -> str:
    return str(ws.settings.home)


@st.cache_data(max_entries=16, show_spinner=False, hash_funcs={Workspace: _home})
def _sample(ws: Workspace, run_id: int | None, version: int) -> SampleStudy:
    return importance.study_model(ws, version) if run_id is None else importance.study_run(ws, run_id)


def sample_line(sample: SampleStudy) -> None:
    """Say how many rows were looked at, of how many, and by which version they are explained."""
    of = "the rows that this version keeps of those it learned from"
    if sample.run_id is not None:
        of = f"run {sample.run_id}, which has {count(sample.of_rows)}"
    st.caption(
        f"{plural(len(sample.rows), 'row')} of {of}, taken evenly. Explained by version {sample.version}. {_UNIT}"
    )


def overview_panel(sample: SampleStudy) -> int | None:
    """Show what the scores rest on; return the row of the point that was chosen, if any."""
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader(
            "What scores rest on",
            anchor=False,
            help="The share of each column in the size of all contributions. The diamonds: its share in what sets the "
            "model's own rows apart. Where they part, these rows differ from those of training.",
        )
        st.plotly_chart(
            importance_bars(sample.importance), config=CONFIG, key="explain_importance", alt="Importance of the columns"
        )
    with right:
        found = importance.swarms(sample)
        st.subheader(
            "Row by row",
            anchor=False,
            help="A mark is one row. Further to the right, the column made the row more unusual.",
        )
        chosen = st.plotly_chart(
            beeswarm(found),
            config=CONFIG,
            key=f"explain_swarm_{sample.run_id}_{sample.version}",
            alt="What each of the most important columns contributes, row by row",
            on_select="rerun",
            selection_mode="points",
        )
        rows = len(found[0].rows) if found else 0
        st.caption(
            f"{plural(rows, 'row')} of the sample." + ("" if sample.run_id is None else " Click one to open it.")
        )
    return _picked(chosen, sample)


def dependence_panel(sample: SampleStudy) -> int | None:
    """Show how one column's contribution depends on its value; return the row of the point that was chosen, if any."""
    st.subheader("One column", anchor=False)
    name = st.selectbox(
        "Column", [item.feature for item in sample.importance], key="explain_column", persist_state="session", width=420
    )
    found = importance.dependence(sample, name)
    if found.kind == "groups":
        if not found.groups:
            st.caption("No row of the sample has a value in this column.")
        for place, (column, (title, groups)) in enumerate(
            zip(st.columns(max(1, len(found.groups))), found.groups, strict=False)
        ):
            column.plotly_chart(
                dependence_groups(title, groups),
                config=CONFIG,
                key=f"explain_groups_{place}",
                alt=f"What {name} contributes, by {title}",
            )
        st.caption("The marks are means, the lines hold four fifths of the rows.")
        return None
    chosen = st.plotly_chart(
        dependence_points(found),
        config=CONFIG,
        key=f"explain_points_{sample.run_id}_{sample.version}_{name}",
        alt=f"What {name} contributes, by its value",
        on_select="rerun",
        selection_mode="points",
    )
    return _picked(chosen, sample)


def _picked(chosen: Any, sample: SampleStudy) -> int | None:
    if sample.run_id is None or not chosen.selection.points:
        return None
    return int(chosen.selection.points[0]["customdata"][0])


@st.fragment
def row_panel(ws: Workspace, run: Run, picked: Sequence[int | None]) -> None:
    """Show why one row scores as it does, and what it would score with other values.

    The row is chosen by its number, which follows a point that was just ``picked`` in a chart; at first it is the most
    severe one.
    """
    with told_in_words("This row cannot be explained"):
        _row(ws, run, _chosen_row(ws, run, picked))


def _chosen_row(ws: Workspace, run: Run, picked: Sequence[int | None]) -> int:
    key = f"explain_row_{run.id}"
    before = st.session_state.get(f"{key}_picked", (None,) * len(picked))
    st.session_state[f"{key}_picked"] = tuple(picked)
    new = next((row for row, old in zip(picked, before, strict=True) if row is not None and row != old), None)
    if new is not None:
        st.session_state[key] = new
    if key not in st.session_state:
        st.session_state[key] = int(runs.run_rows(ws, run.id, limit=1).index[0])
    return int(
        st.number_input("Row of the file, counted from 1", min_value=1, max_value=run.rows, step=1, key=key, width=260)
    )


def _row(ws: Workspace, run: Run, row: int) -> None:
    found, offered, as_it_is = _looked_up(ws, run.id, row)
    left, right = st.columns([3, 2], gap="large")
    with right:
        st.markdown("**What if?**")
        changes = _changes(offered, as_it_is, f"explain_try_{run.id}_{row}")
    result = what_if.what_if(ws, found, changes, as_it_is)
    with left:
        _figures(result, changed=bool(changes))
        before, after = _shown(result.before), _shown(result.after)
        st.plotly_chart(
            signed_bars(after, others=before if changes else ()),
            config=CONFIG,
            key="explain_row_bars",
            alt="What each column contributes to this row",
        )
        reasons = result.after.reasons
        if reasons:
            st.markdown("\n".join(f"- {escaped(reason.sentence)}" for reason in reasons))
        else:
            st.markdown("No single column makes this row unusual.")


# Not for long: what is known of the row's entity may go on.
@st.cache_data(max_entries=16, ttl=60.0, show_spinner=False, hash_funcs={Workspace: _home})
def _looked_up(ws: Workspace, run_id: int, row: int) -> tuple[RunRows, tuple[Control, ...], RowReasons]:
    found = run_rows_in_context(ws, run_id, [row])
    return found, what_if.controls(ws, found), what_if.what_if(ws, found, {}).before


def _figures(result: WhatIf, *, changed: bool) -> None:
    before, after = result.before, result.after
    figures = st.columns(3)
    figures[0].metric(
        "Severity",
        severity(after.severity),
        delta=f"{after.severity - before.severity:+.1f}" if changed else None,
        delta_color="inverse",
        help=f"Flagged above {severity(result.cutoff)}, the cutoff of the run.",
    )
    figures[1].metric(
        "Anomaly score",
        f"{after.score:.4f}",
        delta=f"{after.score - before.score:+.4f}" if changed else None,
        delta_color="inverse",
        help=f"Of a row of which nothing is known, {2.0**after.base:.4f} is to be expected.",
    )
    figures[2].metric("Flagged", "yes" if result.flagged_after else "no")
    told = f"Row {count(after.row)} with version {after.version}."
    if changed:
        told = f"Row {count(after.row)} as changed, with version {after.version}; it is not stored."
    elif not before.as_then and before.severity_then is not None:
        told += (
            f" When the run was made its severity was {severity(before.severity_then)}: "
            "what is known of its entity has changed since."
        )
    st.caption(told)


def _shown(row: RowReasons) -> list[tuple[str, str, float]]:
    return [(part.feature, value_shown(part.value), part.contribution) for part in row.parts]


def _changes(offered: Sequence[Control], as_it_is: RowReasons, key: str) -> dict[str, Value]:
    """Show the controls, those of the strongest columns first; return what was changed."""
    key = f"{key}_{st.session_state.setdefault('explain_tries', 0)}"
    strongest = {part.feature: place for place, part in enumerate(as_it_is.parts)}
    ordered = sorted(offered, key=lambda control: strongest.get(control.feature, len(strongest)))
    changes: dict[str, Value] = {}
    for control in ordered[:_FIRST_CONTROLS]:
        _try(control, f"{key}_{control.column}", changes)
    if len(ordered) > _FIRST_CONTROLS:
        with st.expander(f"{plural(len(ordered) - _FIRST_CONTROLS, 'more column')}"):
            for control in ordered[_FIRST_CONTROLS:]:
                _try(control, f"{key}_{control.column}", changes)
    if changes:
        st.button("Back to the row as it is", key="explain_reset", on_click=_reset)
    return changes


def _reset() -> None:
    st.session_state["explain_tries"] += 1


def _try(control: Control, key: str, changes: dict[str, Value]) -> None:
    value = _asked(control, key)
    if value != control.value:
        changes[control.column] = value


def _asked(control: Control, key: str) -> Value:
    """Show the control of one column; return its value, which is the row's own until somebody moves it."""
    label, own = escaped(control.column), control.value
    if control.kind == "time":
        given = own.astimezone(UTC).replace(tzinfo=None, second=0, microsecond=0) if isinstance(own, datetime) else None
        asked = st.datetime_input(f"{label}, UTC", value=given, step=timedelta(minutes=15), key=key)
        if asked is None or asked == given:
            return own
        return asked.replace(tzinfo=UTC)
    if control.kind == "number":
        return _number(control, label, key)
    if control.kind == "flag":
        chosen = st.selectbox(label, ["yes", "no"], index=None if own is None else int(not own), key=key)
        return None if chosen is None else chosen == "yes"
    options = list(control.options)
    return st.selectbox(label, options, index=options.index(own) if isinstance(own, str) else None, key=key)


def _number(control: Control, label: str, key: str) -> Value:
    own = control.value
    if not isinstance(own, float):
        asked = st.number_input(label, value=None, key=key)
        return None if asked is None else float(asked)
    if control.whole:
        low, high = math.floor(control.low), math.ceil(control.high)
        return float(st.slider(label, low, max(high, low + 1), int(own), key=key))
    reach = control.high - control.low or 1.0
    step = 10.0 ** math.floor(math.log10(reach / 200.0))
    return float(st.slider(label, control.low, control.low + reach, own, step, format="%.4g", key=key))
