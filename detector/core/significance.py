"""Could chance alone have made this difference? Tests on statistics, whose rows are gone.

Numbers are tested by Kolmogorov and Smirnov's test, categories by Pearson's chi-square test of homogeneity, shares by
the same with Yates's correction. The largest distance of two distributions is read off their sketches. These are exact
up to 512 different values. Beyond, a point stands for up to 0.8 % of the rows, so that the p-value is approximate: what
the points of both sketches could hide is taken off the distance first, which makes it too large rather than too small.

The number of rows is the faded weight behind each statistics. It is never more than the number of rows that so weighted
a sample is worth, so that fading makes no test more certain than it should be.

References
----------
.. [1] M. A. Stephens, "Use of the Kolmogorov-Smirnov, Cramer-von Mises and Related Statistics Without Extensive
   Tables", Journal of the Royal Statistical Society B 32(1), 1970: the correction for few rows.
.. [2] Y. Benjamini, Y. Hochberg, "Controlling the False Discovery Rate", Journal of the Royal Statistical Society B
   57(1), 1995.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, kolmogorov

from detector.core.feature_figures import FeatureFigures

Floats = NDArray[np.float64]

#: A category is tested by itself when at least so many rows of it are expected on either side; the others together.
EXPECTED_ROWS = 5.0
#: So many categories at most are tested by themselves.
MOST_TESTED = 200


@dataclass(frozen=True)
class Significance:
    """The outcome of a test.

    Parameters
    ----------
    test : which one
    statistic : largest distance of the two distributions (0-1), or chi-square (>= 0)
    p_value : how likely (0-1) so large a difference or a larger one is where nothing has changed
    """

    test: Literal["Kolmogorov-Smirnov", "chi-square"]
    statistic: float
    p_value: float


def kolmogorov_smirnov(before: FeatureFigures, now: FeatureFigures) -> Significance:
    """Return the test of two features of numbers, neither of them without a value.

    Values that occur often make the test cautious: its p-value is then too large, never too small.
    """
    knots = np.unique(np.concatenate((before.digest.values, now.digest.values)))
    # Just below a value that many rows have, a distribution is lower by all of them.
    with np.errstate(over="ignore"):
        below = np.maximum(np.nextafter(knots, -math.inf), -np.finfo(np.float64).max)
    at = np.concatenate((below, knots))
    distance = float(np.abs(now.cdf(at) - before.cdf(at)).max())
    certain = max(distance - before.digest.blur - now.digest.blur, 0.0)
    root = math.sqrt(before.present * now.present / (before.present + now.present))
    p_value = float(kolmogorov((root + 0.12 + 0.11 / root) * certain))
    return Significance("Kolmogorov-Smirnov", min(distance, 1.0), min(max(p_value, 0.0), 1.0))


def chi_square(before: FeatureFigures, now: FeatureFigures) -> Significance:
    """Return the test of two features of categories, neither of them without a value."""
    was, found = _tested_counts(before, now)
    rows_before, rows_now = before.present, now.present
    ratio = math.sqrt(rows_now / rows_before)
    statistic = float(((ratio * was - found / ratio) ** 2 / (was + found)).sum())
    return Significance("chi-square", statistic, chi_squared_p(statistic, len(was) - 1))


def chi_squared_p(statistic: float, freedom: int) -> float:
    """Return how likely (0-1) chi-squared with so many degrees of freedom is ``statistic`` or more; 1 without any."""
    return float(chdtrc(freedom, statistic)) if freedom > 0 else 1.0


def shares_p(share: float, rows: float, other: float, other_rows: float) -> float:
    """Return how likely (0-1) two shares (0-1) of so many rows (> 0) differ by this much where nothing has changed."""
    pooled = (share * rows + other * other_rows) / (rows + other_rows)
    spread = pooled * (1.0 - pooled) * (1.0 / rows + 1.0 / other_rows)
    if spread <= 0.0:
        return 1.0
    gap = max(abs(share - other) - 0.5 * (1.0 / rows + 1.0 / other_rows), 0.0)
    return math.erfc(gap / math.sqrt(2.0 * spread))


def adjusted(p_values: Sequence[float]) -> list[float]:
    """Return p-values (n,) as Benjamini and Hochberg [2]_ adjust them for being n, in the same order.

    Calling those below a limit differences makes that share of the calls wrong, on average, at most.
    """
    values: Floats = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * len(values) / np.arange(1, len(values) + 1)
    least = np.minimum.accumulate(scaled[::-1])[::-1]
    found = np.empty(len(values))
    found[order] = np.minimum(least, 1.0)
    return [float(value) for value in found]


def _tested_counts(before: FeatureFigures, now: FeatureFigures) -> tuple[Floats, Floats]:
    """Return the rows of each category that is tested by itself, before and now, and of all others together."""
    was, found = before.weights, now.weights
    together = {name: was.get(name, 0.0) + found.get(name, 0.0) for name in {**was, **found}}
    total = before.present + now.present
    # Which categories are tested depends on both sides together, so that it says nothing on their difference.
    least = EXPECTED_ROWS * total / min(before.present, now.present)
    heavy = sorted((name for name in together if together[name] >= least), key=lambda name: (-together[name], name))
    heavy = heavy[:MOST_TESTED]
    counts = np.array([[was.get(name, 0.0) for name in heavy], [found.get(name, 0.0) for name in heavy]])
    rest = np.maximum(np.array([before.present, now.present]) - counts.sum(axis=1), 0.0)
    if rest.sum() >= least or not heavy:
        counts = np.column_stack((counts, rest))
    else:
        counts[:, -1] += rest
    return counts[0], counts[1]
