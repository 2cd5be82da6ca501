"""The charts of the Cutoff page: pure functions from plain numbers to Plotly figures."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10

import plotly.graph_objects as go

from detector.service.cutoff.cutoffs import CurvePoint
from detector.ui.charts import HEIGHT, severity_histogram
from detector.ui.numbers import percent, severity
from detector.ui.theme import CALM, FLAGGED, NEW, PEER, calm_layout, legend_above_names


def cutoff_histogram(
    edges: Sequence[float], counts: Sequence[int], *, now: float, then: float, logarithmic: bool
) -> go.Figure:
    """Draw rows by severity with the present cutoff and, where it differs, the one that is tried."""
    figure = severity_histogram(edges, counts, cutoff=then)
    if now != then:
        figure.update_layout(annotations=[{**_annotation(figure), "text": f"Tried {severity(then)}"}])
        figure.add_vline(x=now, line={"color": PEER, "width": 2, "dash": "dash"})
        figure.add_annotation(
            x=now, y=0.9, yref="paper", text=f"Now {severity(now)}", showarrow=False, xanchor="right", yanchor="bottom"
        )
    figure.update_xaxes(tickvals=None, nticks=6, range=[edges[0], edges[-1] + (edges[-1] - edges[0]) * 0.01])
    if logarithmic:
        # A single row is 0 on this axis, so the axis begins below that: a bin with one row must show.
        highest = log10(max([*counts, 10]) * 6)
        figure.update_yaxes(type="log", range=[-0.3, highest], dtick=1, tickformat="~s", nticks=None)
    return figure


def caught_curves(points: Sequence[CurvePoint], *, now: float, then: float) -> go.Figure:
    """Draw precision, recall and the share of money caught over the cutoff, the first two with their intervals."""
    figure = go.Figure()
    cutoffs = [point.cutoff for point in points]
    lines = (
        ("Precision", [point.precision for point in points], CALM, "solid"),
        ("Recall", [point.recall for point in points], NEW, "dash"),
    )
    for name, shares, colour, dash in lines:
        known = [(cutoff, share) for cutoff, share in zip(cutoffs, shares, strict=True) if share.of]
        xs = [cutoff for cutoff, _ in known]
        bounds = [share.interval or (0.0, 1.0) for _, share in known]
        figure.add_scatter(
            x=[*xs, *reversed(xs)],
            y=[*(high for _, high in bounds), *(low for low, _ in reversed(bounds))],
            fill="toself",
            fillcolor=_faint(colour),
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        )
        figure.add_scatter(
            name=name,
            x=xs,
            y=[share.value for _, share in known],
            mode="lines",
            line={"color": colour, "dash": dash, "width": 2, "shape": "hv"},
            customdata=[
                (f"{share.hits:,} of {share.of:,}", f"{percent(low)} to {percent(high)}")
                for (_, share), (low, high) in zip(known, bounds, strict=True)
            ],
            hovertemplate=(
                f"Cutoff %{{x:.1f}}<br>{name} %{{y:.1%}}: %{{customdata[0]}}<br>"
                "95 % interval %{customdata[1]}<extra></extra>"
            ),
        )
    money = [(point.cutoff, point.money) for point in points if point.money is not None]
    if money:
        figure.add_scatter(
            name="Money caught",
            x=[cutoff for cutoff, _ in money],
            y=[share for _, share in money],
            mode="lines",
            line={"color": FLAGGED, "dash": "dot", "width": 2, "shape": "hv"},
            hovertemplate="Cutoff %{x:.1f}<br>Money caught %{y:.1%}<extra></extra>",
        )
    lines_at = [(then, "Cutoff" if now == then else "Tried", FLAGGED, 1.0)]
    lines_at += [(now, "Now", PEER, 0.92)] if now != then else []
    for at, name, colour, height in lines_at:
        figure.add_vline(x=at, line={"color": colour, "width": 2, "dash": "dot"})
        figure.add_annotation(
            x=at,
            y=height,
            yref="paper",
            text=f"{name} {severity(at)}",
            showarrow=False,
            xanchor="right",
            yanchor="bottom",
        )
    # A few rows decided far below would push all else to the right edge.
    lowest = min(now, then, cutoffs[len(cutoffs) // 10] if cutoffs else now)
    calm_layout(
        figure,
        height=HEIGHT + 60,
        legend=True,
        xaxis={"title": "Cutoff", "range": [max(0.0, lowest - 0.15 * (100 - lowest)), 100.3], "nticks": 6},
        yaxis={"title": "Of decided rows", "tickformat": ".0%", "range": [0, 1.08], "nticks": 6},
    )
    return legend_above_names(figure)


def _annotation(figure: go.Figure) -> dict[str, object]:
    told: dict[str, object] = figure.layout.annotations[0].to_plotly_json()
    return told


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.15)"
