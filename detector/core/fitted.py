"""A fitted model as a value: what was learned, and how to learn more from a batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detector.core import generations
from detector.core import sample as sampling
from detector.core.alignment import Aligned, Aligner, AlignmentReport
from detector.core.behaviour import Behaviour
from detector.core.decisions import NO_DECISIONS, Decisions
from detector.core.deriving import derive
from detector.core.encoding import CategoryCodes, encode, refresh_rarities
from detector.core.fading import HalfLife, elapsed_between, later_of, latest_of, seconds_in, time_feature
from detector.core.forest import Encoded
from detector.core.founding import (
    FrameColumns,
    check_dated,
    check_learnable,
    check_rows,
    find,
    first_look,
    with_columns,
)  # fmt: skip
from detector.core.inference import ColumnFacts
from detector.core.intake import Known, is_flag, take_in
from detector.core.kept_views import Views
from detector.core.later import pd
from detector.core.matching import Matcher
from detector.core.missing import absence_is_state, column_is_missing
from detector.core.reading import Reading
from detector.core.sample import Sample
from detector.core.schema import SCORED_ROLES, Feature, Schema, Status
from detector.core.statistics import FeatureStatistics, ScalerType
from detector.core.views import Signature
from detector.errors import InputError

#: A new column takes part in scores once so many rows of the sample carry it.
ROWS_TO_LEARN = 32
#: A column that fewer calibration rows than this share still carry no longer belongs to what the model expects.
RETIRED_SHARE = 1 / 64
#: Rows on which importance is measured.
IMPORTANCE_ROWS = 512


@dataclass(frozen=True)
class Settings:
    """The parameters that learning needs, checked; see :class:`detector.core.model.DynamicAnomalyDetector`."""

    n_estimators: int
    max_samples: int
    scaler_type: ScalerType | None
    half_life: float
    seed: int
    half_life_seconds: float = math.inf

    @property
    def fading(self) -> HalfLife:
        """After how many rows, or how much time, an old row counts half."""
        return HalfLife(self.half_life, self.half_life_seconds)


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a model knows.

    Parameters
    ----------
    schema : the features.
    statistics : of each feature that takes part in scores or waits to.
    sample : encoded training rows, bags and calibration rows.
    behaviour : what the entities did that a person named, or ``None``.
    decisions : what was said of rows.
    """

    schema: Schema
    statistics: Mapping[str, FeatureStatistics]
    sample: Sample
    behaviour: Behaviour | None = None
    decisions: Decisions = NO_DECISIONS

    @cached_property
    def views(self) -> Views:
        """The forests and calibrations, grown on demand."""
        return Views(self.sample, self.schema.layout).taught(self.decisions)

    @cached_property
    def everything(self) -> Signature:
        """The signature of rows that carry every learned feature."""
        return tuple(range(len(self.schema.learned)))

    @cached_property
    def importance(self) -> dict[str, float]:
        """Each learned feature's share (0-1) of how much splits set the model's own rows apart, decisions aside."""
        view = self.views.undecided.get(self.everything)
        rows = view.calibration_rows()[:IMPORTANCE_ROWS]
        by_column = np.abs(view.forest.attribution(rows)).mean(axis=0)
        sums = {feature.name: float(by_column[list(feature.columns)].sum()) for feature in self.schema.learned}
        total = sum(sums.values())
        return {name: value / total if total > 0.0 else 1.0 / len(sums) for name, value in sums.items()}

    def with_observed(self, schema: Schema, statistics: Mapping[str, FeatureStatistics]) -> Fitted:
        """Return the model with more observed features; what was grown and measured stays: nothing was learned."""
        return self._like(replace(self, schema=schema, statistics=statistics))

    def with_behaviour(self, behaviour: Behaviour | None) -> Fitted:
        """Return the model with other histories; what was grown and measured stays."""
        return self._like(replace(self, behaviour=behaviour))

    def with_decisions(self, decisions: Decisions) -> Fitted:
        """Return the model under other decisions; what was grown and measured stays."""
        other = self._like(replace(self, decisions=decisions))
        other.__dict__["views"] = self.views.taught(decisions)
        return other

    def _like(self, other: Fitted) -> Fitted:
        for name in ("views", "importance"):
            if name in self.__dict__:
                other.__dict__[name] = self.__dict__[name]
        return other

    def beside(self, frame: pd.DataFrame, after: AlignmentReport | None = None) -> pd.DataFrame:
        """Return ``frame`` with the features that are derived from what its entities did before.

        ``after`` is the report on the pieces before, see :meth:`detector.core.alignment.Aligner.align`.
        """
        if self.behaviour is None or not self.behaviour.looks_at(frame):
            return frame
        return self.behaviour.beside(frame, self.in_known_terms(frame, after))

    def in_known_terms(self, rows: pd.DataFrame, after: AlignmentReport | None = None) -> pd.DataFrame:
        """Return rows with the columns that tell what entities do under the names and in the units of training."""
        if self.behaviour is None:
            return rows
        return self.matcher.in_known_terms(rows, self.behaviour.sources, None if after is None else after.ways)

    def align(self, frame: pd.DataFrame, after: AlignmentReport | None = None) -> Aligned:
        """Return a batch in the model's columns, derived features among them.

        ``after`` is the report on the pieces before, see :meth:`detector.core.alignment.Aligner.align`.
        """
        frame = self.beside(frame, after)
        aligned = self.aligner.align(frame, after)
        if self.behaviour is None:
            return aligned
        came = {*frame.columns, *aligned.report.ways}
        return replace(aligned, report=self.behaviour.summarised(aligned.report, came))

    @cached_property
    def matcher(self) -> Matcher:
        """Finds the columns of the features, whatever they are called."""
        return Matcher(self.schema, self.statistics, self.sample)

    @cached_property
    def aligner(self) -> Aligner:
        """Brings batches into the model's columns."""
        return Aligner(self.matcher, lambda: self.importance)


