"""What the queue has learned from decisions, what moved, and the switch."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from detector.service.review import movements, reranking
from detector.service.review.reranking import Kin, Moved
from detector.service.workspace import Workspace
from detector.ui.frame import actor, may
from detector.ui.numbers import count, milliseconds, plural, severity

_KEY = "queue_learning"


def learning_line(ws: Workspace, run: int | None) -> None:
    """Say in one line what the queue has learned; what moved, why, and the switch are behind it."""
    told = movements.learned(ws, run)
    if told is None:
        return
    decisions = told.frauds + told.legitimate
    if not told.on:
        label, icon = "Learning is off", "pause_circle"
    elif not decisions:
        label, icon = "Learns from your decisions", "school"
    else:
        label, icon = f"Learned from {plural(decisions, 'decision')}", "school"
    with st.popover(label, icon=f":material/{icon}:", type="tertiary"):
        if told.on and told.at is not None:
            st.markdown(
                f"**{plural(told.frauds, 'fraud')}** and **{count(told.legitimate)} legitimate**, together with the "
                f"severity at detection, put the rest in order. With the last decision "
                f"{plural(told.entered, 'case')} came among the first hundred; "
                f"ranking took {milliseconds(told.seconds)}."
            )
            for moved in told.moved:
                st.markdown(f"- {moved_text(moved)}")
        else:
            st.markdown(
                "After each decision the open cases are ranked anew: those like confirmed frauds move up, those like "
                "legitimate ones down. The severity at detection stays as it was."
                if told.on
                else "Cases are in the order in which they were detected; decisions do not move them."
            )
        # Somebody else may have switched it: what is so counts, not what this page remembers.
        st.session_state[_KEY] = told.on
        st.toggle(
            "Learn from decisions",
            key=_KEY,
            on_change=_switch,
            args=(ws,),
            disabled=not may("decide"),
            help="For everybody who works on this queue. Switching is written into the log.",
        )


def moved_text(moved: Moved) -> str:
    """Return in words how far a case moved, and the strongest pull that way; a pull the other way explains nothing."""
    up = moved.after < moved.before
    because = next((kin_text(kin) for kin in moved.kin if (kin.pull > 0) == up), "")
    return (
        f"**{moved.case}** from place {count(moved.before)} to {count(moved.after)}{f', {because}' if because else ''}"
    )


def pulled_text(before: float, now: float, found: Sequence[Kin]) -> str:
    """Return in words what decisions did to a case's severity, and which of them pull most, strongest first.

    The strongest may all point the other way, where many weaker ones decide together; then that is said.
    """
    was, is_now = severity(before), severity(now)
    moved = "left its severity as it was" if was == is_now else f"moved its severity from {was} to {is_now}"
    pulls = "; ".join(kin_text(kin) for kin in found)
    against = was != is_now and all((kin.pull > 0) != (now > before) for kin in found)
    weaker = " Many weaker ones together weigh more." if against else ""
    return f"Decisions {moved}. The strongest single pulls: {pulls}.{weaker}"


def kin_text(kin: Kin) -> str:
    """Return in words which decided case moves one, and which way."""
    said = "fraud" if kin.fraud else "legitimate"
    return f"{'up' if kin.pull > 0 else 'down'} by case {kin.case}, decided as {said} ({kin.likeness:.0%} alike)"


def _switch(ws: Workspace) -> None:
    reranking.set_learning(ws.database, bool(st.session_state[_KEY]), actor=actor())
