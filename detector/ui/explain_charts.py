"""Charts of why rows score as they do, and of what the model's scores rest on; pages share them.

``signed_bars(parts, *, others=())`` draws one row: ``parts`` are (name, value shown, contribution), strongest first,
contributions in log2 of the anomaly score, positive for more anomalous. ``others`` is the row before a change.
``value_shown(value)`` puts a value of a row into words for it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import plotly.graph_objects as go

from detector.service.reasons.importance import ColumnImportance, Dependence, Group, Swarm
from detector.ui.numbers import count, moment, number
from detector.ui.theme import CALM, CHANGED, FLAGGED, PEER, calm_layout

#: Bars of a row drawn at most; what is left is one bar more.
MOST_BARS = 10
_MORE, _LESS = "makes it more unusual", "makes it less unusual"
#: Characters in a line of a name beside a chart; two lines keep apart names that begin alike.
_LINE = 28
_AXIS = "more unusual →"
#: The room for a number beside the bars, as a share of theirs.
_ROOM = 0.25
#: From this ratio of the largest to the middle value on, numbers are drawn on a logarithmic axis.
_WIDE = 50.0


def value_shown(value: object) -> str:
    """Return a value of a row as people read it."""
    if value is None:
        return "no value"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(float(value))
    return moment(value) if isinstance(value, datetime) else str(value)


def signed_bars(parts: Sequence[tuple[str, str, float]], *, others: Sequence[tuple[str, str, float]] = ()) -> go.Figure:
    """Draw what each column contributes to one row: to the right what makes it more unusual, to the left what less.

    The direction, a sign before the number and the colour say the same, so colour is never needed.

    Parameters
    ----------
    parts
        (column, value as shown, contribution), contributions in log2 of the anomaly score.
    others
        The same columns of the row as it was before a change, drawn as hollow marks; empty for none.
    """
    shown = sorted(parts, key=lambda part: -abs(part[2]))
    shown, rest = shown[:MOST_BARS], shown[MOST_BARS:]
    if len(rest) == 1:
        shown, rest = shown + rest, []
    shown = sorted(shown, key=lambda part: -part[2])
    if rest:
        shown.append((f"{len(rest)} other columns", "", sum(value for _, _, value in rest)))
    places = list(range(len(shown)))
    names = [_name(name) for name, _, _ in shown]
    values = [value for _, _, value in shown]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=places,
            orientation="h",
            width=0.62 if len(places) > 2 else 0.3,
            marker={"color": [FLAGGED if value > 0 else CALM for value in values], "line_width": 0},
            text=None if others else [f"{value:+.3f}" for value in values],
            textposition="outside",
            cliponaxis=False,
            customdata=[(name, value, _MORE if part > 0 else _LESS) for name, value, part in shown],
            hovertemplate="%{customdata[0]}: %{customdata[1]}<br>%{x:+.4f}, %{customdata[2]}<extra></extra>",
            showlegend=False,
        )
    )
    named = {name for name, _, _ in shown}
    before = {name: value for name, _, value in others}
    left = sum(value for name, value in before.items() if name not in named)
    marks = [before.get(name, left) for name, _, _ in shown] if before else []
    lowest, highest = min([0.0, *values, *marks]), max([0.0, *values, *marks])
    # Numbers need room: beside the bars, or, where marks lie among them, in a column of their own.
    room = _ROOM * ((highest - lowest) or 1.0)
    if marks:
        figure.add_scatter(
            name="Before the change",
            x=marks,
            y=places,
            mode="markers",
            marker={"symbol": "diamond-open", "size": 10, "color": PEER, "line_width": 2},
            hovertemplate="Before: %{x:+.4f}<extra></extra>",
        )
        figure.add_scatter(
            x=[highest + 2.0 * room] * len(places),
            y=places,
            mode="text",
            text=[f"{value:+.3f}, was {mark:+.3f}" for value, mark in zip(values, marks, strict=True)],
            textposition="middle left",
            hoverinfo="skip",
            showlegend=False,
        )
    figure.add_vline(x=0, line={"color": PEER, "width": 1})
    return calm_layout(
        figure,
        height=90 + (54 if any("<br>" in name for name in names) else 40) * max(len(places), 1),
        legend=bool(marks),
        xaxis={
            "title": _AXIS,
            "range": [lowest - room, highest + (2.0 if marks else 1.0) * room],
            "nticks": 5,
            "zeroline": False,
        },
        yaxis=_named(
            [
                f"{name}<br><b>{_short(value)}</b>" if value else name
                for name, (_, value, _) in zip(names, shown, strict=True)
            ]
        ),
    )


def _named(names: Sequence[str]) -> dict[str, Any]:
    """Return an axis from top to bottom with these names; by places, since two names may be short for the same."""
    return {
        "tickmode": "array",
        "tickvals": list(range(len(names))),
        "ticktext": list(names),
        "range": [len(names) - 0.5, -0.5],
        "title": None,
        "showgrid": False,
        "zeroline": False,
    }


def _name(text: str) -> str:
    """Return the name of a column in at most two lines."""
    return "<br>".join(_plain(line) for line in textwrap.wrap(text, _LINE, max_lines=2, placeholder="…"))


def _short(text: str) -> str:
    """Return a value in one line that leaves room for the chart beside it."""
    return _plain(text if len(text) <= _LINE else text[: _LINE - 1] + "…")


def _plain(text: str) -> str:
    """Return a text in which nothing is taken for a mark."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


