"""A challenger on live traffic: start a trial, see how it goes, stop it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex
from typing import get_args

from sqlalchemy import Connection, insert, select

from detector.core.intervals import wilson
from detector.errors import InputError, NotFoundError
from detector.service.access import needs
from detector.service.versions.agreement import CHALLENGER
from detector.service.versions.challenging import move_challenger
from detector.service.versions.sides import id_field
from detector.service.versions.trial import Mode, Trial, TrialCounts, counted, find_trial
from detector.service.workspace import CHAMPION, Workspace
from detector.store import audit
from detector.store.aliases import find_alias
from detector.store.trial_tables import trials
from detector.store.versions import Alias

#: The share that a challenger answers unless another is asked for.
SHARE = 0.1


@dataclass(frozen=True)
class FlaggedShare:
    """How many rows a version flags, and Wilson's 95 % interval of the share (0-1); 0 to 1 while nothing is counted."""

    flagged: int
    rows: int
    low: float
    high: float

    @classmethod
    def of(cls, flagged: int, rows: int) -> FlaggedShare:
        """Return the share ``flagged / rows`` with its interval."""
        return cls(flagged, rows, *(wilson(flagged, rows) if rows else (0.0, 1.0)))

    @property
    def share(self) -> float | None:
        """The share itself, ``None`` while nothing is counted."""
        return self.flagged / self.rows if self.rows else None


@dataclass(frozen=True)
class TrialState:
    """The trial that goes on, against the champion of now, and what all processes have counted until a moment ago."""

    trial: Trial
    champion: int
    counts: TrialCounts

    @property
    def flagged_by_champion(self) -> FlaggedShare:
        """What the champion flags of the rows that both scored."""
        return FlaggedShare.of(self.counts.agreement.champion, self.counts.agreement.rows)

    @property
    def flagged_by_challenger(self) -> FlaggedShare:
        """What the challenger flags of the same rows."""
        return FlaggedShare.of(self.counts.agreement.challenger, self.counts.agreement.rows)

    @property
    def agreed(self) -> float | None:
        """The share (0-1) of rows on which both say the same, ``None`` while nothing is counted."""
        found = self.counts.agreement
        return (found.both + found.neither) / found.rows if found.rows else None

    @property
    def mean_shift(self) -> float | None:
        """How far the two severities of a row lie apart in the mean, in points."""
        return self.counts.shift / self.counts.agreement.rows if self.counts.agreement.rows else None


@needs("manage")
def start_trial(
    ws: Workspace,
    version: int,
    *,
    mode: Mode,
    share: float = SHARE,
    field: str | None = None,
    expected_revision: int,
    actor: str,
    reason: str = "",
) -> Trial:
    """Let a version see live requests as challenger; a trial that goes on ends with that.

    Parameters
    ----------
    mode
        ``shadow``: the champion answers all requests. ``share``: the challenger answers ``share`` of them.
    field
        Names the transaction that always goes to the same version; the id field by default, and the whole transaction
        where there is none.
    expected_revision
        The revision of the challenger that the person had before them, 0 for none.

    Raises
    ------
    NotTrainedError, NotFoundError
        When there is no champion, or no such version in the main lane.
    InputError
        When the version is the champion, or mode or share cannot be used.
    ConflictError
        When somebody else has named or stopped a challenger in the meantime.
    ModelFileError
        When the version's file is not the one that was registered.
    """
    if mode not in get_args(Mode):
        raise InputError(f"A trial is {' or '.join(get_args(Mode))}, not {mode!r}.")
    if mode == "share" and not (math.isfinite(share) and 0.0 < share < 1.0):
        raise InputError(f"The share that the challenger answers lies between 0 and 1, not at {share:g}.")
    champion = ws.require_champion().detector
    named = field or id_field(champion.schema_, champion.roles)

    def begin(connection: Connection, alias: Alias) -> None:
        challenger = alias.version
        values = {
            "challenger": challenger,
            "revision": alias.revision,
            "mode": mode,
            "share": share if mode == "share" else 0.0,
            "field": named,
            "salt": _salt_for(connection, challenger),
        }
        now = datetime.now(UTC)
        connection.execute(insert(trials).values(**values, started_at=now, started_by=actor))
        told = {name: values[name] for name in ("mode", "share", "field")}
        audit.record(connection, actor=actor, action="trial started", subject=f"version {challenger}", **told)

    alias = move_challenger(
        ws, version, expected_revision=expected_revision, actor=actor, reason=reason.strip() or "trial", also=begin
    )
    with ws.database.read() as connection:
        row = connection.execute(select(trials).where(trials.c.revision == alias.revision)).mappings().one()
        return Trial(**row)


@needs("manage")
def stop_trial(ws: Workspace, *, expected_revision: int, actor: str, reason: str = "") -> None:
    """End the trial; the champion answers all from then on, and nothing challenges it.

    Raises
    ------
    NotFoundError
        When no trial goes on.
    ConflictError
        When somebody else has named or stopped a challenger in the meantime.
    """
    if trial_state(ws) is None:
        raise NotFoundError("No challenger is on live traffic.")
    ws.registry.drop_alias(
        CHALLENGER, expected_revision=expected_revision, actor=actor, reason=reason.strip() or "trial stopped"
    )


def trial_state(ws: Workspace) -> TrialState | None:
    """Return the trial that goes on and its figures, or ``None``."""
    with ws.database.read() as connection:
        trial, champion = find_trial(connection), find_alias(connection, CHAMPION)
        if trial is None or champion is None or champion.version == trial.challenger:
            return None
        return TrialState(trial, champion.version, counted(connection, trial.id, champion.version))


def challenger_revision(ws: Workspace) -> int:
    """Return the revision that a change of the challenger expects now, 0 while there is none."""
    alias: Alias | None = ws.registry.alias(CHALLENGER)
    return 0 if alias is None else alias.revision


def _salt_for(connection: Connection, challenger: int) -> str:
    """Return the key of this challenger's last trial, or a new one: a share that grows keeps what it had."""
    query = select(trials.c.salt).where(trials.c.challenger == challenger).order_by(trials.c.id.desc()).limit(1)
    return connection.scalar(query) or token_hex(16)
