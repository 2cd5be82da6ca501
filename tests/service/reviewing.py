"""A queue to review, for tests: a run of payments of which some are far too dear."""

from __future__ import annotations

from typing import Any

from detector.service import scoring, uploads
from detector.service.review import queueing
from detector.service.review.case_ids import CaseId
from detector.service.review.filters import Filters
from detector.service.review.inbox import CaseTable
from detector.service.review.queue import queue_page
from detector.service.versions import training
from detector.service.workspace import Workspace
from tests.service.conftest import PARAMETERS, csv, transactions


def queued(ws: Workspace, *, rows: int = 40, seed: int = 1) -> CaseTable:
    """Return the queue of a scored file; trains a model where there is none."""
    if ws.champion() is None:
        training.train_rows(ws, transactions(600), PARAMETERS, actor="ada")
    upload = uploads.receive(ws, f"file{seed}.csv", csv(transactions(400, seed)), actor="ada")
    run = scoring.score_file(ws, upload.id, actor="ada")
    queueing.send_to_queue(ws, run.id, rows, actor="ada")
    return ws.inbox.table(run.id)


def in_order(ws: Workspace, **filters: Any) -> list[CaseId]:
    """Return the cases of a view as the queue shows them to Ada."""
    return [line.id for line in queue_page(ws, Filters(**filters), actor="ada").lines]