def importance_bars(columns: Sequence[ColumnImportance], *, most: int = 15) -> go.Figure:
    """Draw how much each column moves the scores of a sample, beside how much it sets the model's own rows apart."""
    shown = list(columns)[:most]
    places = list(range(len(shown)))
    figure = go.Figure(
        go.Bar(
            name="In these rows",
            x=[item.share for item in shown],
            y=places,
            orientation="h",
            width=0.6 if len(places) > 2 else 0.3,
            marker={"color": CALM, "line_width": 0},
            customdata=[(item.feature, item.mean_size) for item in shown],
            hovertemplate="%{customdata[0]}<br>%{x:.1%} of all contributions"
            "<br>mean size %{customdata[1]:.4f}<extra></extra>",
        )
    )
    figure.add_scatter(
        name="In training",
        x=[item.model_share for item in shown],
        y=places,
        customdata=[(item.feature,) for item in shown],
        mode="markers",
        marker={"symbol": "diamond-open", "size": 9, "color": CHANGED, "line_width": 2},
        hovertemplate="%{customdata[0]}<br>in training %{x:.1%}<extra></extra>",
    )
    return calm_layout(
        figure,
        height=110 + 30 * max(len(places), 1),
        legend=True,
        xaxis={"title": "Share", "tickformat": ".0%", "rangemode": "tozero", "nticks": 4, "tickangle": 0},
        yaxis=_named([_name(item.feature) for item in shown]),
    )


def beeswarm(swarms: Sequence[Swarm]) -> go.Figure:
    """Draw each row's contribution of the most important columns, a point a row; a point carries its row's number.

    Low, middle and high values differ by the mark as well as by the colour.
    """
    figure = go.Figure()
    marks = (
        ("Low value", "triangle-down", CALM),
        ("Middle", "circle-open", PEER),
        ("High value", "triangle-up", FLAGGED),
        ("Without order", "x-thin-open", CHANGED),
    )
    for kind, (name, symbol, colour) in enumerate(marks):
        points = [
            (swarm.contributions[i], place - swarm.offsets[i], swarm.rows[i], swarm.feature, swarm.shown[i])
            for place, swarm in enumerate(swarms)
            for i, rank in enumerate(swarm.ranks)
            if kind == (3 if rank is None else min(int(rank * 3.0), 2))
        ]
        if not points:
            continue
        figure.add_scatter(
            name=name,
            x=[point[0] for point in points],
            y=[point[1] for point in points],
            mode="markers",
            marker={
                "symbol": symbol,
                "size": 7,
                "color": colour,
                "opacity": 0.8,
                "line": {"width": 1, "color": colour},
            },
            customdata=[point[2:] for point in points],
            hovertemplate="Row %{customdata[0]:,}<br>%{customdata[1]}: %{customdata[2]}<br>%{x:+.4f}<extra></extra>",
        )
    figure.add_vline(x=0, line={"color": PEER, "width": 1})
    return calm_layout(
        figure,
        height=110 + 46 * max(len(swarms), 1),
        legend=True,
        xaxis={"title": _AXIS, "nticks": 5, "zeroline": False},
        yaxis=_named([_name(swarm.feature) for swarm in swarms]),
    )


def dependence_points(found: Dependence) -> go.Figure:
    """Draw a column's contribution against its value, a point a row; a point carries its row's number."""
    figure = go.Figure(
        go.Scatter(
            x=list(found.values),
            y=list(found.contributions),
            mode="markers",
            marker={"size": 6, "color": CALM, "opacity": 0.6, "line_width": 0},
            customdata=[(row,) for row in found.rows],
            hovertemplate=f"Row %{{customdata[0]:,}}<br>{found.feature}: %{{x:,.4~g}}<br>%{{y:+.4f}}<extra></extra>",
        )
    )
    figure.add_hline(y=0, line={"color": PEER, "width": 1})
    ordered = sorted(found.values)
    wide = bool(ordered) and ordered[0] > 0.0 and ordered[-1] > _WIDE * ordered[len(ordered) // 2]
    return calm_layout(
        figure,
        height=320,
        # Between powers of ten Plotly writes bare digits, which read as values of their own.
        xaxis={"title": found.feature, "zeroline": False}
        | ({"type": "log", "dtick": 1} if wide else {"type": "linear", "nticks": 7}),
        yaxis={"title": "Contribution", "nticks": 6, "zeroline": False},
    )


def dependence_groups(title: str, groups: Sequence[Group]) -> go.Figure:
    """Draw what rows with the same value get: the mean, and the middle four fifths as a line."""
    figure = go.Figure(
        go.Scatter(
            x=[_short(group.name) for group in groups],
            y=[group.mean for group in groups],
            mode="markers",
            marker={"size": 11, "color": CALM, "line_width": 0},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [max(0.0, group.high - group.mean) for group in groups],
                "arrayminus": [max(0.0, group.mean - group.low) for group in groups],
                "color": PEER,
                "thickness": 2,
                "width": 5,
            },
            customdata=[(group.name, count(group.rows), group.low, group.high) for group in groups],
            hovertemplate="%{customdata[0]}: %{customdata[1]} rows<br>mean %{y:+.4f}"
            "<br>four fifths from %{customdata[2]:+.4f} to %{customdata[3]:+.4f}<extra></extra>",
        )
    )
    figure.add_hline(y=0, line={"color": PEER, "width": 1})
    return calm_layout(
        figure,
        height=320,
        xaxis={"title": title, "type": "category", "showgrid": False},
        yaxis={"title": "Contribution", "nticks": 6, "zeroline": False},
    )
