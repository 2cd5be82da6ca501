"""Whether a batch's column looks like what is known of a feature: as it is, or times the factor between two units.

All of it looks at no more than 2,000 of a column's rows, taken evenly, so that the cost does not grow with the batch
and the same rows always give the same answer. Fewer than 50 rows with a value are no evidence.

A change of unit and a true change of the values can look alike. Only a factor that lies between two units in use is
ever considered, the smallest being 10; the values as they came must be far from those of training and the converted
ones near, over the whole distribution and not only at its middle. Prices that rise by a third, or a wave of large
amounts, meet neither condition.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from detector.core.statistics import FeatureStatistics

Floats = NDArray[np.float64]

#: Rows of a column that are looked at.
ROWS_LOOKED_AT = 2_000
#: Fewer rows with a value than this say nothing about a distribution.
ROWS_FOR_EVIDENCE = 50
#: Different values that a column must have for its distribution to have a shape.
DIFFERENT_VALUES = 5
#: How much larger the values of one unit are than those of another: powers of ten; months, hours, minutes and seconds;
#: a dozen, and the prefixes of memory.
UNITS = (*(10.0**power for power in range(1, 10)), 12.0, 24.0, 60.0, 1_024.0, 1_440.0, 3_600.0, 86_400.0, 1_048_576.0)
#: Middles that lie nearer to each other than this factor are not looked at any further.
NEAR = 5.0
#: Without the factor the distributions of what is not 0 must lie at least so far apart (Kolmogorov-Smirnov, 0-1), and
#: with it they must lie so much nearer.
FAR_APART, NEARER = 0.5, 0.35
#: With the factor they may lie so far apart, the first where the converted values are graded as those of training are:
#: for great factors, and for such by which a process may grow by itself.
ALIKE, ALIKE_UNGRADED = 0.35, 0.25
ALIKE_SMALL, ALIKE_SMALL_UNGRADED = 0.2, 0.12
#: Up to this factor the stricter limits count: a process can grow tenfold.
SMALL_FACTOR = 30.0
#: A factor that is no power of ten is far less usual: it must fit better by this much, or by what chance
#: explains, and the stricter limits count.
UNUSUAL_UNIT = 0.05
#: With more zeros than this share there is too little else to go by.
MOST_ZEROS = 0.95
#: Shares of zeros and of negative numbers may differ by this much.
SHARES_APART = 0.2
#: An asymptotic 1 % point of the Kolmogorov-Smirnov statistic, times the root of the rows.
KS_99 = 1.63

# The golden section: its multiples fill every stretch evenly, so that rows taken by them follow no period of the file.
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
_POWERS = frozenset(10.0**power for power in range(-9, 10)) | {1.0 / 10.0**power for power in range(1, 10)}
_TOTALS = tuple(sorted({1.0, *UNITS, *(1.0 / unit for unit in UNITS)}))
_MOST_DECIMALS = 4
#: Grades are told from so many values that are kept as they are.
_VALUES_FOR_GRADES = 10


# The blocks of a file are all equally long, and are asked for column by column.
@lru_cache(maxsize=4)
def evenly(rows: int, most: int = ROWS_LOOKED_AT) -> NDArray[np.intp]:
    """Return at most ``most`` row numbers out of ``rows``, ascending: one in each of equally long stretches.

    They are shared, and cannot be written to.
    """
    if rows <= most:
        chosen = np.arange(rows)
    else:
        bounds = np.arange(most + 1) * rows // most
        within = (np.arange(most) * _GOLDEN) % 1.0
        chosen = bounds[:-1] + (within * np.diff(bounds)).astype(np.intp)
    chosen.flags.writeable = False
    return chosen


def looked_at(values: Floats) -> Floats:
    """Return the numbers (NaN left out) in an even share of the rows of ``values`` ((n,))."""
    some = values[evenly(len(values))]
    return some[~np.isnan(some)]


def in_known_unit(values: Floats, factor: float) -> Floats:
    """Return ``values`` ((n,)) divided by ``factor``, without the dust that dividing by 0.01 leaves behind 115."""
    if factor >= 1.0:
        divided: Floats = values / factor
        return divided
    converted = values * np.rint(1.0 / factor)
    whole = np.rint(converted)
    snapped: Floats = np.where(np.abs(converted - whole) <= 1e-12 * np.abs(whole), whole, converted)
    return snapped


def distance(values: Floats, known: FeatureStatistics) -> float:
    """Return the Kolmogorov-Smirnov distance (0-1) between numbers ((n,), n > 0, no NaN) and what is known."""
    points, counts = np.unique(values, return_counts=True)
    up_to = np.cumsum(counts) / len(values)
    below = up_to - counts / len(values)
    at, before = known.cdf(points), known.cdf(np.nextafter(points, -np.inf))
    return float(max(np.abs(up_to - at).max(), np.abs(below - before).max()))


def expected_distance(rows: int, known: FeatureStatistics) -> float:
    """Return the distance that so many rows of the known distribution exceed once in a hundred times."""
    return KS_99 * math.sqrt(1.0 / rows + 1.0 / max(known.present, 1.0)) + 0.01


@dataclass(frozen=True, eq=False)
class Magnitudes:
    """The positive numbers of a feature, which a change of unit would multiply.

    Parameters
    ----------
    statistics : of a numeric feature.
    """

    statistics: FeatureStatistics

    @cached_property
    def usable(self) -> bool:
        """Whether the feature has enough values, of enough different sizes, and none below 0 to speak of."""
        known = self.statistics
        enough = known.present >= ROWS_FOR_EVIDENCE and known.distinct >= DIFFERENT_VALUES
        return enough and known.maximum > 0.0 and self.negative <= 0.01 and self.zeros <= MOST_ZEROS

    @cached_property
    def negative(self) -> float:
        """Share (0-1) of the numbers below 0."""
        return self._share(self.statistics.digest.values < 0.0)

    @cached_property
    def zeros(self) -> float:
        """Share (0-1) of the numbers that are 0."""
        return self._share(self.statistics.digest.values == 0.0)

    @cached_property
    def middle(self) -> float:
        """The median of the positive numbers; 0 when there are none."""
        # Not by the digest's own quantiles: this is asked of each feature of each batch, and need not be exact.
        digest = self.statistics.digest
        positive = digest.values > 0.0
        if not positive.any():
            return 0.0
        values, weights = digest.values[positive], digest.weights[positive]
        order = np.argsort(values, kind="stable")
        ends = np.cumsum(weights[order])
        return float(values[order][np.searchsorted(ends, ends[-1] / 2.0)])

    def _share(self, which: NDArray[np.bool_]) -> float:
        weights = self.statistics.digest.weights
        return float(weights[which].sum() / weights.sum()) if len(weights) else 0.0

    @cached_property
    def decimals(self) -> int | None:
        """After how many decimals the numbers end; ``None`` when they do not end, or too few are kept to say."""
        digest = self.statistics.digest
        values = digest.values[digest.tied & (digest.values > 0.0)]
        return _decimals(values) if len(values) >= _VALUES_FOR_GRADES else None


def _decimals(values: Floats) -> int | None:
    for decimals in range(_MOST_DECIMALS + 1):
        if _ends(values, decimals):
            return decimals
    return None


def _ends(values: Floats, decimals: int) -> bool:
    scaled = values * 10.0**decimals
    return bool((np.abs(scaled - np.rint(scaled)) <= 1e-6).mean() >= 0.99)


def unit_of(values: Floats, known: Magnitudes, before: float = 1.0) -> float:
    """Return the factor by which a batch's numbers are to be divided so that they are in the unit of training.

    Parameters
    ----------
    values : (n,) as they came, NaN where there is none.
    known : of the feature; in the unit of training.
    before : the factor that held until now. It stays unless there is evidence for another one.
    """
    some = looked_at(values)
    positive = some[some > 0.0]
    if len(positive) < ROWS_FOR_EVIDENCE or known.middle <= 0.0:
        return before
    ratio = float(np.median(positive)) / known.middle
    if 1.0 / NEAR < ratio / before < NEAR or not known.usable:
        return before
    if abs(float((some == 0.0).mean()) - known.zeros) > SHARES_APART or float((some < 0.0).mean()) > 0.01:
        return before
    if len(np.unique(positive)) < DIFFERENT_VALUES:
        return before
    # What is 0 is 0 in every unit, and would hide how far the rest is.
    told = 1.0 - known.zeros
    apart = distance(in_known_unit(some, before), known.statistics) / told
    if apart <= FAR_APART:
        return before
    chance = expected_distance(len(some), known.statistics) / told
    found: list[tuple[bool, float, float]] = []
    for factor in _TOTALS:
        if factor == before or not 1.0 / NEAR < ratio / factor < NEAR:
            continue
        converted = in_known_unit(some, factor)
        fit = distance(converted, known.statistics) / told
        graded = known.decimals is not None and _ends(converted[converted > 0.0], known.decimals)
        usual = factor in _POWERS
        if fit <= min(max(_limit(factor / before, graded, usual), chance), apart - NEARER):
            found.append((not graded, fit + (0.0 if usual else max(UNUSUAL_UNIT, chance)), factor))
    return min(found)[2] if found else before


def _limit(change: float, graded: bool, usual: bool) -> float:
    if not usual or 1.0 / SMALL_FACTOR < change < SMALL_FACTOR:
        return ALIKE_SMALL if graded else ALIKE_SMALL_UNGRADED
    return ALIKE if graded else ALIKE_UNGRADED
