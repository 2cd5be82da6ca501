"""A first training on a summary: what :func:`detector.core.fitted.fit` does, for a table that is not at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from detector.core import content as stored
from detector.core import sample as sampling
from detector.core.behaviour import Behaviour
from detector.core.deriving import with_derived
from detector.core.entity_keys import Floats, Keys
from detector.core.entity_plans import Plan, plans_for
from detector.core.fading import latest_of, time_feature
from detector.core.fitted import Fitted, Settings, encoded
from detector.core.founding import FirstLook, check_dated, check_learnable, check_rows, first_look
from detector.core.histories import EntityHistories
from detector.core.reading import Reading
from detector.core.statistics import FeatureStatistics
from detector.core.table_summary import TableSummary
from detector.errors import InputError


@dataclass(frozen=True, eq=False)
class EntitySummary:
    """What a part of a table tells of the entities of one column, all of whose rows lie in this part.

    Parameters
    ----------
    histories : of the entities.
    statistics : of each comparison, in their order.
    priorities, ties : (m,) uint64, of those rows that may be in the sample.
    values : (m, comparisons) what these were compared to.
    """

    histories: EntityHistories
    statistics: tuple[FeatureStatistics, ...]
    priorities: Keys
    ties: Keys
    values: Floats

    @classmethod
    def begun(cls, plan: Plan) -> Self:
        """Return the summary of no rows."""
        nothing = np.empty(0, np.uint64)
        statistics = tuple(FeatureStatistics.empty("numeric") for _ in plan.comparisons)
        return cls(EntityHistories(len(plan.firsts)), statistics, nothing, nothing, np.empty((0, len(statistics))))

    def with_compared(self, values: Floats, priorities: Keys, ties: Keys, last: int) -> EntitySummary:
        """Return the summary with compared rows (n, comparisons); those of a priority up to ``last`` are kept."""
        kept = priorities <= np.uint64(last)
        columns = zip(self.statistics, values.T, strict=True)
        return EntitySummary(
            self.histories,
            tuple(known.updated_numeric(np.ascontiguousarray(column)) for known, column in columns),
            np.concatenate([self.priorities, priorities[kept]]),
            np.concatenate([self.ties, ties[kept]]),
            np.concatenate([self.values, values[kept]]),
        )

    def merged(self, other: EntitySummary) -> EntitySummary:
        """Return the summary of both parts."""
        pairs = zip(self.statistics, other.statistics, strict=True)
        return EntitySummary(
            self.histories.merged(other.histories),
            tuple(mine.merged(theirs) for mine, theirs in pairs),
            np.concatenate([self.priorities, other.priorities]),
            np.concatenate([self.ties, other.ties]),
            np.concatenate([self.values, other.values]),
        )

    def of_rows(self, priorities: Keys, ties: Keys) -> Floats:
        """Return (k, comparisons) what the rows of these priorities and ties were compared to, NaN if unknown."""
        places = self._places(priorities, ties)
        return np.concatenate([self.values, np.full((1, self.values.shape[1]), np.nan)])[places]

    def lost(self, priorities: Keys, ties: Keys) -> int:
        """Return how many of the rows of these priorities and ties were not met here."""
        return int((self._places(priorities, ties) == len(self.values)).sum())

    def _places(self, priorities: Keys, ties: Keys) -> NDArray[np.intp]:
        found = {
            (priority, tie): place
            for place, (priority, tie) in enumerate(zip(self.priorities.tolist(), self.ties.tolist(), strict=True))
        }
        wanted = zip(priorities.tolist(), ties.tolist(), strict=True)
        return np.array([found.get(row, len(self.values)) for row in wanted], np.intp)

    def to_content(self) -> dict[str, Any]:
        """Return the summary as builtins and arrays."""
        return {
            "histories": self.histories.to_content(), "statistics": [each.to_content() for each in self.statistics],
            "priorities": self.priorities, "ties": self.ties, "values": np.ascontiguousarray(self.values),
        }  # fmt: skip

    @classmethod
    def from_content(cls, content: object) -> Self:
        """Return the summary that :meth:`to_content` described.

        Raises
        ------
        ModelFileError
            When it is anything else.
        """
        names = frozenset({"histories", "statistics", "priorities", "ties", "values"})
        found = stored.fields(content, names, "the summary of entities")
        return cls(
            EntityHistories.from_content(found["histories"]),
            tuple(FeatureStatistics.from_content(each) for each in found["statistics"]),
            found["priorities"], found["ties"], found["values"],
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Begun:
    """A first training that knows the columns, and may still have to be told what the entities did.

    Parameters
    ----------
    summary : of the table.
    look : what the columns are.
    plans : one an entity that a person named.
    """

    summary: TableSummary
    look: FirstLook
    plans: tuple[Plan, ...]

    def fitted(self, settings: Settings, roles: Mapping[str, str], entities: tuple[EntitySummary, ...]) -> Fitted:
        """Return what was learned; ``entities`` has one summary a plan.

        Raises
        ------
        InputError
            When no column is left to learn from.
        """
        readings, statistics = dict(self.look.readings), dict(self.look.statistics)
        sample, n = self.summary.sample, self.summary.sample.seen
        for plan, found in zip(self.plans, entities, strict=True):
            values = found.of_rows(sample.priorities, sample.ties)
            for place, comparison in enumerate(plan.comparisons):
                statistics[comparison.name] = found.statistics[place]
                readings[comparison.name] = _as_reading(np.ascontiguousarray(values[:, place]))
        schema = with_derived(self.look.schema, self.plans, statistics)
        check_learnable(schema, (n, len(self.summary.columns)))
        dated_by = time_feature(schema, roles)
        check_dated(dated_by, is_time=settings.fading.is_time)
        used, drawn = sampling.draw(
            n, schema.width, settings.n_estimators, settings.max_samples, settings.seed, len(sample)
        )
        # Of the latest time and the weights of the rows, those of the sample speak for all.
        seconds = readings[dated_by].values if dated_by is not None else np.full(len(sample), np.nan)
        latest = latest_of(seconds)
        weight = settings.fading.counts(seconds, latest, n)
        rows = encoded(schema, readings, statistics, used)
        histories = tuple(found.histories for found in entities)
        behaviour = Behaviour(self.plans, histories) if self.plans else None
        return Fitted(schema, statistics, replace(drawn, rows=rows, weight=weight, latest=latest).weighed(), behaviour)


def begin(summary: TableSummary, settings: Settings, roles: Mapping[str, str]) -> Begun:
    """Return a first training on a table, from its summary.

    Raises
    ------
    InputError
        When there are fewer than two rows, when a role names a column that is not there, when a column has the name of
        a derived feature, or when more than three columns are named as entities.
    """
    check_rows(summary.sample.seen)
    summary = summary.finished()
    look = first_look(summary, roles, settings.scaler_type)
    plans = plans_for(tuple(look.schema), roles)
    taken = [name for plan in plans for name in plan.names if name in summary.columns]
    if taken:
        raise InputError(f"A column is called {taken[0]!r}, as a feature that is derived here. Rename it.")
    return Begun(summary, look, plans)


def _as_reading(values: NDArray[np.float64]) -> Reading:
    return Reading("numeric", "numeric", values, (), np.isnan(values), np.empty(0, np.intp))
