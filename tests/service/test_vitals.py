from __future__ import annotations

from detector.service.vitals import read_vitals
from detector.service.workspace import Workspace


def test_what_waits_for_analysts_is_told_with_its_age(queued: Workspace) -> None:
    vitals = read_vitals(queued)
    assert (vitals.open_cases, vitals.champion, vitals.database) == (60, 1, True)
    assert 0 < vitals.oldest_case < 600


def test_an_empty_workspace_has_nothing_that_waits(ws: Workspace) -> None:
    vitals = read_vitals(ws)
    assert (vitals.open_cases, vitals.oldest_case, vitals.champion, vitals.drift) == (0, 0.0, None, "unknown")
