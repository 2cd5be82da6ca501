"""How the columns of a table are read, decided once: then what becomes of a row depends on that row alone.

A batch decides by its own rows under which name a column came, in which unit, and whether it is still what it was. A
table that is worked through by many processes, in batches that nobody chose, is therefore looked at first
(:func:`decided`), and its batches are then read as that look found (:meth:`FixedReading.aligned`). Rows that nobody can
look at beforehand, as in a stream, are read as the model remembers them (:func:`remembered`), which is how a single
record is read.

Columns are Arrow arrays here, and pandas is not needed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.alignment import Aligned, no_known_columns
from detector.core.arrow_reading import ARRAYS, keys_of_array, read_array
from detector.core.behaviour import Behaviour
from detector.core.encoding import encode, unseen_in
from detector.core.entity_keys import Events, Floats
from detector.core.entity_plans import Plan
from detector.core.fitted import Fitted
from detector.core.intake import Known, Way, read_again
from detector.core.later import pd
from detector.core.reading import Reading
from detector.core.report import AlignmentReport

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class FixedReading:
    """How each learned feature is read.

    Parameters
    ----------
    ways : by the feature's name; a feature without one is not used: its column did not come, or holds something else.
    report : what the look at the table found; ``None`` where nobody looked.
    """

    ways: Mapping[str, Way]
    report: AlignmentReport | None = None

    def aligned(self, known: Fitted, columns: Mapping[str, Any]) -> Rows:
        """Return rows in the model's columns, and what became of their values.

        Parameters
        ----------
        columns : Arrow arrays (n,) by name, derived features among them.
        """
        learned = known.schema.learned
        n = len(next(iter(columns.values()), ()))
        matrix = np.full((n, known.schema.width), np.nan, np.float32)
        carried = np.zeros(len(learned), bool)
        unreadable, unseen = np.zeros((n, len(learned)), bool), np.zeros((n, len(learned)), bool)
        for place, feature in enumerate(learned):
            way = self.ways.get(feature.name)
            if way is None:
                continue
            carried[place] = True
            reading = self._read(columns[way.column], way, known.matcher.known[feature.name])
            codes = known.aligner.codes.get(feature.name)
            encode(feature, reading, codes, matrix)
            unreadable[reading.unreadable, place] = True
            if codes is not None:
                unseen[:, place] = unseen_in(reading, codes)
        report = AlignmentReport(n, ())
        return Rows(Aligned(matrix, carried, report), unreadable, unseen, _without(known, matrix, carried))

    def in_known_terms(self, known: Fitted, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Return the columns that tell what entities do under the names and in the units of training."""
        found = dict(columns)
        for name in known.behaviour.sources if known.behaviour is not None else ():
            way = self.ways.get(name)
            if way is None:
                continue
            if way.factor != 1.0 or way.form is not None:
                reading = self._read(columns[way.column], way, known.matcher.known[name])
                found[name] = _as_array(reading.values)
            else:
                found[name] = columns[way.column]
        return found

    def _read(self, column: Any, way: Way, known: Known) -> Reading:
        reading = read_again(column, way, known, ARRAYS)
        if self.report is None and known.feature.flag and len(reading.unreadable):
            return _spelled(reading, column)
        return reading


@dataclass(frozen=True, eq=False)
class Rows:
    """Aligned rows, and for each of them which learned features something is to be told of.

    Parameters
    ----------
    aligned : the rows in the model's columns; its report is empty.
    unreadable : (n, features) bool, values that could not be read.
    unseen : (n, features) bool, categories that training had not.
    without : (n, features) bool, features that the row is scored without.
    """

    aligned: Aligned
    unreadable: Bools
    unseen: Bools
    without: Bools


def decided(known: Fitted, frame: pd.DataFrame, names: Collection[str]) -> FixedReading:
    """Return how a table is to be read of which ``frame`` holds some rows, all if they are few.

    Parameters
    ----------
    frame : rows of the table, without derived features.
    names : of all columns of the table that rows can be scored by.

    Raises
    ------
    NoKnownColumnsError
        When the table carries none of the learned features.
    """
    report = known.align(frame).report
    ways = dict(report.ways)
    if known.behaviour is not None:
        ways |= _derived(known, known.behaviour, {*names, *ways})
    return _checked(known, FixedReading(ways, report))


def remembered(known: Fitted, names: Collection[str]) -> FixedReading:
    """Return how rows with columns of these ``names`` are read that nobody looked at before: as a single record is.

    Raises
    ------
    NoKnownColumnsError
        When none of the learned features is among the columns.
    """
    came = frozenset(names)
    ways: dict[str, Way] = {}
    for feature in known.schema.learned:
        name = next((name for name in (feature.name, *feature.aliases) if name in came), None)
        if name is not None:
            ways[feature.name] = Way(name, feature.factor)
    if known.behaviour is not None:
        ways |= _derived(known, known.behaviour, came.union(ways))
    return _checked(known, FixedReading(ways))


def compared(plan: Plan, events: Events, values: Floats, columns: Collection[str]) -> dict[str, Any]:
    """Return the derived features of one entity as arrays, from what its histories told of the events (n, places)."""
    priced = plan.amount in columns
    return {
        comparison.name: _as_array(np.ascontiguousarray(values[:, comparison.place]))
        for comparison in plan.comparisons
        if len(events) == len(values) and (priced or not comparison.needs_amount)
    }


def events_of(plan: Plan, columns: Mapping[str, Any]) -> Events | None:
    """Return rows whose columns are Arrow arrays as events of an entity; ``None`` without the entity or the time."""
    return plan.events(columns, read_array, keys_of_array)


def _derived(known: Fitted, behaviour: Behaviour, came: Collection[str]) -> dict[str, Way]:
    """Return the ways of derived features: they are used where the columns that they come from did come."""
    learned = {feature.name for feature in known.schema.learned}
    ways = {}
    for plan in behaviour.plans:
        if plan.entity not in came or plan.time not in came:
            continue
        for comparison in plan.comparisons:
            if comparison.name in learned and (plan.amount in came or not comparison.needs_amount):
                ways[comparison.name] = Way(comparison.name)
    return ways


def _checked(known: Fitted, reading: FixedReading) -> FixedReading:
    if not reading.ways:
        raise no_known_columns([feature.name for feature in known.schema.learned])
    return reading


def _without(known: Fitted, matrix: NDArray[np.float32], carried: Bools) -> Bools:
    without: Bools = np.isnan(matrix[:, known.schema.layout.starts])
    without[:, ~carried] = True
    return without


def _spelled(reading: Reading, column: Any) -> Reading:
    """Return a flag's values with those that are no numbers read as yes and no, each by itself."""
    flags = read_array(column, "boolean").values
    values = np.where(np.isnan(reading.values), flags, reading.values)
    left = reading.unreadable[np.isnan(values[reading.unreadable])]
    return replace(reading, values=values, unreadable=left)


def _as_array(values: Floats) -> Any:
    import pyarrow as pa

    return pa.array(values, pa.float64())
