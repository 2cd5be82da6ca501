"""What the queue has learned from decisions, as it is told on its pages."""

from __future__ import annotations

from detector.service.review.case_ids import CaseId
from detector.service.review.reranking import Kin, Learned
from detector.service.workspace import Workspace


def learned(ws: Workspace, run: int | None = None) -> Learned | None:
    """Return what the last decision did to the queue of a run, or to the queue that was last ranked anew.

    ``None`` without a queue.
    """
    found = [ws.reranker.learned(table) for table in ws.inbox.tables() if run in (None, table.queue.run)]
    ranked = [each for each in found if each.at is not None]
    return max(ranked, key=lambda each: each.at.timestamp() if each.at else 0.0) if ranked else next(iter(found), None)


def kin(ws: Workspace, case: CaseId) -> tuple[Kin, ...]:
    """Return the decided cases that a case ranks with, the strongest pull first; raises ``NotFoundError``."""
    return ws.reranker.kin(*ws.inbox.find(case))
