"""Champion and challenger: which version answers, which one is tried beside it, and how either comes to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from detector.errors import InputError, NotFoundError, excerpt
from detector.service.access import needs
from detector.service.champion import CUTOFF, Champion
from detector.service.preferences import preference
from detector.service.versions.agreement import CHALLENGER
from detector.service.workspace import CHAMPION, Workspace
from detector.store import audit
from detector.store.versions import Alias, VersionInfo


@dataclass(frozen=True)
class Standing:
    """The two aliases as they stand. ``challenger`` is ``None`` while nothing challenges the champion."""

    champion: Alias
    challenger: Alias | None

    @property
    def champion_revision(self) -> int:
        """How often the champion has moved; what a promotion expects."""
        return self.champion.revision


def standing(ws: Workspace) -> Standing:
    """Return champion and challenger as the database has them now.

    Raises
    ------
    NotTrainedError
        When there is no champion.
    """
    champion, challenger = ws.registry.alias(CHAMPION), ws.registry.alias(CHALLENGER)
    if champion is None:
        ws.require_champion()
        raise NotFoundError("There is no champion.")
    if challenger is not None and challenger.version == champion.version:
        # In a workspace of an earlier release a challenger could become champion and keep its name.
        challenger = None
    return Standing(champion, challenger)


def cutoff_as_champion(ws: Workspace, version: int) -> float:
    """Return the cutoff (severity, 0-100) that a version has, or would have, as champion."""
    own = preference(ws, CUTOFF)
    return ws.registry.info(version).cutoff if own is None else float(own)


def lineage(ws: Workspace, version: int) -> tuple[VersionInfo, ...]:
    """Return the versions that led to a version, the first training first, itself last.

    Raises
    ------
    NotFoundError
        When there is no such version.
    """
    chain = [ws.registry.info(version)]
    while (parent := chain[-1].parent) is not None:
        chain.append(ws.registry.info(parent))
    return tuple(reversed(chain))


@needs("manage")
def make_challenger(ws: Workspace, version: int, *, seen: Alias | None, actor: str) -> Alias:
    """Let a version challenge the champion; ``seen`` is the challenger that the person had before them.

    Raises
    ------
    NotFoundError
        When there is no such version in the main lane.
    InputError
        When it is the champion.
    ConflictError
        When somebody else has named or stopped a challenger in the meantime.
    """
    revision = 0 if seen is None else seen.revision
    return move_challenger(ws, version, expected_revision=revision, actor=actor, reason="challenge")


@needs("manage")
def move_challenger(
    ws: Workspace,
    version: int,
    *,
    expected_revision: int,
    actor: str,
    reason: str,
    also: Callable[[Connection, Alias], None] | None = None,
) -> Alias:
    """Do what :func:`make_challenger` does, from the revision that was seen, 0 for none.

    ``also`` stands or falls with it, see ``Registry.move_alias``.
    """
    of_main_lane(ws, version)
    if standing(ws).champion.version == version:
        raise InputError(f"Version {version} is the champion; it cannot challenge itself.", version=version)
    ws.detector(version)
    return ws.registry.move_alias(
        CHALLENGER, version, expected_revision=expected_revision, actor=actor, reason=reason, also=also
    )


@needs("manage")
def stop_challenge(ws: Workspace, *, seen: Alias, actor: str) -> None:
    """End the challenge; raises ``ConflictError`` when somebody else named another challenger in the meantime."""
    ws.registry.drop_alias(CHALLENGER, expected_revision=seen.revision, actor=actor, reason="challenge stopped")


@needs("manage")
def promote(ws: Workspace, version: int, *, seen: Alias, actor: str, reason: str) -> VersionInfo:
    """Make any version of the main lane champion, an earlier one too; ``seen`` is the champion that the person saw.

    Raises as :func:`move_champion`.
    """
    move_champion(ws, version, expected_revision=seen.revision, actor=actor, reason=reason)
    return ws.registry.info(version)


@needs("manage")
def move_champion(
    ws: Workspace,
    version: int,
    *,
    expected_revision: int,
    actor: str,
    reason: str,
    also: Callable[[Connection, Alias], None] | None = None,
) -> Alias:
    """Make any version of the main lane champion. A challenger that is promoted is none any more.

    Parameters
    ----------
    expected_revision
        The revision of the champion that the person had before them, 0 for none.
    reason
        Why; it is written into the log.
    also
        What else stands or falls with it; called with the transaction and where the champion points then.

    Raises
    ------
    NotFoundError
        When there is no such version in the main lane.
    InputError
        When it is the champion already, or there is no reason.
    ConflictError
        When the champion has changed in the meantime.
    ModelFileError
        When its file is not the one that was registered.
    """
    of_main_lane(ws, version)
    if not reason.strip():
        raise InputError("Say why the champion changes; the reason is kept in the log.")
    now = ws.registry.alias(CHAMPION)
    if now is not None and (now.version, now.revision) == (version, expected_revision):
        raise InputError(f"Version {version} is the champion already.", version=version)
    return ws.move_champion(version, expected_revision=expected_revision, actor=actor, reason=reason.strip(), also=also)


def champion_before(ws: Workspace) -> int:
    """Return the version that was champion before the one of now: what a rollback goes back to.

    Raises
    ------
    NotTrainedError
        When there is no champion.
    NotFoundError
        When there was no other one before it.
    """
    now = standing(ws).champion
    with ws.database.read() as connection:
        before = audit.latest(connection, action=f"{CHAMPION} moved", subject=f"version {now.version}")
    found = None if before is None else before.details.get("before")
    if found is None or found == now.version:
        raise NotFoundError(f"Version {now.version} is the first champion; there is none to go back to.")
    return int(found)


def answering(ws: Workspace, name: str) -> Champion:
    """Return the version that a number or an alias names, as it would answer as champion.

    Raises
    ------
    NotFoundError
        When there is no such version in the main lane, or nothing challenges the champion.
    ModelFileError
        When its file is not the one that was registered.
    """
    if name == CHAMPION:
        return ws.require_champion()
    if name == CHALLENGER:
        alias = ws.registry.alias(CHALLENGER)
        if alias is None:
            raise NotFoundError("Nothing challenges the champion.")
        return ws.as_champion(alias.version)
    if not (name.isascii() and name.isdecimal() and len(name) <= 9):
        raise NotFoundError(f"There is no version {excerpt(name)}; name a number, {CHAMPION} or {CHALLENGER}.")
    return ws.as_champion(of_main_lane(ws, int(name)).number)


def of_main_lane(ws: Workspace, version: int) -> VersionInfo:
    """Return a version that may become champion.

    Raises
    ------
    NotFoundError
        When there is no such version, or it belongs to the demo.
    """
    info = ws.registry.info(version)
    if info.lane != "main":
        raise NotFoundError(f"Version {version} belongs to the demo and cannot become champion.", version=version)
    return info
