"""How far two distributions over the same bins lie apart.

The population stability index (PSI) is the symmetrised Kullback-Leibler divergence, sum((q - p) * ln(q / p)). Two rules
keep it honest on few rows. Each bin gets half a row on top, and at least the share 0.0001, so that empty bins stay
finite. And where nothing has changed, PSI is distributed like (1/n + 1/m) times chi-squared with (bins - 1) degrees of
freedom [1]_: the mean of that is subtracted, and where the rest lies in it says what chance may have done.

References
----------
.. [1] B. Yurdakul, "Statistical Properties of Population Stability Index", dissertation, Western Michigan University,
   2018.
.. [2] J. Lin, "Divergence Measures Based on the Shannon Entropy", IEEE Transactions on Information Theory 37(1), 1991.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: No bin's share is taken for less than this.
LEAST_SHARE = 1e-4
#: How many rows each bin is given on top of its own.
ADDED_ROWS = 0.5


@dataclass(frozen=True)
class Stability:
    """A population stability index.

    Parameters
    ----------
    psi : the index, >= 0, less what chance alone adds on average
    statistic, freedom : what is distributed like chi-squared with so many degrees of freedom where nothing has
        changed; infinite where the shares are certain and differ
    """

    psi: float
    statistic: float
    freedom: int


def population_stability(was: Floats, found: Floats, rows_before: float, rows_now: float) -> Stability:
    """Return how stable the shares of the bins are.

    Parameters
    ----------
    was, found : (b,) share (0-1) of each bin before and now
    rows_before, rows_now : how many rows the shares were counted from, > 0; infinite when they are certain
    """
    used = (was > 0.0) | (found > 0.0)
    p, q = _smoothed(was[used], rows_before), _smoothed(found[used], rows_now)
    raw = float(((q - p) * np.log(q / p)).sum())
    noise = 1.0 / rows_before + 1.0 / rows_now
    freedom = len(p) - 1
    statistic = raw / noise if noise > 0.0 else math.inf if raw > 0.0 else 0.0
    return Stability(max(raw - freedom * noise, 0.0), statistic, freedom)


def jensen_shannon(was: Floats, found: Floats) -> float:
    """Return the Jensen-Shannon divergence [2]_ of two distributions ((b,), each adding up to 1) to base 2, 0-1."""
    middle = (was + found) / 2.0
    bits = 0.0
    for shares in (was, found):
        some = shares > 0.0
        bits += float((shares[some] * np.log2(shares[some] / middle[some])).sum()) / 2.0
    return min(max(bits, 0.0), 1.0)


def _smoothed(shares: Floats, rows: float) -> Floats:
    added = ADDED_ROWS / rows
    raised = np.maximum((shares + added) / (1.0 + added * len(shares)), LEAST_SHARE)
    normalised: Floats = raised / raised.sum()
    return normalised
