from __future__ import annotations

import threading

import numpy as np
import pandas as pd
import pytest

from detector.errors import InputError
from detector.service import scoring, uploads
from detector.service.review import deciding, queueing, reranking
from detector.service.review.case_ids import CaseId
from detector.service.runs import get_run
from detector.service.versions import training, updating
from detector.service.versions.teaching import Waiting, decided, waiting
from detector.service.workspace import Workspace
from tests.service.conftest import PARAMETERS, csv
from tests.service.reviewing import in_order, queued


def test_a_queue_without_decisions_is_as_it_was_detected(ws: Workspace) -> None:
    table = queued(ws)
    assert np.array_equal(table.priorities, table.severities)
    assert ws.reranker.learned(table).moved == ()
    assert ws.reranker.kin(table, 0) == ()


def test_priorities_are_the_severities_of_the_version_taught_with_the_decisions(ws: Workspace) -> None:
    from detector.store import queue_files

    table = queued(ws)
    cases = in_order(ws)
    deciding.decide(ws, cases[:1], "fraud", "stolen_card", actor="ada")
    deciding.decide(ws, cases[3:5], "legitimate", "known_pattern", actor="ada")
    found = decided(ws)
    (decided_rows,) = found.parts
    labels = [found.labels[key] for key in found.keys]
    model = ws.detector(table.queue.version).taught(decided_rows, labels, keys=found.keys)
    rows = queue_files.read_rows(ws.inbox.folder / table.queue.file)
    assert np.allclose(ws.inbox.table(table.queue.run).priorities, model.score(rows).severities)


def test_a_confirmed_fraud_moves_its_like_up_and_says_so(ws: Workspace) -> None:
    table = queued(ws, rows=120)
    dear = [case for case in in_order(ws) if table.amounts[table.position(case.row)] == 5_000.0]
    plain = [case for case in in_order(ws) if case not in dear]
    deciding.decide(ws, plain[:6], "legitimate", "known_pattern", actor="ada")
    deciding.decide(ws, dear[:2], "fraud", "stolen_card", actor="ada")
    order = in_order(ws)
    assert set(order[: len(dear) - 2]) == set(dear[2:])
    kin = ws.reranker.kin(*ws.inbox.find(order[0]))
    assert kin[0].fraud
    assert kin[0].case in dear[:2]
    assert kin[0].pull > 0


def test_a_decision_that_is_taken_back_leaves_no_trace(ws: Workspace) -> None:
    table = queued(ws)
    cases = in_order(ws)
    deciding.decide(ws, cases[:1], "fraud", "stolen_card", actor="ada")
    before, order = ws.inbox.table(table.queue.run).priorities.copy(), in_order(ws, view="all")
    change = deciding.decide(ws, cases[1:2], "legitimate", "data_error", actor="ada")
    assert not np.array_equal(ws.inbox.table(table.queue.run).priorities, before)
    deciding.undo(ws, change.batch, actor="ada")
    assert np.array_equal(ws.inbox.table(table.queue.run).priorities, before)
    assert in_order(ws, view="all") == order
    deciding.reopen(ws, cases[:1], actor="ada")
    assert np.array_equal(ws.inbox.table(table.queue.run).priorities, table.severities)
    assert in_order(ws, view="all") == cases


def test_what_is_unclear_teaches_nothing(ws: Workspace) -> None:
    table = queued(ws)
    deciding.decide(ws, in_order(ws)[:3], "unclear", "waiting", actor="ada")
    assert np.array_equal(ws.inbox.table(table.queue.run).priorities, table.severities)


def test_the_lead_can_switch_learning_off_and_on(ws: Workspace) -> None:
    table = queued(ws)
    deciding.decide(ws, in_order(ws)[:2], "fraud", "stolen_card", actor="ada")
    learned = ws.inbox.table(table.queue.run).priorities.copy()
    assert not np.array_equal(learned, table.severities)
    reranking.set_learning(ws.database, False, actor="lead")
    assert np.array_equal(ws.inbox.table(table.queue.run).priorities, table.severities)
    assert not ws.reranker.learned(table).on
    reranking.set_learning(ws.database, True, actor="lead")
    assert np.array_equal(ws.inbox.table(table.queue.run).priorities, learned)


def test_a_queue_learns_from_decisions_on_other_files(ws: Workspace) -> None:
    first = queued(ws, seed=1)
    dear = [case for case in in_order(ws) if first.amounts[first.position(case.row)] == 5_000.0]
    deciding.decide(ws, dear[:5], "fraud", "stolen_card", actor="ada")
    second = queued(ws, seed=2)
    assert not np.array_equal(second.priorities, second.severities)
    assert ws.reranker.kin(second, 0)[0].case in dear[:5]


def test_decisions_on_another_source_neither_teach_nor_harm(ws: Workspace) -> None:
    first = queued(ws)
    random = np.random.default_rng(0)
    other = pd.DataFrame({"pressure": random.normal(size=300), "valve": random.choice(["a", "b"], 300)})
    training.train_rows(ws, other, PARAMETERS, actor="ada")
    run = scoring.score_file(ws, uploads.receive(ws, "valves.csv", csv(other), actor="ada").id, actor="ada")
    queueing.send_to_queue(ws, run.id, 20, actor="ada")
    cases = in_order(ws, run=first.queue.run)
    change = deciding.decide(ws, cases[:1], "fraud", "stolen_card", actor="ada")
    second = ws.inbox.table(run.id)
    assert np.array_equal(second.priorities, second.severities)
    with pytest.raises(InputError, match="all decisions that it can"):
        updating.teach(ws, actor="lead")
    assert waiting(ws) == Waiting(0, 0)
    deciding.undo(ws, change.batch, actor="ada")
    assert in_order(ws, run=first.queue.run) == cases


