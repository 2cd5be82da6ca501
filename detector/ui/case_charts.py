"""Charts of one case: what its entity did over time, and which rows share a value with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import plotly.graph_objects as go

from detector.ui.theme import CALM, CHANGED, FLAGGED, NEW, PEER, calm_layout

#: How a row is drawn by what is known of it: its words, its mark, its colour. Shape alone tells them apart.
MARKS = {
    "this case": ("This case", "star", FLAGGED),
    "fraud": ("Decided as fraud", "x", FLAGGED),
    "legitimate": ("Decided as legitimate", "square", NEW),
    "unclear": ("Decided as unclear", "diamond-tall", CHANGED),
    "flagged": ("Flagged", "triangle-up", FLAGGED),
    "other": ("Not flagged", "circle", CALM),
}
#: A largest amount this many times the middle one needs an axis by powers of ten.
_WIDE = 30.0


@dataclass(frozen=True)
class Dot:
    """A row as a chart draws it: what it is (a key of :data:`MARKS`), when, how much, and what its tooltip says."""

    kind: str
    time: datetime | None
    amount: float | None
    told: str


def kind_of(case: str, this: str, flagged: bool, outcome: str | None) -> str:
    """Return the key of :data:`MARKS` for a row."""
    if case == this:
        return "this case"
    return outcome or ("flagged" if flagged else "other")


def history_chart(dots: Sequence[Dot], usual: tuple[float, float] | None) -> go.Figure:
    """Draw amounts over time, each kind of row with its own mark; the usual amounts as a band behind them."""
    figure = go.Figure()
    shown = [dot for dot in dots if dot.time is not None and dot.amount is not None]
    for kind, (name, symbol, colour) in reversed(MARKS.items()):
        some = [dot for dot in shown if dot.kind == kind]
        if some:
            figure.add_scatter(
                name=name,
                x=[dot.time for dot in some],
                y=[dot.amount for dot in some],
                text=[dot.told for dot in some],
                mode="markers",
                marker={"symbol": symbol, "color": colour, "size": 15 if kind == "this case" else 8},
                hovertemplate="%{text}<extra></extra>",
            )
    if usual is not None:
        figure.add_hrect(y0=usual[0], y1=usual[1], fillcolor=PEER, opacity=0.15, line_width=0)
    amounts = sorted(dot.amount for dot in shown if dot.amount is not None)
    wide = bool(amounts) and amounts[0] > 0 and amounts[-1] > _WIDE * amounts[len(amounts) // 2]
    return calm_layout(
        figure,
        height=270,
        legend=True,
        xaxis={"title": None, "nticks": 7},
        yaxis={
            "title": "Amount",
            "tickformat": ",",
            "nticks": 5,
            "type": "log" if wide else "linear",
            **({"dtick": 1} if wide else {}),
        },
    )


def linked_chart(
    case: str, values: Sequence[tuple[str, str]], rows: Sequence[tuple[str, Sequence[str], str, str]]
) -> go.Figure:
    """Draw the case in the middle, the values that it shares around it, and the rows that share them outside.

    Parameters
    ----------
    values
        (column, value), the inner ring.
    rows
        (case, columns that it shares, key of :data:`MARKS`, tooltip), the outer ring.
    """
    inner = _ring([column for column, _ in values], 1.0)
    # Rows stand near the values that they share.
    order = sorted(rows, key=lambda row: [column for column, _ in values].index(row[1][0]))
    outer = _ring([name for name, *_ in order], 2.0)
    lines: list[tuple[tuple[float, float], tuple[float, float]]] = [((0.0, 0.0), place) for place in inner.values()]
    lines += [(inner[column], outer[name]) for name, shared, *_ in order for column in shared]
    figure = go.Figure(
        go.Scatter(
            x=[x for (a, _), (b, _) in lines for x in (a, b, None)],
            y=[y for (_, a), (_, b) in lines for y in (a, b, None)],
            mode="lines",
            line={"color": PEER, "width": 1},
            opacity=0.5,
            hoverinfo="skip",
            showlegend=False,
        )
    )
    for kind, (name, symbol, colour) in MARKS.items():
        some = [row for row in order if row[2] == kind]
        if some:
            figure.add_scatter(
                name=name,
                x=[outer[row[0]][0] for row in some],
                y=[outer[row[0]][1] for row in some],
                text=[row[3] for row in some],
                mode="markers",
                marker={"symbol": symbol, "color": colour, "size": 10},
                hovertemplate="%{text}<extra></extra>",
            )
    figure.add_scatter(
        x=[place[0] for place in inner.values()],
        y=[place[1] for place in inner.values()],
        text=[f"{column}<br><b>{_short(value)}</b>" for column, value in values],
        mode="markers+text",
        textposition="middle right",
        marker={"symbol": "square-open", "color": PEER, "size": 11, "line_width": 2},
        hoverinfo="skip",
        showlegend=False,
        cliponaxis=False,
    )
    figure.add_scatter(
        name="This case",
        x=[0],
        y=[0],
        mode="markers",
        marker={"symbol": "star", "color": FLAGGED, "size": 17},
        hovertemplate=f"Case {case}<extra></extra>",
    )
    hidden = {"visible": False, "range": [-2.4, 2.4]}
    return calm_layout(figure, height=340, legend=True, xaxis=hidden, yaxis=hidden)


def _ring(names: Sequence[str], radius: float) -> dict[str, tuple[float, float]]:
    step = 2 * math.pi / max(len(names), 1)
    return {
        name: (radius * math.cos(0.4 + place * step), radius * math.sin(0.4 + place * step))
        for place, name in enumerate(names)
    }


def _short(value: str) -> str:
    text = value.replace("<", "&lt;")
    return text if len(text) <= 18 else text[:17] + "…"
