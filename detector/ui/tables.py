"""Tables that pages share: the rows of a run, the columns of a file before training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from detector.core.entity_plans import MOST_ENTITY_COLUMNS
from detector.errors import DetectorError
from detector.service import runs
from detector.service.reasons import explaining
from detector.service.runs import PAGE_ROWS, Run
from detector.service.uploads import FileCheck
from detector.service.workspace import Workspace
from detector.ui.frame import told_in_words
from detector.ui.numbers import count, number, percent
from detector.ui.states import error_panel, escaped

#: Up to this many columns are shown without scrolling.
_ALL_SHOWN = 16

_TIME = "YYYY-MM-DD HH:mm:ss"

#: The roles a person can give a column, with what each means.
ROLES = {
    "input": "learned from",
    "amount": "learned from, as money",
    "time": "when it happened",
    "entity": "whose it is: card, customer; rows are compared with what theirs usually do",
    "id": "names the row, not learned from",
    "label": "the truth, not learned from",
    "ignored": "left out",
}


@st.fragment
def run_table(ws: Workspace, run: Run) -> None:
    """Show the rows of a run, the most severe first, a page at a time, and why the chosen row stands out."""
    with told_in_words("The rows cannot be shown"):
        _rows_and_reasons(ws, run)


def _rows_and_reasons(ws: Workspace, run: Run) -> None:
    view = st.segmented_control(
        "Rows shown",
        ["Flagged", "All rows"],
        default="Flagged",
        required=True,
        key="score_view",
        label_visibility="collapsed",
    )
    flagged_only = view == "Flagged"
    rows = run.flagged if flagged_only else run.rows
    if rows == 0:
        st.markdown("No row of this file lies above the cutoff.")
        return
    place, below = st.container(), st.container(horizontal=True, vertical_alignment="center")
    pages = -(-rows // PAGE_ROWS)
    with below:
        told = st.empty()
        page = st.pagination(pages, key=f"score_page_{run.id}_{view}", width=320) if pages > 1 else 1
    first = (page - 1) * PAGE_ROWS
    last = min(first + PAGE_ROWS, rows)
    told.caption(f"Rows {count(first + 1)} to {count(last)} of {count(rows)}, most severe first", width="stretch")
    frame = runs.run_rows(ws, run.id, offset=first, limit=PAGE_ROWS, flagged_only=flagged_only)
    own = [name for name in _first_things_first(ws, run.columns) if name in frame.columns]
    with place:
        chosen = st.dataframe(
            frame,
            height=388,
            width="stretch",
            key=f"score_rows_{run.id}_{view}_{page}",
            on_select="rerun",
            selection_mode="single-row",
            column_order=["severity", *([] if flagged_only else ["flagged"]), *own, "score"],
            column_config={
                "_index": st.column_config.NumberColumn("Row", format="%d"),
                "severity": st.column_config.NumberColumn("Severity", format="%.1f", pinned=True),
                "flagged": st.column_config.CheckboxColumn("Flagged"),
                "score": st.column_config.NumberColumn("Anomaly score", format="%.4f"),
                **{
                    name: st.column_config.DatetimeColumn(format=_TIME)
                    for name in own
                    if frame.dtypes[name].kind == "M"
                },
            },
        )
    marked = [int(frame.index[position]) for position in chosen.selection.rows if position < len(frame)]
    row = st.number_input(
        "Why does this row stand out? Select it above, or give its number",
        min_value=1,
        max_value=run.rows,
        value=marked[0] if marked else int(frame.index[0]),
        step=1,
        key=f"score_why_{run.id}_{view}_{page}_{marked[0] if marked else 0}",
        width=520,
    )
    _why(ws, run, int(row))


def _first_things_first(ws: Workspace, names: Sequence[str]) -> list[str]:
    """Return the columns with whose row it is, when and how much in front; the rest as in the file."""
    champion = ws.champion()
    roles = {feature.name: feature.role for feature in champion.detector.schema_} if champion else {}
    rank = {"entity": 0, "time": 1, "amount": 2}
    return sorted(names, key=lambda name: rank.get(roles.get(name, ""), len(rank)))


def _why(ws: Workspace, run: Run, row: int) -> None:
    try:
        (found,) = explaining.reasons_of(ws, run.id, [row])
    except DetectorError as error:
        error_panel("This row cannot be explained", error)
        return
    told = f"Row {count(row)}, severity {found.severity:.1f} with version {found.version}"
    if not found.reasons:
        st.markdown(f"**{told}**: no single column makes it unusual.")
    else:
        st.markdown(f"**{told}**\n\n" + "\n".join(f"- {escaped(reason.sentence)}" for reason in found.reasons))
    st.page_link(
        "pages/detector/explain.py",
        label="See what each column contributes, and what if it were another",
        icon=":material/troubleshoot:",
        query_params={"run": str(run.id), "row": str(row)},
    )


def column_roles(check: FileCheck, *, key: str) -> dict[str, str]:
    """Show the columns of a file with what was found in each; return the roles that a person chose.

    An entity that was guessed and left as it is counts as chosen: it was shown, with what follows from it.
    """
    columns = check.columns
    edited: Mapping[str, Any] = st.data_editor(
        {
            "Column": [column.name for column in columns],
            "Role": [column.role for column in columns],
            "Examples": [
                ", ".join(column.examples if column.type == "text" else map(_short, column.examples))
                for column in columns
            ],
            "Read as": [column.type for column in columns],
            "Missing": [percent(column.nulls / check.rows if check.rows else 0.0) for column in columns],
            "Distinct": [count(min(column.distinct, check.rows)) for column in columns],
            "Why this role": [column.role_reason for column in columns],
        },
        key=key,
        hide_index=True,
        width="stretch",
        height="content" if len(columns) <= _ALL_SHOWN else 520,
        disabled=["Column", "Read as", "Missing", "Distinct", "Examples", "Why this role"],
        column_config={
            "Column": st.column_config.TextColumn(pinned=True),
            "Role": st.column_config.SelectboxColumn(
                options=list(ROLES), required=True, width=95, help=". ".join(f"{k}: {v}" for k, v in ROLES.items())
            ),
            "Missing": st.column_config.TextColumn(alignment="right", width=80),
            "Distinct": st.column_config.TextColumn(alignment="right", width=80),
            "Examples": st.column_config.TextColumn(width=150),
            "Why this role": st.column_config.TextColumn(width=420),
        },
    )
    chosen = dict(zip((column.name for column in columns), edited["Role"], strict=True))
    changed = {column.name: chosen[column.name] for column in columns if chosen[column.name] != column.role}
    entities = {name: role for name, role in chosen.items() if role == "entity"}
    return changed | (entities if len(entities) <= MOST_ENTITY_COLUMNS else {})


def _short(example: str) -> str:
    try:
        value = float(example)
    except ValueError:
        return example
    return example if len(example) <= 8 else number(value)
