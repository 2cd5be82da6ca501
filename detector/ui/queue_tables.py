"""The queue as tables: its cases a page at a time, or its patterns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

import streamlit as st

from detector.service.review.case_ids import CaseId
from detector.service.review.filters import Filters
from detector.service.review.queue import CaseLine, Pattern
from detector.ui.numbers import age, count, money, severity
from detector.ui.queue_filters import QUEUE_PAGE, ask_for

CASE_PAGE = "pages/analysis/case.py"
#: Reasons shown of each case.
_BADGES = 3
#: A severity that moved by less than this reads the same.
_MOVED = 0.05
_ROWS_SHOWN = 12

#: How each status is said: a mark that needs no colour, and a word.
STATUS_WORDS = {
    "open": "○ open",
    "escalated": "▲ escalated",
    "snoozed": "◔ snoozed",
    "fraud": "● fraud",
    "legitimate": "✓ legitimate",
    "unclear": "? unclear",
}


def cases_table(lines: Sequence[CaseLine], filters: Filters) -> tuple[CaseId, ...]:
    """Show cases; a button in each line opens it. Return the cases whose lines are marked."""
    # Marks belong to the very lines that they were made on: other lines are another table.
    shown = "_".join(str(line.id) for line in lines)
    key = sha256(shown.encode()).hexdigest()[:16]
    event = f"queue_open_{key}"
    columns: dict[str, list[object]] = {
        "Case": [str(line.id) for line in lines],
        "Severity": [severity_words(line.priority, line.severity) for line in lines],
        "Moved": [_places(line.moved) for line in lines],
        "Amount": [money(line.amount) for line in lines],
        "Entity": [line.entity or "" for line in lines],
        "Time": ["" if line.time is None else f"{line.time:%Y-%m-%d %H:%M}" for line in lines],
        "Status": [STATUS_WORDS[line.state.outcome or line.status] for line in lines],
        "Assignee": [line.state.assignee or "" for line in lines],
        "Waiting": [age(line.opened_at).removesuffix(" ago") for line in lines],
        "Looking at it": [line.held_by or "" for line in lines],
        "Reasons": [list(line.badges[:_BADGES]) for line in lines],
    }
    optional = {"Moved", "Entity", "Time", "Assignee", "Looking at it"}
    columns = {name: cells for name, cells in columns.items() if name not in optional or any(cells)}
    if all(line.amount is None for line in lines):
        del columns["Amount"]
    if all(line.state.outcome is None and line.status == "open" for line in lines):
        del columns["Status"]  # what all share tells nothing, and the reasons need the room
    chosen = st.dataframe(
        columns,
        hide_index=True,
        width="stretch",
        height=36 + 35 * min(max(len(lines), 1), _ROWS_SHOWN),
        key=f"queue_cases_{key}",
        on_select="rerun",
        selection_mode="multi-row",
        column_config={
            "Case": st.column_config.ButtonColumn(width=90, key=event),
            "Severity": st.column_config.TextColumn(
                alignment="right", help="Now, 0 to 100; with an arrow where it differs from when it was detected."
            ),
            "Moved": st.column_config.TextColumn(
                width=70, help="Places up or down since your decisions are learned from."
            ),
            "Amount": st.column_config.TextColumn(alignment="right"),
            "Time": st.column_config.TextColumn(width=135, help="In UTC."),
            "Reasons": st.column_config.ListColumn(width=300),
            "Waiting": st.column_config.TextColumn(width=80, help="Since its file was sent to the queue."),
        },
    )
    clicked = st.session_state.get(event)
    if clicked is not None and clicked.row < len(lines):
        open_case(lines[clicked.row].id, filters)
    return tuple(lines[place].id for place in chosen.selection.rows if place < len(lines))


def patterns_table(patterns: Sequence[Pattern], filters: Filters) -> None:
    """Show patterns, the largest first; one that is chosen is opened as its cases."""
    event = "queue_open_pattern"
    columns = {
        "Open": [f"{count(pattern.cases)} cases" if pattern.cases != 1 else "1 case" for pattern in patterns],
        "What they share": [pattern.name.split(" · ") for pattern in patterns],
        "Sum": [money(pattern.amount) for pattern in patterns],
        "Highest severity": [severity(pattern.highest) for pattern in patterns],
    }
    if all(pattern.amount is None for pattern in patterns):
        del columns["Sum"]
    st.dataframe(
        columns,
        hide_index=True,
        width="stretch",
        height=36 + 35 * min(max(len(patterns), 1), _ROWS_SHOWN + 2),
        column_config={
            "Open": st.column_config.ButtonColumn(width=130, key=event),
            "What they share": st.column_config.ListColumn(width=480),
            "Sum": st.column_config.TextColumn(alignment="right"),
            "Highest severity": st.column_config.TextColumn(alignment="right"),
        },
    )
    clicked = st.session_state.get(event)
    if clicked is not None and clicked.row < len(patterns):
        ask_for(replace(filters, pattern=patterns[clicked.row].name))
        st.rerun()
    st.selectbox(
        "Open a pattern",
        [pattern.name for pattern in patterns],
        index=None,
        placeholder="Choose a pattern to see its cases and to decide all of them at once",
        key="queue_pattern_chosen",
        on_change=_pattern_chosen,
        args=(filters,),
        label_visibility="collapsed",
    )


def open_case(case: CaseId, filters: Filters) -> None:
    """Open a case, from which next and previous stay within what was asked for."""
    st.switch_page(CASE_PAGE, query_params={"case": str(case), **filters.to_query()})


def open_queue(filters: Filters) -> None:
    """Open the queue with what is asked for."""
    st.switch_page(QUEUE_PAGE, query_params=filters.to_query())


def severity_words(now: float, detected: float) -> str:
    """Return the severity now, and where it was when it was detected if that differs."""
    if abs(now - detected) < _MOVED:
        return severity(now)
    return f"{severity(detected)} → {severity(now)}"


def _places(moved: int) -> str:
    return "" if moved == 0 else f"{'▲' if moved > 0 else '▼'} {count(abs(moved))}"


def _pattern_chosen(filters: Filters) -> None:
    ask_for(replace(filters, pattern=st.session_state["queue_pattern_chosen"] or ""))
