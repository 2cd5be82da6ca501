"""What each column of some rows holds and contributes, for charts: of rows that came, or of the model's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detector.core.alignment import AlignmentReport
from detector.core.encoding import SECONDS_A_DAY, identity_of
from detector.core.explain import explain, shap_values
from detector.core.fitted import Fitted
from detector.core.forest import Encoded, Floats
from detector.core.intake import read_again
from detector.core.later import pd
from detector.core.schema import Feature
from detector.core.statistics import Kind


@dataclass(frozen=True, eq=False)
class StudiedColumn:
    """What a learned feature holds in each row.

    Parameters
    ----------
    name, kind : of the feature.
    derived : it is computed from what an entity did before; 1 is its habit.
    values : (n,) numbers, seconds since 1970 UTC, 1 and 0 for true and false, or places in ``categories``; NaN where
        there is no value. Of times in the model's own rows only the place in the week is known.
    categories : the distinct categories; empty for other kinds.
    """

    name: str
    kind: Kind
    derived: bool
    values: Floats
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Study:
    """Rows, column by column.

    Parameters
    ----------
    columns : the learned features.
    contributions : (n, features) SHAP values, in log2 of the anomaly score; positive is more anomalous.
    severities : (n,) 0-100; of the model's own rows by all trees, also those that were grown from the row.
    """

    columns: tuple[StudiedColumn, ...]
    contributions: Floats
    severities: Floats


def study_rows(known: Fitted, frame: pd.DataFrame, after: AlignmentReport | None = None) -> Study:
    """Return what the rows of ``frame`` hold, in the units and spellings of training, and what each column contributes.

    Raises
    ------
    NoKnownColumnsError, ArithmeticError
        As :func:`detector.core.explain.explain`.
    """
    frame = known.beside(frame, after)
    explanation = explain(known, frame, after, in_words=False)
    columns = []
    for feature in known.schema.learned:
        way = explanation.report.ways.get(feature.name)
        if way is None:
            columns.append(_column(feature, np.full(len(frame), np.nan)))
            continue
        reading = read_again(frame[way.column], way, known.matcher.known[feature.name])
        values = np.where(reading.values < 0.0, np.nan, reading.values) if reading.categories else reading.values
        columns.append(_column(feature, values, reading.categories))
    return Study(tuple(columns), explanation.values, explanation.severities)


def study_own_rows(known: Fitted, most: int) -> Study:
    """Return the same for at most ``most`` of the rows on which the model is calibrated.

    They are encoded, so that of a time only its place in the week is left, of a category that was forgotten nothing,
    and of a derived feature only how far it is out of the ordinary.
    """
    view = known.views.get(known.everything)
    rows = view.calibration_rows()
    rows = rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.intp)]
    found, _ = shap_values(view.forest, rows)
    learned = known.schema.learned
    contributions = np.stack([found[:, list(feature.columns)].sum(axis=1) for feature in learned], axis=1)
    severities = view.severities(view.forest.paths_through_holes(rows))
    return Study(tuple(_decoded(known, feature, rows) for feature in learned), contributions, severities)


def _column(feature: Feature, values: Floats, categories: tuple[str, ...] = ()) -> StudiedColumn:
    return StudiedColumn(feature.name, feature.kind, feature.derived, values, categories)


def _decoded(known: Fitted, feature: Feature, rows: Encoded) -> StudiedColumn:
    """Return what encoded rows still tell of a feature."""
    parts = {
        part: np.where(np.isfinite(rows[:, column]), rows[:, column], np.nan).astype(np.float64)
        for part, column in zip(feature.parts, feature.columns, strict=True)
    }
    if feature.kind == "categorical":
        names = tuple(known.statistics[feature.name].weights)
        table = {identity_of(name): float(place) for place, name in enumerate(names)}
        identities = parts.get("identity", parts.get("code"))
        assert identities is not None
        return _column(feature, np.array([table.get(value, np.nan) for value in identities.tolist()]), names)
    if feature.kind == "datetime":
        # Weekdays count from Sunday, and the first of January 1970, day 0, was a Thursday.
        days = (np.rint(_angle(parts, "weekday") * 7.0) - 4.0) % 7.0
        return _column(feature, days * SECONDS_A_DAY + _angle(parts, "hour") * SECONDS_A_DAY)
    if feature.derived:
        return _column(feature, np.exp(next(iter(parts.values())) * feature.spread + feature.center))
    return _column(feature, parts["value"] * feature.spread + feature.center)


def _angle(parts: dict[str, Floats], of: str) -> Floats:
    """Return the place on a circle (0-1) that a sine and a cosine tell; 0 where the feature has none."""
    if f"{of} sin" not in parts:
        return np.zeros(len(next(iter(parts.values()))))
    return np.asarray(np.arctan2(parts[f"{of} sin"], parts[f"{of} cos"]) / (2.0 * np.pi) % 1.0)
