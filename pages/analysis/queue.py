"""Queue: the cases that wait for a decision, one by one or as patterns."""

from dataclasses import replace

import streamlit as st

from detector.errors import DetectorError
from detector.service.review import queue, queueing
from detector.service.review.queue import PAGE_ROWS
from detector.ui.bulk import actions, chosen_cases, undo_bar
from detector.ui.first_steps import model_needed
from detector.ui.frame import actor, opening
from detector.ui.learning_panel import learning_line
from detector.ui.numbers import count, money, plural
from detector.ui.queue_filters import (
    ask_for,
    by_pattern,
    filter_bar,
    show_changed,
    take_over_address,
    view_tabs,
    views_menu,
)
from detector.ui.queue_states import emptied, lost_queues, out_of_date
from detector.ui.queue_tables import cases_table, open_case, patterns_table
from detector.ui.states import error_panel, nothing_yet
from detector.ui.work import follow, forget

top = st.container(horizontal=True, vertical_alignment="center")
with top.container(width="stretch", gap="xsmall"):
    ws = opening("Queue", "Flagged transactions that wait for a decision, most severe first.")
if follow(ws, "queue", "queue", "sample") is not None:
    forget("queue")
model_needed(ws, "queue", "There is no model yet, so nothing can be flagged. Train one, or load the sample data.")
if not queueing.list_queues(ws):
    if nothing_yet("No scored file has been sent to the queue yet.", "Choose a scored file", key="queue"):
        st.switch_page("pages/analysis/score.py")
    st.stop()

filters = take_over_address()
lost_queues(ws)
out_of_date(ws)
view_tabs(ws, filters)
with top:
    review = st.button("Continue review", type="primary", key="queue_review", icon=":material/arrow_forward:")
following = queue.next_case(ws, filters, actor=actor()) if review else None
if following is not None:
    open_case(following, filters)
filter_bar(ws, filters)

with st.container(horizontal=True, vertical_alignment="center"):
    st.segmented_control(
        "Shown as",
        ["Cases", "Patterns"],
        required=True,
        key="queue_show",
        label_visibility="collapsed",
        on_change=show_changed,
        help="A pattern: cases that share their reasons.",
    )
    views_menu(ws, filters)
    if filters.pattern:
        st.button(
            "All patterns",
            icon=":material/arrow_back:",
            key="queue_all_patterns",
            on_click=ask_for,
            args=(replace(filters, pattern=""),),
            kwargs={"patterns": True},
        )
    learning_line(ws, filters.run)
    undo_bar(ws, key="queue")

if by_pattern():
    found = queue.patterns(ws, filters, actor=actor())
    if found:
        patterns_table(found, filters)
    else:
        emptied(ws, filters)
    st.stop()

if filters.pattern:
    st.markdown(f"Cases that share: **{filters.pattern}**")
toolbar, place, below = st.container(), st.container(), st.container(horizontal=True, vertical_alignment="center")
with below:
    told = st.empty()
    size = st.selectbox(
        "Cases a page",
        [25, 50, 100, PAGE_ROWS],
        index=1,
        key="queue_size",
        persist_state="session",
        label_visibility="collapsed",
        format_func=lambda size: f"{size} a page",
        width=130,
    )
    many = queue.queue_page(ws, filters, actor=actor(), limit=1).total
    pages = -(-many // size)
    # Another question begins on its first page.
    number = st.pagination(pages, key=f"queue_page_{hash(filters)}_{size}", width=320) if pages > 1 else 1
page = queue.queue_page(ws, filters, actor=actor(), offset=(min(number, max(pages, 1)) - 1) * size, limit=size)
if not page.lines:
    told.empty()
    emptied(ws, filters)
    st.stop()
worth = "" if page.amount is None else f", {money(page.amount)} in total"
first = (number - 1) * size + 1
told.caption(
    f"{count(first)} to {count(first + len(page.lines) - 1)} of {plural(page.total, 'case')}{worth}", width="stretch"
)
with place:
    marked = cases_table(page.lines, filters)
with toolbar.container(horizontal=True, vertical_alignment="center"):
    everything = st.checkbox(f"All {plural(page.total, 'case')}", key="queue_everything")
    typed = st.text_input(
        "Cases",
        key="queue_typed",
        placeholder="Mark lines or type cases",
        label_visibility="collapsed",
        disabled=everything,
        width="stretch",
    )
    try:
        chosen = chosen_cases(ws, filters, page, marked, typed, everything)
    except DetectorError as error:
        error_panel("These cases cannot be chosen", error)
        st.stop()
    if chosen.number:
        st.markdown(f"**{chosen.words}**")
    actions(ws, filters, chosen)
