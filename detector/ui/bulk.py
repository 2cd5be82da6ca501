"""Doing one thing to several cases: what, to how many, worth how much; and the way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import streamlit as st

from detector.errors import DetectorError
from detector.service.review import deciding, queue
from detector.service.review.case_changes import MOST_AT_ONCE
from detector.service.review.case_ids import CaseId
from detector.service.review.deciding import REASONS, LastChange
from detector.service.review.filters import Filters
from detector.service.review.inbox import OUTCOMES, Outcome
from detector.service.review.queue import QueuePage
from detector.service.workspace import Workspace
from detector.ui.frame import actor, allowed
from detector.ui.numbers import money, plural
from detector.ui.states import error_panel, escaped

#: For how long a case is put away: in words, in days.
SNOOZES = {"1 hour": 1 / 24, "4 hours": 1 / 6, "1 day": 1.0, "3 days": 3.0, "1 week": 7.0}
#: A change is offered to be taken back for so long.
_OFFERED = timedelta(hours=12)
_FAILED, _UNDONE = "queue_failed", "undone"


@dataclass(frozen=True)
class Chosen:
    """The cases to do something to, with the revision of each that was there when the page was drawn."""

    number: int
    amount: float | None
    cases: tuple[CaseId, ...]
    seen: Mapping[CaseId, int]

    @property
    def words(self) -> str:
        """How many they are and what they are worth."""
        worth = "" if self.amount is None else f", {money(self.amount)} in total"
        return f"{plural(self.number, 'case')}{worth}"


def chosen_cases(
    ws: Workspace, filters: Filters, page: QueuePage, marked: Sequence[CaseId], typed: str, everything: bool
) -> Chosen:
    """Return what is chosen: all that match, else the marked lines and the cases that were typed.

    Raises
    ------
    DetectorError
        When what was typed names no case, or one that is not in the queue.
    """
    if everything:
        cases = queue.matching(ws, filters, actor=actor(), limit=MOST_AT_ONCE)
        amount = page.amount if len(cases) == page.total else None
        return Chosen(len(cases), amount, cases, queue.revisions_of(ws, cases))
    named = [CaseId.parse(text) for text in typed.replace(";", ",").replace(" ", ",").split(",") if text.strip()]
    cases = tuple(dict.fromkeys((*marked, *named)))
    seen = queue.revisions_of(ws, cases) | {line.id: line.state.revision for line in page.lines if line.id in cases}
    return Chosen(len(cases), queue.amount_of(ws, cases) if cases else None, cases, seen)


def actions(ws: Workspace, filters: Filters, chosen: Chosen) -> None:
    """Offer what can be done to the chosen cases; each says how many and worth how much before it is done."""
    if not allowed("decide"):
        return
    nothing = chosen.number == 0
    do = partial(_do, chosen)
    with st.popover("Decide", icon=":material/gavel:", type="primary", disabled=nothing):
        outcome: Outcome = st.segmented_control(
            "Decision", OUTCOMES, default="legitimate", required=True, format_func=str.capitalize, key="bulk_outcome"
        )
        reasons = REASONS[outcome]
        # Nobody asked the customers of many cases: what is recorded unless it is changed has to be true of a pattern.
        likely = list(reasons).index("known_pattern") if outcome == "legitimate" and chosen.number > 1 else 0
        reason = st.selectbox(
            "Reason", list(reasons), index=likely, format_func=reasons.__getitem__, key=f"bulk_reason_{outcome}"
        )
        note = st.text_input("Note", max_chars=500, key="bulk_note")
        st.markdown(f"Mark **{escaped(chosen.words)}**, as **{outcome}**: {reasons[reason].lower()}.")
        st.button(
            f"Mark {plural(chosen.number, 'case')} as {outcome}",
            type="primary",
            key="bulk_decide",
            disabled=nothing,
            on_click=do,
            args=(
                lambda cases, seen: deciding.decide(ws, cases, outcome, reason, actor=actor(), note=note, seen=seen),
            ),
        )
    with st.popover("Snooze", icon=":material/snooze:", disabled=nothing):
        span = st.selectbox("For", list(SNOOZES), index=2, key="bulk_snooze_for")
        st.button(
            f"Snooze {plural(chosen.number, 'case')} for {span}",
            type="primary",
            key="bulk_snooze",
            disabled=nothing,
            on_click=do,
            args=(
                lambda cases, seen: deciding.snooze(
                    ws, cases, datetime.now(UTC) + timedelta(days=SNOOZES[span]), actor=actor(), seen=seen
                ),
            ),
        )
    with st.popover("Hand over", icon=":material/person_add:", disabled=nothing):
        to = st.text_input("To", max_chars=60, key="bulk_to", placeholder="Name, or empty for nobody").strip()
        with st.container(horizontal=True):
            st.button(
                f"Assign {plural(chosen.number, 'case')}",
                type="primary",
                key="bulk_assign",
                disabled=nothing,
                on_click=do,
                args=(lambda cases, seen: deciding.assign(ws, cases, to or None, actor=actor(), seen=seen),),
            )
            st.button(
                f"Escalate {plural(chosen.number, 'case')}",
                key="bulk_escalate",
                disabled=nothing,
                on_click=do,
                args=(lambda cases, seen: deciding.escalate(ws, cases, actor=actor(), to=to or None, seen=seen),),
            )
    if filters.view in ("decided", "snoozed", "escalated", "all"):
        st.button(
            "Open again",
            key="bulk_reopen",
            icon=":material/replay:",
            disabled=nothing,
            on_click=do,
            args=(lambda cases, seen: deciding.reopen(ws, cases, actor=actor(), seen=seen),),
        )


def undo_bar(ws: Workspace, *, key: str) -> None:
    """Tell the last thing that this person did, with a button that takes it back; and what failed, if something did."""
    failed = st.session_state.pop(_FAILED, None)
    if failed is not None:
        error_panel("Nothing was changed", failed)
    undone_line()
    last = deciding.last_change(ws, actor())
    if last is None or datetime.now(UTC) - last.at > _OFFERED:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"{key}_undo_bar"):
        st.markdown(f":green[:material/check:] {escaped(told(last))}")
        st.button("Undo", key=f"{key}_undo", icon=":material/undo:", on_click=undo_last, args=(ws,))


def told(last: LastChange) -> str:
    """Return what was done, as a sentence."""
    subject = f"Case {last.case}" if last.case else plural(last.cases, "case")
    done = {"decided": f"decided as {last.outcome}", "reopened": "opened again"}.get(last.action, last.action)
    return f"{subject} {done}."


def undo_last(ws: Workspace, failed: str = _FAILED) -> None:
    """Take back the last thing that this person did, if there is one; an error is kept under ``failed``."""
    last = deciding.last_change(ws, actor())
    if last is None:
        return
    try:
        deciding.undo(ws, last.batch, actor=actor())
    except DetectorError as error:
        st.session_state[failed] = error
    else:
        # Not a toast: it would lie over the buttons at the top for seconds.
        st.session_state[_UNDONE] = f"Taken back: {told(last)}"


def undone_line() -> None:
    """Say, once, what was just taken back."""
    undone = st.session_state.pop(_UNDONE, None)
    if undone is not None:
        st.markdown(f":green[:material/undo:] {escaped(undone)}")


def _do(chosen: Chosen, work: Callable[[Sequence[CaseId], Mapping[CaseId, int]], object]) -> None:
    try:
        work(chosen.cases, chosen.seen)
    except DetectorError as error:
        st.session_state[_FAILED] = error
        return
    st.session_state["queue_typed"] = ""
    st.session_state["queue_everything"] = False
