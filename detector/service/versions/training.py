"""A new model from rows or from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from detector.core.frames import as_frame
from detector.core.model import DynamicAnomalyDetector
from detector.core.times import times_of
from detector.errors import InputError
from detector.files import ReadOptions
from detector.service.access import needs
from detector.service.histogram import Histogram
from detector.service.progress import Progress, no_progress
from detector.service.rejected import nothing_left, set_aside_note, write_rejected
from detector.service.sources import EvenSample, Source, path_source, told_batches, upload_source
from detector.service.tally import no_unreadable
from detector.service.versions.versioning import learned_features, left_out, new_version
from detector.service.workspace import Workspace
from detector.store.observed import last_number, taken_out
from detector.store.versions import Origin

#: Most rows held out for the figures of a training; a fifth of the rows otherwise.
MOST_HELD_OUT = 20_000
#: With fewer rows none is held out.
ROWS_TO_HOLD_OUT = 50
FEW_ROWS = "There are only {rows} rows: the model knows little of what is usual. A few hundred make it dependable."
LONG = "The training took so long that what was observed when it began is not in its histories."
#: Contaminations, in percent, for which the flagged share is told.
SHARES = (0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True)
class TrainParameters:
    """The parameters of :class:`~detector.core.model.DynamicAnomalyDetector` that a person chooses."""

    contamination: float = 0.1
    n_estimators: int = 100
    max_samples: int | float | Literal["auto"] = "auto"
    scaler_type: str = "robust"
    random_state: int = 42

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> TrainParameters:
        """Return the parameters that ``given`` names; raises ``InputError`` for a name that is none."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(given) - known):
            raise InputError(f"There is no parameter {unknown[0]!r}; there are {', '.join(sorted(known))}.")
        return cls(**given)


@dataclass(frozen=True)
class TrainResult:
    """A finished training, already champion.

    ``features``: columns learned; ``left_out``: (column, reason) of those that were not. ``score_histogram`` and
    ``flagged_shares`` ({contamination in %: share of rows flagged, 0-1}) are measured on ``held_out_rows`` rows, a
    random fifth (at most 20,000), by a model fitted without them; the champion itself is fitted on all rows. With
    fewer than 50 rows nothing is held out, and both are empty. ``set_aside``: faulty rows of the upload ``upload_id``
    (``None`` for other files and rows in memory) that took no part, beside ``rows``.
    """

    version: int
    rows: int
    features: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    score_histogram: Histogram
    flagged_shares: Mapping[float, float]
    held_out_rows: int
    parameters: TrainParameters
    set_aside: int = 0
    upload_id: str | None = None


#: What else stands or falls with a training: called with its transaction and its result.
Also = Callable[[Connection, TrainResult], None]


@dataclass(frozen=True)
class _HeldOut:
    rows: int
    histogram: Histogram
    shares: Mapping[float, float]


@needs("manage")
def train_rows(
    ws: Workspace,
    rows: pd.DataFrame | Sequence[Mapping[str, Any]],
    parameters: TrainParameters | None = None,
    roles: Mapping[str, str] | None = None,
    *,
    actor: str,
    progress: Progress = no_progress,
    also: Also | None = None,
) -> TrainResult:
    """Train on rows in memory and make the new version champion. ``also``: see :data:`Also`.

    Raises
    ------
    InputError
        When a parameter, a role or the rows cannot be used.
    """
    frame = as_frame(rows)
    return fit_and_promote(
        ws, frame, parameters, roles, actor=actor, progress=progress, refuse_unreadable=True, also=also
    )


@needs("manage")
def train_file(
    ws: Workspace,
    upload_id: str,
    parameters: TrainParameters | None = None,
    roles: Mapping[str, str] | None = None,
    *,
    actor: str,
    progress: Progress = no_progress,
    also: Also | None = None,
) -> TrainResult:
    """Train on an upload and make the new version champion. ``also``: see :data:`Also`.

    Raises
    ------
    NotFoundError, InputError
        When there is no such upload, or the file, a parameter or a role cannot be used.
    Cancelled
        When ``progress`` raised it; nothing is kept then.
    """
    return train_source(ws, upload_source(ws, upload_id), parameters, roles, actor=actor, progress=progress, also=also)


@needs("manage")
def train_path(
    ws: Workspace,
    path: Path,
    parameters: TrainParameters | None = None,
    roles: Mapping[str, str] | None = None,
    *,
    actor: str,
    progress: Progress = no_progress,
    set_aside: Path | None = None,
    reading: ReadOptions | None = None,
) -> TrainResult:
    """Train on a file where it lies (for the command line) and make the new version champion; as :func:`train_file`.

    With ``set_aside`` faulty rows go to that CSV file, before the training, instead of refusing the whole. ``reading``
    says how the file is to be read where that cannot be found out.
    """
    source = path_source(path, set_aside=set_aside is not None, reading=reading)
    return train_source(ws, source, parameters, roles, actor=actor, progress=progress, set_aside=set_aside)


def train_result(ws: Workspace, version: int) -> TrainResult | None:
    """Return the result of the training that made ``version``; ``None`` when it was updated or imported instead.

    Raises
    ------
    NotFoundError
        When there is no such version.
    """
    info = ws.registry.info(version)
    told = info.figures.get("training")
    if told is None:
        return None
    return TrainResult(
        version=version,
        rows=info.rows,
        features=info.features,
        left_out=tuple((name, reason) for name, reason in told["left_out"]),
        notes=tuple(told["notes"]),
        score_histogram=Histogram.from_dict(told["histogram"]),
        flagged_shares={float(share): flagged for share, flagged in told["flagged_shares"].items()},
        held_out_rows=told["held_out_rows"],
        parameters=TrainParameters(**told["parameters"]),
        set_aside=info.figures.get("set_aside", 0),
        upload_id=info.figures.get("upload"),
    )


