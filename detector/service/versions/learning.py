"""A model that has learned from more rows, before it is registered."""

from __future__ import annotations

from dataclasses import dataclass

from detector.core.alignment import AlignmentReport
from detector.core.model import DynamicAnomalyDetector
from detector.errors import InputError
from detector.files import Table
from detector.service.loading import Loaded, load
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

    It has learned from the decisions in force as well, and knows what was observed up to the event ``position``.
    """

    detector: DynamicAnomalyDetector
    rows: int
    report: AlignmentReport
    position: int
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
    base = as_registered(ws, champion)
    detector, report, rows = base.detector, None, 0
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
    return Learned(taught(ws, detector), rows, report, base.followed.position, table.set_aside)


def as_registered(ws: Workspace, champion: Champion) -> Loaded:
    """Return the champion without the columns that it has met in requests, so that an update can be repeated."""
    ws.following.write()
    return load(ws.registry, champion.version)


def new_features(before: DynamicAnomalyDetector, after: DynamicAnomalyDetector) -> list[str]:
    """Return the features that ``after`` has learned and ``before`` has not."""
    known = set(learned_features(before))
    return [name for name in learned_features(after) if name not in known]
