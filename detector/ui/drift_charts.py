"""Two distributions over each other."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from detector.core.drift_bins import Overlay
from detector.ui.charts import HEIGHT
from detector.ui.theme import CALM, PEER, calm_layout

#: Labels of categories longer than this are cut in the chart; the tooltip has them whole.
_LABEL = 24


def overlaid(overlay: Overlay, names: tuple[str, str], *, numbers: bool) -> go.Figure:
    """Draw the shares of the values in each bin: before grey, now blue.

    Numbers stand side by side as steps, before dashed; categories below each other as pairs of bars, before hatched.

    Parameters
    ----------
    overlay
        The bins and the shares (0-1) in them.
    names
        What the two sides are called.
    numbers
        Whether bins are spans of numbers, in rising order.
    """
    figure = go.Figure()
    sides = tuple(zip(names, (overlay.before, overlay.now), (PEER, CALM), strict=True))
    places = list(range(len(overlay.labels)))
    if not numbers:
        # Plotly draws a category axis from below, and the second of a pair above the first.
        for (name, shares, colour), pattern in zip(sides, ("/", ""), strict=True):
            figure.add_bar(
                name=name,
                y=places,
                x=list(shares),
                orientation="h",
                customdata=_plain(overlay.labels),
                marker={"color": colour, "line_width": 0, "pattern": {"shape": pattern, "solidity": 0.3}},
                hovertemplate=f"%{{customdata}}<br>{name}: %{{x:.2%}}<extra></extra>",
            )
        shown = [label if len(label) <= _LABEL else f"{label[: _LABEL - 1]}…" for label in overlay.labels]
        figure.update_layout(barmode="group", bargap=0.25)
        return calm_layout(
            figure,
            height=max(HEIGHT, 60 + 34 * len(places)),
            legend=True,
            xaxis={"title": "Share of the values", "tickformat": ".0%", "rangemode": "tozero", "nticks": 6},
            yaxis={"autorange": "reversed", "tickmode": "array", "tickvals": places, "ticktext": _plain(shown)},
        )
    for (name, shares, colour), dash in zip(sides, ("dash", "solid"), strict=True):
        figure.add_scatter(
            name=name,
            x=[place - 0.5 for place in (*places, len(places))],
            y=[*shares, shares[-1]],
            mode="lines",
            fill="tozeroy" if dash == "solid" else None,
            fillcolor="rgba(107,135,168,0.18)",
            line={"shape": "hv", "color": colour, "dash": dash, "width": 2},
            customdata=_plain((*overlay.labels, overlay.labels[-1])),
            hovertemplate=f"%{{customdata}}<br>{name}: %{{y:.2%}}<extra></extra>",
        )
    every = max(1, -(-len(places) // 8))
    ticks = places[::every]
    return calm_layout(
        figure,
        height=HEIGHT + 40,
        legend=True,
        xaxis={"title": "Value", "tickmode": "array", "tickvals": ticks, "tickangle": 0,
               "ticktext": [overlay.labels[place] for place in ticks]},
        yaxis={"title": "Share of the values", "tickformat": ".0%", "rangemode": "tozero", "nticks": 5},
    )  # fmt: skip


def _plain(labels: Sequence[str]) -> list[str]:
    """Return labels as text: Plotly would read markup in the names of categories."""
    return [label.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for label in labels]