@needs("manage")
def train_source(
    ws: Workspace,
    source: Source,
    parameters: TrainParameters | None,
    roles: Mapping[str, str] | None,
    *,
    actor: str,
    progress: Progress,
    origin: Origin = "trained",
    set_aside: Path | None = None,
    also: Also | None = None,
) -> TrainResult:
    """Train on a file, wherever it lies; what :func:`train_file` and :func:`train_path` have in common."""
    table = source.open(progress=progress)
    if set_aside is not None:
        write_rejected(table, set_aside)
    sample = EvenSample(ws.settings.max_training_rows, seed=(parameters or TrainParameters()).random_state)
    rows = 0
    for batch in told_batches(table, ws.settings.batch_rows, progress, f"Reading {table.name}"):
        sample.add(batch)
        rows += len(batch)
    frame = sample.frame()
    if frame is None:
        raise InputError(nothing_left(table, "learn from"))
    notes = list(table.notes)
    if told := set_aside_note(table):
        notes.append(told)
    if len(frame) < rows:
        notes.append(f"The model was fitted on an even sample of {len(frame):,} of the {rows:,} rows.")
    figures = {"sha256": source.sha256, "file": table.name, "upload": source.upload_id, "set_aside": table.set_aside}
    result = fit_and_promote(
        ws,
        frame,
        parameters,
        roles,
        actor=actor,
        progress=progress,
        notes=notes,
        figures=figures,
        origin=origin,
        also=also,
    )
    return replace(result, set_aside=table.set_aside, upload_id=source.upload_id)


@needs("manage")
def fit_and_promote(
    ws: Workspace,
    frame: pd.DataFrame,
    parameters: TrainParameters | None,
    roles: Mapping[str, str] | None,
    *,
    actor: str,
    progress: Progress,
    notes: Sequence[str] = (),
    figures: Mapping[str, Any] | None = None,
    origin: Origin = "trained",
    refuse_unreadable: bool = False,
    also: Also | None = None,
) -> TrainResult:
    """Fit a model, measure it on rows held out, register it and make it champion.

    ``refuse_unreadable``: a value that cannot be read as what its column holds is an error (the reader of files has
    refused such cells already).
    """
    if len(frame) < 2:
        raise InputError(f"Training needs at least two rows; there {'is' if len(frame) == 1 else 'are'} {len(frame)}.")
    parameters = parameters or TrainParameters()
    with ws.database.read() as connection:
        # What is observed while it is made belongs to it as well.
        position = last_number(connection)
    if len(frame) < ROWS_TO_HOLD_OUT:
        notes = [*notes, FEW_ROWS.format(rows=len(frame))]
    progress(0, len(frame), "Measuring on rows held out")
    held_out = _measure_held_out(frame, parameters, roles)
    progress(0, len(frame), "Fitting the model")
    detector = _fitted(frame, parameters, roles)
    if detector.behaviour is not None:
        with ws.database.read() as connection:
            gone = taken_out(connection, detector.behaviour.identity)
        if gone > position:
            notes, position = [*notes, LONG], gone
    if refuse_unreadable:
        no_unreadable(detector.alignment(frame))
    progress(len(frame), len(frame), "Keeping the model")
    training = {
        "left_out": [list(pair) for pair in left_out(detector)],
        "notes": list(notes),
        "histogram": held_out.histogram.to_dict(),
        "flagged_shares": {str(share): flagged for share, flagged in held_out.shares.items()},
        "held_out_rows": held_out.rows,
        "parameters": asdict(parameters),
    }
    new = new_version(detector, origin=origin, figures={"training": training, **(figures or {})}, position=position)
    result = TrainResult(
        version=0,
        rows=len(frame),
        features=learned_features(detector),
        left_out=left_out(detector),
        notes=tuple(notes),
        score_histogram=held_out.histogram,
        flagged_shares=held_out.shares,
        held_out_rows=held_out.rows,
        parameters=parameters,
    )

    def tell(connection: Connection, number: int) -> None:
        if also is not None:
            also(connection, replace(result, version=number))

    info = ws.promote(new, actor=actor, reason="training", also=tell)
    return replace(result, version=info.number)


def _measure_held_out(frame: pd.DataFrame, parameters: TrainParameters, roles: Mapping[str, str] | None) -> _HeldOut:
    if len(frame) < ROWS_TO_HOLD_OUT:
        return _HeldOut(0, Histogram.empty(), {})
    many = min(MOST_HELD_OUT, len(frame) // 5)
    held = np.zeros(len(frame), dtype=bool)
    held[np.random.default_rng(parameters.random_state).permutation(len(frame))[:many]] = True
    detector = _fitted(frame[~held], parameters, roles)
    if detector.behaviour is not None:
        # A row in the midst of what its entity did is no fresh one: the latest rows are held out instead.
        times = times_of(frame[detector.behaviour.plans[0].time]).to_numpy()
        held[:] = False
        held[np.argsort(times, kind="stable")[len(frame) - many :]] = True
        detector = _fitted(frame[~held], parameters, roles)
    severities = detector.score(frame[held]).severities
    shares = {share: float(np.mean(severities > 100.0 - share)) for share in SHARES}
    return _HeldOut(many, Histogram.of(severities), shares)


def _fitted(
    frame: pd.DataFrame, parameters: TrainParameters, roles: Mapping[str, str] | None
) -> DynamicAnomalyDetector:
    try:
        return DynamicAnomalyDetector(**asdict(parameters), roles=dict(roles) if roles else None).fit(frame)
    except InputError:
        raise
    except ValueError as error:
        # The estimator speaks scikit-learn: a parameter out of range is a plain ValueError there.
        raise InputError(str(error)) from error
