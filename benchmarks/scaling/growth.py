"""The slope of a cost: the exponent with which it grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: So many of the largest sizes tell the slope: below them, what does not grow hides what does.
UPPER = 4


@dataclass(frozen=True)
class Slope:
    """Cost = constant x size ** ``exponent`` over the upper sizes; ``error`` is the exponent's standard error.

    ``error`` is ``None`` of two sizes, through which a line fits exactly. ``each``: what one more costs at the upper
    end, by the two largest sizes; never below 0. ``constant``: that of the formula.
    """

    exponent: float
    error: float | None
    each: float
    constant: float

    def at(self, size: float) -> float:
        """Return the cost at a size beyond those measured, if it goes on growing like this."""
        return self.constant * size**self.exponent


def slope(sizes: Sequence[float], costs: Sequence[float]) -> Slope | None:
    """Return the slope of ``costs`` over the largest ``UPPER`` of ``sizes`` (both ascending, costs above 0).

    Least squares on logarithms. ``None`` for fewer than two sizes.
    """
    if len(sizes) < 2:
        return None
    x, y = np.log(np.asarray(sizes[-UPPER:], float)), np.log(np.asarray(costs[-UPPER:], float))
    away = x - x.mean()
    spread = float((away**2).sum())
    exponent = float((away * y).sum() / spread)
    level = float(y.mean() - exponent * x.mean())
    rest = y - level - exponent * x
    error = float(np.sqrt((rest**2).sum() / (len(x) - 2) / spread)) if len(x) > 2 else None
    each = (costs[-1] - costs[-2]) / (sizes[-1] - sizes[-2])
    return Slope(exponent, error, max(0.0, float(each)), float(np.exp(level)))
