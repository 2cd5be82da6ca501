"""The champion: the model that answers now, known to every process within a moment of its promotion."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

import structlog
from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from detector.core.model import DynamicAnomalyDetector
from detector.core.statistics import Kind
from detector.errors import ModelFileError
from detector.service.loading import Followed, Loaded, catch_up, load
from detector.service.versions.trial import Trial, find_trial
from detector.store import tables
from detector.store.aliases import find_alias
from detector.store.registry import Registry
from detector.store.versions import VersionInfo

#: The alias whose version answers everywhere.
CHAMPION = "champion"
#: Name of the preference that holds a cutoff of the lead's own.
CUTOFF = "cutoff"
#: Seconds for which the champion is not looked up again.
FRESH = 0.25
#: Seconds before a champion that could not be read is tried again by who follows it.
PAUSE = 1.0
#: Models that a process keeps ready.
KEPT_MODELS = 4

_SAMPLES: dict[Kind, str | float | bool] = {
    "numeric": 0.0,
    "categorical": "sample",
    "boolean": True,
    "datetime": "2026-01-01T00:00:00+00:00",
}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Champion:
    """The model that answers now: a value, safe to keep while a request runs.

    ``cutoff`` is the severity (0-100) above which a row is flagged; ``rows`` is the number of rows the model has seen;
    ``followed`` tells how far it knows what all processes observe.
    """

    version: int
    detector: DynamicAnomalyDetector
    cutoff: float
    created_at: datetime
    rows: int
    followed: Followed | None = None

    def same_as(self, other: Champion) -> bool:
        """Whether the two answer alike: the same version at the same cutoff."""
        return (self.version, self.cutoff) == (other.version, other.cutoff)


@dataclass(frozen=True)
class Behind:
    """The version that is champion and cannot be read here, and why: the champion before goes on meanwhile."""

    version: int
    reason: str


class ChampionWatch:
    """Follows the champion alias. Reading a fresh champion takes no lock and no look at the database."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        #: Is told of the trial that goes on, of the champion, and of the cutoff of the lead's own, at each look.
        self.trial_seen: Callable[[Trial | None, Champion, float | None], None] | None = None
        self._seen: tuple[float, Champion | None] = (float("-inf"), None)
        self._looking = threading.Lock()
        self._followed = False
        self._fault: Exception | None = None
        self._wanted = 0
        #: The champion that cannot be read while another goes on; tried again every second.
        self.behind: Behind | None = None
        self._next_try = float("-inf")
        self._models: OrderedDict[int, tuple[VersionInfo, DynamicAnomalyDetector, Followed]] = OrderedDict()
        self._models_lock = threading.Lock()

    def champion(self) -> Champion | None:
        """Return the champion, at most 0.25 s old; ``None`` while there is none.

        Where it is followed (see :meth:`follow`), the one that was found last, without a look at the database.
        """
        until, champion = self._seen
        if self._followed:
            if champion is None and self._fault is not None:
                raise self._fault.with_traceback(None)
            return champion
        if monotonic() < until:
            return champion
        # One thread looks; the others go on with the champion they know, so that no request waits for the database.
        if not self._looking.acquire(blocking=champion is None):
            return champion
        try:
            until, champion = self._seen
            return champion if monotonic() < until else self._look()
        finally:
            self._looking.release()

    def look_again(self) -> Champion | None:
        """Return the champion as the database has it now."""
        with self._looking:
            return self._look()

    def follow(self, followed: bool) -> None:
        """Say whether somebody calls :meth:`look_up` again and again from now on, so that nobody else need look."""
        if followed:
            self.look_up()
        self._followed = followed

    def look_up(self) -> None:
        """Look for the champion on behalf of all others; a fault is kept and raised where it is asked for."""
        if (self._fault is not None or self.behind is not None) and monotonic() < self._next_try:
            return
        try:
            self.look_again()
        except (SQLAlchemyError, ModelFileError) as error:
            if self._fault is None:
                _log.error("the champion cannot be looked up", reason=str(error).partition("\n")[0])
            self._fault, self._next_try = error, monotonic() + PAUSE

    def detector(self, version: int) -> DynamicAnomalyDetector:
        """Return the model of a version, from memory when it was used lately. Do not change it: others share it.

        Raises
        ------
        NotFoundError, ModelFileError
            When there is no such version, or its file is not the one that was registered.
        """
        return self._model(version)[1]

    def _look(self) -> Champion | None:
        known = self._seen[1]
        try:
            champion = self._read(known)
        except ModelFileError as error:
            if known is None:
                raise
            self._fall_behind(known, error)
            champion = known
        except SQLAlchemyError as error:
            if known is None:
                raise
            _log.error("the champion cannot be looked up; the last one goes on", version=known.version, exc_info=error)
            champion = known
        else:
            if self.behind is not None:
                _log.info("the champion is followed again", version=self._wanted)
            self._fault = self.behind = None
        self._seen = (monotonic() + (FRESH if self.behind is None else PAUSE), champion)
        return champion

    def _fall_behind(self, known: Champion, error: ModelFileError) -> None:
        self._next_try = monotonic() + PAUSE
        if self.behind is None or self.behind.version != self._wanted:
            _log.error(
                "the new champion cannot be read; the last one goes on",
                version=known.version,
                champion=self._wanted,
                reason=error.message,
            )
        self.behind = Behind(self._wanted, error.message)

    def _read(self, known: Champion | None) -> Champion | None:
        with self._registry.database.read() as connection:
            alias = find_alias(connection, CHAMPION)
            own_cutoff = own_cutoff_in(connection)
            trial = None if self.trial_seen is None else find_trial(connection)
        if alias is None:
            return None
        self._wanted = alias.version
        found = self._caught_up(alias.version, own_cutoff)
        same = known is not None and known.same_as(found) and known.detector is found.detector
        champion = known if same and known is not None else found
        if self.trial_seen is not None:
            self.trial_seen(trial, champion, own_cutoff)
        return champion

    def _caught_up(self, version: int, own_cutoff: float | None) -> Champion:
        """Return a version as champion once it knows what the other processes have observed."""
        champion = self.as_champion(version, own_cutoff)
        assert champion.followed is not None
        with self._registry.database.read() as connection:
            if catch_up(connection, version, Loaded(champion.detector, champion.followed)):
                return champion
        with self._models_lock:
            self._models.pop(version, None)
        return self.as_champion(version, own_cutoff)

    def as_champion(self, version: int, own_cutoff: float | None) -> Champion:
        """Return a version as it answers as champion, at its own cutoff where the lead has set none.

        Raises
        ------
        NotFoundError, ModelFileError
            When there is no such version, or its file is not the one that was registered.
        """
        info, detector, followed = self._model(version)
        cutoff = info.cutoff if own_cutoff is None else own_cutoff
        return Champion(info.number, detector, cutoff, info.created_at, info.rows, followed)

    def _model(self, version: int) -> tuple[VersionInfo, DynamicAnomalyDetector, Followed]:
        with self._models_lock:
            if version in self._models:
                self._models.move_to_end(version)
                return self._models[version]
        model = self._registry.info(version), *load(self._registry, version)
        with self._models_lock:
            self._models[version] = model
            while len(self._models) > KEPT_MODELS:
                self._models.popitem(last=False)
        return model


def own_cutoff_in(connection: Connection) -> float | None:
    """Return the cutoff that the lead has set, or ``None``, read in the caller's transaction."""
    found = connection.scalar(select(tables.preferences.c.value).where(tables.preferences.c.name == CUTOFF))
    return None if found is None else float(found)


def sample_record(detector: DynamicAnomalyDetector) -> dict[str, str | float | bool]:
    """Return a record with a value in each learned field, for growing the trees that most records ask for."""
    return {feature.name: _SAMPLES[feature.kind] for feature in detector.schema_.learned if not feature.derived}
