"""Decisions on their way into models: which are in force, on which rows, and a model that has learned from them."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Connection, select

from detector.core.model import DynamicAnomalyDetector
from detector.service.review.case_ids import CaseId
from detector.service.review.reranking import LABELS
from detector.service.workspace import Workspace
from detector.store import tables
from detector.store.case_rows import rows_of


@dataclass(frozen=True)
class Decided:
    """Rows on which there are decisions in force: the rows as they were scored, and one label for each (1 fraud)."""

    cases: tuple[CaseId, ...]
    labels: tuple[int, ...]
    rows: pd.DataFrame

    @property
    def keys(self) -> tuple[str, ...]:
        """What models call these rows."""
        return tuple(map(str, self.cases))


def labels_in_force(connection: Connection) -> dict[CaseId, int]:
    """Return what models may learn from, by case: 1 for fraud, 0 for legitimate."""
    decisions = tables.decisions
    query = select(decisions.c.run, decisions.c.row, decisions.c.outcome).where(
        decisions.c.ended_at.is_(None), decisions.c.outcome.in_(LABELS)
    )
    return {CaseId(run, row): LABELS[outcome] for run, row, outcome in connection.execute(query)}


@dataclass(frozen=True)
class Waiting:
    """Decisions that the champion does not know: ``new`` ones, and those it knows that were ``taken_back`` since."""

    new: int
    taken_back: int


def waiting(ws: Workspace) -> Waiting:
    """Return how far the champion is behind the decisions in force."""
    champion = ws.champion()
    with ws.database.read() as connection:
        labels = {(str(case), label) for case, label in labels_in_force(connection).items()}
    known = champion.detector.decided if champion is not None else None
    learned = set() if known is None else set(zip(known.keys, known.labels, strict=True))
    changed = {key for key, _ in labels} & {key for key, _ in learned - labels}
    return Waiting(len(labels - learned), len(learned - labels) - len(changed))


def decided(ws: Workspace) -> Decided:
    """Return the rows of all decisions in force that models may learn from.

    Rows of runs whose files are gone are left out.
    """
    with ws.database.read() as connection:
        labels = labels_in_force(connection)
    rows = rows_of(ws.database, ws.settings.data_folder, ((case.run, case.row) for case in labels))
    cases = tuple(CaseId.parse(name) for name in rows.index)
    return Decided(cases, tuple(labels[case] for case in cases), rows.reset_index(drop=True))


def taught(ws: Workspace, detector: DynamicAnomalyDetector) -> DynamicAnomalyDetector:
    """Return the model with all decisions in force, and none that were taken back; ``detector`` stays as it is."""
    found = decided(ws)
    forgotten = detector.undecided()
    if not found.cases:
        return forgotten
    return forgotten.taught(found.rows, found.labels, keys=found.keys)
