"""Registering columns that rows carry and the model does not know, without learning from them yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from detector.core.fitted import ROWS_TO_LEARN, Fitted
from detector.core.inference import infer_kind
from detector.core.later import pd
from detector.core.reading import read_column
from detector.core.schema import SCORED_ROLES, Feature, Role, Schema
from detector.core.statistics import FeatureStatistics


def worth_counting(schema: Schema, names: Iterable[str]) -> list[str]:
    """Return which of new columns are to be registered or counted: those that no update has given columns yet."""
    return [name for name in names if name not in schema.by_name or _waits(schema.by_name[name])]


def observed(known: Fitted, batches: Sequence[pd.DataFrame], roles: Mapping[str, str]) -> Fitted:
    """Return ``known`` with the columns of ``batches`` registered and counted; forests and calibrations stay.

    Parameters
    ----------
    batches : rows of new columns only; not every batch need have all of them.
    roles : as the user chose them; a column whose role keeps it out of scores is registered and not counted.
    """
    by_name: dict[str, list[pd.Series]] = {}
    for batch in batches:
        for name in worth_counting(known.schema, batch.columns):
            by_name.setdefault(name, []).append(batch[name])
    schema, statistics = known.schema, dict(known.statistics)
    for name, columns in by_name.items():
        column = pd.concat([part.astype(object) for part in columns], ignore_index=True).infer_objects()
        feature = schema.by_name.get(name)
        if feature is None:
            feature = _registered(name, column, cast(Role, roles.get(name, "input")), known.sample.seen)
            schema = schema.with_features([feature])
        if feature.status == "observed":
            reading = read_column(column, feature.kind)
            statistics[name] = reading.tracked_by(statistics.get(name, FeatureStatistics.empty(feature.kind)), 1.0)
    return known.with_observed(schema, statistics)


def _waits(feature: Feature) -> bool:
    return feature.status == "observed" and not feature.parts


def _registered(name: str, column: pd.Series, role: Role, seen: int) -> Feature:
    reason = f"Registered; learned once {ROWS_TO_LEARN} rows of updates carry it."
    feature = Feature(name, infer_kind(column), role, "observed", reason, since=seen)
    return feature if role in SCORED_ROLES else replace(feature, status="left out", reason="You chose this role.")
