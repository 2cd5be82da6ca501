from __future__ import annotations

from datetime import UTC, datetime

import pytest

from detector.service.review import deciding, queue, review_figures
from detector.service.review.filters import Filters
from detector.service.workspace import Workspace


def test_before_the_first_decision_nothing_can_be_measured(ws: Workspace) -> None:
    found = review_figures.review_figures(ws)
    assert (found.fraud, found.legitimate, found.false_share, found.seconds, found.by_day) == (0, 0, None, None, ())
    assert review_figures.decided_today(ws, actor="ada") == {"fraud": 0, "legitimate": 0, "unclear": 0}


def test_figures_count_the_decisions_in_force(queued: Workspace) -> None:
    one, two, three, four, five, *rest = queue.matching(queued, Filters(), actor="ada", limit=10)
    for case, outcome, reason, seconds in (
        (one, "fraud", "stolen_card", 10.0),
        (two, "legitimate", "data_error", 30.0),
        (three, "legitimate", "data_error", 20.0),
        (four, "unclear", "waiting", None),
    ):
        deciding.decide(queued, [case], outcome, reason, actor="ada", seconds=seconds)
    wrong = deciding.decide(queued, [five], "fraud", "other_fraud", actor="ada", seconds=900.0)
    deciding.undo(queued, wrong.batch, actor="ada")
    deciding.decide(queued, rest, "legitimate", "known_pattern", actor="bob")
    found = review_figures.review_figures(queued)
    assert (found.fraud, found.legitimate, found.timed, found.seconds) == (1, 7, 3, 20.0)
    assert found.false_share == pytest.approx(7 / 8)
    assert found.by_day == ((datetime.now(UTC).date(), 1, 7, 20.0),)
    assert review_figures.decided_today(queued, actor="ada") == {"fraud": 1, "legitimate": 2, "unclear": 1}
    assert review_figures.decided_today(queued, actor="bob")["legitimate"] == 5
