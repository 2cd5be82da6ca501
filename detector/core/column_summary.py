"""What a first training needs to know of one column, in bounded memory: kept of parts of a table, and merged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detector.core import content as stored
from detector.core.arrow_reading import is_text, kind_of_type, read_array
from detector.core.inference import BOOLEAN_TEXTS, kind_of_texts
from detector.core.judging import TEXTS_LOOKED_AT, Steps, are_whole
from detector.core.names import Name
from detector.core.numerals import number_of
from detector.core.reading import Reading
from detector.core.statistics import FeatureStatistics, Kind
from detector.core.times import TIME_TEXT

_FIELDS = frozenset({"kind", "text", "present", "whole", "steps", "last", "statistics"})
# The pattern of times, as Arrow's engine writes it.
_TIME = "^(?:" + TIME_TEXT + ")$"


def kinds_to_track(name: str, kind: pa.DataType, role: str | None) -> tuple[Kind, ...]:
    """Return as what kinds a column may come to be learned, by its type, its name and the role that a person chose."""
    found = kind_of_type(kind)
    kinds: list[Kind] = [found]
    said = Name(name)
    if is_text(kind):
        kinds.append("datetime")
    elif found == "numeric" and (said.code or said.identifier):
        kinds.append("categorical")
    if role == "amount" and found != "numeric":
        kinds.append("numeric")
    return tuple(kinds)


@dataclass(frozen=True, eq=False)
class ColumnSummary:
    """What is known of the values of one column.

    Parameters
    ----------
    kind : what its type says that it holds.
    text : whether it holds texts, which may be times or flags.
    statistics : as each kind that it may come to be learned as.
    present : rows with a value, readable or not.
    whole : whether all numbers are whole.
    steps : how they go on from row to row, within parts.
    last : the number that came last in this part; NaN before the first.
    """

    kind: Kind
    text: bool
    statistics: Mapping[Kind, FeatureStatistics]
    present: int = 0
    whole: bool = True
    steps: Steps = field(default_factory=Steps)
    last: float = math.nan

    @classmethod
    def begun(cls, name: str, kind: pa.DataType, role: str | None = None) -> Self:
        """Return the summary of a column of an Arrow type, of which nothing was seen yet."""
        kinds = kinds_to_track(name, kind, role)
        return cls(kind_of_type(kind), is_text(kind), {each: FeatureStatistics.empty(each) for each in kinds})

    def with_values(self, column: Any) -> ColumnSummary:
        """Return the summary with the values of an Arrow array let in, which come behind those before."""
        readings = {kind: _read(column, kind) for kind in self.statistics}
        statistics = {kind: reading.tracked_by(self.statistics[kind], 1.0) for kind, reading in readings.items()}
        present = len(column) - int(pc.sum(pc.is_null(column, nan_is_null=_may_be_nan(column))).as_py() or 0)
        grown = replace(self, statistics=statistics, present=self.present + present)
        if self.kind != "numeric":
            return grown
        numbers = readings["numeric"].values
        numbers = numbers[~readings["numeric"].absent]
        if not len(numbers):
            return grown
        before = numbers if math.isnan(self.last) else np.concatenate([[self.last], numbers])
        steps = self.steps.merged(Steps.of(before))
        return replace(grown, whole=self.whole and are_whole(numbers), steps=steps, last=float(numbers[-1]))

    def merged(self, other: ColumnSummary) -> ColumnSummary:
        """Return the summary of both parts.

        Raises
        ------
        ValueError
            When the two are of columns of different types.
        """
        if (self.kind, self.text, set(self.statistics)) != (other.kind, other.text, set(other.statistics)):
            raise ValueError("summaries of columns of different types cannot be merged")
        return ColumnSummary(
            self.kind,
            self.text,
            {kind: found.merged(other.statistics[kind]) for kind, found in self.statistics.items()},
            self.present + other.present,
            self.whole and other.whole,
            self.steps.merged(other.steps),
        )

    def as_kind(self, kind: Kind) -> FeatureStatistics:
        """Return the statistics of the column read as ``kind``."""
        if kind in self.statistics:
            return self.statistics[kind]
        if not self.present:  # of no value any kind can be said
            known = self.statistics[self.kind]
            return replace(FeatureStatistics.empty(kind), rows=known.rows, absent=known.absent)
        assert kind == "boolean", f"a {self.kind} column is not learned as {kind}"
        known = self.statistics["categorical"]
        counts = {"true": 0.0, "false": 0.0}
        for text, weight in known.weights.items():
            meant = BOOLEAN_TEXTS.get(text.strip().lower())
            if meant is not None:
                counts["true" if meant else "false"] += weight
        absent = known.rows - round(sum(counts.values()))
        return FeatureStatistics.empty("boolean").updated_categorical(
            tuple(counts), np.array(list(counts.values())), absent
        )

    def to_content(self) -> dict[str, Any]:
        """Return the summary as builtins and arrays."""
        return {
            "kind": self.kind, "text": self.text, "present": self.present, "whole": self.whole,
            "steps": [self.steps.count, self.steps.down, self.steps.not_down], "last": self.last,
            "statistics": [found.to_content() for found in self.statistics.values()],
        }  # fmt: skip

    @classmethod
    def from_content(cls, content: object) -> Self:
        """Return the summary that :meth:`to_content` described.

        Raises
        ------
        ModelFileError
            When it is anything else.
        """
        found = stored.fields(content, _FIELDS, "the summary of a column")
        statistics = [FeatureStatistics.from_content(each) for each in found["statistics"]]
        return cls(
            found["kind"], found["text"], {each.kind: each for each in statistics}, found["present"], found["whole"],
            Steps(*found["steps"]), found["last"],
        )  # fmt: skip


@dataclass(frozen=True)
class SummaryFacts:
    """The facts of a column, from its summary and from the rows that stand for all.

    Parameters
    ----------
    summary : of all rows.
    values : some of the column's values that are there, as Python has them.
    rows : how many rows there are.
    """

    summary: ColumnSummary
    values: Sequence[object]
    rows: int

    @property
    def kind(self) -> Kind:
        """What its values look like."""
        if not self.present:
            return "numeric" if self.summary.text else self.summary.kind
        return kind_of_texts(cast("Sequence[str]", self.texts)) if self.summary.text else self.summary.kind

    @property
    def present(self) -> int:
        """How many rows have a value."""
        return self.summary.present

    @property
    def distinct(self) -> int:
        """How many different values there are: exact below 2,048 (10,000 categories), else off by 2.2 %.

        Those that are no value of its kind, such as blank texts, count as one.
        """
        known = self.summary.statistics[self.summary.kind]
        return known.distinct + int(self.summary.present > known.present)

    @property
    def least(self) -> float:
        """The least of its numbers."""
        return self.summary.statistics[self.summary.kind].minimum

    @property
    def greatest(self) -> float:
        """The greatest of its numbers."""
        return self.summary.statistics[self.summary.kind].maximum

    @property
    def whole(self) -> bool:
        """Whether its numbers are all whole."""
        return self.summary.whole

    @property
    def steps(self) -> Steps:
        """How its numbers go on from row to row, within the parts of the table."""
        return self.summary.steps

    @property
    def texts(self) -> Sequence[object]:
        """Some of its values."""
        return self.values[:TEXTS_LOOKED_AT]

    @property
    def mostly_numbers(self) -> bool:
        """Whether half of its values or more can be read as numbers."""
        if self.kind in ("numeric", "boolean") or not self.values:
            return True
        return sum(math.isfinite(number_of(value)) for value in self.values) >= 0.5 * len(self.values)


def _read(column: Any, kind: Kind) -> Reading:
    if kind == "datetime" and is_text(column.type) and not pc.any(pc.match_substring_regex(column, _TIME)).as_py():
        nothing = np.full(len(column), np.nan)
        return Reading(kind, "categorical", nothing, (), np.isnan(nothing), np.empty(0, np.intp))
    return read_array(column, kind)


def _may_be_nan(column: Any) -> bool:
    return bool(pa.types.is_floating(column.type))
