"""The parts of the Cutoff page: three fields tied to each other, what a cutoff catches, segments, the history."""

from __future__ import annotations

from functools import partial

import streamlit as st

from detector.errors import DetectorError
from detector.service.cutoff import cutoffs, segments
from detector.service.cutoff.cutoffs import Plan, Spread
from detector.service.cutoff.judged import CountedShare, Decided, Judged
from detector.service.runs import Run
from detector.service.workspace import Workspace
from detector.ui.cutoff_charts import caught_curves, cutoff_histogram
from detector.ui.frame import actor, allowed, may
from detector.ui.numbers import NONE, count, exact_cutoff, number, percent, plural
from detector.ui.states import error_panel
from detector.ui.theme import CONFIG

_FIELDS = ("cutoff_value", "cutoff_share", "cutoff_cases")
#: From so many cases a day on, a part of one says nothing.
_WHOLE_CASES = 100
_CHOSEN, _SEEN, _FAILED = "cutoff_chosen", "cutoff_seen", "cutoff_failed"


def tied_fields(run: Run, spread: Spread, now: float) -> Plan:
    """Show cutoff, flagged share and cases a day; changing one moves the others. Return what is tried."""
    tried = st.session_state.get(_CHOSEN, now)
    plan = cutoffs.plan_at(spread, tried)
    # Another run, or a cutoff that somebody moved, brings other figures; else a field keeps what was typed into it.
    if st.session_state.get(_SEEN) != (run.id, now) or any(field not in st.session_state for field in _fields(spread)):
        _fill(plan, spread)
        st.session_state[_SEEN] = (run.id, now)
    left, middle, right = st.columns(3)
    left.number_input(
        "Cutoff",
        min_value=0.0,
        max_value=100.0,
        step=0.1,
        format="%0.4g",
        key="cutoff_value",
        on_change=partial(_moved, spread, "cutoff_value"),
        help="Rows with a severity above this are flagged.",
    )
    middle.number_input(
        "Flagged share, %",
        min_value=0.0,
        max_value=100.0,
        step=0.1,
        format="%0.4g",
        key="cutoff_share",
        on_change=partial(_moved, spread, "cutoff_share"),
        help="Of all rows of this run.",
    )
    if spread.days is None:
        right.text_input("Cases a day", value="This file has no days", disabled=True, key="cutoff_no_days")
    else:
        right.number_input(
            "Cases a day",
            min_value=0.0,
            step=1.0,
            format="%.0f" if st.session_state["cutoff_cases"] >= _WHOLE_CASES else "%.2f",
            key="cutoff_cases",
            on_change=partial(_moved, spread, "cutoff_cases"),
            help=f"Flagged rows a day, on average over the {plural(spread.days, 'day')} of this file.",
        )
    return plan


def capacity_line(ws: Workspace, spread: Spread, plan: Plan) -> None:
    """Show the team's capacity beside what the tried cutoff asks of it, with a way to fill it exactly."""
    a_day = cutoffs.capacity(ws)
    with st.container(horizontal=True, vertical_alignment="center"):
        if a_day is not None and spread.days is not None:
            st.button(
                f"Fill the team's capacity ({number(a_day)} a day)",
                key="cutoff_fill",
                icon=":material/groups:",
                on_click=partial(_filled, spread, a_day),
            )
        with (
            st.popover("Team's capacity", icon=":material/edit:", disabled=not may("manage")),
            st.form("cutoff_capacity_form", border=False),
        ):
            wanted = st.number_input(
                "Cases a day that the team can review", min_value=1.0, step=1.0, value=a_day or 100.0, format="%0.5g"
            )
            if st.form_submit_button("Save", key="cutoff_capacity_save"):
                cutoffs.set_capacity(ws, float(wanted), actor=actor())
                st.rerun()
        st.caption(_capacity_words(a_day, spread, plan), width="stretch")


