"""Champion and challenger: which version answers, which one is tried beside it, and how either comes to be."""

from __future__ import annotations

from dataclasses import dataclass

from detector.errors import InputError, NotFoundError
from detector.service.access import needs
from detector.service.champion import CUTOFF
from detector.service.preferences import preference
from detector.service.workspace import CHAMPION, Workspace
from detector.store.versions import Alias, VersionInfo

#: The alias of the version that is tried beside the champion.
CHALLENGER = "challenger"


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
        # It was promoted by a way that knows no challenger, such as the command line.
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
    _of_main_lane(ws, version)
    now = standing(ws)
    if now.champion.version == version:
        raise InputError(f"Version {version} is the champion; it cannot challenge itself.", version=version)
    ws.detector(version)
    if seen is None and now.challenger is None:
        _forget_old(ws, actor)
    return ws.registry.move_alias(
        CHALLENGER, version, expected_revision=seen.revision if seen else 0, actor=actor, reason="challenge"
    )


@needs("manage")
def stop_challenge(ws: Workspace, *, seen: Alias, actor: str) -> None:
    """End the challenge; raises ``ConflictError`` when somebody else named another challenger in the meantime."""
    ws.registry.drop_alias(CHALLENGER, expected_revision=seen.revision, actor=actor, reason="challenge stopped")


@needs("manage")
def promote(ws: Workspace, version: int, *, seen: Alias, actor: str, reason: str) -> VersionInfo:
    """Make any version of the main lane champion, an earlier one too. A challenger that is promoted is none any more.

    Parameters
    ----------
    seen
        The champion that the person had before them.
    reason
        Why; it is written into the log.

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
    info = _of_main_lane(ws, version)
    if not reason.strip():
        raise InputError("Say why the champion changes; the reason is kept in the log.")
    if seen.version == version:
        raise InputError(f"Version {version} is the champion already.", version=version)
    ws.move_champion(version, expected_revision=seen.revision, actor=actor, reason=reason.strip())
    _forget_old(ws, actor)
    return info


def _of_main_lane(ws: Workspace, version: int) -> VersionInfo:
    info = ws.registry.info(version)
    if info.lane != "main":
        raise NotFoundError(f"Version {version} belongs to the demo and cannot become champion.", version=version)
    return info


def _forget_old(ws: Workspace, actor: str) -> None:
    """Drop a challenger that has become the champion."""
    champion, challenger = ws.registry.alias(CHAMPION), ws.registry.alias(CHALLENGER)
    if champion is not None and challenger is not None and challenger.version == champion.version:
        ws.registry.drop_alias(CHALLENGER, expected_revision=challenger.revision, actor=actor, reason="promoted")
