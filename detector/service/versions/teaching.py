"""Decisions on their way into models: which are in force, on which rows, and a model that has learned from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import structlog

from detector.core.model import DynamicAnomalyDetector
from detector.service.review.reranking import labels_in_force, taught_by
from detector.service.workspace import Workspace
from detector.store.case_rows import rows_of

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class DecidedRows:
    """Rows on which there are decisions in force.

    ``parts``: for each file the rows as they were scored; the index names the case. ``labels``: 1 for fraud and 0 for
    legitimate, by the name of the case.
    """

    parts: tuple[pd.DataFrame, ...]
    labels: Mapping[str, int]

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the cases, in the order of the rows."""
        return tuple(name for rows in self.parts for name in rows.index)


@dataclass(frozen=True)
class Waiting:
    """Decisions that the champion does not know: ``new`` ones, and those it knows that were ``taken_back`` since."""

    new: int
    taken_back: int


def waiting(ws: Workspace) -> Waiting:
    """Return how far the champion is behind the decisions in force, of those that it can learn from."""
    champion = ws.champion()
    if champion is None:
        return Waiting(0, 0)
    known = champion.detector.decided
    learned = set(zip(known.keys, known.labels, strict=True))
    with ws.database.read() as connection:
        if learned == {(str(case), label) for case, label in labels_in_force(connection).items()}:
            return Waiting(0, 0)
    then = taught(ws, champion.detector).decided
    labels = set(zip(then.keys, then.labels, strict=True))
    changed = {key for key, _ in labels} & {key for key, _ in learned - labels}
    return Waiting(len(labels - learned), len(learned - labels) - len(changed))


def decided(ws: Workspace) -> DecidedRows:
    """Return the rows of all decisions in force that models may learn from.

    Rows of runs whose files are gone are left out.
    """
    with ws.database.read() as connection:
        labels = labels_in_force(connection)
    parts = rows_of(ws.database, ws.settings.data_folder, ((case.run, case.row) for case in labels))
    return DecidedRows(parts, {str(case): label for case, label in labels.items()})


def taught(ws: Workspace, detector: DynamicAnomalyDetector) -> DynamicAnomalyDetector:
    """Return the model with all decisions in force, and none that were taken back; ``detector`` stays as it is.

    Of a decision in force whose row is on another machine, what the model knows already stays; what it does not know
    it learns with the next version that is made where the row is.
    """
    found = decided(ws)
    here = set(found.keys)
    known = {
        key: label for key, label in zip(detector.decided.keys, detector.decided.labels, strict=True) if key not in here
    }
    away = found.labels.keys() - here
    kept = {key for key in away if known.get(key) == found.labels[key]}
    if away:
        _log.warning("rows of decisions are not on this machine", rows=len(away), known=len(kept))
    begun = detector.undecided()
    if kept:
        begun = begun.with_decisions_of(detector).forget(set(detector.decided.keys) - kept)
    return taught_by(begun, found.parts, found.labels)
