"""The growth along all axes as one picture: cost over size, both logarithmic, a panel an axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.scaling.results import Results, known_axes
from benchmarks.scaling.telling import REACH, shown, slope_text
from docs.drawing import BLUE, GREEN, ORANGE, PURPLE, RULE, SOFT, Drawing

WIDTH, HEIGHT = 430, 330
COLORS = (BLUE, ORANGE, GREEN, PURPLE, SOFT)
_LEFT, _RIGHT, _BELOW, _LINE = 62, 18, 40, 15


@dataclass(frozen=True)
class Series:
    """A work to draw: ``sizes`` and ``seconds``, and the ``end`` to which a dashed line goes on, if any."""

    words: str
    color: str
    sizes: Sequence[int]
    seconds: Sequence[float]
    end: tuple[int, float] | None


def picture(results: Results) -> str:
    """Return the SVG picture of all axes that were measured."""
    axes = list(known_axes(results))
    high = -(-len(axes) // 2)
    drawing = Drawing(2 * WIDTH, high * HEIGHT + 10, "How cost grows along each axis")
    for place, (name, axis) in enumerate(axes):
        series = []
        for color, work in zip(COLORS, axis.drawn, strict=False):
            sizes, seconds = results.values(name, work)
            found = results.slope(name, work)
            if not sizes:
                continue
            beyond = axis.beyond if axis.beyond and sizes[-1] < axis.beyond <= REACH * sizes[-1] else None
            end = (beyond, found.at(beyond)) if found and beyond else None
            told = f"{work}: slope {slope_text(found)}" if found else work
            series.append(Series(told, color, sizes, seconds, end))
        if series:
            _panel(drawing, place % 2 * WIDTH, place // 2 * HEIGHT, axis.counts, series)
    return drawing.svg()


def _panel(drawing: Drawing, left: float, top: float, counts: str, series: Sequence[Series]) -> None:
    sizes = [size for one in series for size in (*one.sizes, *(one.end or ())[:1])]
    costs = [cost for one in series for cost in (*one.seconds, *(one.end or ())[1:])]
    across, up = _decades(sizes), _decades(costs)
    x0, x1 = left + _LEFT, left + WIDTH - _RIGHT
    y0, y1 = top + HEIGHT - _BELOW, top + 38 + _LINE * len(series)

    def at(size: float, cost: float) -> tuple[float, float]:
        x = x0 + (math.log10(size) - across[0]) / (across[1] - across[0]) * (x1 - x0)
        return x, y0 + (math.log10(cost) - up[0]) / (up[1] - up[0]) * (y1 - y0)

    drawing.text(left + 12, top + 24, f"Cost by {counts}", bold=True)
    for place, one in enumerate(series):
        drawing.box(left + 12, top + 33 + _LINE * place, 10, 8, one.color)
        drawing.text(left + 27, top + 41 + _LINE * place, one.words, size=11, color=SOFT)
    for power in range(up[0], up[1] + 1):
        y = at(10.0 ** across[0], 10.0**power)[1]
        drawing.line([(x0, y), (x1, y)], RULE, 0.7)
        drawing.text(x0 - 6, y + 4, shown(10.0**power * 1.000001, "s"), anchor="end", size=11, color=SOFT)
    for power in range(across[0], across[1] + 1):
        x = at(10.0**power, 10.0 ** up[0])[0]
        drawing.line([(x, y0), (x, y1)], RULE, 0.7)
        drawing.text(x, y0 + 17, f"{10**power:,}", anchor="middle", size=11, color=SOFT)
    for one in series:
        points = [at(size, cost) for size, cost in zip(one.sizes, one.seconds, strict=True)]
        drawing.line(points, one.color, 2.0)
        for point in points:
            drawing.dot(*point, 2.5, one.color)
        if one.end is not None:
            drawing.line([points[-1], at(*one.end)], one.color, 1.5, "4 4")


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """Return the powers of ten around some values, at least one apart."""
    low, high = math.floor(math.log10(min(values)) + 1e-9), math.ceil(math.log10(max(values)) - 1e-9)
    return low, max(high, low + 1)
