"""Two models on the same fixed rows: those on which the first one is calibrated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detector.core.encoding import CategoryCodes, refresh_rarities
from detector.core.fitted import Fitted
from detector.core.forest import Encoded, Floats, score_from_path
from detector.core.holding import FittedEstimator


@dataclass(frozen=True, eq=False)
class OwnRows:
    """What two models say of the first one's calibration rows: scores in (0, 1) and severities (0-100), each (n,)."""

    scores_before: Floats
    scores_after: Floats
    severities_before: Floats
    severities_after: Floats


def on_own_rows(before: FittedEstimator, after: FittedEstimator) -> OwnRows | None:
    """Score the rows that ``before`` is calibrated on with both, by the features that both have learned.

    ``after`` must have come from ``before`` by updates, so that a feature keeps its columns. All trees speak, also
    those that were grown from a row. ``None`` when no feature is learned in both.
    """
    old, new = before._fitted(), after._fitted()
    names = [feature.name for feature in old.schema.learned if _takes_part(new, feature.name)]
    if not names:
        return None
    rows = old.sample.rows[old.sample.calibration]
    scores_before, severities_before = _said_by(old, names, rows)
    scores_after, severities_after = _said_by(new, names, _in_columns_of(new, names, old, rows))
    return OwnRows(scores_before, scores_after, severities_before, severities_after)


def _takes_part(known: Fitted, name: str) -> bool:
    feature = known.schema.by_name.get(name)
    return feature is not None and feature.takes_part


def _in_columns_of(new: Fitted, names: list[str], old: Fitted, rows: Encoded) -> Encoded:
    """Return rows of the older model as the newer one encodes them; what they do not tell is NaN."""
    out = np.full((len(rows), new.schema.width), np.nan, np.float32)
    for name in names:
        feature = new.schema.by_name[name]
        out[:, list(feature.columns)] = rows[:, list(old.schema.by_name[name].columns)]
        if feature.kind == "categorical":
            refresh_rarities(feature, CategoryCodes(new.statistics[name]), out)
    return out


def _said_by(known: Fitted, names: list[str], rows: Encoded) -> tuple[Floats, Floats]:
    wanted = set(names)
    signature = tuple(place for place, feature in enumerate(known.schema.learned) if feature.name in wanted)
    view = known.views.undecided.get(signature)
    paths = view.forest.paths_through_holes(rows)
    return score_from_path(paths), view.severities(paths)
