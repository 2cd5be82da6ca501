"""Decisions from one model to another that was trained apart: rows encoded by the one, as the other encodes them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from detector.core.decisions import Decisions
from detector.core.encoding import CategoryCodes, refresh_rarities
from detector.core.forest import Encoded, Floats
from detector.core.numerals import LARGEST
from detector.core.schema import Feature, Schema
from detector.core.statistics import FeatureStatistics

#: Parts that hold the same under another name: what stands for a category.
_SAME = {"identity": "code", "code": "identity"}


def carried_over(
    decisions: Decisions, before: Schema, after: Schema, statistics: Mapping[str, FeatureStatistics]
) -> Decisions:
    """Return decisions whose rows were encoded by the features ``before``, encoded as those ``after``.

    A feature that the former model did not have, or had as another kind, is one that the rows lack. So are comparisons
    with a habit, where the two take something else for ordinary.

    Parameters
    ----------
    statistics : of the features after; categories are as rare as these say.
    """
    rows = np.full((len(decisions), after.width), np.nan, np.float32)
    for feature in after.encoded:
        old = next((before.by_name[name] for name in (feature.name, *feature.aliases) if name in before.by_name), None)
        if old is None or not old.parts or old.kind != feature.kind:
            continue
        parts = [_part(part, old, feature, decisions.rows) for part in feature.parts]
        if any(part is None for part in parts):
            continue
        for column, part in zip(feature.columns, parts, strict=True):
            rows[:, column] = part
        absent = np.isneginf(decisions.rows[:, old.first_column])
        rows[absent, feature.columns.start : feature.columns.stop] = -np.inf if feature.absence_is_state else np.nan
        if feature.kind == "categorical":
            refresh_rarities(feature, CategoryCodes(statistics[feature.name]), rows)
    return Decisions(decisions.keys, decisions.labels, rows)


def _part(part: str, old: Feature, new: Feature, rows: Encoded) -> Encoded | None:
    """Return what a part of the new feature holds; ``None`` when the old one does not tell."""
    if new.kind == "numeric" and not new.derived:
        values = _values(old, rows) * (old.factor / new.factor)
        if part == "log value":
            return np.copysign(np.log1p(np.abs(values)), values).astype(np.float32)
        return np.clip((values - new.center) / new.spread, -LARGEST, LARGEST).astype(np.float32)
    if new.derived and (old.center, old.spread) != (new.center, new.spread):
        return None
    held = part if part in old.parts else _SAME.get(part, "")
    return rows[:, old.first_column + old.parts.index(held)] if held in old.parts else None


def _values(feature: Feature, rows: Encoded) -> Floats:
    """Return a numeric feature's values in the unit of its training, ``NaN`` where there is none."""
    encoded = rows[:, feature.first_column].astype(np.float64)
    return np.where(np.isfinite(encoded), encoded * feature.spread + feature.center, np.nan)