def fit(frame: pd.DataFrame, settings: Settings, roles: Mapping[str, str]) -> Fitted:
    """Learn from a first table.

    Raises
    ------
    InputError
        When there are fewer than two rows, when a role names a column that is not there, or when no column is left to
        learn.
    """
    check_rows(len(frame))
    found = first_look(FrameColumns(frame), roles, settings.scaler_type)
    readings, statistics = found.readings, found.statistics
    shape = frame.shape
    frame, behaviour, schema = derive(frame, found.schema, roles, readings, statistics)
    check_learnable(schema, shape)
    dated_by = time_feature(schema, roles)
    check_dated(dated_by, is_time=settings.fading.is_time)
    used, sample = sampling.draw(len(frame), schema.width, settings.n_estimators, settings.max_samples, settings.seed)
    seconds = readings[dated_by].values if dated_by is not None else np.full(len(frame), np.nan)
    latest = latest_of(seconds)
    weight = settings.fading.counts(seconds, latest)
    rows = encoded(schema, readings, statistics, used)
    return Fitted(schema, statistics, replace(sample, rows=rows, weight=weight, latest=latest).weighed(), behaviour)


def encoded(
    schema: Schema,
    readings: Mapping[str, Reading],
    statistics: Mapping[str, FeatureStatistics],
    used: NDArray[np.int64],
) -> Encoded:
    """Return the ``used`` rows (r,) of what was read, encoded in the columns of the learned features."""
    rows = np.full((len(used), schema.width), np.nan, np.float32)
    for feature in schema.learned:
        codes = CategoryCodes(statistics[feature.name]) if feature.kind == "categorical" else None
        encode(feature, readings[feature.name].take(used), codes, rows)
    return rows


