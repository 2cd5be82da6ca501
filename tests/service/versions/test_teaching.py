from __future__ import annotations

import pandas as pd
import pytest
from structlog.testing import capture_logs

from detector.core.model import DynamicAnomalyDetector
from detector.errors import InputError
from detector.service.review import deciding, queueing
from detector.service.versions import updating
from detector.service.versions.teaching import Waiting, decided, taught, waiting
from detector.service.workspace import Workspace
from tests.service.conftest import transactions
from tests.service.reviewing import in_order, queued


def test_a_version_can_be_made_of_decisions_alone(ws: Workspace) -> None:
    queued(ws)
    cases = in_order(ws)
    deciding.decide(ws, cases[:2], "fraud", "stolen_card", actor="ada")
    deciding.decide(ws, cases[2:5], "legitimate", "known_pattern", actor="ada")
    deciding.decide(ws, cases[5:6], "unclear", "waiting", actor="ada")
    made = updating.teach(ws, actor="lead")
    assert made.origin == "taught"
    assert made.parent == 1
    assert made.figures["decisions"] == {"fraud": 2, "legitimate": 3}
    assert ws.current_champion().detector.decided.keys == tuple(sorted(map(str, cases[:5])))
    with pytest.raises(InputError, match="all decisions that it can"):
        updating.teach(ws, actor="lead")


def test_decisions_survive_an_update_with_a_new_column(ws: Workspace) -> None:
    queued(ws)
    deciding.decide(ws, in_order(ws)[:4], "fraud", "stolen_card", actor="ada")
    updating.update_rows(ws, transactions(300, 7).assign(device=lambda rows: rows["amount"] * 0.5 + 1), actor="ada")
    champion = ws.current_champion()
    assert len(champion.detector.decided) == 4
    assert ws.registry.info(champion.version).figures["decisions"] == {"fraud": 4, "legitimate": 0}
    kept = DynamicAnomalyDetector.from_bytes(champion.detector.to_bytes())
    assert kept.decided == champion.detector.decided


def test_a_decision_that_was_taken_back_is_not_in_the_next_version(ws: Workspace) -> None:
    queued(ws)
    cases = in_order(ws)
    deciding.decide(ws, cases[:1], "fraud", "stolen_card", actor="ada")
    deciding.decide(ws, cases[1:2], "fraud", "stolen_card", actor="ada")
    updating.teach(ws, actor="lead")
    deciding.reopen(ws, cases[1:2], actor="ada")
    updating.teach(ws, actor="lead")
    assert ws.current_champion().detector.decided.keys == (str(cases[0]),)


def test_decided_rows_are_found_when_their_queue_holds_them_no_longer(ws: Workspace) -> None:
    table = queued(ws)
    cases = in_order(ws)
    deciding.decide(ws, cases[-1:], "legitimate", "data_error", actor="ada")
    before = decided(ws)
    queueing.send_to_queue(ws, table.queue.run, 5, actor="ada")
    after = decided(ws)
    assert after.labels == before.labels
    pd.testing.assert_frame_equal(after.parts[0], before.parts[0], check_dtype=False)


def test_what_a_version_knows_of_decisions_stays_where_their_rows_are_not(ws: Workspace) -> None:
    queued(ws)
    cases = in_order(ws)
    deciding.decide(ws, cases[:4], "fraud", "stolen_card", actor="ada")
    updating.teach(ws, actor="lead")
    for path in (*ws.settings.data_folder.glob("runs/*"), *ws.settings.data_folder.glob("queues/*")):
        path.unlink()
    deciding.reopen(ws, cases[:1], actor="ada")
    before = ws.current_champion().detector
    with capture_logs() as logs:
        updating.update_rows(ws, transactions(300, 7), actor="ada")
    after = ws.current_champion().detector
    assert after.decided.keys == tuple(sorted(map(str, cases[1:4])))
    assert len(before.decided) == 4
    assert {"event": "rows of decisions are not on this machine", "log_level": "warning", "rows": 3, "known": 3} in logs


def test_the_model_that_is_taught_stays_as_it_is(ws: Workspace) -> None:
    queued(ws)
    model = ws.require_champion().detector
    assert taught(ws, model).to_bytes() == model.to_bytes()
    deciding.decide(ws, in_order(ws)[:2], "fraud", "stolen_card", actor="ada")
    before = model.to_bytes()
    assert taught(ws, model).to_bytes() != before
    assert model.to_bytes() == before


def test_a_preview_tells_what_becomes_of_decided_cases(ws: Workspace, give) -> None:
    queued(ws)
    preview = updating.preview_update(ws, give(transactions(300, 8)).id, actor="ada")
    assert preview.decided is None
    cases = in_order(ws)
    deciding.decide(ws, cases[:3], "fraud", "stolen_card", actor="ada")
    preview = updating.preview_update(ws, give(transactions(300, 9)).id, actor="ada")
    assert preview.decided is not None
    assert (preview.decided.frauds, preview.decided.legitimate) == (3, 0)
    # What is decided between a preview and its acceptance is learned as well.
    deciding.decide(ws, cases[3:4], "legitimate", "data_error", actor="ada")
    made = updating.accept_update(ws, preview.token, actor="lead")
    assert made.figures["decisions"] == {"fraud": 3, "legitimate": 1}


def test_it_is_told_how_far_the_champion_is_behind(ws: Workspace) -> None:
    queued(ws)
    assert waiting(ws) == Waiting(0, 0)
    cases = in_order(ws)
    deciding.decide(ws, cases[:3], "fraud", "stolen_card", actor="ada")
    assert waiting(ws) == Waiting(3, 0)
    updating.teach(ws, actor="lead")
    assert waiting(ws) == Waiting(0, 0)
    deciding.reopen(ws, cases[:1], actor="ada")
    deciding.decide(ws, cases[1:2], "legitimate", "data_error", actor="ada")
    assert waiting(ws) == Waiting(1, 1)