def apply_panel(ws: Workspace, now: float, plan: Plan) -> None:
    """Offer to make the tried cutoff the champion's, with a reason; say that nothing is saved before."""
    failed = st.session_state.pop(_FAILED, None)
    if failed is not None:
        error_panel("The cutoff was not moved", failed)
    own = cutoffs.has_own_cutoff(ws)
    if plan.cutoff == now and not own:
        st.caption("This is the champion's cutoff. Change a field above to try another; nothing is saved by trying.")
        return
    if not allowed("manage"):
        return
    with st.container(border=True), st.form("cutoff_apply_form", border=False, clear_on_submit=True):
        if plan.cutoff == now:
            st.markdown(f"The cutoff {exact_cutoff(now)} was set by a person, in place of what the model implies.")
        else:
            st.markdown(
                f"Tried, not saved: cutoff **{exact_cutoff(plan.cutoff)}** instead of {exact_cutoff(now)}. "
                "No model is trained. Files scored from then on are flagged by it; earlier runs keep their flags."
            )
        st.text_input("Reason", key="cutoff_reason", max_chars=500, placeholder="Kept in the log")
        with st.container(horizontal=True):
            if plan.cutoff != now:
                apply = partial(_apply, ws, plan.cutoff, now)
                st.form_submit_button("Apply", type="primary", key="cutoff_apply", on_click=apply)
                st.form_submit_button("Leave it as it is", key="cutoff_leave", on_click=_forget)
            if own:
                undo = partial(_apply, ws, None, now)
                st.form_submit_button("Back to the model's own", key="cutoff_own", on_click=undo)


