"""The five figures of the first page, each with its line where there are days enough to draw one."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from detector.service.overview import Overview
from detector.ui.numbers import count, percent, plural

#: Points from which a line says something.
_POINTS = 3


def five_figures(now: Overview) -> None:
    """Show what waits, what was flagged today, false alarms, the time a decision takes, and drifted columns."""
    review = now.review
    figures = st.columns(5)
    days = [flagged for _, _, flagged in now.flagged_per_period]
    if now.open_cases is None:
        figures[0].metric(
            "Flagged, open",
            count(now.open_flagged),
            help="Flagged rows of the newest run of each file; none is in the queue. The line: flagged rows each day.",
            chart_data=_line(days),
            delta_color="off",
        )
    else:
        figures[0].metric(
            "Open cases",
            count(now.open_cases),
            help="Cases in the queue that wait for a decision. The line: cases decided each day.",
            chart_data=_line([fraud + legitimate for _, fraud, legitimate, _ in review.by_day]),
            delta_color="off",
        )
    figures[1].metric(
        "Flagged today",
        count(now.flagged_today),
        help="Flagged rows of the runs made today, in UTC. The line: flagged rows by the day of the transaction.",
        chart_data=_line(days),
        delta_color="off",
    )
    decided = review.fraud + review.legitimate
    figures[2].metric(
        "False alarms",
        percent(review.false_share),
        delta=f"of {plural(decided, 'decision')}" if decided else "not measurable yet",
        delta_color="off",
        delta_arrow="off",
        help="Cases decided as legitimate, of all that were decided as fraud or legitimate in the last 30 days.",
        chart_data=_line([ok / (fraud + ok) for _, fraud, ok, _ in review.by_day if fraud + ok]),
    )
    figures[3].metric(
        "Minutes per decision",
        "–" if review.seconds is None else _minutes(review.seconds),
        delta=f"{plural(review.timed, 'decision')} timed" if review.timed else "not measurable yet",
        delta_color="off",
        delta_arrow="off",
        help="Median time from opening a case to its decision, in the last 30 days.",
        chart_data=_line([seconds / 60 for _, _, _, seconds in review.by_day if seconds is not None]),
    )
    figures[4].metric(
        "Drifted columns",
        count(now.drifted_columns),
        help="New, missing or changed in the newest run. The line: run by run.",
        chart_data=_line(now.drift_by_run),
        delta_color="off",
    )


def _line(values: Sequence[float]) -> Sequence[float] | None:
    return values if len(values) >= _POINTS else None


def _minutes(seconds: float) -> str:
    # Who works with keys is below a minute, of which 0.0 would say nothing.
    return f"{seconds / 60:.1f}" if seconds >= 60 else f"{seconds / 60:.2f}"