def test_other_queues_are_as_detected_again_once_learning_is_off_or_all_is_taken_back(ws: Workspace) -> None:
    first = queued(ws, seed=1)
    second = queued(ws, seed=2)
    change = deciding.decide(ws, in_order(ws, run=first.queue.run)[:3], "fraud", "stolen_card", actor="ada")

    def second_learned() -> bool:
        now = ws.inbox.table(second.queue.run)
        return not np.array_equal(now.priorities, now.severities)

    assert second_learned()
    reranking.set_learning(ws.database, False, actor="lead")
    assert not second_learned()
    reranking.set_learning(ws.database, True, actor="lead")
    assert second_learned()
    deciding.undo(ws, change.batch, actor="ada")
    assert not second_learned()


def test_what_a_version_had_learned_and_was_taken_back_no_longer_ranks_its_queues(ws: Workspace) -> None:
    first = queued(ws, seed=1)
    cases = in_order(ws, run=first.queue.run)
    deciding.decide(ws, cases[:3], "fraud", "stolen_card", actor="ada")
    updating.teach(ws, actor="lead")
    second = queued(ws, seed=2)
    deciding.reopen(ws, cases[:3], actor="ada")
    deciding.decide(ws, in_order(ws, run=second.queue.run)[:1], "fraud", "stolen_card", actor="ada")
    table = ws.inbox.table(second.queue.run)
    assert {kin.case.run for at in range(len(table)) for kin in ws.reranker.kin(table, at)} == {second.queue.run}


def test_the_newest_decision_on_a_row_of_a_file_counts_however_often_it_was_scored(ws: Workspace) -> None:
    first = queued(ws, seed=1)
    again = scoring.score_file(ws, get_run(ws, first.queue.run).upload_id, actor="ada")
    queueing.send_to_queue(ws, again.id, 40, actor="ada")
    case = in_order(ws, run=first.queue.run)[0]
    twin = CaseId(again.id, case.row)
    deciding.decide(ws, [case], "fraud", "stolen_card", actor="ada")
    deciding.decide(ws, [twin], "legitimate", "data_error", actor="ada")
    assert decided(ws).labels == {str(twin): 0}
    deciding.decide(ws, [case], "unclear", "waiting", actor="ada")
    assert decided(ws).labels == {}


def test_a_queue_is_ranked_while_others_decide(ws: Workspace) -> None:
    queued(ws)
    cases = in_order(ws)
    errors: list[Exception] = []
    over = threading.Event()

    def look() -> None:
        try:
            while not over.is_set():
                in_order(ws)
        except Exception as error:  # noqa: BLE001 - told to the test
            errors.append(error)

    looking = [threading.Thread(target=look) for _ in range(2)]
    for thread in looking:
        thread.start()
    for case in cases[:15]:
        deciding.assign(ws, [case], "bob", actor="ada")
        deciding.decide(ws, [case], "legitimate", "data_error", actor="ada")
    over.set()
    for thread in looking:
        thread.join()
    assert errors == []


def test_what_moved_is_told_among_the_open_cases(ws: Workspace) -> None:
    table = queued(ws, rows=100)
    order = in_order(ws)
    deciding.decide(ws, order[:8], "legitimate", "known_pattern", actor="ada")
    learned = ws.reranker.learned(ws.inbox.table(table.queue.run))
    assert (learned.frauds, learned.legitimate) == (0, 8)
    after = in_order(ws)
    assert not set(order[:8]) & set(after)
    for moved in learned.moved:
        assert after.index(moved.case) == moved.after - 1
        assert moved.after < moved.before


def test_another_process_follows(ws: Workspace, open_workspace) -> None:
    table = queued(ws)
    other = open_workspace()
    assert np.array_equal(other.inbox.table(table.queue.run).priorities, table.severities)
    deciding.decide(ws, in_order(ws)[:2], "fraud", "stolen_card", actor="ada")
    mine = ws.inbox.table(table.queue.run)
    assert np.array_equal(other.inbox.table(table.queue.run).priorities, mine.priorities)


def test_of_many_queues_that_learn_from_another_one_is_built_at_each_look(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = [queued(ws, seed=seed) for seed in (1, 2, 3, 4)]
    built: list[int] = []
    build = reranking.Reranker._built
    monkeypatch.setattr(
        reranking.Reranker,
        "_built",
        lambda self, table, labels: built.append(table.queue.run) or build(self, table, labels),
    )
    cases = in_order(ws, run=first.queue.run)
    change = deciding.decide(ws, cases[:3], "fraud", "stolen_card", actor="ada")
    told = []
    for _ in range(5):
        ws.inbox.tables()
        told.append(len(built))
    assert told == [2, 3, 4, 4, 4]
    assert sorted(built) == [first.queue.run, *(table.queue.run for table in others)]
    assert all(not np.array_equal(table.priorities, table.severities) for table in ws.inbox.tables())
    deciding.undo(ws, change.batch, actor="ada")
    assert all(np.array_equal(table.priorities, table.severities) for table in ws.inbox.tables())