def histogram_panel(spread: Spread, now: float, plan: Plan) -> None:
    """Show the run's rows by severity with both cutoffs, on a plain or a logarithmic axis."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**How severe the rows are**", width="stretch")
        top = st.toggle("From 90 on", key="cutoff_top", help="Only severities from 90 to 100.")
        logarithmic = st.toggle("Log axis", key="cutoff_log", help="Makes few rows visible beside many.")
    shown = cutoffs.histogram(spread, 90.0 if top else 0.0)
    st.plotly_chart(
        cutoff_histogram(shown.edges, shown.counts, now=now, then=plan.cutoff, logarithmic=logarithmic),
        config=CONFIG,
        key="cutoff_histogram",
        alt="Rows by severity, with the present and the tried cutoff",
    )


def caught_panel(spread: Spread, judged: Judged, now: float, plan: Plan) -> None:
    """Show precision, recall and money caught among the decided rows, or that they cannot be measured yet."""
    st.subheader("What it catches", anchor=False)
    if not len(judged):
        unclear = f" {plural(judged.unclear, 'row')} decided as unclear do not count." if judged.unclear else ""
        st.markdown(
            "**Not measurable yet.** Nobody has decided on a row of this file, so nothing can be said of precision, "
            f"recall or money.{unclear} Figures appear with the first decisions."
        )
        return
    found = cutoffs.caught(spread, judged, plan.cutoff)
    money = judged.money(plan.cutoff)
    figures = st.columns(4)
    with figures[0]:
        _share_metric("Precision", found.precision, "frauds of {} decided rows above the cutoff")
    with figures[1]:
        _share_metric("Recall", found.recall, "of {} decided frauds above the cutoff")
    with figures[2]:
        st.metric("Money caught", percent(money.value))
        told = f"{number(money.caught)} of {number(money.of)} in {plural(money.frauds, 'decided fraud')}"
        st.caption(
            f"{told}. {_interval(money.interval)}" if money.value is not None else "No decided fraud has an amount."
        )
    with figures[3]:
        st.metric("Reviewed above the cutoff", percent(found.reviewed_above.value))
        st.caption(f"{count(found.reviewed_above.hits)} of {count(found.reviewed_above.of)} rows.")
    below = found.reviewed_below
    st.info(
        f"Measured only on the {plural(len(judged), 'row')} of this file that people decided as fraud or legitimate. "
        f"Below the cutoff {count(below.hits)} of {count(below.of)} rows were reviewed: frauds that nobody looked at "
        "are not counted, so true recall and money caught are likely lower.",
        icon=":material/visibility_off:",
    )
    st.plotly_chart(
        caught_curves(cutoffs.curve(judged), now=now, then=plan.cutoff),
        config=CONFIG,
        key="cutoff_curves",
        alt="Precision, recall and money caught over the cutoff, on decided rows",
    )
    st.caption("Bands: 95 % intervals (Wilson) of precision and recall. Few decisions make wide bands.")


def segments_panel(ws: Workspace, run: Run, decided: tuple[Decided, ...], now: float, plan: Plan) -> None:
    """Show flagged share, decisions and precision side by side, by a column or by bands of the amount."""
    st.subheader("Segments", anchor=False)
    choices = segments.segment_choices(ws, run)
    if not choices:
        st.caption("This file has neither an amount nor a column of categories to cut it by.")
        return
    choice = st.selectbox(
        "Side by side",
        choices,
        format_func=lambda one: f"{one.column}, in bands" if one.bands else one.column,
        key="cutoff_segment",
        width=320,
    )
    found = segments.segments(ws, run, choice, decided, now=now, then=plan.cutoff)
    tried = plan.cutoff != now
    table = {
        choice.column: [one.name for one in found],
        "Rows": [count(one.rows) for one in found],
        "Flagged": [percent(one.flagged_now.value) for one in found],
    }
    if tried:
        table["Flagged, tried"] = [percent(one.flagged_then.value) for one in found]
    if any(one.decided for one in found):
        table["Decided"] = [count(one.decided) for one in found]
        table["Frauds"] = [count(one.frauds) for one in found]
        table["Precision"] = [_counted(one.precision_now) for one in found]
        if tried:
            table["Precision, tried"] = [_counted(one.precision_then) for one in found]
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        height="content",
        column_config={name: st.column_config.TextColumn(alignment="right") for name in table if name != choice.column},
    )
    if "Precision" in table:
        st.caption("Precision: frauds of the decided rows above the cutoff, with their counts.")


def _fields(spread: Spread) -> tuple[str, ...]:
    return _FIELDS if spread.days is not None else _FIELDS[:2]


def _fill(plan: Plan, spread: Spread, but: str = "") -> None:
    values = (plan.cutoff, plan.share * 100, plan.a_day)
    for field, value in zip(_fields(spread), values, strict=False):
        if field != but and value is not None:
            st.session_state[field] = float(f"{value:.6g}")


def _moved(spread: Spread, field: str) -> None:
    value = float(st.session_state[field])
    if field == "cutoff_value":
        plan = cutoffs.plan_at(spread, value)
    elif field == "cutoff_share":
        plan = cutoffs.plan_for_share(spread, value / 100)
    else:
        plan = cutoffs.plan_for_cases(spread, value)
    st.session_state[_CHOSEN] = plan.cutoff
    _fill(plan, spread, but=field)


def _filled(spread: Spread, a_day: float) -> None:
    plan = cutoffs.plan_for_cases(spread, a_day)
    st.session_state[_CHOSEN] = plan.cutoff
    _fill(plan, spread)


def _apply(ws: Workspace, cutoff: float | None, seen: float) -> None:
    # Before the page runs anew: it would read a cutoff that the person has not seen.
    try:
        cutoffs.apply_cutoff(ws, cutoff, seen=seen, actor=actor(), reason=st.session_state["cutoff_reason"])
    except DetectorError as error:
        st.session_state[_FAILED] = error
    else:
        _forget()
        st.toast("The cutoff is moved; no model was trained.", icon=":material/check:")


def _forget() -> None:
    for name in (_CHOSEN, _SEEN):
        st.session_state.pop(name, None)


def _capacity_words(a_day: float | None, spread: Spread, plan: Plan) -> str:
    flags = f"Flags {plural(plan.flagged, 'row')} of {count(spread.counts.rows)}"
    if plan.a_day is None:
        return f"{flags}. This file has no days, so they cannot be counted by day."
    flags = f"{flags}, {number(plan.a_day)} a day over {plural(spread.days or 0, 'day')}"
    if a_day is None:
        return f"{flags}. Nobody has said how many the team can review."
    return f"{flags}: {percent(plan.a_day / a_day)} of the team's capacity."


def _share_metric(name: str, share: CountedShare, words: str) -> None:
    st.metric(name, percent(share.value))
    st.caption(f"{count(share.hits)} {words.format(count(share.of))}. {_interval(share.interval)}")


def _interval(bounds: tuple[float, float] | None) -> str:
    return "" if bounds is None else f"95 % interval {percent(bounds[0])} to {percent(bounds[1])}."


def _counted(share: CountedShare) -> str:
    return NONE if not share.of else f"{percent(share.value)} ({count(share.hits)} of {count(share.of)})"
