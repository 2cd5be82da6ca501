"""Weight, mean, squared deviations and range of numbers: what can be joined from parts without error that grows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core import content as stored

#: Weights fade no further than this, so that none ever becomes 0.
LEAST_WEIGHT = 1e-200

_FLOAT_MAX = float(np.finfo(np.float64).max)
_FIELDS = frozenset({"weight", "mean", "m2", "minimum", "maximum"})


@dataclass(frozen=True)
class Moments:
    """What the mean, the variance and the range of weighted numbers follow from.

    Parameters
    ----------
    weight : the sum of the weights, >= 0
    mean : weighted mean; 0 while there are no numbers
    m2 : weighted sum of squared deviations from the mean; stops at the greatest float instead of overflowing
    minimum, maximum : least and greatest number ever seen (these do not fade); NaN while there is none
    """

    weight: float = 0.0
    mean: float = 0.0
    m2: float = 0.0
    minimum: float = math.nan
    maximum: float = math.nan

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Moments:
        """Return the moments of ``values`` ((n,), finite, at least one), each with weight 1."""
        n = float(len(values))
        # Where possible the ends are read instead of searched: single rows come often.
        low, high = (float(values[0]),) * 2 if n == 1.0 else (float(values.min()), float(values.max()))
        if low == high:
            return cls(n, low, 0.0, low, high)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(values.mean())
            if not math.isfinite(mean):
                mean = float((values / n).sum())
            mean = min(max(mean, low), high)
            deviations = values - mean
            return cls(n, mean, min(float(deviations @ deviations), _FLOAT_MAX), low, high)

    def faded(self, decay: float) -> Moments:
        """Return the moments with all weights multiplied by ``decay``."""
        if decay == 1.0 or self.weight == 0.0:
            return self
        # Both alike, so that the variance stays what it is.
        decay = max(decay, LEAST_WEIGHT / self.weight)
        return Moments(self.weight * decay, self.mean, self.m2 * decay, self.minimum, self.maximum)

    def joined(self, other: Moments) -> Moments:
        """Return the moments of both together.

        The formula is that of Chan, Golub and LeVeque ("Updating Formulae and a Pairwise Algorithm for Computing Sample
        Variances", 1979), with weights in the place of counts.
        """
        if self.weight == 0.0 or other.weight == 0.0:
            return other if self.weight == 0.0 else self
        weight = self.weight + other.weight
        part = other.weight / weight
        gap = other.mean - self.mean
        mean = self.mean + gap * part if math.isfinite(gap) else self.mean * (1.0 - part) + other.mean * part
        low, high = min(self.minimum, other.minimum), max(self.maximum, other.maximum)
        m2 = min(self.m2 + other.m2 + gap * gap * self.weight * part, _FLOAT_MAX)
        return Moments(weight, min(max(mean, low), high), m2, low, high)

    @property
    def std(self) -> float:
        """Standard deviation (divided by the weight, not by one less); 0 while there are no numbers."""
        return math.sqrt(self.m2 / self.weight) if self.weight > 0.0 else 0.0

    @property
    def span(self) -> float:
        """Greatest less least number; 0 while there are none."""
        return min(self.maximum - self.minimum, _FLOAT_MAX) if self.weight > 0.0 else 0.0

    def to_content(self) -> dict[str, Any] | None:
        """Return the moments as plain numbers, or ``None`` while there are no numbers."""
        if self.weight == 0.0:
            return None
        return {
            "weight": self.weight,
            "mean": self.mean,
            "m2": self.m2,
            "minimum": self.minimum,
            "maximum": self.maximum,
        }

    @classmethod
    def from_content(cls, content: object) -> Moments:
        """Return the moments that :meth:`to_content` described.

        Raises
        ------
        ModelFileError
            When types or ranges are off.
        """
        if content is None:
            return cls()
        found = stored.fields(content, _FIELDS, "moments")
        weight = stored.number(found, "weight", lowest=LEAST_WEIGHT / 2.0)
        m2 = stored.number(found, "m2", lowest=0.0)
        low, mean, high = (stored.number(found, key) for key in ("minimum", "mean", "maximum"))
        if not low <= mean <= high:
            raise stored.damaged("the mean of a feature lies outside of its range")
        return cls(weight, mean, m2, low, high)
