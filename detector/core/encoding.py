"""Typed values become the numbers that trees split on.

Numbers are centred and scaled, so that 32 bits hold what matters (isolation by axis-parallel splits does not change
under scaling). An amount that is skewed is seen twice, as it is and as its logarithm: outliers stand out in the one,
what is odd among small amounts in the other. A category becomes its rarity, and, where there are
few, a number of its own beside it, so that trees can tell two equally rare ones apart (the number is kept in any case:
counts move, and rarities with them). A time becomes its place in the day and in the week, on circles.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from detector.core import kernels
from detector.core.forest import Encoded
from detector.core.inference import IDENTITY_CATEGORIES, is_skewed
from detector.core.reading import Floats, Reading
from detector.core.schema import Feature, hash_of
from detector.core.statistics import FeatureStatistics, ScalerType

#: How each part is computed from a typed value; see :func:`detector.core.kernels.encode_column`.
MODES: dict[str, int] = {
    "value": kernels.LINEAR, "log value": kernels.LOGARITHMIC, "rarity": kernels.AS_IS, "identity": kernels.AS_IS,
    "code": kernels.AS_IS, "hour sin": kernels.HOUR_SIN, "hour cos": kernels.HOUR_COS,
    "weekday sin": kernels.WEEKDAY_SIN, "weekday cos": kernels.WEEKDAY_COS,
    "excess": kernels.EXCESS, "first time": kernels.EXCESS,
}  # fmt: skip
SECONDS_A_DAY = 86_400.0


def parts_for(
    reading: Reading, statistics: FeatureStatistics, scaler_type: ScalerType | None
) -> tuple[tuple[str, ...], float, float]:
    """Return which parts a feature is encoded as, and the center and spread of its numbers."""
    if reading.kind == "numeric":
        center, spread = statistics.scale(scaler_type)
        return ("value", "log value") if is_skewed(reading.values) else ("value",), center, spread
    if reading.kind == "boolean":
        return ("value",), 0.0, 1.0
    if reading.kind == "categorical":
        few = 2 < statistics.distinct <= IDENTITY_CATEGORIES
        return ("rarity", "identity" if few else "code"), 0.0, 1.0
    known = reading.values[~np.isnan(reading.values)]
    days = np.floor(known / SECONDS_A_DAY)
    by_hour = ("hour sin", "hour cos") if len(known) and (known % SECONDS_A_DAY).any() else ()
    by_week = ("weekday sin", "weekday cos") if len(known) and (days.max() - days.min()) >= 7 else ()
    return by_hour + by_week or ("weekday sin", "weekday cos"), 0.0, 1.0


class CategoryCodes:
    """Rarity and identity of the categories of one feature.

    The rarity is -log2 of the share a category has of the decayed counts, counted as if each had occurred half a time
    more; a category never seen is the rarest. The identity is a fixed number in [0, 1) that stands for the text.
    """

    def __init__(self, statistics: FeatureStatistics) -> None:
        known = statistics.categories
        *rarities, self.unseen = _rarities([*known.weights.tolist(), 0.0], statistics.present)
        self.rarity: Mapping[str, float] = dict(zip(known.names, rarities, strict=True))

    def parts(self, category: str, wanted: tuple[str, ...]) -> list[float]:
        """Return the encoded parts of one category."""
        rarity = self.rarity.get(category, self.unseen)
        return [rarity if part == "rarity" else identity_of(category) for part in wanted]

    def of(self, categories: tuple[str, ...], part: str) -> list[float]:
        """Return one encoded part of each of the categories."""
        if part == "rarity":
            return [self.rarity.get(category, self.unseen) for category in categories]
        return list(map(identity_of, categories))


def _rarities(weights: list[float], present: float) -> list[float]:
    whole = present + 1.0
    return [-math.log2((weight + 0.5) / whole) for weight in weights]


@lru_cache(maxsize=65_536)
def identity_of(category: str) -> float:
    """Return a number in [0, 1), exact in 32 bits, that stands for a category everywhere and always."""
    return (hash_of(category) >> 8) * 2.0**-24


def encode(feature: Feature, reading: Reading, codes: CategoryCodes | None, out: Encoded) -> int:
    """Write the encoded parts of a column into its columns of ``out`` (n, d); return how many categories are unseen.

    Each row that holds an unseen category counts.

    Absent values become ``-inf`` where the feature's absence is a state, else ``NaN``, like what could not be read.
    """
    unseen = 0
    if codes is not None:
        unseen = _encode_categories(feature, reading, codes, out)
    else:
        # The kernel asks for memory that may be written to, which a column of a frame may not be.
        values = np.require(reading.values, requirements=["C", "W"])
        for part, column in zip(feature.parts, feature.columns, strict=True):
            kernels.encode_column(values, MODES[part], feature.center, feature.spread, out, column)
    if feature.absence_is_state and reading.present < len(reading.absent):
        out[reading.absent, feature.columns.start : feature.columns.stop] = -np.inf
    return unseen


def _encode_categories(feature: Feature, reading: Reading, codes: CategoryCodes, out: Encoded) -> int:
    values = np.require(reading.values, requirements=["C", "W"])
    for part, column in zip(feature.parts, feature.columns, strict=True):
        table: Floats = np.array([*codes.of(reading.categories, part), math.nan])
        kernels.encode_places(values, table, out, column)
    counts = zip(reading.categories, reading.counts.tolist(), strict=True)
    return sum(count for name, count in counts if name not in codes.rarity)


def unseen_in(reading: Reading, codes: CategoryCodes) -> NDArray[np.bool_]:
    """Return (n,) which rows hold a category that is not known."""
    unseen = np.array([name not in codes.rarity for name in reading.categories] + [False])
    if not unseen.any():
        return np.zeros(len(reading.values), bool)
    places = np.where(np.isnan(reading.values), len(reading.categories), reading.values).astype(np.intp)
    return unseen[places]


def refresh_rarities(feature: Feature, codes: CategoryCodes, rows: Encoded) -> None:
    """Rewrite, in place, the rarity column of sample rows (n, d) after the counts have moved."""
    rarity, identity = feature.columns[0], feature.columns[1]
    known = np.array([identity_of(name) for name in codes.rarity], np.float32)
    order = np.argsort(known, kind="stable")
    table = np.array([*codes.rarity.values(), codes.unseen], np.float32)
    wanted = rows[:, identity]
    place = np.searchsorted(known[order], wanted)
    found = np.append(order, len(known))[np.minimum(place, len(known))]
    matches = np.append(known, np.float32(np.nan))[found] == wanted
    rows[:, rarity] = np.where(np.isfinite(wanted), table[np.where(matches, found, len(known))], wanted)
