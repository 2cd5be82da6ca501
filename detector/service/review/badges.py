"""What a reason is about in two or three words, and which cases share a pattern."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.core.model import DynamicAnomalyDetector
from detector.core.schema import Feature
from detector.core.statistics import NUMBER_KINDS
from detector.core.times import times_of
from detector.errors import excerpt

#: Reasons that make up a case's pattern, at most.
PATTERN_REASONS = 3
#: A reason that contributes less than this share of the strongest is no part of the pattern.
PATTERN_SHARE = 0.3


def badges_of(
    detector: DynamicAnomalyDetector, frame: pd.DataFrame, names: NDArray[np.object_], came_as: Mapping[str, str]
) -> list[list[str]]:
    """Return, for each row and each of its reasons, what the reason is about.

    ``amount high``, ``country NG``, ``time 03h``, ``merchant missing``; only the name where the value says nothing.

    Parameters
    ----------
    frame : n rows as they were scored.
    names : (n, k) features, strongest first; ``None`` where a row has fewer reasons.
    came_as : columns that came under another name.
    """
    badges = np.full(names.shape, None, object)
    for name in {name for name in names.ravel().tolist() if name is not None}:
        rows, places = np.nonzero(names == name)
        feature = detector.schema_.by_name[name]
        column = frame.get(came_as.get(name, name))
        if column is None:
            badges[rows, places] = name
            continue
        badges[rows, places] = _badges(detector, feature, column.iloc[rows])
    return [[badge for badge in row if badge is not None] for row in badges.tolist()]


def group_of(badges: Sequence[str], contributions: Sequence[float]) -> str:
    """Return what cases of one pattern share: the badges that contribute most, in the order of the alphabet."""
    if not badges:
        return "no single reason"
    strong = [
        badge for badge, part in zip(badges, contributions, strict=True) if part >= PATTERN_SHARE * contributions[0]
    ]
    return " · ".join(sorted(strong[:PATTERN_REASONS]))


def _badges(detector: DynamicAnomalyDetector, feature: Feature, column: pd.Series) -> list[str]:
    absent = column.isna().to_numpy()
    if feature.derived:
        told = [feature.name] * len(column)
    elif feature.kind == "datetime":
        hours = times_of(column).dt.hour
        told = [feature.name if math.isnan(hour) else f"{feature.name} {int(hour):02d}h" for hour in hours.tolist()]
    elif feature.kind in NUMBER_KINDS and not feature.flag:
        values = pd.to_numeric(column, errors="coerce").to_numpy(float, na_value=np.nan) / feature.factor
        middle = detector.statistics_[feature.name].median
        told = [
            feature.name if math.isnan(value) else f"{feature.name} {'high' if value > middle else 'low'}"
            for value in values.tolist()
        ]
    else:
        told = [f"{feature.name} {_said(value)}" for value in column.tolist()]
    return [f"{feature.name} missing" if gone else words for gone, words in zip(absent.tolist(), told, strict=True)]


def _said(value: Any) -> str:
    return excerpt(str(value))
