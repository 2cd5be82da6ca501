"""Registering columns that rows carry and the model does not know, without learning from them yet.

What is known of such a column goes from process to process as bytes: whoever counts rows goes on from what was told,
so that rows counted in turns give what one process that had seen all of them would know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from detector.core import archive
from detector.core import content as stored
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


def counted(
    known: Fitted, batches: Sequence[pd.DataFrame], roles: Mapping[str, str], told: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Return what is to be told of the new columns of ``batches``, by name, on top of what was ``told`` of them.

    Raises
    ------
    ModelFileError
        When the bytes are damaged.
    """
    names = worth_counting(known.schema, dict.fromkeys(name for batch in batches for name in batch.columns))
    after = observed(knowing(known, told.values()), batches, roles)
    return {name: _to_bytes(after.schema.by_name[name], after.statistics.get(name)) for name in names}


def knowing(known: Fitted, told: Iterable[bytes]) -> Fitted:
    """Return ``known`` with what was ``told`` of new columns, in place of what it knew of them.

    Raises
    ------
    ModelFileError
        When the bytes are damaged.
    """
    schema, statistics = known.schema, dict(known.statistics)
    for data in told:
        feature, tracked = _from_bytes(data)
        if worth_counting(known.schema, [feature.name]):
            schema = schema.with_features([feature])
            if tracked is not None:
                statistics[feature.name] = tracked
    return known.with_observed(schema, statistics)


def _to_bytes(feature: Feature, statistics: FeatureStatistics | None) -> bytes:
    tracked = None if statistics is None else statistics.to_content()
    return archive.to_bytes({"feature": Schema((feature,)).to_content(), "statistics": tracked})


def _from_bytes(data: bytes) -> tuple[Feature, FeatureStatistics | None]:
    found = stored.fields(archive.from_bytes(data), frozenset({"feature", "statistics"}), "an observed column")
    features = Schema.from_content(found["feature"]).features
    statistics = None if found["statistics"] is None else FeatureStatistics.from_content(found["statistics"])
    if len(features) != 1 or features[0].takes_part or features[0].parts:
        raise stored.damaged("what was observed is not one new column")
    if statistics is not None and statistics.kind != features[0].kind:
        raise stored.damaged("the statistics of an observed column are of another kind")
    return features[0], statistics


def _waits(feature: Feature) -> bool:
    return feature.status == "observed" and not feature.parts


def _registered(name: str, column: pd.Series, role: Role, seen: int) -> Feature:
    reason = f"Registered; learned once {ROWS_TO_LEARN} rows of updates carry it."
    feature = Feature(name, infer_kind(column), role, "observed", reason, since=seen)
    return feature if role in SCORED_ROLES else replace(feature, status="left out", reason="You chose this role.")
