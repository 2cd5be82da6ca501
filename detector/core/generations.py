"""What an update does with columns that changed their name or their type.

A column that came under another name goes on as the feature that it is, and the name is remembered. A column that came
as another type is learned beside what was known of it, as a feature that *stands by* under a name of its own; once as
many rows carry it as a new column needs, the two change places. What was learned first keeps its rows and statistics,
and takes its place again when such values come back. Values of two types are never in one feature.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from detector.core.inference import Finding
from detector.core.intake import Intake
from detector.core.later import pd
from detector.core.matching import Matcher
from detector.core.numerals import numbers_of_column
from detector.core.schema import SCORED_ROLES, Feature, Schema
from detector.core.statistics import FeatureStatistics
from detector.core.wording import AS_KIND


def with_names(
    matcher: Matcher, frame: pd.DataFrame, statistics: Mapping[str, FeatureStatistics]
) -> tuple[Schema, dict[str, FeatureStatistics]]:
    """Return the schema with the names that the features have in ``frame``, and the statistics that go with it.

    A name that was only observed until now is the feature's. A name that comes beside the feature's own is another
    column's after all, and no longer the feature's.
    """
    schema, kept = matcher.schema, dict(statistics)
    both = {
        alias for alias in schema.by_alias if alias in frame.columns and schema.feature_of(alias, frame.columns) is None
    }
    changed = [
        replace(feature, aliases=tuple(alias for alias in feature.aliases if alias not in both))
        for feature in schema
        if not both.isdisjoint(feature.aliases)
    ]
    schema = schema.with_features(changed)
    for name, match in matcher.columns_of(frame).items():
        feature = schema.by_name[name]
        if match.column != name and match.column not in feature.aliases:
            kept.pop(match.column, None)
            schema = Schema(tuple(other for other in schema if other.name != match.column))
            schema = schema.with_features([replace(feature, aliases=(*feature.aliases, match.column))])
    return schema, kept


def as_found(column: pd.Series, intake: Intake) -> pd.Series:
    """Return a column as what it was found to be: numbers that came as text are numbers."""
    if intake.reading.kind_found == "numeric" and column.dtype.kind in "OU":
        return pd.Series(numbers_of_column(column), index=column.index)
    return column


def beside(schema: Schema, feature: Feature, finding: Finding, seen: int) -> Feature | None:
    """Return the feature that learns a column's values of another type; ``None`` when there is nothing to learn.

    Parameters
    ----------
    feature : what the column was read as until now.
    finding : what its values are now.
    seen : rows that the model had seen before these.
    """
    if finding.role not in SCORED_ROLES or finding.kind == feature.kind:
        return None
    for other in schema:
        if other.stands_by_for == feature.name and other.kind == finding.kind:
            return other
    name = _aside(schema, feature.name, finding.kind)
    return Feature(name, finding.kind, finding.role, "observed", finding.reason, since=seen, stands_by_for=feature.name)


def settled(
    schema: Schema,
    statistics: Mapping[str, FeatureStatistics],
    recorded: Mapping[str, int],
    came: Collection[str],
    enough: int,
) -> tuple[Schema, dict[str, FeatureStatistics]]:
    """Return schema and statistics after a batch, in which features may have changed places.

    Parameters
    ----------
    recorded : how many rows of the sample carry each feature.
    came : the features that the batch had values for.
    enough : so many rows make a feature learned.
    """
    tracked = dict(statistics)
    for other in [feature for feature in schema if feature.stands_by_for and feature.name in came]:
        rows = recorded[other.name]
        if rows < enough:
            reason = f"Its column came as {AS_KIND[other.kind]}; learned once {enough} rows carry it ({rows} so far)."
            schema = schema.with_features([replace(other, reason=reason)])
            continue
        now = schema.by_name[other.stands_by_for]
        aside = _aside(schema, now.name, now.kind)
        told = f"Its column came as {AS_KIND[other.kind]}, and was learned anew from {rows:,} rows that carry it."
        kept = f"Its column holds {AS_KIND[other.kind]} now; what was known of it is kept, in case it changes back."
        new = replace(
            other, name=now.name, status="learned", reason=told, aliases=now.aliases, revisit=False, stands_by_for=""
        )
        old = replace(now, name=aside, status="retired", reason=kept, aliases=(), stands_by_for=now.name)
        places = {now.name: old, other.name: new}
        schema = Schema(tuple(places.get(feature.name, feature) for feature in schema))
        tracked[now.name], tracked[aside] = tracked.pop(other.name), tracked[now.name]
    return schema, tracked


def _aside(schema: Schema, name: str, kind: str) -> str:
    """Return a name that no feature has for what a column held as this kind."""
    found = f"{name} ({AS_KIND[kind]})"
    while found in schema.by_name or found in schema.by_alias:
        found += "'"
    return found
