"""A workspace: the settings, the database and the models of one installation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert, select

from detector.core.model import DynamicAnomalyDetector
from detector.errors import ConflictError, InputError, NotTrainedError
from detector.service.access import needs
from detector.service.api_probe import ApiProbe
from detector.service.background import Background
from detector.service.champion import CHAMPION, CUTOFF, Behind, Champion, ChampionWatch, own_cutoff_in
from detector.service.champion_file import ChampionFile
from detector.service.folding import Folding
from detector.service.following import Following
from detector.service.key_watch import KeyWatch
from detector.service.logs import MissingLog
from detector.service.measures import Measures
from detector.service.observing import Observations
from detector.service.review.inbox import Inbox
from detector.service.review.reranking import Reranker
from detector.service.sweeping import sweep
from detector.service.taking_up import mark_interrupted
from detector.service.versions.live_trial import LiveTrial
from detector.service.versions.settling import settle
from detector.settings import Settings
from detector.store import audit, tables
from detector.store.database import Database
from detector.store.registry import Registry
from detector.store.versions import Alias, NewVersion, VersionInfo

__all__ = ["CHAMPION", "Champion", "Workspace"]


class Workspace:
    """One installation. Open it once a process (``Workspace.open(Settings())``) and share it between threads.

    Attributes
    ----------
    settings, database, models, registry
        What the workspace was opened with, its database, where its model files are, and its model versions.
    background : Background
        The worker for long work.
    api : ApiProbe
        Tells whether the API answers.
    missing_log : MissingLog
        Warns of features that rows lack.
    measures : Measures
        Counts what was scored, for metrics and alerts.
    observations : Observations
        Registers the new features of rows that were scored in memory, for all processes.
    following : Following
        Lets observed transactions into the histories of their entities, for all processes.
    folding : Folding
        Keeps the log of what was observed short.
    keys : KeyWatch
        The API keys that are in force.
    inbox : Inbox
        The cases of the runs that were sent to the queue.
    reranker : Reranker
        Ranks them anew after decisions.
    trial : LiveTrial
        Takes part in the trial of a challenger on live traffic, if one goes on.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.models = settings.open_models()
        self.registry = Registry(self.models, database)
        self.background = Background(database)
        self.api = ApiProbe(settings.api_url)
        self.missing_log = MissingLog()
        self.measures = Measures()
        self.observations = Observations(database)
        self.following = Following(database)
        self.folding = Folding(self.registry)
        self.reranker = Reranker(database, settings.data_folder, self.detector)
        self.inbox = Inbox(database, settings.data_folder / "queues", self.reranker.ranked)
        self._watch = ChampionWatch(self.registry)
        self._copy = ChampionFile(settings, self.registry)
        self.keys = KeyWatch(database)
        self.trial = LiveTrial(database, self._watch.as_champion)
        self._at_close: list[Callable[[], None]] = []

    @classmethod
    def open(cls, settings: Settings | None = None) -> Workspace:
        """Open the workspace that ``settings`` (by default: the environment) name, making or migrating it as needed.

        A file at ``settings.champion_path`` becomes the champion when there is none yet.

        Raises
        ------
        DatabaseError
            When the database cannot be used.
        ModelStoreError
            When the address of the model store cannot be used here.
        """
        settings = settings or Settings()
        database = Database(settings.database_address, settings.database_limits)
        database.migrate()
        workspace = cls(settings, database)
        mark_interrupted(database, datetime.now(UTC))
        sweep(settings, database, workspace.models)
        workspace._copy.take_in()
        workspace._copy.renew()
        return workspace

    def close(self) -> None:
        """Ask running jobs to stop and let go of the database."""
        while self._at_close:
            self._at_close.pop()()
        self.observations.close()
        self.following.close()
        self.trial.close()
        self.background.close()
        self.database.close()

    def at_close(self, stop: Callable[[], None]) -> None:
        """Call ``stop`` first when the workspace is closed: it ends what works over it."""
        self._at_close.append(stop)

    def champion(self) -> Champion | None:
        """Return the champion, or ``None`` while nothing is trained. Follows a promotion elsewhere within 0.25 s."""
        return self._watch.champion()

    @property
    def notice(self) -> str | None:
        """A sentence for people when something is wrong with the champion's file, such as one that was refused."""
        return self._copy.notice

    @property
    def behind(self) -> Behind | None:
        """The champion that this process cannot read while it goes on with the one before, if that is so."""
        return self._watch.behind

    def follow_champion(self, followed: bool) -> None:
        """Say whether :meth:`look_up_champion` is called again and again, so that requests need not look themselves."""
        self._watch.follow(followed)

    def look_up_champion(self) -> None:
        """Look for the champion on behalf of all requests."""
        self._watch.look_up()

    def detector(self, version: int) -> DynamicAnomalyDetector:
        """Return the model of a version, from memory when it was used lately. Do not change it: others share it.

        Raises
        ------
        NotFoundError, ModelFileError
            When there is no such version, or its file is not the one that was registered.
        """
        return self._watch.detector(version)

    def require_champion(self) -> Champion:
        """Return the champion.

        Raises
        ------
        NotTrainedError
            When no model has been trained yet.
        """
        champion = self.champion()
        if champion is None:
            raise NotTrainedError("No model has been trained yet. Train one on a file, or load the sample data.")
        return champion

    def current_champion(self) -> Champion:
        """Return the champion as the database has it now, not up to 0.25 s ago; raises ``NotTrainedError``."""
        self._watch.look_again()
        return self.require_champion()

    @needs("manage")
    def promote(
        self,
        new: NewVersion,
        *,
        actor: str,
        expected_revision: int | None = None,
        reason: str = "",
        also: Callable[[Connection, int], None] | None = None,
    ) -> VersionInfo:
        """Register a model and make it champion in one transaction; the arguments are those of ``Registry.register``.

        Raises
        ------
        ConflictError
            When the champion alias has another revision than ``expected_revision`` by now; nothing is kept.
        """
        info = self.registry.register(
            new, actor=actor, alias=CHAMPION, expected_revision=expected_revision, reason=reason, also=also
        )
        self._champion_moved()
        return info

    def take_part_in_trials(self) -> None:
        """Let live requests be scored by a challenger as well, from now on; for the process that answers them."""
        self._watch.trial_seen = self.trial.look

    def as_champion(self, version: int) -> Champion:
        """Return a version as it would answer as champion; raises ``NotFoundError`` or ``ModelFileError``."""
        with self.database.read() as connection:
            own_cutoff = own_cutoff_in(connection)
        return self._watch.as_champion(version, own_cutoff)

    @needs("manage")
    def move_champion(
        self,
        version: int,
        *,
        expected_revision: int | None,
        actor: str,
        reason: str,
        also: Callable[[Connection, Alias], None] | None = None,
    ) -> Alias:
        """Make a registered version champion; raises ``NotFoundError``, ``ModelFileError`` or ``ConflictError``.

        ``also``: what else stands or falls with that; called with the transaction.
        """

        def settled(connection: Connection, moved: Alias) -> None:
            settle(connection, moved.version, actor)
            if also is not None:
                also(connection, moved)

        self.detector(version)
        alias = self.registry.move_alias(
            CHAMPION, version, expected_revision=expected_revision, actor=actor, reason=reason, also=settled
        )
        self._champion_moved()
        return alias

    @needs("manage")
    def set_cutoff(self, cutoff: float | None, *, actor: str, reason: str = "", seen: float | None = None) -> None:
        """Set the severity (0-100) above which rows are flagged.

        ``None`` returns to what each model's contamination implies. No model is retrained. ``reason``: for the log.
        ``seen``: the cutoff that must still hold.

        Raises
        ------
        InputError
            When the cutoff is not a severity.
        ConflictError
            When another cutoff than ``seen`` holds by now.
        """
        if cutoff is not None and not 0 <= cutoff <= 100:
            raise InputError(f"The cutoff is a severity between 0 and 100, not {cutoff}.")
        champion = self.champion()
        with self.database.write() as connection:
            before = connection.scalar(select(tables.preferences.c.value).where(tables.preferences.c.name == CUTOFF))
            if before is None and champion is not None:
                before = champion.cutoff
            if seen is not None and before != seen:
                raise ConflictError(
                    f"The cutoff has been moved to {before:g} in the meantime. Look again and decide anew.",
                    cutoff=before,
                    seen=seen,
                )
            connection.execute(delete(tables.preferences).where(tables.preferences.c.name == CUTOFF))
            if cutoff is not None:
                connection.execute(
                    insert(tables.preferences).values(
                        name=CUTOFF, value=float(cutoff), set_at=datetime.now(UTC), set_by=actor
                    )
                )
            audit.record(
                connection,
                actor=actor,
                action="cutoff set",
                subject="cutoff",
                cutoff=cutoff,
                before=before,
                version=champion.version if champion else None,
                reason=reason,
            )
        self._watch.look_again()

    def _champion_moved(self) -> None:
        self._watch.look_again()
        self._copy.write()
