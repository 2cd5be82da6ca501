"""A model that has learned from more rows, before it is registered."""

from __future__ import annotations

from dataclasses import dataclass

from detector.core.alignment import AlignmentReport
from detector.core.model import DynamicAnomalyDetector
from detector.errors import InputError
from detector.files import Table
from detector.service.champion import registered_model
from detector.service.progress import Progress
from detector.service.rejected import nothing_left
from detector.service.sources import EvenSample, told_batches
from detector.service.tally import require_known
from detector.service.versions.teaching import taught
from detector.service.versions.versioning import learned_features
from detector.service.workspace import Champion, Workspace


@dataclass(frozen=True)
class Learned:
    """An updated model, the rows that it learned from, how they fitted its base, and the faulty ones set aside.

    It has learned from the decisions in force as well.
    """

    detector: DynamicAnomalyDetector
    rows: int
    report: AlignmentReport
    set_aside: int = 0


def learn_table(
    ws: Workspace, champion: Champion, table: Table, progress: Progress, sample: EvenSample | None = None
) -> Learned:
    """Let a copy of the champion learn from a table, batch by batch; its rows also go into ``sample``.

    Raises
    ------
    InputError
        When the table has no rows.
    NoKnownColumnsError
        When its first batch carries too little of what the champion knows.
    """
    detector, report, rows = as_registered(ws, champion), None, 0
    for batch in told_batches(table, ws.settings.batch_rows, progress, f"Learning from {table.name}"):
        found = champion.detector.alignment(batch, report)
        if report is None:
            require_known(found, ws.settings.min_importance)
        report = found if report is None else report.merged(found)
        detector = detector.updated(batch)
        rows += len(batch)
        if sample is not None:
            sample.add(batch)
    if report is None or rows == 0:
        raise InputError(nothing_left(table, "learn from"))
    return Learned(taught(ws, detector), rows, report, table.set_aside)


def as_registered(ws: Workspace, champion: Champion) -> DynamicAnomalyDetector:
    """Return the champion without the columns it has observed in this process, so that an update can be repeated."""
    ws.following.write()
    return registered_model(ws.registry, champion.version)


def new_features(before: DynamicAnomalyDetector, after: DynamicAnomalyDetector) -> list[str]:
    """Return the features that ``after`` has learned and ``before`` has not."""
    known = set(learned_features(before))
    return [name for name in learned_features(after) if name not in known]
