"""Charts of why rows score as they do, and of what the model's scores rest on; pages share them.

``signed_bars(parts, *, others=())`` draws one row: ``parts`` are (name, value shown, contribution), strongest first,
contributions in log2 of the anomaly score, positive for more anomalous. ``others`` is the row before a change.
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from detector.ui.theme import CALM, FLAGGED, PEER, calm_layout

#: Bars of a row drawn at most; what is left is one bar more.
MOST_BARS = 10
_MORE, _LESS = "makes it more unusual", "makes it less unusual"
_LONGEST = 34


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
    names = [_label(name, value) for name, value, _ in shown]
    values = [value for _, _, value in shown]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=names,
            orientation="h",
            width=0.7 if len(names) > 2 else 0.3,
            marker={"color": [FLAGGED if value > 0 else CALM for value in values], "line_width": 0},
            text=[f"{value:+.3f}" for value in values],
            textposition="outside",
            cliponaxis=False,
            customdata=[(name, value, _MORE if part > 0 else _LESS) for name, value, part in shown],
            hovertemplate="%{customdata[0]}: %{customdata[1]}<br>%{x:+.4f}, %{customdata[2]}<extra></extra>",
            showlegend=False,
        )
    )
    before = {name: value for name, _, value in others}
    if before:
        named = {name for name, _, _ in shown if name in before}
        left = sum(value for name, value in before.items() if name not in named)
        figure.add_scatter(
            name="Before the change",
            x=[before.get(name, left) for name, _, _ in shown],
            y=names,
            mode="markers",
            marker={"symbol": "diamond-open", "size": 10, "color": PEER, "line_width": 2},
            hovertemplate="Before: %{x:+.4f}<extra></extra>",
        )
    reach = max((abs(value) for value in (*values, *before.values())), default=0.0) or 1.0
    figure.add_vline(x=0, line={"color": PEER, "width": 1})
    return calm_layout(
        figure,
        height=90 + 30 * max(len(names), 1),
        legend=bool(before),
        xaxis={
            "title": "← less unusual      contribution      more unusual →",
            "range": [-1.3 * reach, 1.3 * reach],
            "nticks": 7,
            "zeroline": False,
        },
        yaxis={"autorange": "reversed", "title": None, "type": "category", "showgrid": False},
    )


def _label(name: str, value: str) -> str:
    text = f"{name} = {value}" if value else name
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
