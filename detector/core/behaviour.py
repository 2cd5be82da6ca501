"""What an entity usually does, and how each of its rows compares with it: features derived from a card's own past.

Where a person names an entity (a card, a customer, a machine), its rows are compared with a habit: decayed counts and
sums with half-lives of 42 minutes, 17 hours, 4.9 and 21 days, which are what fades to 1/e over an hour, a day, a week
and thirty days: a steady pace of r rows a day comes to r in the day's window. Such a counter is one number that fades
with the time since the last event (Cormode, Shkapenyuk, Srivastava and Xu, "Forward decay", ICDE 2009), the same for a
file, a stream and a single request, and counters of two parts of the data add up once they have faded to the same time.

Every comparison is a ratio to the entity's own habit over thirty days, with three rows of habit added on both sides, so
that few rows make no headline:

- the amount, to the mean amount;
- rows, sum of amounts and amount a row within an hour, a day and a week, to what the habit gives for as long;
- the time since the last row, to the usual one;
- a first value of a merchant, a device, a country and their like: in how many rows of this entity there is one.

A row is compared with what came before it. What lies below its floor, one and a half times the habit, or below the nine
tenths of the training rows that lie lowest, all counts as ordinary (but for the eight that lie highest): trees that
split on such a column set apart what is out of the ordinary, and do not spend themselves on who shops a little more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from detector.core import content as stored
from detector.core import shared_events
from detector.core.entity_keys import Events, Floats
from detector.core.entity_plans import MOST_ENTITY_COLUMNS, Plan
from detector.core.histories import EntityHistories
from detector.core.later import pd
from detector.core.report import AlignmentReport, ColumnFinding
from detector.core.schema import Feature
from detector.core.shared_events import Came
from detector.core.statistics import FeatureStatistics
from detector.core.wording import value_text


def derived_words(feature: Feature) -> Callable[[float], str]:
    """Return what puts a value of a derived feature into words."""
    if feature.parts == ("first time",):
        return lambda value: f"a first time, as in one of {value:.0f} of its rows" if value > 1.0 else "not new"
    return lambda value: f"{value_text(float(f'{value:.3g}'))} times what is usual for it"


def derived_usual(feature: Feature, statistics: FeatureStatistics) -> str:
    """Return what is usual for a derived feature over all entities, in words."""
    if feature.parts == ("first time",):
        return f"ordinary up to one of {math.exp(feature.center):.0f}"
    low, high = (value_text(float(f"{value:.3g}")) for value in statistics.quantile([0.05, 0.95]).tolist())
    return f"nine tenths of all rows lie from {low} to {high}"


@dataclass(frozen=True)
class Habit:
    """Where the usual amount of an entity is told: the entity's column, the amount's, and the one with their ratio."""

    entity: str
    amount: str
    ratio: str


@dataclass(frozen=True, eq=False)
class Behaviour:
    """The plans of a model and the histories of its entities.

    Parameters
    ----------
    plans : one an entity column.
    histories : one a plan.
    apart : where what is scored goes, for a detector that follows a file; ``None`` for one that only looks.
    """

    plans: tuple[Plan, ...]
    histories: tuple[EntityHistories, ...]
    apart: tuple[EntityHistories, ...] | None = None
    _names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_names", tuple(name for plan in self.plans for name in plan.names))

    @classmethod
    def begun(cls, plans: tuple[Plan, ...]) -> Behaviour:
        """Return a behaviour of which nothing is known yet."""
        return cls(plans, tuple(EntityHistories(len(plan.firsts)) for plan in plans))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all derived features."""
        return self._names

    def to_content(self, *, histories: bool = True) -> list[dict[str, Any]]:
        """Return the plans as builtins, for a model file, and the histories unless they are kept elsewhere."""
        pairs = zip(self.plans, self.histories, strict=True)
        return [
            {"plan": plan.to_content(), "history": history.to_content() if histories else None}
            for plan, history in pairs
        ]

    @classmethod
    def from_content(cls, content: object) -> Behaviour:
        """Return the behaviour that :meth:`to_content` described; without histories it begins anew.

        Raises
        ------
        ModelFileError
            When anything is off.
        """
        if type(content) is not list or not 0 < len(content) <= MOST_ENTITY_COLUMNS:
            raise stored.damaged("the behaviour is not that of one to three entities")
        plans, histories = [], []
        for item in content:
            found = stored.fields(item, frozenset({"plan", "history"}), "an entity")
            plan, kept = Plan.from_content(found["plan"]), found["history"]
            history = EntityHistories(len(plan.firsts)) if kept is None else EntityHistories.from_content(kept)
            if history.columns != len(plan.firsts):
                raise stored.damaged("a history does not fit its entity")
            plans.append(plan)
            histories.append(history)
        return cls(tuple(plans), tuple(histories))

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the columns that the derived features come from, each once."""
        return tuple(dict.fromkeys(name for plan in self.plans for name in plan.sources))

    def habit_of(self, feature: str, names: Collection[str]) -> Habit | None:
        """Return where rows with the columns ``names`` tell what is usual of an amount, or of its ratio to the habit.

        Where several entities are named, an amount is told beside the habit of the first of them.
        """
        for plan in self.plans:
            for comparison in plan.comparisons:
                asked = feature in (plan.amount, comparison.name)
                if plan.amount is not None and comparison.is_amount and asked and comparison.name in names:
                    return Habit(plan.entity, plan.amount, comparison.name)
        return None

    def looks_at(self, frame: pd.DataFrame) -> bool:
        """Whether some derived features are still to be found for these rows."""
        return not all(any(name in frame.columns for name in plan.names) for plan in self.plans)

    def beside(self, frame: pd.DataFrame, source: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return ``frame`` with the derived features as columns, as far as it carries what they come from.

        Each row is compared with the histories and the earlier rows of the frame. A frame that has such columns already
        is taken at its word. The histories stay as they are.

        Parameters
        ----------
        source : the same rows with the columns under the names and in the units of training; by default ``frame``.
        """
        return self._with_columns(frame, frame if source is None else source, self._look)

    def learned(self, frame: pd.DataFrame, source: pd.DataFrame | None = None) -> tuple[pd.DataFrame, Behaviour]:
        """Return the same, and a behaviour that has let the rows in; this one stays as it is."""
        other = Behaviour(self.plans, tuple(histories.copy() for histories in self.histories))
        return other._with_columns(
            frame, frame if source is None else source, lambda place, events: other.histories[place].advance(events)
        ), other

    def follow(self, rows: pd.DataFrame | Mapping[str, Any]) -> Came:
        """Let rows, or one record, into these histories themselves; return what came, for others to take in."""
        came = tuple(plan.events(rows) if isinstance(rows, pd.DataFrame) else plan.event(rows) for plan in self.plans)
        self.take_in(came)
        return came

    def take_in(self, came: Came) -> None:
        """Let what :meth:`follow` returned elsewhere, for the same plans, into these histories."""
        for histories, events in zip(self.histories, came, strict=True):
            if events is not None:
                histories.advance(events)

    @cached_property
    def identity(self) -> str:
        """What models with the same entities have in common, and no others."""
        return shared_events.identity_of(self.plans)

    def follower(self) -> Behaviour:
        """Return a behaviour for a file that comes in parts; it sees rows of earlier parts, and keeps them apart."""
        apart = tuple(EntityHistories(item.columns, item.most) for item in self.histories)
        return Behaviour(self.plans, self.histories, apart)

    def derived(self, record: Mapping[str, Any]) -> dict[str, float]:
        """Return the derived features of one record that are known, the same values as in a frame of one row."""
        found: dict[str, float] = {}
        if self.apart is not None:
            return found
        for plan, histories in zip(self.plans, self.histories, strict=True):
            if plan.names[0] in record:
                continue
            event = plan.event(record)
            if event is not None:
                values = histories.compare(event)[0].tolist()
                for comparison in plan.comparisons:
                    if not math.isnan(values[comparison.place]):
                        found[comparison.name] = values[comparison.place]
        return found

    def summarised(self, report: AlignmentReport, names: Collection[str]) -> AlignmentReport:
        """Return the report with one line on each entity in place of one on each derived feature."""
        return replace(report, columns=self.told(report.columns, names))

    def told(self, findings: tuple[ColumnFinding, ...], names: Collection[str]) -> tuple[ColumnFinding, ...]:
        """Return findings with one on each entity in place of those on derived features; ``names`` are what came."""
        derived = frozenset(self._names)
        kept = [finding for finding in findings if finding.name not in derived]
        for plan in self.plans:
            own = [finding for finding in findings if finding.name in plan.names]
            rows = max((finding.rows_affected for finding in own), default=0)
            kept.append(_told(plan, names, rows))
        return tuple(kept)

    def _look(self, place: int, events: Events) -> Floats:
        if self.apart is not None:
            return self.histories[place].followed(events, self.apart[place])
        return self.histories[place].compare(events)

    def _with_columns(self, frame: pd.DataFrame, source: pd.DataFrame, compared: Any) -> pd.DataFrame:
        added: dict[str, Floats] = {}
        for place, plan in enumerate(self.plans):
            if any(name in frame.columns for name in plan.names):
                continue
            events = plan.events(source)
            if events is None:
                continue
            values = compared(place, events)
            priced = plan.amount in source.columns
            for comparison in plan.comparisons:
                if priced or not comparison.needs_amount:
                    added[comparison.name] = values[:, comparison.place]
        return pd.concat([frame, pd.DataFrame(added, index=frame.index)], axis=1) if added else frame


def _told(plan: Plan, names: Collection[str], rows: int) -> ColumnFinding:
    known = f"what this {plan.entity} usually does"
    without = [name for name in (plan.entity, plan.time) if name not in names]
    if without and not any(name in names for name in plan.names):
        name = plan.entity if plan.entity not in names else f"behaviour of {plan.entity}"
        text = f"Without {' and '.join(without)} nothing can be said of {known}: rows are scored without it."
        return ColumnFinding(name, "missing", "categorical", None, rows, text)
    name = f"behaviour of {plan.entity}"
    priced = [comparison.name for comparison in plan.comparisons if comparison.needs_amount]
    if priced and plan.amount not in names and not any(name in names for name in priced):
        text = f"Without {plan.amount}, only counts and times of {known} are used."
        return ColumnFinding(name, "partly missing", "numeric", None, rows, text)
    if rows:
        text = f"Compared with {known}. Where it is new, or the row does not name it, rows are scored without this."
    else:
        text = f"Compared with {known}."
    return ColumnFinding(name, "matched", "numeric", "numeric", 0, text)
