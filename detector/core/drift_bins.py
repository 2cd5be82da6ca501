"""The bins over which two statistics of one feature are compared, and those in which they are drawn."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from heapq import nsmallest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.statistics import NUMBER_KINDS, FeatureStatistics
from detector.core.wording import value_text

Floats = NDArray[np.float64]

#: How many categories have a bin of their own; the others share one.
MOST_BINS = 20
#: How many rows before a category needs for a bin of its own.
LEAST_ROWS = 5
#: A category is named only where so many rows and so large a share of the values, before or now, are of it: what few
#: rows hold may be about a person.
NAMED_ROWS, NAMED_SHARE = 5, 0.001
#: How many categories, and about how many spans of numbers, are drawn.
DRAWN_CATEGORIES, DRAWN_SPANS = 12, 25
#: Positive numbers whose high values are so many times their low ones are drawn over spans that grow.
GROWING_RATIO = 100.0

OTHERS, UNSEEN = "all other categories", "categories not known before"

_DECILES: Floats = np.arange(1, 10, dtype=np.float64) / 10.0
_STEPS = (1.0, 2.0, 5.0, 10.0)
_FINE_STEPS, _FEW_DECADES = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0), 5


@dataclass(frozen=True)
class Overlay:
    """Two distributions over the same bins, to be drawn over each other.

    Parameters
    ----------
    labels : what each bin holds, in words
    before, now : share (0-1) of the values in each bin; they add up to 1, or are all 0 where there are no values
    """

    labels: tuple[str, ...]
    before: tuple[float, ...]
    now: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the bins as plain values."""
        return {key: list(value) for key, value in asdict(self).items()}


def shares_by_bin(before: FeatureStatistics, now: FeatureStatistics) -> tuple[Floats, Floats]:
    """Return the shares (0-1) of the values in each bin, before and now; both must have values.

    Bins are the deciles before, or the main categories, all others together, and those not known before.
    """
    if before.kind not in NUMBER_KINDS:
        return _category_shares(before, now)
    deciles = before.quantile(_DECILES)
    # A value that fills several deciles has a bin to itself, so that leaving it shows in either direction.
    spikes = deciles[1:][deciles[1:] == deciles[:-1]]
    with np.errstate(over="ignore"):
        edges = np.unique(np.append(deciles, np.nextafter(spikes, -math.inf)))
    was, found = (np.diff(statistics.cdf(edges), prepend=0.0, append=1.0) for statistics in (before, now))
    return was, found


def unseen_shares(before: FeatureStatistics, now: FeatureStatistics) -> tuple[float, float]:
    """Return which share (0-1) of the values now are of unknown categories, and which was to be expected.

    The next row is of a new category as often as rows were the only ones of theirs (Good, Biometrika 40, 1953).
    """
    if before.kind in NUMBER_KINDS or before.present <= 0.0 or now.present <= 0.0:
        return 0.0, 0.0
    weights = before.categories.weights
    expected = float(weights[weights <= 1.0].sum()) / before.present
    known = before.weights
    unknown = sum(weight for category, weight in now.weights.items() if category not in known) / now.present
    # Categories that were known once and dropped for lack of room come back about as often as they came.
    return (max(unknown - before.other / before.present, 0.0) if before.other else unknown), expected


def overlay(before: FeatureStatistics, now: FeatureStatistics | None) -> Overlay:
    """Return both distributions over bins for people, or the former where the column did not come.

    Of times, of fewer than five values, and where kinds differ nothing is drawn.
    """
    now = FeatureStatistics.empty(before.kind) if now is None else now
    few = 0.0 < now.present < NAMED_ROWS or 0.0 < before.present < NAMED_ROWS
    if before.kind != now.kind or before.kind == "datetime" or few:
        return Overlay((), (), ())
    return _spans(before, now) if before.kind == "numeric" else _categories(before, now)


def may_be_named(category: str, *sides: FeatureStatistics) -> bool:
    """Return whether enough rows are of a category, on one side at least, to say its name."""
    return any(
        side.share(category) >= NAMED_SHARE and side.share(category) * side.present >= NAMED_ROWS for side in sides
    )


