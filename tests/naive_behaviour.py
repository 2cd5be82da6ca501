"""The slow, obvious twin of the histories: every event is kept, and every figure is summed anew."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

PERIODS = (3_600.0, 86_400.0, 604_800.0, 2_592_000.0)
MONTH = PERIODS[-1]
WINDOWS = 3
PRIOR = 3.0


@dataclass(frozen=True)
class Event:
    entity: str
    time: float
    amount: float | None
    values: tuple[str | None, ...] = ()
    identity: str | None = None

    @property
    def mark(self) -> tuple[Any, ...]:
        return (self.time, self.amount, self.identity)


@dataclass
class Entity:
    events: list[Event] = field(default_factory=list)

    def faded(self, period: float, now: float, amount: bool = False, counted: bool = False) -> float:
        total = 0.0
        for event in self.events:
            if not (amount or counted) or event.amount is not None:
                weight = abs(event.amount) if amount and event.amount is not None else 1.0
                total += weight * math.exp(-(now - event.time) / period)
        return total


class Histories:
    """All events of all entities."""

    def __init__(self) -> None:
        self.entities: dict[str, Entity] = {}

    def advance(self, events: list[Event]) -> list[list[float]]:
        found = {}
        for place in sorted(range(len(events)), key=lambda place: events[place].time):
            event = events[place]
            entity = self.entities.setdefault(event.entity, Entity())
            found[place] = compare(entity, event)
            if event.mark not in [known.mark for known in entity.events[-8:]]:
                entity.events.append(event)
        return [found[place] for place in range(len(events))]


def compare(entity: Entity, event: Event) -> list[float]:
    """Compare an event with what its entity did; with what it did before, if the event is a repetition."""
    nothing = [math.nan] * (2 + 3 * WINDOWS + len(event.values))
    repeated = event.mark in [known.mark for known in entity.events[-8:]]
    others = list(entity.events)
    if repeated:
        others.remove(next(known for known in reversed(entity.events) if known.mark == event.mark))
    if not entity.events or event.time <= min(known.time for known in entity.events):
        return nothing
    rest = Entity(others)
    first = min(known.time for known in entity.events)
    last = max(known.time for known in entity.events)
    now = max(event.time, last)
    observed = max(86_400.0, MONTH * (1.0 - math.exp(-(now - first) / MONTH)))
    pace = rest.faded(MONTH, now) / observed
    priced = rest.faded(MONTH, now, counted=True)
    usual = rest.faded(MONTH, now, amount=True) / priced if priced > 0.0 else 0.0
    has_habit = event.amount is not None and usual > 0.0
    money = abs(event.amount) if event.amount is not None else 0.0
    out = list(nothing)
    if has_habit:
        out[0] = money / usual
    for k, period in enumerate(PERIODS[:WINDOWS]):
        rows = rest.faded(period, now)
        out[1 + k] = (rows + 1.0 + PRIOR) / (pace * period + 1.0 + PRIOR)
        if has_habit:
            spent = rest.faded(period, now, amount=True) + money + PRIOR * usual
            spend = rest.faded(MONTH, now, amount=True) / observed
            out[1 + WINDOWS + k] = spent / (spend * period + (1.0 + PRIOR) * usual)
            paid = rest.faded(period, now, counted=True)
            out[1 + 2 * WINDOWS + k] = spent / ((paid + 1.0 + PRIOR) * usual)
    gap = max(0.0, event.time - last)
    newest = repeated and entity.events[-1].mark == event.mark and event.time == last
    if newest:
        gap = event.time - max(known.time for known in others)
    out[1 + 3 * WINDOWS] = gap * pace
    for column, value in enumerate(event.values):
        here = 2 + 3 * WINDOWS + column
        out[here] = 1.0
        known = others if newest else entity.events
        if value is not None and value not in [other.values[column] for other in known]:
            out[here] = (len(others) + 2.0) / (len(distinct(others, column)) + 1.0)
    return out


def distinct(events: list[Event], column: int) -> set[str]:
    return {value for event in events if (value := event.values[column]) is not None}
