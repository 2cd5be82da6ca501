"""A version as it is now: as it was registered, with what all processes have observed since.

Events of entities are a log in the database. A version is made at a position of that log; whoever loads it lets in what
came behind, and whoever keeps it in memory goes on from where it was. So a version that is made while events come in
misses none of them, whichever version answered meanwhile, and no process writes over what another one has seen.

What is old is folded into histories and taken out of the log, see :mod:`detector.service.folding`. A version that the
log does not go back to any more takes the histories of the nearest version with the same entities that it does go back
to: those know all that was observed, as the ones do that two versions are compared with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from secrets import token_hex
from typing import NamedTuple

import structlog
from sqlalchemy import Connection

from detector.core.model import DynamicAnomalyDetector
from detector.errors import ModelFileError
from detector.store import observed
from detector.store.observed import Observed
from detector.store.observed_columns import columns_after
from detector.store.observed_folds import Knowing, knowing, of_entities
from detector.store.registry import Registry

_log = structlog.get_logger(__name__)


@dataclass
class Followed:
    """How far a loaded model knows what was observed; advanced by :func:`catch_up` and by nothing else.

    ``observer`` tells what this model has seen itself from what others have.
    """

    position: int
    revision: int = 0
    observer: str = field(default_factory=lambda: token_hex(8))


class Loaded(NamedTuple):
    """A model, and how far it knows what was observed."""

    detector: DynamicAnomalyDetector
    followed: Followed


def load(registry: Registry, version: int, until: int | None = None) -> Loaded:
    """Return a version with what was observed of its entities since it was made, up to event ``until``.

    Columns that requests brought are not in it, so that an update can be repeated; see :func:`catch_up`.

    Raises
    ------
    NotFoundError, ModelFileError
        When there is no such version, or a file is not the one that was registered.
    """
    lane = registry.info(version).lane
    detector = DynamicAnomalyDetector.from_bytes(registry.get(version))
    if detector.behaviour is None:
        return Loaded(detector, Followed(0))
    with registry.database.read() as connection:
        own = knowing(connection, version)
        known, events = own, list[Observed]()
        # What is observed is no part of the demo's story.
        if lane == "main":
            known, events = _what_is_known(connection, detector.behaviour.identity, own, until)
    detector = _with_histories(registry, detector, version, known)
    position = known.position
    for event in events:
        if not event.taken_out:
            _take_in(detector, event.content, event.number)
        position = event.number
    return Loaded(detector, Followed(position))


def catch_up(connection: Connection, version: int, model: Loaded) -> bool:
    """Let a loaded version know what others have observed since; ``False`` when it has to be loaded anew."""
    detector, followed = model
    if detector.behaviour is not None:
        for event in observed.events_after(connection, detector.behaviour.identity, followed.position):
            if event.taken_out:
                return False
            if event.observer != followed.observer:
                _take_in(detector, event.content, event.number)
            followed.position = event.number
    revision, columns = columns_after(connection, version, followed.revision)
    if columns:
        detector.be_told(columns)
        followed.revision = revision
    return True


def _what_is_known(
    connection: Connection, entities: str, own: Knowing, until: int | None
) -> tuple[Knowing, list[Observed]]:
    """Return whose histories a version takes, and the events behind them."""
    events = observed.events_after(connection, entities, own.position, until)
    if not events or not events[0].taken_out:
        return own, events
    gone = events[0].number
    nearest = min(
        (other for other in of_entities(connection, entities) if other.position >= gone),
        key=lambda other: (other.position, -other.version),
        default=None,
    )
    if nearest is None:
        _log.error(
            "what was observed is not in the log any more, and in no histories", version=own.version,
            from_event=own.position + 1, to_event=gone,
        )  # fmt: skip
        return own, events
    _log.warning(
        "what was observed is not in the log any more; the histories of another version are taken",
        version=own.version, from_event=own.position + 1, to_event=gone, histories_of=nearest.version,
    )  # fmt: skip
    return nearest, observed.events_after(connection, entities, nearest.position, until)


def _with_histories(
    registry: Registry, detector: DynamicAnomalyDetector, version: int, known: Knowing
) -> DynamicAnomalyDetector:
    if known.fold is not None and known.fold.position == known.position:
        return detector.with_histories(registry.histories.get(known.fold.file))
    histories = registry.histories_of(known.version)
    if histories is not None:
        return detector.with_histories(histories)
    if known.version == version:
        # They are in the model's own file.
        return detector
    return detector.with_histories_of(DynamicAnomalyDetector.from_bytes(registry.get(known.version)))


def _take_in(detector: DynamicAnomalyDetector, events: bytes, number: int) -> None:
    try:
        detector.take_in(events)
    except ModelFileError as error:
        # A few events less are better than no answers.
        _log.error("what was observed cannot be read", number=number, reason=str(error))
