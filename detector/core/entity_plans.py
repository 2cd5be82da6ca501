"""Which columns tell what an entity does, and which features follow from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from detector.core import content as stored
from detector.core.entity_keys import Events, Keys, key_of_value, keys_of_column, marks_of
from detector.core.histories import MOST_COLUMNS
from detector.core.later import pd
from detector.core.names import Name
from detector.core.reading import Reading, read_column, read_value
from detector.core.schema import Feature
from detector.core.statistics import FeatureStatistics, Kind
from detector.errors import InputError

#: Entities whose histories one model keeps.
MOST_ENTITY_COLUMNS = 3
#: Below so many times the habit, everything is ordinary: the amount and the windows; the gap; a first time.
FLOORS: Final = {"habit": 1.5, "gap": 8.0, "first time": 8.0}
#: So large a share of training rows is ordinary in any case.
ORDINARY = 0.9
#: So many of them are out of the ordinary in any case.
UNUSUAL_ROWS = 8
#: The habit itself: up to here nothing is out of the ordinary, however low the training rows lay. (Where training is
#: short, its entities' histories are young, and what they do within a week has only begun to count.)
HABIT = 1.0
_WINDOWS = ("an hour", "a day", "a week")
#: Words of columns of which a first time says something.
_PLACES = {
    "merchant", "terminal", "shop", "store", "seller", "vendor", "payee", "beneficiary", "receiver", "recipient",
    "dest", "destination", "counterparty", "device", "browser", "agent", "ip", "imei", "host", "country", "city",
}  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """One derived feature: its ``name``, its place in what :class:`EntityHistories` tells, and what it compares."""

    name: str
    place: int
    part: str
    floor: float
    needs_amount: bool
    reason: str

    @property
    def is_amount(self) -> bool:
        """Whether it is the ratio of the row's own amount to the usual one."""
        return self.place == 0


@dataclass(frozen=True)
class Plan:
    """Which columns tell what an entity does.

    Parameters
    ----------
    entity, time : columns.
    amount : column, or ``None``.
    identity : the column that a person named as the id of rows, or ``None``; it tells repetitions apart.
    firsts : columns of which first times are told, at most 3.
    """

    entity: str
    time: str
    amount: str | None
    identity: str | None
    firsts: tuple[str, ...]

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """The derived features."""
        found = []

        def add(name: str, place: int, floor: float, needs_amount: bool, told: str) -> None:
            reason = f"Derived: {told}; 1 is its habit."
            found.append(Comparison(name, place, "excess", floor, needs_amount, reason))

        habit = FLOORS["habit"]
        entity, amount, windows = self.entity, self.amount, len(_WINDOWS)
        if amount is not None:
            add(f"{amount} against this {entity}'s habit", 0, habit, True,
                f"{amount} as a multiple of what is usual for this {entity}")  # fmt: skip
        for k, window in enumerate(_WINDOWS):
            add(f"{entity}: rows within {window}", 1 + k, habit, False,
                f"how many rows of this {entity} came within {window}, as a multiple of its usual pace")  # fmt: skip
        for k, window in enumerate(_WINDOWS if amount is not None else ()):
            add(f"{entity}: {amount} within {window}", 1 + windows + k, habit, True,
                f"the sum of {amount} of this {entity} within {window}, as a multiple of its usual one")  # fmt: skip
            add(f"{entity}: {amount} a row within {window}", 1 + 2 * windows + k, habit, True,
                f"the mean {amount} of this {entity} within {window}, as a multiple of its usual one")  # fmt: skip
        add(f"{entity}: time since its last row", 1 + 3 * windows, FLOORS["gap"], False,
            f"the time since the last row of this {entity}, as a multiple of its usual one")  # fmt: skip
        for k, column in enumerate(self.firsts):
            reason = f"Derived: whether {column} is new to this {entity}; in so many of its rows there is one that is."
            name = f"{column} new to this {entity}"
            found.append(Comparison(name, 2 + 3 * windows + k, "first time", FLOORS["first time"], False, reason))
        return tuple(found)

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the columns that the derived features come from."""
        named = (self.entity, self.time, self.amount, self.identity, *self.firsts)
        return tuple(name for name in named if name is not None)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the derived features."""
        return tuple(comparison.name for comparison in self.comparisons)

    def events(
        self,
        columns: pd.DataFrame | Mapping[str, Any],
        read: Callable[[Any, Kind], Reading] = read_column,
        keys_of: Callable[[Any], Keys] = keys_of_column,
    ) -> Events | None:
        """Return the rows of a frame, or of other columns by name, as events.

        ``None`` without the entity's or the time's column. ``read`` and ``keys_of`` read columns of the sort at hand.
        """
        if self.entity not in columns or self.time not in columns:
            return None
        times = read(columns[self.time], "datetime").values
        amounts = np.full(len(times), np.nan)
        if self.amount is not None and self.amount in columns:
            amounts = read(columns[self.amount], "numeric").values
        values = np.zeros((len(times), len(self.firsts)), np.uint64)
        for k, column in enumerate(self.firsts):
            if column in columns:
                values[:, k] = keys_of(columns[column])
        identities = None
        if self.identity is not None and self.identity in columns:
            identities = keys_of(columns[self.identity])
        times, amounts = (np.require(part, np.float64, ["C", "W"]) for part in (times, amounts))
        return Events(keys_of(columns[self.entity]), times, amounts, values, marks_of(times, amounts, identities))

    def event(self, record: Mapping[str, Any]) -> Events | None:
        """Return one record as an event; ``None`` when it names no entity or no time."""
        key = key_of_value(record.get(self.entity))
        time, _ = read_value(record.get(self.time), "datetime")
        if not key or time is None:
            return None
        amount, _ = read_value(record.get(self.amount) if self.amount else None, "numeric")
        values = [[key_of_value(record.get(column)) for column in self.firsts]]
        identity = record.get(self.identity) if self.identity else None
        identities = None if identity is None else np.array([key_of_value(identity)], np.uint64)
        times, amounts = np.array([float(time)]), np.array([math.nan if amount is None else float(amount)])
        marks = marks_of(times, amounts, identities)
        return Events(
            np.array([key], np.uint64), times, amounts, np.array(values, np.uint64).reshape(1, -1), marks
        )  # fmt: skip

    def to_content(self) -> dict[str, Any]:
        """Return the plan as builtins, for a model file."""
        return asdict(self) | {"firsts": list(self.firsts)}

    @classmethod
    def from_content(cls, content: object) -> Plan:
        """Return the plan that :meth:`to_content` described.

        Raises
        ------
        ModelFileError
            When anything is off.
        """
        found = stored.fields(content, frozenset(cls.__dataclass_fields__), "what an entity does")
        firsts, optional = found["firsts"], [found["amount"], found["identity"]]
        if type(firsts) is not list or len(firsts) > MOST_COLUMNS:
            raise stored.damaged("an entity has too many columns")
        texts = [found["entity"], found["time"], *firsts, *(name for name in optional if name is not None)]
        if any(type(text) is not str for text in texts):
            raise stored.damaged("the columns of an entity are not texts")
        return cls(**dict(found) | {"firsts": tuple(firsts)})