def update(
    known: Fitted,
    frame: pd.DataFrame,
    settings: Settings,
    roles: Mapping[str, str],
    resample: Callable[[Sample, Encoded], Sample] | None = None,
) -> Fitted:
    """Learn from another batch; ``known`` stays as it is, and the cost does not depend on how much it has seen.

    Parameters
    ----------
    resample : lets the encoded batch (n, d) into the sample; by default :func:`detector.core.sample.updated`.

    Raises
    ------
    InputError
        When there are no rows, or none of their columns can be learned from.
    """
    if frame.empty:
        raise InputError("An update needs at least one row.")
    seconds = seconds_in(frame, time_feature(known.schema, roles))
    now = latest_of(seconds)
    fade = settings.fading.fade(len(frame), elapsed_between(known.sample.latest, now))
    schema, statistics = generations.with_names(known.matcher, frame, known.statistics)
    readings: dict[str, Reading] = {}
    behaviour = known.behaviour
    if behaviour is not None:
        frame, behaviour = behaviour.learned(frame, known.in_known_terms(frame))
    for name in sorted(frame.columns):
        feature = schema.feature_of(name, frame.columns)
        if feature is None or _is_open(feature, roles):
            feature = _new_feature(name, frame[name], feature, roles, schema, known.sample.seen)
            schema = schema.with_features([feature])
            # What was observed so far may have looked like another kind, or like something to learn from.
            if name in statistics and (statistics[name].kind != feature.kind or feature.role not in SCORED_ROLES):
                del statistics[name]
        if feature.role not in SCORED_ROLES:
            continue
        before = statistics.get(feature.name, FeatureStatistics.empty(feature.kind))
        intake = take_in(name, frame[name], Known(feature, before))
        if column_is_missing(intake.reading.absent, before):
            continue
        if intake.retyped:
            came = ColumnFacts(generations.as_found(frame[name], intake))
            finding = find(feature.name, came, roles, amount_taken=any(other.role == "amount" for other in schema))
            other = generations.beside(schema, feature, finding, known.sample.seen)
            if other is None:
                continue
            feature, before = other, statistics.get(other.name, FeatureStatistics.empty(other.kind))
            intake = take_in(name, frame[name], Known(feature, before))
            if intake.retyped:
                continue
        readings[feature.name] = intake.reading
        tracked = statistics[feature.name] = intake.reading.tracked_by(before, fade)
        if not feature.parts:
            feature = with_columns(feature, intake.reading, tracked, schema, settings.scaler_type)
        # A new entity has no habit yet: its rows are judged without one, not by the lack of it.
        state = not feature.derived and absence_is_state(tracked, came_later=feature.since > 0)
        schema = schema.with_features(
            [replace(feature, absence_is_state=state, flag=is_flag(tracked), factor=intake.way.factor)]
        )

    if not readings:
        raise InputError("None of the columns in these rows can be learned from; the model stays as it was.")
    batch = np.full((len(frame), schema.width), np.nan, np.float32)
    old = known.sample.widened(schema.width)
    old = replace(old, rows=old.rows.copy())
    decisions = known.decisions.widened(schema.width)
    decided = decisions.rows.copy()
    for feature in schema.encoded:
        codes = CategoryCodes(statistics[feature.name]) if feature.kind == "categorical" else None
        if feature.name in readings:
            encode(feature, readings[feature.name], codes, batch)
        if codes is not None:
            refresh_rarities(feature, codes, old.rows)
            refresh_rarities(feature, codes, decided)
    if resample is None:
        sample = sampling.updated(
            old, batch, settings.max_samples, settings.half_life, settings.seed,
            fade=fade, counts=settings.fading.counts(seconds, later_of(old.latest, now)),
        )  # fmt: skip
    else:
        sample = resample(old, batch)
    sample = replace(sample, latest=later_of(sample.latest, now))
    schema = schema.with_features(_restated(schema, sample))
    if any(feature.stands_by_for for feature in schema):
        recorded = _recorded(sample.rows).tolist()
        rows = {feature.name: recorded[feature.first_column] for feature in schema.encoded}
        schema, statistics = generations.settled(schema, statistics, rows, readings, ROWS_TO_LEARN)
    return Fitted(schema, statistics, sample, behaviour, replace(decisions, rows=decided))


def _is_open(feature: Feature, roles: Mapping[str, str]) -> bool:
    """Return whether it has yet to be found what the feature is; once found, a small batch does not overturn it."""
    if feature.parts:
        return False
    return feature.revisit or feature.status == "observed" or roles.get(feature.name, feature.role) != feature.role


def _new_feature(
    name: str, column: pd.Series, known: Feature | None, roles: Mapping[str, str], schema: Schema, seen: int
) -> Feature:
    taken = any(feature.role == "amount" for feature in schema if feature.name != name)
    finding = find(name, ColumnFacts(column), roles, amount_taken=taken)
    status: Status = "observed" if finding.role in SCORED_ROLES else "left out"
    since = known.since if known is not None else seen
    return Feature(name, finding.kind, finding.role, status, finding.reason, since=since, revisit=finding.revisit)


def _restated(schema: Schema, sample: Sample) -> list[Feature]:
    """Return the features whose status the new sample changes: learned, not yet learned, or no longer there."""
    changed = []
    recorded = _recorded(sample.rows)
    calibrated = _recorded(sample.rows[sample.calibration])
    gone = []
    for feature in schema.encoded:
        if feature.stands_by_for:
            continue
        rows = int(recorded[feature.first_column])
        share = calibrated[feature.first_column] / len(sample.calibration)
        if feature.status == "learned" and share < RETIRED_SHARE and rows < ROWS_TO_LEARN:
            reason = "It has not come for so long that the model no longer expects it."
            gone.append(replace(feature, status="retired", reason=reason))
        elif feature.status != "learned" and rows >= ROWS_TO_LEARN:
            changed.append(replace(feature, status="learned", reason=f"Learned from {rows:,} rows that carry it."))
        elif feature.status == "observed":
            reason = f"Registered; learned once {ROWS_TO_LEARN} rows carry it ({rows} so far)."
            changed.append(replace(feature, reason=reason))
    # A model without a single learned feature could score nothing.
    return changed + gone if len(gone) < len(schema.learned) or _some_learned(changed) else changed


def _some_learned(features: list[Feature]) -> bool:
    return any(feature.takes_part for feature in features)


def _recorded(rows: Encoded) -> NDArray[np.intp]:
    return np.asarray((~np.isnan(rows)).sum(axis=0), np.intp)
