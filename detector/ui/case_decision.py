"""The decision on a case: one key each, then the next case in the same breath."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic

import streamlit as st

from detector.errors import DetectorError
from detector.service.review import deciding, locking, queue
from detector.service.review.case_ids import CaseId
from detector.service.review.cases import Case
from detector.service.review.deciding import REASONS
from detector.service.review.filters import Filters
from detector.service.review.inbox import Outcome
from detector.service.review.locking import Lock
from detector.service.workspace import Workspace
from detector.ui.bulk import SNOOZES, undo_last, undone_line
from detector.ui.frame import actor, allowed, told_in_words
from detector.ui.numbers import count, moment, severity
from detector.ui.queue_filters import asked_for
from detector.ui.queue_tables import STATUS_WORDS
from detector.ui.states import error_panel, escaped

#: What each key does. C and R belong to Streamlit.
KEYS = {
    "F": "Fraud, and on to the next case",
    "L": "Legitimate, and on",
    "U": "Unclear, and on",
    "E": "Escalate, and on",
    "S": "Snooze, and on",
    "N": "Next case, this one stays open",
    "P": "Previous case",
    "Z": "Undo the last thing you did",
    "H": "Show or hide these keys",
}
_OUTCOMES: dict[Outcome, str] = {"fraud": "F", "legitimate": "L", "unclear": "U"}
#: How often a case that is on the screen is held anew, in seconds; a lock lasts five minutes.
_HOLD_EVERY = 60.0
#: Cases that "previous" goes back through.
_TRAIL = 200
#: Pixels for the longest name of a decision and its key.
_DECISION_WIDTH = 125
_OPENED, _HELD, _FAILED, _PATH, _HELP = "case_opened", "case_held", "case_failed", "case_trail", "case_help"


def begin(ws: Workspace, case: CaseId) -> Lock:
    """Note when the case was opened and hold it for this person; return who holds it."""
    opened = st.session_state.get(_OPENED)
    if opened is None or opened[0] != case:
        st.session_state[_OPENED] = (case, monotonic())
        st.session_state["case_note"] = ""
    held: tuple[Lock, float] | None = st.session_state.get(_HELD)
    me = actor()
    if not me.may("decide"):
        # Who only looks keeps nobody from deciding.
        return Lock(case, me, datetime.now(UTC))
    fresh = held is not None and monotonic() - held[1] < _HOLD_EVERY
    if held is None or not fresh or held[0].case != case or held[0].holder != me:
        return _hold(ws, case)
    return held[0]


def keep_holding(ws: Workspace, case: CaseId) -> None:
    """Hold the case for as long as it is on the screen; show the page anew when somebody takes it over."""
    st.fragment(_hold_again, run_every=_HOLD_EVERY)(ws, case)


def decision_panel(ws: Workspace, case: Case, lock: Lock, filters: Filters) -> None:
    """Show severity then and now, what was decided, and what can be decided."""
    now, then = st.columns(2)
    now.metric("Severity now", severity(case.priority), help="With what was learned from decisions.")
    then.metric("When detected", severity(case.severity), help=f"Flagged above {severity(case.cutoff)}.")
    _status(case)
    undone_line()
    failed = st.session_state.pop(_FAILED, None)
    if failed is not None:
        error_panel("Nothing was changed", failed, way_out=_reload)
    if not allowed("decide"):
        _walking(ws, case, filters)
        return
    theirs = lock.holder != actor()
    if theirs:
        st.warning(
            f"**{escaped(lock.holder)}** is looking at this case until {moment(lock.until)}.", icon=":material/lock:"
        )
        st.button("Take over", key="case_take_over", on_click=_take_over, args=(ws, case.id))
    for outcome, key in _OUTCOMES.items():
        # Where the window is narrow the reason moves below, so that no decision's name is cut.
        both = st.container(horizontal=True, gap="xsmall")
        both.button(
            outcome.capitalize(),
            key=f"case_{outcome}",
            shortcut=key,
            width=_DECISION_WIDTH,
            type="primary" if case.state.outcome == outcome else "secondary",
            disabled=theirs,
            on_click=_decide,
            args=(ws, case.id, case.state.revision, outcome),
        )
        both.selectbox(
            "Reason",
            list(REASONS[outcome]),
            format_func=REASONS[outcome].__getitem__,
            key=f"case_reason_{outcome}",
            persist_state="session",
            label_visibility="collapsed",
        )
    st.text_input(
        "Note", key="case_note", max_chars=2_000, placeholder="Note with the decision", label_visibility="collapsed"
    )
    both = st.container(horizontal=True, gap="xsmall")
    both.button(
        "Escalate",
        key="case_escalate",
        shortcut="E",
        width="stretch",
        disabled=theirs,
        on_click=_escalate,
        args=(ws, case.id, case.state.revision),
    )
    both.button(
        "Snooze",
        key="case_snooze",
        shortcut="S",
        width="stretch",
        disabled=theirs,
        on_click=_snooze,
        args=(ws, case.id, case.state.revision),
    )
    whom, span = st.columns(2, gap="xsmall")
    st.session_state["case_assignee"] = case.state.assignee or ""
    whom.text_input(
        "Assigned to",
        key="case_assignee",
        max_chars=60,
        placeholder="Nobody",
        disabled=theirs,
        on_change=_assign,
        args=(ws, case.id, case.state.revision),
    )
    span.selectbox("Snooze for", list(SNOOZES), index=2, key="case_snooze_for", persist_state="session")
    _walking(ws, case, filters)


def finished() -> bool:
    """Return whether the last decision of this session left nothing to open."""
    return "case" not in st.query_params and bool(st.session_state.get(_PATH))


def go(case: CaseId | None, *, leaving: CaseId | None = None) -> None:
    """Put another case into the address, ``None`` for none; "previous" leads back to the one that is left."""
    if leaving is not None:
        st.session_state[_PATH] = [*st.session_state.get(_PATH, []), leaving][-_TRAIL:]
    query = st.query_params.to_dict()
    query.pop("case", None)
    st.query_params.from_dict(query if case is None else {"case": str(case), **query})


def _reload() -> None:
    # Whatever is pressed shows the page anew, with the case as it is now.
    st.button("Reload", key="case_reload", icon=":material/refresh:")


def _status(case: Case) -> None:
    state = case.state
    told = STATUS_WORDS[state.outcome or state.status]
    if state.outcome and state.reason:
        told = f"{told}: {REASONS[state.outcome][state.reason].lower()}"
    elif state.status == "snoozed":
        told = f"{told} until {moment(state.snoozed_until)}"
    by = f", by {state.changed_by}" if state.changed_by and state.status != "open" else ""
    st.markdown(f"**{escaped(told)}**{escaped(by)}")


def _walking(ws: Workspace, case: Case, filters: Filters) -> None:
    place = queue.place_of(ws, filters, case.id, actor=actor())
    places, others = st.container(horizontal=True, gap="xsmall"), st.container(horizontal=True, gap="xsmall")
    places.button(
        "Previous",
        key="case_previous",
        shortcut="P",
        width="stretch",
        on_click=_previous,
        args=(place.previous,),
        disabled=place.previous is None and not st.session_state.get(_PATH),
    )
    places.button(
        "Next",
        key="case_next",
        shortcut="N",
        width="stretch",
        on_click=_next,
        args=(ws, case.id, 0 if place.rank is None else place.rank + 1),
    )
    others.button("Undo", key="case_undo", shortcut="Z", width="stretch", on_click=_undo, args=(ws, case.id))
    others.button("Keys", key="case_keys", shortcut="H", width="stretch", on_click=_toggle_help)
    if place.rank is None:
        st.caption(f"Not among the {count(place.total)} cases of the view {filters.view}")
    else:
        st.caption(f"Case {count(place.rank + 1)} of {count(place.total)} · {filters.view}")
    if st.session_state.get(_HELP):
        st.markdown("\n".join(f"- `{key}` {does}" for key, does in KEYS.items()))


def _hold(ws: Workspace, case: CaseId, *, take_over: bool = False) -> Lock:
    lock = locking.hold(ws, case, actor=actor(), take_over=take_over)
    st.session_state[_HELD] = (lock, monotonic())
    return lock


def _hold_again(ws: Workspace, case: CaseId) -> None:
    with told_in_words("The case is not held"):
        held = st.session_state.get(_HELD)
        if held is not None and held[0].case == case and monotonic() - held[1] >= _HOLD_EVERY * 0.9:
            before = held[0].holder
            if _hold(ws, case).holder != before:
                st.rerun()


def _take_over(ws: Workspace, case: CaseId) -> None:
    _hold(ws, case, take_over=True)


def _leave(ws: Workspace, case: CaseId, work: Callable[[], object]) -> None:
    """Do something to the case, and open the one that comes next in the queue as it then stands."""
    filters, me = asked_for(), actor()
    rank = queue.place_of(ws, filters, case, actor=me).rank
    try:
        work()
    except DetectorError as error:
        st.session_state[_FAILED] = error
        return
    go(queue.next_case(ws, filters, actor=me, rank=rank or 0, but=case), leaving=case)


def _decide(ws: Workspace, case: CaseId, revision: int, outcome: Outcome) -> None:
    opened = st.session_state.get(_OPENED)
    seconds = monotonic() - opened[1] if opened is not None and opened[0] == case else None
    reason = st.session_state[f"case_reason_{outcome}"]
    note = st.session_state.get("case_note", "")
    _leave(
        ws,
        case,
        lambda: deciding.decide(
            ws, [case], outcome, reason, actor=actor(), note=note, seconds=seconds, seen={case: revision}
        ),
    )


def _escalate(ws: Workspace, case: CaseId, revision: int) -> None:
    note = st.session_state.get("case_note", "")
    _leave(ws, case, lambda: deciding.escalate(ws, [case], actor=actor(), note=note, seen={case: revision}))


def _snooze(ws: Workspace, case: CaseId, revision: int) -> None:
    note, days = st.session_state.get("case_note", ""), SNOOZES[st.session_state["case_snooze_for"]]
    until = datetime.now(UTC) + timedelta(days=days)
    _leave(ws, case, lambda: deciding.snooze(ws, [case], until, actor=actor(), note=note, seen={case: revision}))


def _assign(ws: Workspace, case: CaseId, revision: int) -> None:
    to = " ".join(st.session_state["case_assignee"].split()) or None
    try:
        deciding.assign(ws, [case], to, actor=actor(), seen={case: revision})
    except DetectorError as error:
        st.session_state[_FAILED] = error


def _next(ws: Workspace, case: CaseId, rank: int) -> None:
    following = queue.next_case(ws, asked_for(), actor=actor(), rank=rank, but=case)
    if following is None:
        st.toast("There is no other case in this view.", icon=":material/inbox:")
    else:
        go(following, leaving=case)


def _previous(before: CaseId | None) -> None:
    trail = list(st.session_state.get(_PATH, []))
    if trail:
        before = trail.pop()
        st.session_state[_PATH] = trail
    go(before)


def _undo(ws: Workspace, case: CaseId) -> None:
    last = deciding.last_change(ws, actor())
    if last is None:
        st.toast("There is nothing of yours to take back.", icon=":material/undo:")
        return
    undo_last(ws, _FAILED)
    if last.case is not None and last.case != case:
        go(last.case, leaving=case)


def _toggle_help() -> None:
    st.session_state[_HELP] = not st.session_state.get(_HELP, False)
