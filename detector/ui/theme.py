"""The colours of charts and their common layout.

One palette serves light and dark: mid-tones with at least 3:1 against both backgrounds, told apart by lightness and by
shape as well as by hue. Text, grid and background are left to Streamlit's theme, which knows which of the two is shown.
"""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

#: Rows that are not flagged, and everything that is merely there.
CALM = "#6B87A8"
#: Rows that are flagged, and the cutoff.
FLAGGED = "#D9662B"
#: What is compared with: an earlier version, a plain forest, a reference.
PEER = "#8A8F98"
#: What is new.
NEW = "#2C9C7C"
#: What changed.
CHANGED = "#A779C9"

#: Handed to every chart: no toolbar, no zoom by wheel, it is a picture to read.
CONFIG: dict[str, Any] = {"displayModeBar": False, "scrollZoom": False}


def legend_above_names(figure: go.Figure) -> go.Figure:
    """Lift the legend above names that stand at the upper edge of the plot, wherever along it they stand."""
    return figure.update_layout(margin_t=56, legend_y=1.14)


def calm_layout(figure: go.Figure, *, height: int, legend: bool = False, **axes: Any) -> go.Figure:
    """Give ``figure`` the house layout: no title, tight margins, unified tooltips, a legend above when wanted."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 36 if legend else 24, "b": 8},
        showlegend=legend,
        legend={"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom", "title": None},
        bargap=0.04,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        separators=".,",
        dragmode=False,
        **axes,
    )
    figure.update_xaxes(automargin=True, fixedrange=True)
    figure.update_yaxes(automargin=True, fixedrange=True)
    return figure
