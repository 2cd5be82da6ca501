"""What a person asks of the queue: view, search and filters.

The address holds all of it, so that a link opens the same queue.
"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from detector.errors import DetectorError
from detector.service.review import queue, queueing, saved_views
from detector.service.review.filters import Filters, View
from detector.service.workspace import Workspace
from detector.ui.frame import actor
from detector.ui.numbers import count
from detector.ui.states import escaped

QUEUE_PAGE = "pages/analysis/queue.py"

_VIEWS: dict[View, str] = {
    "unreviewed": "Unreviewed",
    "critical": "Critical",
    "mine": "Mine",
    "escalated": "Escalated",
    "snoozed": "Snoozed",
    "decided": "Decided",
    "all": "All",
}
_ORDERS = {
    "priority": "Severity now",
    "severity": "Severity when detected",
    "amount": "Amount",
    "newest": "Newest first",
    "oldest": "Oldest first",
}
_OUTCOMES = {"": "Any decision", "fraud": "Fraud", "legitimate": "Legitimate", "unclear": "Unclear"}
_NO_CHOICE = {"run": 0, "outcome": ""}
_FIELDS = ("view", "run", "search", "badge", "least_severity", "least_amount", "outcome", "order")
#: The address when the page was last shown in this session, for whoever comes back without one.
_LAST = "queue_query"
_PATTERNS = "patterns"


def asked_for() -> Filters:
    """Return what the address asks for."""
    return Filters.from_query(st.query_params.to_dict())


def by_pattern() -> bool:
    """Return whether the address asks for patterns instead of cases."""
    return st.query_params.get("show") == _PATTERNS


def ask_for(filters: Filters, *, patterns: bool = False, **others: str) -> None:
    """Put into the address what is asked for."""
    query = filters.to_query() | ({"show": _PATTERNS} if patterns else {}) | others
    st.query_params.from_dict(query)
    st.session_state[_LAST] = query


def last_asked() -> dict[str, str]:
    """Return the address under which the queue was last seen in this session."""
    return dict(st.session_state.get(_LAST, {}))


def view_tabs(ws: Workspace, filters: Filters) -> None:
    """Show the views with how many cases each holds."""
    counts = queue.view_counts(ws, actor=actor(), run=filters.run)
    st.segmented_control(
        "View",
        list(_VIEWS),
        format_func=lambda view: f"{_VIEWS[view]} {count(counts[view])}",
        required=True,
        key="queue_view",
        label_visibility="collapsed",
        on_change=_changed,
    )


def filter_bar(ws: Workspace, filters: Filters) -> None:
    """Show search and filters, each as the address has it."""
    files = {found.run: found.name for found in queueing.list_queues(ws)}
    badges = list(queue.badges_in(ws, run=filters.run))
    if filters.badge and filters.badge not in badges:
        badges.insert(0, filters.badge)
    runs = list(files) if filters.run in (None, *files) else [filters.run, *files]
    search, run, badge, severity, amount, order = st.columns([1.25, 1.25, 1.25, 0.8, 0.8, 1.1], gap="small")
    search.text_input(
        "Search",
        key="queue_search",
        max_chars=200,
        placeholder="Entity or case",
        on_change=_changed,
        help="Part of the name of a card, customer or account; or a case, such as 4-1523.",
    )
    run.selectbox(
        "File",
        [0, *runs],
        format_func=lambda run: f"Run {run} · {files.get(run, 'not in the queue')}" if run else "All files",
        key="queue_run",
        on_change=_changed,
    )
    badge.selectbox(
        "Reason",
        ["", *badges],
        format_func=lambda badge: badge or "Any reason",
        key="queue_badge",
        on_change=_changed,
    )
    severity.number_input(
        "Severity",
        min_value=0.0,
        max_value=100.0,
        step=1.0,
        format="%.1f",
        key="queue_least_severity",
        placeholder="from",
        on_change=_changed,
        help="At least this severe when it was detected, 0 to 100.",
    )
    amount.number_input(
        "Amount", step=100.0, format="%.2f", key="queue_least_amount", placeholder="from", on_change=_changed
    )
    if filters.view in ("decided", "all"):
        with order.container(horizontal=True, gap="small"):
            _outcome()
            _order()
    else:
        with order:
            _order()


def _outcome() -> None:
    st.selectbox(
        "Decision", list(_OUTCOMES), format_func=_OUTCOMES.__getitem__, key="queue_outcome", on_change=_changed
    )


def _order() -> None:
    st.selectbox("Order", list(_ORDERS), format_func=_ORDERS.__getitem__, key="queue_order", on_change=_changed)


def views_menu(ws: Workspace, filters: Filters) -> None:
    """Show the views that this person has saved, and let her save this one."""
    with st.popover("Saved views", icon=":material/bookmark:"):
        kept = saved_views.list_views(ws, owner=actor())
        for place, view in enumerate(kept):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.button(
                    escaped(view.name),
                    key=f"queue_open_view_{place}",
                    width="stretch",
                    disabled=view.filters == filters,
                    on_click=ask_for,
                    args=(view.filters,),
                )
                st.button(
                    "Delete",
                    key=f"queue_delete_view_{place}",
                    type="tertiary",
                    on_click=_delete_view,
                    args=(ws, view.name),
                )
        if not kept:
            st.caption("Save what is shown now, to come back to it with one click.")
        st.text_input("Save this view as", max_chars=saved_views.NAME_LENGTH, key="queue_view_name")
        st.button("Save", key="queue_save_view", on_click=_save_view, args=(ws, filters))
        failed = st.session_state.pop("queue_view_failed", None)
        if failed is not None:
            st.error(escaped(failed), icon=":material/error:")


def _save_view(ws: Workspace, filters: Filters) -> None:
    try:
        saved_views.save_view(ws, st.session_state["queue_view_name"], filters, owner=actor())
    except DetectorError as error:
        st.session_state["queue_view_failed"] = error.message
    else:
        st.session_state["queue_view_name"] = ""


def _delete_view(ws: Workspace, name: str) -> None:
    try:
        saved_views.delete_view(ws, name, owner=actor())
    except DetectorError as error:
        st.session_state["queue_view_failed"] = error.message


def take_over_address() -> Filters:
    """Give every control of the page the value that the address asks for, and return it all together.

    Whoever comes back to the page in the same session finds it as she left it.
    """
    arrived = "queue_view" not in st.session_state
    if arrived and not st.query_params and last_asked():
        st.query_params.from_dict(last_asked())
    filters = asked_for()
    for name in _FIELDS:
        # A list has no choice without a value, so that "any" is 0 or an empty text there.
        st.session_state[f"queue_{name}"] = (
            _NO_CHOICE.get(name) if getattr(filters, name) is None else getattr(filters, name)
        )
    st.session_state["queue_show"] = "Patterns" if by_pattern() else "Cases"
    st.session_state[_LAST] = st.query_params.to_dict()
    return filters


def show_changed() -> None:
    """Turn between cases and patterns; a chosen pattern is let go."""
    ask_for(replace(asked_for(), pattern=""), patterns=st.session_state["queue_show"] == "Patterns")


def _changed() -> None:
    # A control that is not on the page now keeps what the address has.
    now = asked_for()
    given = {name: st.session_state.get(f"queue_{name}", getattr(now, name)) for name in _FIELDS}
    given |= {name: given[name] or None for name in _NO_CHOICE}
    given["search"] = given["search"].strip()
    if given["view"] not in ("decided", "all"):
        given["outcome"] = None
    ask_for(replace(now, **given), patterns=by_pattern())