def plans_for(features: Sequence[Feature], roles: Mapping[str, str]) -> tuple[Plan, ...]:
    """Return what follows from the roles that a person chose: a plan for each entity, none without a time.

    The time is the column that was named so, or else the only one that was found to be one; the amount likewise.

    Raises
    ------
    InputError
        When more than three columns are named as entities.
    """
    entities = [name for name, role in roles.items() if role == "entity"]
    time = _chosen("time", features, roles)
    if not entities or time is None:
        return ()
    if len(entities) > MOST_ENTITY_COLUMNS:
        raise InputError(f"{len(entities)} columns are named as entities; at most {MOST_ENTITY_COLUMNS} can be.")
    identity = next((name for name, role in roles.items() if role == "id"), None)
    amount = _chosen("amount", features, roles)
    return tuple(
        Plan(entity, time, amount, identity, _firsts(entity, entities, features)) for entity in sorted(entities)
    )


def _chosen(role: str, features: Sequence[Feature], roles: Mapping[str, str]) -> str | None:
    found = [feature.name for feature in features if feature.role == role]
    named = [name for name in found if roles.get(name) == role]
    if named:
        return named[0]
    return found[0] if len(found) == 1 else None


def _firsts(entity: str, entities: Sequence[str], features: Sequence[Feature]) -> tuple[str, ...]:
    places = [
        feature.name
        for feature in features
        if feature.name != entity and feature.kind == "categorical" and feature.role in ("input", "entity")
        and (feature.name in entities or not _PLACES.isdisjoint(Name(feature.name).words))
    ]  # fmt: skip
    return tuple(places[:MOST_COLUMNS])


def scale_of(comparison: Comparison, statistics: FeatureStatistics) -> float:
    """Return the logarithm of the value up to which a derived feature is ordinary: its floor, or a quantile near it.

    Trees split only where training rows differ, so some of these must be out of the ordinary, however calm they were.
    """
    if not statistics.present:
        return math.log(comparison.floor)
    unusual = min(1.0, UNUSUAL_ROWS / statistics.present)
    low, high = statistics.quantile([ORDINARY, 1.0 - unusual]).tolist()
    return math.log(max(min(max(low, comparison.floor), high), HABIT))
