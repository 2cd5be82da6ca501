"""The charts of the dashboard, each a pure function from plain numbers to a Plotly figure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import plotly.graph_objects as go

from detector.ui.numbers import severity as severity_text
from detector.ui.theme import CALM, CHANGED, FLAGGED, NEW, PEER, calm_layout, legend_above_names

HEIGHT = 260
#: From so many rows on, a histogram of so many bins is smooth enough to read.
_BINS = ((20_000, 100), (2_000, 50), (0, 20))

#: How a column's state in a week is drawn: a word for the tooltip, a mark that is read without colour, its colour.
COLUMN_STATES: dict[str, tuple[str, str, str]] = {
    "matched": ("as learned", "", CALM),
    "new": ("new", "+", NEW),
    "missing": ("missing", "–", FLAGGED),
    "partly missing": ("partly missing", "~", FLAGGED),
    "retyped": ("type changed", "≠", CHANGED),
    "renamed": ("renamed", "→", CHANGED),
    "unfamiliar": ("other categories", "≠", CHANGED),
    "rescaled": ("other unit", "×", CHANGED),
    "absent": ("not there yet", "", "rgba(138,143,152,0.12)"),
    "left out": ("left out", "·", PEER),
}


def severity_histogram(edges: Sequence[float], counts: Sequence[int], *, cutoff: float | None) -> go.Figure:
    """Draw how many rows lie at each severity, with the cutoff and with what rows like the training rows would give.

    Severity is a rank among the training rows, so that rows which resemble them spread evenly: the dotted line.

    Parameters
    ----------
    edges, counts
        Bin edges (n + 1 of them, ascending) and the rows in each bin.
    cutoff
        Where flagging begins, on the scale of ``edges``; bins whose middle lies above it are drawn as flagged.
    """
    edges, counts = coarser(edges, counts, next(bins for rows, bins in _BINS if sum(counts) >= rows))
    bins = [(low, high, n) for (low, high), n in zip(pairwise(edges), counts, strict=True)]
    limit = float("inf") if cutoff is None else cutoff
    figure = go.Figure()
    for name, colour, chosen in (
        ("Not flagged", CALM, [b for b in bins if (b[0] + b[1]) / 2 < limit]),
        ("Flagged", FLAGGED, [b for b in bins if (b[0] + b[1]) / 2 >= limit]),
    ):
        if not chosen:
            continue
        figure.add_bar(
            name=name,
            showlegend=False,
            x=[(low + high) / 2 for low, high, _ in chosen],
            y=[n for _, _, n in chosen],
            width=[(high - low) * 0.94 for low, high, _ in chosen],
            customdata=[(low, high) for low, high, _ in chosen],
            marker={"color": colour, "line_width": 0},
            hovertemplate=(
                "Severity %{customdata[0]:.4~g} to %{customdata[1]:.4~g}<br>"
                f"%{{y:,}} rows, {name.lower()}<extra></extra>"
            ),
        )
    if cutoff is not None:
        figure.add_vline(x=cutoff, line={"color": FLAGGED, "width": 2, "dash": "dot"})
        figure.add_annotation(
            x=cutoff,
            y=1,
            yref="paper",
            text=f"Cutoff {severity_text(cutoff)}",
            showarrow=False,
            yanchor="bottom",
            xanchor="right",
        )
    if bins:
        figure.update_xaxes(range=[bins[0][0], bins[-1][1] * 1.01])
        even = sum(counts) / len(bins)
        figure.add_scatter(
            name="Spread of the training rows",
            x=[bins[0][0], bins[-1][1]],
            y=[even, even],
            mode="lines",
            line={"color": PEER, "width": 1.5, "dash": "dash"},
            hoverinfo="skip",
        )
    calm_layout(
        figure,
        height=HEIGHT + 20,
        legend=True,
        xaxis={"title": "Severity", "tickvals": [0, 25, 50, 75, 100]},
        yaxis={"title": "Rows", "tickformat": ",d", "rangemode": "tozero", "nticks": 5},
    )
    return legend_above_names(figure)


def coarser(edges: Sequence[float], counts: Sequence[int], bins: int) -> tuple[Sequence[float], Sequence[int]]:
    """Join neighbouring bins until ``bins`` are left; edges that cannot be joined evenly stay as they are."""
    step = len(counts) // bins
    if step < 2 or len(counts) % bins:
        return edges, counts
    return edges[::step], [sum(counts[i : i + step]) for i in range(0, len(counts), step)]


def before_and_after(
    edges: Sequence[float], before: Sequence[int], after: Sequence[int], *, names: tuple[str, str], axis: str
) -> go.Figure:
    """Draw two distributions over the same bins as steps: before dashed and grey, after solid."""
    before, (edges, after) = coarser(edges, before, 25)[1], coarser(edges, after, 25)
    figure = go.Figure()
    for name, values, colour, dash in ((names[0], before, PEER, "dash"), (names[1], after, CALM, "solid")):
        figure.add_scatter(
            name=name,
            x=list(edges),
            y=[*values, values[-1] if values else 0],
            mode="lines",
            line={"shape": "hv", "color": colour, "dash": dash, "width": 2},
            hovertemplate=f"{axis} from %{{x:.4~g}}<br>%{{y:,}} rows, {name}<extra></extra>",
        )
    return calm_layout(
        figure,
        height=HEIGHT,
        legend=True,
        xaxis={"title": axis, "tickvals": [0, 25, 50, 75, 100]},
        yaxis={"title": "Rows", "tickformat": ",d", "rangemode": "tozero", "nticks": 5},
    )


def flagged_per_period(periods: Sequence[str], rows: Sequence[int], flagged: Sequence[int]) -> go.Figure:
    """Draw how many rows were flagged in each period; the rows scored are in the tooltip."""
    figure = go.Figure(
        go.Bar(
            x=list(periods),
            y=list(flagged),
            width=0.6 if len(periods) > 2 else 0.2,
            customdata=[(n, f / n if n else 0.0) for n, f in zip(rows, flagged, strict=True)],
            marker={"color": FLAGGED, "line_width": 0},
            hovertemplate="%{x}<br>%{y:,} flagged of %{customdata[0]:,} rows (%{customdata[1]:.1%})<extra></extra>",
        )
    )
    return calm_layout(
        figure,
        height=HEIGHT,
        # Labels stand side by side, so the longer they are (a year in each), the fewer of them fit; else they slant.
        xaxis={
            "type": "category",
            "title": None,
            "nticks": 8 if _longest(periods) < 8 else 4,
            "autotickangles": [0, 45],
        },
        yaxis={"title": "Flagged rows", "tickformat": ",d", "rangemode": "tozero", "nticks": 5},
    )


def _longest(labels: Sequence[str]) -> int:
    return max(map(len, labels), default=0)


def ranked_bars(names: Sequence[str], values: Sequence[float], *, axis: str) -> go.Figure:
    """Draw a ranking as horizontal bars, the largest on top."""
    figure = go.Figure(
        go.Bar(
            x=list(values),
            y=list(names),
            orientation="h",
            width=0.7 if len(names) > 2 else 0.25,
            marker={"color": CALM, "line_width": 0},
            text=[f"{value:,.4g}" for value in values],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}<br>%{x:,}<extra></extra>",
        )
    )
    largest = max(values, default=1) or 1
    return calm_layout(
        figure,
        height=HEIGHT,
        xaxis={"title": axis, "rangemode": "tozero", "range": [0, largest * 1.15], "tickformat": ",", "nticks": 5},
        yaxis={"autorange": "reversed", "title": None},
    )


def two_lines(
    weeks: Sequence[int],
    ours: Sequence[float | None],
    peer: Sequence[float | None],
    *,
    axis: str,
    reference: tuple[float, str] | None = None,
    share: bool = False,
) -> go.Figure:
    """Draw our detector (solid, round marks) beside the plain forest (dashed, crosses), week by week."""
    figure = go.Figure()
    shown = "%{y:.1%}" if share else "%{y:,}"
    for name, values, colour, dash, symbol in (
        ("This detector", ours, CALM, "solid", "circle"),
        ("Plain forest", peer, FLAGGED, "dash", "x"),
    ):
        figure.add_scatter(
            name=name,
            x=list(weeks),
            y=list(values),
            mode="lines+markers",
            line={"color": colour, "dash": dash, "width": 2},
            marker={"symbol": symbol, "size": 9},
            hovertemplate=f"Week %{{x}}<br>{name}: {shown}<extra></extra>",
        )
    if reference is not None:
        figure.add_hline(
            y=reference[0],
            line={"color": PEER, "width": 1, "dash": "dot"},
            annotation={"text": reference[1], "yanchor": "bottom", "xanchor": "right", "font": {"color": PEER}},
        )
    return calm_layout(
        figure,
        height=HEIGHT + 20,
        legend=True,
        xaxis={"title": "Week", "tickmode": "array", "tickvals": [1, 2, 3, 4, 5], "range": [0.8, 5.2]},
        yaxis={"title": axis, "tickformat": ".0%" if share else ",d", "rangemode": "tozero", "nticks": 6},
    )


def column_grid(columns: Sequence[str], weeks: Sequence[str], states: Sequence[Sequence[str]]) -> go.Figure:
    """Draw the schema over time: a row a column, a cell a week, each state with its own mark and colour.

    ``states[i][j]`` is the state of ``columns[i]`` in ``weeks[j]``, a key of ``COLUMN_STATES``.
    """
    used = [state for state in COLUMN_STATES if any(state in line for line in states)] or ["matched"]
    place = {state: index for index, state in enumerate(used)}
    steps = len(used)
    scale: list[Any] = []
    for index, state in enumerate(used):
        scale += [(index / steps, COLUMN_STATES[state][2]), ((index + 1) / steps, COLUMN_STATES[state][2])]
    figure = go.Figure(
        go.Heatmap(
            x=list(weeks),
            y=list(columns),
            z=[[place[state] for state in line] for line in states],
            zmin=-0.5,
            zmax=steps - 0.5,
            colorscale=scale,
            showscale=False,
            xgap=3,
            ygap=3,
            text=[[COLUMN_STATES[state][1] for state in line] for line in states],
            texttemplate="%{text}",
            textfont={"color": "white", "size": 15},
            customdata=[[COLUMN_STATES[state][0] for state in line] for line in states],
            hovertemplate="%{y}, %{x}: %{customdata}<extra></extra>",
        )
    )
    return calm_layout(
        figure,
        height=60 + 24 * max(len(columns), 1),
        xaxis={"side": "top", "title": None, "type": "category", "showgrid": False},
        yaxis={"autorange": "reversed", "title": None, "type": "category", "showgrid": False},
    )
