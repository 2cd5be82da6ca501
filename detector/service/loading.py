"""A version as it is now: as it was registered, with what all processes have observed since.

Events of entities are a log in the database. A version is made at a position of that log; whoever loads it lets in what
came behind, and whoever keeps it in memory goes on from where it was. So a version that is made while events come in
misses none of them, whichever version answered meanwhile, and no process writes over what another one has seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import NamedTuple

import structlog
from sqlalchemy import Connection

from detector.core.model import DynamicAnomalyDetector
from detector.errors import ModelFileError
from detector.store import observed
from detector.store.observed import Fold
from detector.store.registry import Registry
from detector.store.versions import VersionInfo

#: The figure of a version that tells up to which event its histories know the log.
POSITION = "observed"
#: Events are folded into histories once so many of them are older than ``KEPT``; a process that stood still for longer
#: loads its model anew.
FOLDED = 100_000
KEPT = timedelta(minutes=15)

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
    info = registry.info(version)
    detector = DynamicAnomalyDetector.from_bytes(registry.get(version))
    if detector.behaviour is None:
        return Loaded(detector, Followed(0))
    with registry.database.read() as connection:
        fold = observed.fold_of(connection, version)
        position = _position(info, fold)
        events = observed.events_after(connection, detector.behaviour.identity, position, until)
    if fold is not None and fold.position == position:
        detector = detector.with_histories(registry.histories.get(fold.file))
    else:
        for place, histories in enumerate(registry.histories_of(version)):
            detector = detector.with_histories(histories, add=place > 0)
    for event in events:
        _take_in(detector, event.content, event.number)
        position = event.number
    return Loaded(detector, Followed(position))


def catch_up(connection: Connection, version: int, model: Loaded) -> bool:
    """Let a loaded version know what others have observed since; ``False`` when it has to be loaded anew."""
    detector, followed = model
    if detector.behaviour is not None:
        fold = observed.fold_of(connection, version)
        if fold is not None and fold.position > followed.position:
            return False
        for number, observer, content in observed.events_after(
            connection, detector.behaviour.identity, followed.position
        ):
            if observer != followed.observer:
                _take_in(detector, content, number)
            followed.position = number
    revision, columns = observed.columns_after(connection, version, followed.revision)
    if columns:
        detector.be_told(columns)
        followed.revision = revision
    return True


def fold(registry: Registry, version: int, *, more_than: int = FOLDED, older_than: timedelta = KEPT) -> bool:
    """Put events that are old into a file of histories of ``version``, and out of the log; return whether it was done.

    Of several processes that do it at once, one succeeds.

    Raises
    ------
    NotFoundError, ModelFileError
        As :func:`load`.
    """
    info = registry.info(version)
    behaviour = DynamicAnomalyDetector.from_bytes(registry.get(version)).behaviour
    if behaviour is None:
        return False
    with registry.database.read() as connection:
        before = observed.fold_of(connection, version)
        many, last = observed.old_events(
            connection, behaviour.identity, _position(info, before), datetime.now(UTC) - older_than
        )
    if many <= more_than:
        return False
    content = load(registry, version, until=last).detector.histories_to_bytes()
    assert content is not None
    new = Fold(last, registry.histories.keep(content))
    with registry.database.write() as connection:
        return observed.keep_fold(connection, version, behaviour.identity, before, new)


def _position(info: VersionInfo, fold: Fold | None) -> int:
    made = int(info.figures.get(POSITION, 0))
    return made if fold is None else max(made, fold.position)


def _take_in(detector: DynamicAnomalyDetector, events: bytes, number: int) -> None:
    try:
        detector.take_in(events)
    except ModelFileError as error:
        # A few events less are better than no answers.
        _log.error("what was observed cannot be read", number=number, reason=str(error))