def _category_shares(before: FeatureStatistics, now: FeatureStatistics) -> tuple[Floats, Floats]:
    """Return the shares of the main categories, of all others together, and of those not known before."""
    # Chosen by both sides together: the heaviest of many rare ones before were so by chance, and would seem to shrink.
    together = [(-weight - now.weights.get(name, 0.0), name) for name, weight in before.weights.items()]
    main = [name for _, name in nsmallest(MOST_BINS, together) if before.weights[name] >= LEAST_ROWS]
    was = np.array([before.share(name) for name in main])
    found = np.array([now.share(name) for name in main])
    tails = [max(1.0 - float(shares.sum()), 0.0) for shares in (was, found)]
    unseen, expected = unseen_shares(before, now)
    unseen, expected = min(unseen, tails[1]), min(expected, tails[0])
    # Categories that were dropped for lack of room cannot be told from those not seen before. And fewer new ones than
    # expected are no change: the rows of training, scored again, hold none.
    if before.other or now.other or unseen <= expected:
        return np.append(was, tails[0]), np.append(found, tails[1])
    return np.append(was, [tails[0] - expected, expected]), np.append(found, [tails[1] - unseen, unseen])


def _categories(before: FeatureStatistics, now: FeatureStatistics) -> Overlay:
    heaviest = {name: max(share, now.share(name)) for name, share in before.top(DRAWN_CATEGORIES)}
    heaviest |= {name: max(share, before.share(name)) for name, share in now.top(DRAWN_CATEGORIES)}
    drawn = sorted(heaviest, key=lambda name: (-heaviest[name], name))[:DRAWN_CATEGORIES]
    drawn = [name for name in drawn if may_be_named(name, before, now)]
    was = [before.share(name) for name in drawn]
    found = [now.share(name) for name in drawn]
    unseen = 0.0
    if not before.other:
        unknown = [now.share(name) for name in now.weights if name not in before.weights and name not in drawn]
        unseen = sum(unknown)
    rest = [
        max(1.0 - sum(shares), 0.0) if side.present > 0.0 else 0.0 for shares, side in ((was, before), (found, now))
    ]
    tail = [(OTHERS, rest[0], max(rest[1] - unseen, 0.0)), (UNSEEN, 0.0, unseen)]
    shown = [bin_ for bin_ in tail if max(bin_[1:]) > 1e-9]
    return Overlay(
        (*drawn, *(name for name, _, _ in shown)),
        (*was, *(share for _, share, _ in shown)),
        (*found, *(share for _, _, share in shown)),
    )


def _spans(before: FeatureStatistics, now: FeatureStatistics) -> Overlay:
    sides = [side for side in (before, now) if side.present > 0.0]
    if not sides:
        return Overlay((), (), ())
    low = min(side.quantile(0.01) for side in sides)
    high = max(side.quantile(0.99) for side in sides)
    whole = all(bool((side.digest.values == np.floor(side.digest.values)).all()) for side in sides)
    edges = _edges(low, high, min(side.quantile(0.1) for side in sides), 1.0 if whole else 0.0)
    shares = []
    for side in (before, now):
        # A span holds its upper edge; so whole numbers lie in the span that ends with them.
        cumulated = side.cdf(edges) if side.present > 0.0 else np.zeros(len(edges))
        ends = (0.0, 1.0) if side.present > 0.0 else (0.0, 0.0)
        shares.append(np.diff(cumulated, prepend=ends[0], append=ends[1]))
    texts = [value_text(edge) for edge in edges.tolist()]
    single = whole and len(edges) > 1 and edges[1] - edges[0] == 1.0
    labels = [f"up to {texts[0]}", *(text if single else f"to {text}" for text in texts[1:]), f"above {texts[-1]}"]
    bins = list(zip(labels, *(share.tolist() for share in shares), strict=True))
    while len(bins) > 1 and not max(bins[-1][1:]):
        bins.pop()
    return Overlay(*(tuple(part) for part in zip(*bins, strict=True)))


def _edges(low: float, high: float, tenth: float, least_step: float) -> Floats:
    """Return round numbers from about ``low`` to about ``high``, so that none of them is a value of a single row."""
    if not low < high:
        return np.array([low])
    if tenth > 0.0 and high > GROWING_RATIO * tenth:
        first, last = math.floor(math.log10(tenth)), math.ceil(math.log10(high))
        decades = range(max(first, last - 7), last + 1)
        steps = _FINE_STEPS if len(decades) <= _FEW_DECADES else _STEPS[:3]
        growing = np.array([step * 10.0**decade for decade in decades for step in steps])
        return growing[(growing >= 0.5 * tenth) & (growing <= 2.5 * high)]
    rough = (high / DRAWN_SPANS - low / DRAWN_SPANS) or 1.0
    scale = 10.0 ** math.floor(math.log10(rough)) if rough < 1e300 else 1e300
    step = max(next(scale * factor for factor in _STEPS if scale * factor >= rough * 0.999), least_step)
    first, last = math.floor(low / step), math.ceil(high / step)
    return np.array([round(place) * step for place in range(first, last + 1)], dtype=np.float64)
