"""Learning from new rows, at once or after a preview; versions and rollback."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Connection

from detector.core.frames import as_frame
from detector.errors import ConflictError, InputError
from detector.files import ReadOptions
from detector.service.access import needs
from detector.service.progress import Progress, no_progress
from detector.service.rejected import write_rejected
from detector.service.sources import EvenSample, path_source
from detector.service.tally import require_known
from detector.service.tracing import span
from detector.service.versions.challenging import move_champion
from detector.service.versions.gating import Flagged, flagged_by, suspicions
from detector.service.versions.held import hold
from detector.service.versions.learning import Learned, as_registered, learn_table, new_features
from detector.service.versions.previewing import (
    COMPARED_ROWS,
    UpdatePreview,
    accept_update,
    get_preview,
    preview_update,
    reject_update,
)
from detector.service.versions.teaching import taught
from detector.service.versions.versioning import decisions_of, learned_features, new_version
from detector.service.workspace import CHAMPION, Champion, Workspace
from detector.store.versions import VersionInfo

__all__ = [
    "UpdatePreview",
    "UpdateResult",
    "accept_update",
    "get_preview",
    "list_versions",
    "preview_update",
    "reject_update",
    "roll_back",
    "teach",
    "update_path",
    "update_rows",
]

#: How often an update starts over when somebody else moved the champion in the meantime.
ATTEMPTS = 5


@dataclass(frozen=True)
class UpdateResult:
    """A finished update: the new version, the rows it learned from, the features it now knows.

    ``promoted``: it is champion. Else it waits for a person, and ``suspicions`` say why, each in a sentence.

    ``set_aside``: faulty rows of a file that took no part, beside ``rows``. ``report``: an
    ``AlignmentReport.to_dict()`` of the rows against the model before. ``newly_learned``: columns that it did
    not know then.
    """

    version: int
    rows: int
    features: tuple[str, ...]
    report: Mapping[str, Any]
    newly_learned: tuple[str, ...]
    set_aside: int = 0
    suspicions: tuple[str, ...] = ()

    @property
    def promoted(self) -> bool:
        """Whether the new version is champion."""
        return not self.suspicions


@needs("manage")
def update_rows(
    ws: Workspace,
    rows: pd.DataFrame | Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    actor: str,
    also: Callable[[Connection, UpdateResult], None] | None = None,
) -> UpdateResult:
    """Update the champion with rows in memory; the result is champion at once, unless it is suspicious.

    ``also``: what else stands or falls with the update; called with its transaction and its result.

    Raises
    ------
    NotTrainedError, InputError
        When there is no champion, or the rows cannot be used.
    ConflictError
        When others kept moving the champion while this update was made.
    """
    frame = as_frame(rows)

    def learn(champion: Champion) -> tuple[Learned, Flagged]:
        report = champion.detector.alignment(frame)
        require_known(report, ws.settings.min_importance)
        flagged = flagged_by(champion, frame.iloc[:: max(1, -(-len(frame) // COMPARED_ROWS))])
        base = as_registered(ws, champion)
        learned = taught(ws, base.detector.updated(frame))
        return Learned(learned, len(frame), report, base.followed.position), flagged

    return _update(ws, learn, actor, also)


@needs("manage")
def update_path(
    ws: Workspace,
    path: Path,
    *,
    actor: str,
    progress: Progress = no_progress,
    set_aside: Path | None = None,
    reading: ReadOptions | None = None,
) -> UpdateResult:
    """Update the champion with a file where it lies (for the command line); raises as :func:`update_rows`.

    With ``set_aside`` faulty rows go to that CSV file, before the update, instead of refusing the whole.
    """
    source = path_source(path, set_aside=set_aside is not None, reading=reading)

    def learn(champion: Champion) -> tuple[Learned, Flagged]:
        table = source.open(champion.detector, progress=progress)
        if set_aside is not None:
            write_rejected(table, set_aside)
        sample = EvenSample(COMPARED_ROWS, seed=champion.version)
        learned = learn_table(ws, champion, table, progress, sample)
        frame = sample.frame()
        assert frame is not None
        return learned, flagged_by(champion, frame)

    return _update(ws, learn, actor)


@needs("manage")
def roll_back(ws: Workspace, version: int, *, actor: str, reason: str) -> VersionInfo:
    """Make an earlier version champion again.

    Raises
    ------
    NotFoundError
        When there is no such version in the main lane.
    InputError
        When it is the champion already.
    ConflictError
        When somebody else moved the champion at the same moment.
    """
    alias = ws.registry.alias(CHAMPION)
    revision = alias.revision if alias else 0
    move_champion(ws, version, expected_revision=revision, actor=actor, reason=reason.strip() or "rollback")
    return ws.registry.info(version)


@needs("manage")
def teach(ws: Workspace, *, actor: str) -> VersionInfo:
    """Make a version that has learned from all decisions in force, and from nothing else; it is champion at once.

    Raises
    ------
    NotTrainedError
        When there is no champion.
    InputError
        When the champion knows these decisions already.
    ConflictError
        When somebody else moved the champion at the same moment.
    """
    alias = ws.registry.alias(CHAMPION)
    champion = ws.current_champion()
    if alias is None or alias.version != champion.version:
        raise ConflictError("Somebody else has just changed the champion. Look again.")
    before, followed = as_registered(ws, champion)
    after = taught(ws, before)
    if after.decided == before.decided:
        raise InputError(f"Version {champion.version} has learned from all decisions that it can learn from.")
    new = new_version(
        after,
        origin="taught",
        parent=champion.version,
        figures={"decisions": decisions_of(after)},
        position=followed.position,
    )
    return ws.promote(new, actor=actor, expected_revision=alias.revision, reason="decisions learned")


def list_versions(ws: Workspace, *, limit: int | None = None) -> tuple[VersionInfo, ...]:
    """Return the versions of the main lane, newest first; ``limit`` of them."""
    return ws.registry.list(lane="main", limit=limit)


def _update(
    ws: Workspace,
    learn: Callable[[Champion], tuple[Learned, Flagged]],
    actor: str,
    also: Callable[[Connection, UpdateResult], None] | None = None,
) -> UpdateResult:
    for attempt in range(ATTEMPTS):
        alias = ws.registry.alias(CHAMPION)
        champion = ws.current_champion()
        if alias is None or alias.version != champion.version:
            continue
        with span("update", version=champion.version):
            learned, flagged = learn(champion)
        report = learned.report.to_dict()
        added = new_features(champion.detector, learned.detector)
        new = new_version(
            learned.detector,
            origin="updated",
            parent=champion.version,
            figures={
                "update": {
                    "rows": learned.rows,
                    "set_aside": learned.set_aside,
                    "report": report,
                    "columns_to_learn": added,
                },
                "decisions": decisions_of(learned.detector),
            },
            position=learned.position,
        )
        against = suspicions(champion, learned.detector, flagged, ws.settings)
        features = learned_features(learned.detector)
        result = UpdateResult(0, learned.rows, features, report, tuple(added), learned.set_aside, suspicions=against)

        def tell(connection: Connection, number: int, result: UpdateResult = result) -> None:
            if result.suspicions:
                hold(connection, number, result.suspicions, actor)
            if also is not None:
                also(connection, replace(result, version=number))

        try:
            if against:
                info = ws.registry.register(new, actor=actor, also=tell)
            else:
                info = ws.promote(new, actor=actor, expected_revision=alias.revision, reason="update", also=tell)
        except ConflictError:
            if attempt == ATTEMPTS - 1:
                raise
            continue
        return replace(result, version=info.number)
    raise ConflictError("Others kept changing the champion while this update was made. Try again.")
