"""The features that training derives from what the named entities did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from detector.core.behaviour import Behaviour
from detector.core.entity_plans import Comparison, Plan, plans_for, scale_of
from detector.core.later import pd
from detector.core.reading import Reading, read_column
from detector.core.schema import Feature, Schema, Status
from detector.core.statistics import FeatureStatistics
from detector.errors import InputError

#: Rows of training that must compare with a habit, for the comparison to be learned.
FEWEST_ROWS = 32


def derive(
    frame: pd.DataFrame,
    schema: Schema,
    roles: Mapping[str, str],
    readings: dict[str, Reading],
    statistics: dict[str, FeatureStatistics],
) -> tuple[pd.DataFrame, Behaviour | None, Schema]:
    """Return training rows with derived columns, the histories behind them, and the schema with the new features.

    Their ``readings`` and ``statistics`` are added to what the caller has. Without a named entity nothing changes.

    Raises
    ------
    InputError
        When a column has the name of a derived feature, or more than three columns are named as entities.
    """
    behaviour = Behaviour.begun(plans_for(tuple(schema), roles))
    if not behaviour.plans:
        return frame, None, schema
    taken = [name for name in behaviour.names if name in frame.columns]
    if taken:
        raise InputError(f"A column is called {taken[0]!r}, as a feature that is derived here. Rename it.")
    frame, behaviour = behaviour.learned(frame)
    for name in behaviour.names:
        readings[name] = read_column(frame[name], "numeric")
        statistics[name] = readings[name].tracked_by(FeatureStatistics.empty("numeric"), 1.0)
    return frame, behaviour, with_derived(schema, behaviour.plans, statistics)


def with_derived(schema: Schema, plans: Iterable[Plan], statistics: Mapping[str, FeatureStatistics]) -> Schema:
    """Return the schema with the derived features, whose ``statistics`` are known."""
    for comparison in (comparison for plan in plans for comparison in plan.comparisons):
        found = statistics[comparison.name]
        # Where hardly an entity came twice there is nothing to compare with yet; an update goes on from here.
        status: Status = "learned" if found.present >= FEWEST_ROWS else "observed"
        schema = schema.with_features([_feature(comparison, status, found, schema)])
    return schema


def _feature(comparison: Comparison, status: Status, statistics: FeatureStatistics, schema: Schema) -> Feature:
    return schema.placed(
        Feature(
            comparison.name, "numeric", "input", status, comparison.reason,
            parts=(comparison.part,), center=scale_of(comparison, statistics),
        )
    )  # fmt: skip
