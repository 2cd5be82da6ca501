"""The first schema: what each column is and how it is encoded, asked of a table or of a summary of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, cast

from detector.core.encoding import parts_for
from detector.core.inference import ColumnFacts
from detector.core.intake import is_flag
from detector.core.judging import Facts, Finding, chosen, judge
from detector.core.later import pd
from detector.core.missing import absence_is_state
from detector.core.reading import Reading, read_column
from detector.core.schema import SCORED_ROLES, Feature, Role, Schema
from detector.core.statistics import FeatureStatistics, Kind, ScalerType
from detector.errors import InputError, nearest_name


class Columns(Protocol):
    """What a first training asks of its columns."""

    @property
    def names(self) -> Iterable[str]:
        """Their names."""

    def facts(self, name: str) -> Facts:
        """Return what tells a column's kind and role."""

    def reading(self, name: str, kind: Kind) -> Reading:
        """Return a column's values, or those of the rows that stand for all of them."""

    def statistics(self, name: str, reading: Reading) -> FeatureStatistics:
        """Return the statistics of all rows, of a column that was read so."""


@dataclass(frozen=True)
class FrameColumns:
    """The columns of a frame."""

    frame: pd.DataFrame

    @property
    def names(self) -> Iterable[str]:
        """Their names."""
        return self.frame.columns

    def facts(self, name: str) -> Facts:
        """Return what tells a column's kind and role."""
        return ColumnFacts(self.frame[name])

    def reading(self, name: str, kind: Kind) -> Reading:
        """Return a column's values."""
        return read_column(self.frame[name], kind)

    def statistics(self, name: str, reading: Reading) -> FeatureStatistics:  # noqa: ARG002  # the reading tells it all
        """Return a column's statistics."""
        return reading.tracked_by(FeatureStatistics.empty(reading.kind), 1.0)


@dataclass(frozen=True)
class FirstLook:
    """What a first training found: the schema, and the readings and statistics of the features that are scored by."""

    schema: Schema
    readings: dict[str, Reading]
    statistics: dict[str, FeatureStatistics]


def first_look(columns: Columns, roles: Mapping[str, str], scaler_type: ScalerType | None) -> FirstLook:
    """Return what the columns are.

    Raises
    ------
    InputError
        When a role names a column that is not there.
    """
    check_roles(roles, columns.names)
    found = FirstLook(Schema(()), {}, {})
    schema = found.schema
    amount_taken = False
    # By name: the order of columns in a file must not matter.
    for name in sorted(columns.names):
        finding = find(name, columns.facts(name), roles, amount_taken=amount_taken)
        amount_taken |= finding.role == "amount"
        feature = Feature(name, finding.kind, finding.role, "left out", finding.reason, revisit=finding.revisit)
        if finding.role in SCORED_ROLES:
            reading = columns.reading(name, finding.kind)
            found.readings[name] = reading
            found.statistics[name] = columns.statistics(name, reading)
            placed = with_columns(feature, reading, found.statistics[name], schema, scaler_type)
            feature = replace(placed, status="learned", flag=is_flag(found.statistics[name]))
        schema = schema.with_features([feature])
    return replace(found, schema=schema)


def find(name: str, facts: Facts, roles: Mapping[str, str], *, amount_taken: bool) -> Finding:
    """Return what a column is: what a person chose, or else what the rules say; a table has one amount."""
    wanted = roles.get(name)
    if wanted is not None:
        return chosen(facts, cast(Role, wanted), judge(name, facts))  # the estimator has checked the texts
    return judge(name, facts, amount_taken=amount_taken or "amount" in roles.values())


def with_columns(
    feature: Feature, reading: Reading, statistics: FeatureStatistics, schema: Schema, scaler_type: ScalerType | None
) -> Feature:
    """Return the feature with its encoded columns, the next ones that are free in the schema."""
    parts, center, spread = parts_for(reading, statistics, scaler_type)
    return schema.placed(
        replace(
            feature,
            parts=parts,
            logarithmic="log value" in parts,
            center=center,
            spread=spread,
            absence_is_state=absence_is_state(statistics, came_later=feature.since > 0),
        )
    )


def check_roles(roles: Mapping[str, str], names: Iterable[str]) -> None:
    """Refuse roles of columns that are not there."""
    known = list(names)
    for name in roles:
        if name not in known:
            near = nearest_name(name, known)
            hint = f" Did you mean {near!r}?" if near else ""
            raise InputError(f"A role is given for {name!r}, but there is no such column.{hint}")


def check_learnable(schema: Schema, shape: tuple[int, ...]) -> None:
    """Refuse a first table, of this shape, of which no column can be learned from."""
    if schema.learned:
        return
    reasons = "; ".join(f"{feature.name}: {feature.reason}" for feature in list(schema)[:5])
    if not reasons:  # in scikit-learn's words
        reasons = f"0 feature(s) (shape={shape}) while a minimum of 1 is required."
    raise InputError(f"No column is left to learn from: {reasons}")


def check_rows(rows: int) -> None:
    """Refuse a first table with fewer than two rows."""
    if rows < 2:
        raise InputError(f"Training needs at least two rows; there {'is' if rows == 1 else 'are'} {rows}."
                         f" Found array with {rows} sample(s) while a minimum of 2 is required.")  # fmt: skip


def check_dated(dated_by: str | None, *, is_time: bool) -> None:
    """Refuse a half-life that is a time, where nothing dates the rows."""
    if is_time and dated_by is None:
        raise InputError(
            "The half-life is a time, but no column of these rows holds times. Give one the role time, or give the"
            " half-life as a number of rows."
        )
